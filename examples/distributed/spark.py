"""Training on the executors of a Spark cluster, in a barrier stage.

    pip install "focalboost[xgboost]" "pyspark[sql]"
    python examples/distributed/spark.py

Spark needs a Java runtime, 17 or newer (Debian: apt install openjdk-17-jre-headless). The workers
of a barrier stage run at the same time and can communicate: worker 0 starts XGBoost's tracker, and
each worker calls `focalboost.xgboost.train` as on one machine, with its own partition. The second
way is XGBoost's own SparkXGBClassifier, which takes the objective as `obj`, and the init score as
`base_score`. Its predictions are the sigmoid; `loss.inverse_link` of the raw scores gives the
probabilities. With Spark 4.3 and XGBoost 3.2 it prints

    barrier stage: FocalLoss(gamma=2.0, alpha=None)
    rate of positives: 0.0347, mean probability: 0.0339
    largest difference from one process: 0.0e+00
    SparkXGBClassifier, mean probability: 0.0339
"""

import json
import os
import sys

import numpy as np
import pandas as pd
import xgboost
from pyspark import BarrierTaskContext
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession
from scipy.special import expit
from sklearn.datasets import make_classification
from xgboost.spark import SparkXGBClassifier
from xgboost.tracker import RabitTracker

import focalboost.xgboost
from focalboost import FocalLoss

LOSS = FocalLoss(gamma=2.0)
PARAMS = {"max_depth": 4, "eta": 0.1, "min_child_weight": 0.1, "nthread": 1}
N_WORKERS, N_ROUNDS = 2, 50


def train_on_worker(parts):
    """Train on the samples of this worker; worker 0 returns the model, which all workers have."""
    task = BarrierTaskContext.get()
    tracker, arguments = None, None
    if task.partitionId() == 0:
        host = task.getTaskInfos()[0].address.partition(":")[0]
        tracker = RabitTracker(n_workers=N_WORKERS, host_ip=host)
        tracker.start()
        arguments = tracker.worker_args()
    arguments = json.loads(task.allGather(json.dumps(arguments))[0])
    table = pd.concat([*parts], ignore_index=True)
    with xgboost.collective.CommunicatorContext(**arguments):
        data = xgboost.DMatrix(table.drop(columns="y"), table["y"])
        booster = focalboost.xgboost.train(PARAMS, data, N_ROUNDS, loss=LOSS)
    if task.partitionId() == 0:
        yield pd.DataFrame({"model": [bytes(booster.save_raw())]})


def main():
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = SparkSession.builder.master(f"local[{N_WORKERS}]").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    X, y = make_classification(20_000, 6, weights=[0.97], random_state=0)
    names = [f"x{i}" for i in range(6)]
    local = pd.DataFrame(X.round(1), columns=names).assign(y=y)
    table = spark.createDataFrame(local).repartition(N_WORKERS)

    found = table.mapInPandas(train_on_worker, "model binary", barrier=True).collect()
    booster = xgboost.Booster(model_file=bytearray(found[0]["model"]))
    proba = focalboost.predict_proba(booster, local[names])[:, 1]
    print(f"barrier stage: {focalboost.loss_of(booster)}")
    print(f"rate of positives: {y.mean():.4f}, mean probability: {proba.mean():.4f}")
    one = xgboost.DMatrix(local[names], local["y"])
    one = focalboost.xgboost.train(PARAMS, one, N_ROUNDS, loss=LOSS)
    difference = np.max(np.abs(proba - focalboost.predict_proba(one, local[names])[:, 1]))
    print(f"largest difference from one process: {difference:.1e}")

    model = SparkXGBClassifier(
        features_col="features",
        label_col="y",
        num_workers=N_WORKERS,
        n_estimators=N_ROUNDS,
        max_depth=4,
        learning_rate=0.1,
        min_child_weight=0.1,
        obj=focalboost.xgboost.objective(LOSS),
        base_score=float(expit(LOSS.init_score(y))),
        verbose=0,
    ).fit(VectorAssembler(inputCols=names, outputCol="features").transform(table))
    raw = model.get_booster().predict(xgboost.DMatrix(local[names].to_numpy()), output_margin=True)
    proba = LOSS.inverse_link(raw)
    print(f"SparkXGBClassifier, mean probability: {proba.mean():.4f}")
    spark.stop()


if __name__ == "__main__":
    main()
