"""What a Python objective costs in training: CPU time beside the booster's own log loss.

1,000,000 x 30, gamma 0 without the bound, where the trees are the booster's own, so that the ratio
is overhead alone; then gamma 2. Data sets are built once; every contestant trains once a
repetition.

    python benchmarks/training.py [--threads 2] [--repetitions 5] [--rounds 20]
"""

import argparse
import time
from statistics import median

import lightgbm
import numpy as np
import xgboost
from sklearn.datasets import make_classification

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()

    X, y = make_classification(1_000_000, 30, weights=[0.98], random_state=0)
    X = X.astype(np.float32)
    losses = {"gamma 0": FocalLoss(0.0, max_step=None), "gamma 2": FocalLoss(2.0)}
    lightgbm_params = {"verbose": -1, "num_threads": options.threads}
    lightgbm_data = lightgbm.Dataset(X, y, params=lightgbm_params).construct()
    xgboost_params = {"nthread": options.threads, "tree_method": "hist"}
    xgboost_data = xgboost.QuantileDMatrix(X, y, nthread=options.threads)
    contestants = {
        "LightGBM": {
            "own": lambda: lightgbm.train(
                {**lightgbm_params, "objective": "binary"}, lightgbm_data, options.rounds
            ),
            **{
                name: lambda loss=loss: focalboost.lightgbm.train(
                    lightgbm_params, lightgbm_data, options.rounds, loss=loss
                )
                for name, loss in losses.items()
            },
        },
        "XGBoost": {
            "own": lambda: xgboost.train(
                {**xgboost_params, "objective": "binary:logistic"}, xgboost_data, options.rounds
            ),
            **{
                name: lambda loss=loss: focalboost.xgboost.train(
                    xgboost_params, xgboost_data, options.rounds, loss=loss
                )
                for name, loss in losses.items()
            },
        },
    }
    print(
        f"| {options.threads} threads | own, CPU seconds | gamma 0 | gamma 2 |\n|---|---|---|---|"
    )
    for booster, runs in contestants.items():
        seconds = {name: [] for name in runs}
        for repetition in range(options.repetitions + 1):
            for name, run in runs.items():
                start = time.process_time()
                run()
                if repetition:  # the first one warms up
                    seconds[name].append(time.process_time() - start)
        ratios = [
            median(t / b for t, b in zip(seconds[name], seconds["own"], strict=True))
            for name in losses
        ]
        print(f"| {booster} | {median(seconds['own']):.2f} | {ratios[0]:.3f} | {ratios[1]:.3f} |")


if __name__ == "__main__":
    main()
