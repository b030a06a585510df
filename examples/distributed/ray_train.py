"""Training on the workers of a Ray cluster, with Ray Train.

    pip install "focalboost[xgboost]" "ray[data,train]"
    python examples/distributed/ray_train.py

Ray starts the workers, and gives each its shard and XGBoost's communicator; each worker calls
`focalboost.xgboost.train` as on one machine. With Ray 2.60 and XGBoost 3.2 it prints

    rounds: 47, loss: FocalLoss(gamma=2.0, alpha=None)
    rate of positives: 0.0333, mean probability: 0.0309
"""

import numpy as np
import ray
import xgboost
from ray.train import ScalingConfig
from ray.train.xgboost import RayTrainReportCallback, XGBoostTrainer
from sklearn.datasets import make_classification

import focalboost.xgboost
from focalboost import FocalLoss

PARAMS = {"max_depth": 4, "eta": 0.1, "min_child_weight": 0.1, "nthread": 1}


def train_on_worker(config):
    def data_of(name):
        table = ray.train.get_dataset_shard(name).materialize().to_pandas()
        return xgboost.DMatrix(table.drop(columns="y"), table["y"])

    focalboost.xgboost.train(
        PARAMS,
        data_of("train"),
        config["rounds"],
        evals=[(data_of("validation"), "validation")],
        early_stopping_rounds=10,
        verbose_eval=False,
        callbacks=[RayTrainReportCallback(frequency=20)],  # metrics and checkpoints
        loss=FocalLoss(gamma=2.0),
    )


def as_dataset(X, y):
    columns = {f"x{i}": column for i, column in enumerate(X.T)}
    return ray.data.from_items([dict(zip([*columns, "y"], row, strict=True))
                                for row in np.column_stack([X, y])])  # fmt: skip


def main():
    ray.init(num_cpus=3, include_dashboard=False)
    X, y = make_classification(8_000, 6, weights=[0.97], random_state=0)
    datasets = {"train": as_dataset(X[:4_000], y[:4_000]),
                "validation": as_dataset(X[4_000:], y[4_000:])}  # fmt: skip
    result = XGBoostTrainer(
        train_on_worker,
        train_loop_config={"rounds": 200},
        scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1}),
        datasets=datasets,
    ).fit()
    booster = RayTrainReportCallback.get_model(result.checkpoint)
    booster = booster[: booster.best_iteration + 1]  # XGBoost keeps the rounds after the best one
    columns = booster.feature_names
    rows = xgboost.DMatrix(X[4_000:], feature_names=columns)
    proba = focalboost.predict_proba(booster, rows)[:, 1]
    print(f"rounds: {booster.num_boosted_rounds()}, loss: {focalboost.loss_of(booster)}")
    print(f"rate of positives: {y[4_000:].mean():.4f}, mean probability: {proba.mean():.4f}")


if __name__ == "__main__":
    main()
