"""XGBoost in two processes with half of the samples each, connected by its own tracker.

    pip install "focalboost[xgboost]"
    python examples/distributed/two_processes.py

This is what Dask, Ray and Spark do under the hood: a tracker, a communicator on each worker, and
the same call of `focalboost.xgboost.train` on each worker, with its own part of the samples. Init
score and metric are those of all samples, so that both processes get the model of a single process.
"""

import multiprocessing

import numpy as np
import xgboost
from sklearn.datasets import make_classification
from xgboost.tracker import RabitTracker

import focalboost.xgboost
from focalboost import FocalLoss

PARAMS = {"max_depth": 4, "eta": 0.1, "min_child_weight": 0.1, "nthread": 1}


def make_data():
    X, y = make_classification(20_000, 10, weights=[0.97], random_state=0)
    order = np.argsort(y, kind="stable")  # all positives on the last worker
    return X[order].round(1), y[order]  # few values, so that the workers' bins are the same


def train(X, y):
    loss, data = FocalLoss(gamma=2.0), xgboost.DMatrix(X, y)
    return focalboost.xgboost.train(PARAMS, data, 50, loss=loss)


def work(rank, n_workers, arguments, found):
    X, y = (np.array_split(values, n_workers)[rank] for values in make_data())
    with xgboost.collective.CommunicatorContext(**arguments, dmlc_task_id=str(rank)):
        found.put(bytes(train(X, y).save_raw()))


def main():
    tracker = RabitTracker(n_workers=2, host_ip="127.0.0.1")
    tracker.start()
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    processes = [
        context.Process(target=work, args=(rank, 2, tracker.worker_args(), found))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    boosters = [xgboost.Booster(model_file=bytearray(found.get(timeout=120))) for _ in processes]
    X, y = make_data()
    one = focalboost.predict_proba(train(X, y), X)[:, 1]
    print(f"rate of positives: {y.mean():.4f}, mean probability of one process: {one.mean():.4f}")
    for booster in boosters:
        proba = focalboost.predict_proba(booster, X)[:, 1]
        difference = np.max(np.abs(proba - one))
        print(f"a worker's model: {proba.mean():.4f}, largest difference: {difference:.1e}")
        assert difference < 1e-6


if __name__ == "__main__":
    main()
