"""Training and probabilities on a Dask cluster.

    pip install "focalboost[dask]"
    python examples/distributed/dask_cluster.py

The cluster is two processes on this machine; use `Client("scheduler:8786")` for your own.
"""

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from sklearn.datasets import make_classification
from xgboost.dask import DaskDMatrix

import focalboost.dask
from focalboost import FocalLoss

PARAMS = {"max_depth": 4, "eta": 0.1, "min_child_weight": 0.1}


def main():
    X, y = (
        da.from_array(values, chunks=(5_000, *values.shape[1:]))
        for values in make_classification(40_000, 10, weights=[0.97], random_state=0)
    )
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        training = DaskDMatrix(client, X[:20_000], y[:20_000])
        validation = DaskDMatrix(client, X[20_000:], y[20_000:])
        found = focalboost.dask.train(
            client,
            PARAMS,
            training,
            200,
            evals=[(validation, "validation")],
            early_stopping_rounds=10,
            verbose_eval=50,
            loss=FocalLoss(gamma=2.0),
        )
        booster = found["booster"]
        best = booster[: booster.best_iteration + 1]  # XGBoost keeps the rounds after the best one
        proba = focalboost.dask.predict_proba(client, best, X[20_000:])  # lazy, in four chunks
        mean, rate = da.compute(proba[:, 1].mean(), y[20_000:].mean())
    print(f"rounds: {booster.num_boosted_rounds()}, best round: {booster.best_iteration}")
    print(f"rate of positives: {rate:.4f}, mean probability: {mean:.4f}")
    losses = found["history"]["validation"]["focal_loss"]
    assert np.argmin(losses) == booster.best_iteration


if __name__ == "__main__":
    main()
