"""What focal loss costs on a GPU, compared with XGBoost's own log loss.

    python benchmarks/gpu.py [--rows 1000000] [--columns 30] [--rounds 100] [--repetitions 5]
        [--device cuda]

Each contestant trains once per repetition, in turn; the figures are medians of the wall time, and
of its ratio to the time of XGBoost's own loss in the same repetition. The objective is computed on
the CPU: in each round scores come from the GPU and gradients go back to it. The last line is the
time of the objective alone.
"""

import argparse
import time
from functools import partial
from statistics import median

import numpy as np
import xgboost

import focalboost.xgboost
from focalboost import FocalLoss

PARAMS = {"max_depth": 6, "min_child_weight": 0.1}


def make_data(n_rows, n_columns, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns)).astype(np.float32)
    score = X[:, 0] + X[:, 1] * X[:, 2] + rng.logistic(size=n_rows)
    return X, (score > np.quantile(score, 0.97)).astype(np.float32)


def contestants(rounds, device):
    params = {**PARAMS, "device": device}
    own = {**params, "objective": "binary:logistic"}

    def by_own_loss(data, **evals):
        return xgboost.train(own, data, rounds, verbose_eval=False, **evals)

    def by_focal_loss(data, **evals):
        loss = FocalLoss(2.0)
        return focalboost.xgboost.train(
            params, data, rounds, verbose_eval=False, loss=loss, **evals
        )

    return {"own log loss": by_own_loss, "focal loss": by_focal_loss}


def seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("rows", 1_000_000), ("columns", 30), ("rounds", 100), ("repetitions", 5)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    X, y = make_data(options.rows, options.columns, 0)
    data = xgboost.QuantileDMatrix(X, y)
    half = options.rows // 2
    validation = xgboost.QuantileDMatrix(X[:half], y[:half], ref=data)
    for title, evals in (("alone", {}), ("validation", {"evals": [(validation, "val")]})):
        runs = contestants(options.rounds, options.device)
        times = {name: [] for name in runs}
        for repetition in range(options.repetitions + 1):
            for name, run in runs.items():
                taken = seconds(partial(run, data, **evals))
                if repetition:  # the first one warms up
                    times[name].append(taken)
        own = times["own log loss"]
        for name, taken in times.items():
            ratio = median(a / b for a, b in zip(taken, own, strict=True))
            print(f"{title:10} {name:12} {1e3 * median(taken) / options.rounds:7.2f} ms a round, "
                  f"{ratio:.2f} times own log loss")  # fmt: skip
    objective = focalboost.xgboost.objective(FocalLoss(2.0), n_threads=16)
    raw = np.zeros(options.rows, dtype=np.float32)
    objective(raw, data)
    took = median(seconds(lambda: objective(raw, data)) for _ in range(20))
    print(f"the objective alone, on the CPU: {1e3 * took:.2f} ms")


if __name__ == "__main__":
    main()
