"""What focal loss costs in CatBoost: compiled and numpy derivatives beside CatBoost's own losses.

Trains 50 rounds on 200,000 x 20, every contestant once a repetition, and prints the median of the
times as a ratio to CatBoost's own Logloss of the same repetition.

    python benchmarks/catboost_callback.py [--threads 2] [--repetitions 5]
"""

import argparse
import time
from dataclasses import dataclass
from statistics import median

import catboost
from sklearn.datasets import make_classification

import focalboost.catboost
from focalboost import FocalLoss


@dataclass(frozen=True)
class NumpyOnly:
    """Focal loss without its compiled path."""

    loss: FocalLoss

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return self.loss(y_true, raw_prediction, sample_weight)

    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return self.loss.gradient_curvature(y_true, raw_prediction, sample_weight)

    def init_score(self, y_true, sample_weight=None):
        return self.loss.init_score(y_true, sample_weight)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()

    X, y = make_classification(200_000, 20, weights=[0.99], random_state=0)
    pool = catboost.Pool(X, y)
    pool.quantize()
    params = {
        "iterations": 50, "depth": 6, "learning_rate": 0.1, "thread_count": options.threads,
        "verbose": 0, "allow_writing_files": False, "leaf_estimation_iterations": 1,
        "leaf_estimation_method": "Newton", "boosting_type": "Plain",
    }  # fmt: skip
    loss = FocalLoss(2.0, 0.25)
    own_focal = "Focal:focal_alpha=0.25;focal_gamma=2.0"
    contestants = {
        "Logloss": lambda: catboost.train(pool, {**params, "loss_function": "Logloss"}),
        "CatBoost's Focal": lambda: catboost.train(pool, {**params, "loss_function": own_focal}),
        "focalboost, compiled": lambda: focalboost.catboost.train(pool, params, loss=loss),
        "focalboost, numpy": lambda: focalboost.catboost.train(pool, params, loss=NumpyOnly(loss)),
    }
    contestants["focalboost, compiled"]()  # compiles, or loads what was compiled
    seconds = {name: [] for name in contestants}
    for _ in range(options.repetitions):
        for name, train in contestants.items():
            start = time.perf_counter()
            train()
            seconds[name].append(time.perf_counter() - start)
    base = seconds["Logloss"]
    print(f"| {options.threads} threads | ratio to Logloss |\n|---|---|")
    for name, times in seconds.items():
        ratio = median(t / b for t, b in zip(times, base, strict=True))
        print(f"| {name} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
