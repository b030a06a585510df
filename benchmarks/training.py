"""What focal loss costs in training, beside the boosters' own losses, a textbook and packages.

1,000,000 x 30. At gamma 0 without the bound the trees are those of the booster's own log loss, so
that the ratio is overhead alone; then gamma 2. Data sets are built once, every contestant trains
once a repetition, in turn, and the figures are medians of the ratios of CPU time to the booster's
own loss in the same repetition. For CatBoost, whose callback holds Python's lock, it is the time
that passes. Each bar is printed with whether it holds.

    python benchmarks/training.py [--rows 1000000] [--repetitions 5] [--rounds 20]

The packages are timed where they are installed (pip install bokbokbok gbdtCBL imlightgbm).
"""

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import catboost
import lightgbm
import numpy as np
import xgboost
from kernel import package, textbook
from sklearn.datasets import make_classification

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss
from focalboost.losses._kernels import FocalFormula, FocalKernel

LOG_LOSS, FOCAL = FocalLoss(0.0), FocalLoss(2.0, 0.25)
OWN_FOCAL = "Focal:focal_alpha=0.25;focal_gamma=2.0"


class NumpyKernel(FocalKernel):
    """The kernel of focal loss without its compiled loop."""

    def compiled(self, max_step: float | None) -> None:
        return None


class WithoutNumba(FocalLoss):
    """Focal loss as it is where numba is not installed."""

    @property
    def kernel(self) -> NumpyKernel:
        return NumpyKernel(FocalFormula(self.gamma), self.alpha)


class Textbook:
    """The textbook's derivatives as CatBoost calls for them."""

    no_jit = True

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
        return -np.column_stack(textbook(targets, approxes))


def others() -> dict[str, Callable[[Any, Any], Any]]:
    """Return what else computes focal loss, as ``f(raw_prediction, data)``."""
    found = {
        "textbook": lambda z, data: textbook(data.get_label(), z),
        "bokbokbok": package(
            "bokbokbok.loss_functions.classification",
            lambda module: module.WeightedFocalLoss(alpha=1.0, gamma=2.0),
        ),
        "gbdtCBL": package(
            "gbdtCBL.binary",
            lambda module: lambda z, data: module.FLLoss(2.0)(data.get_label(), z),
        ),
        "imlightgbm": package(
            "imlightgbm.objective",
            lambda module: lambda z, data: module.binary_focal_objective(data.get_label(), z, 2.0),
        ),
    }
    return {name: run for name, run in found.items() if run is not None}


def lightgbm_runs(X: Any, y: Any, rounds: int, threads: int) -> dict[str, Callable[[], Any]]:
    params = {"verbose": -1, "num_threads": threads}
    data = lightgbm.Dataset(X, y, params=params).construct()

    def ours(loss: FocalLoss, **kwargs: Any) -> Callable[[], Any]:
        return lambda: focalboost.lightgbm.train(params, data, rounds, loss=loss, **kwargs)

    return {
        "own": lambda: lightgbm.train({**params, "objective": "binary"}, data, rounds),
        "gamma 0": ours(LOG_LOSS, max_step=None),
        "gamma 2": ours(FOCAL),
        **{
            name: lambda run=run: lightgbm.train({**params, "objective": run}, data, rounds)
            for name, run in others().items()
        },
    }


def xgboost_runs(X: Any, y: Any, rounds: int, threads: int) -> dict[str, Callable[[], Any]]:
    params = {"nthread": threads, "tree_method": "hist"}
    data = xgboost.QuantileDMatrix(X, y, nthread=threads)

    def ours(loss: FocalLoss, **kwargs: Any) -> Callable[[], Any]:
        return lambda: focalboost.xgboost.train(params, data, rounds, loss=loss, **kwargs)

    own = {**params, "objective": "binary:logistic"}
    return {
        "own": lambda: xgboost.train(own, data, rounds),
        "gamma 0": ours(LOG_LOSS, max_step=None),
        "gamma 2": ours(FOCAL),
        **{
            name: lambda run=run: xgboost.train(own, data, rounds, obj=run)
            for name, run in others().items()
        },
    }


def catboost_runs(X: Any, y: Any, rounds: int, threads: int) -> dict[str, Callable[[], Any]]:
    params = {
        "iterations": rounds, "depth": 6, "learning_rate": 0.1, "thread_count": threads,
        "verbose": 0, "allow_writing_files": False, "leaf_estimation_iterations": 1,
        "leaf_estimation_method": "Newton", "boosting_type": "Plain",
    }  # fmt: skip
    by_gradient = {**params, "leaf_estimation_method": "Gradient"}
    pool = catboost.Pool(X, y.astype(int))
    pool.quantize()

    def ours(loss: FocalLoss, params: Any = params, **kwargs: Any) -> Callable[[], Any]:
        return lambda: focalboost.catboost.train(pool, params, loss=loss, **kwargs)

    return {
        "own": lambda: catboost.train(pool, {**params, "loss_function": "Logloss"}),
        "own Focal": lambda: catboost.train(pool, {**params, "loss_function": OWN_FOCAL}),
        "gamma 0": ours(LOG_LOSS, max_step=None),
        "gamma 2": ours(FOCAL),
        "gamma 2, numpy": ours(WithoutNumba(2.0, 0.25)),
        "textbook": lambda: catboost.train(
            pool, {**params, "loss_function": Textbook(), "eval_metric": "Logloss"}
        ),
        "own Focal, Gradient": lambda: catboost.train(
            pool, {**by_gradient, "loss_function": OWN_FOCAL}
        ),
        "native=True, Gradient": ours(FOCAL, by_gradient, native=True),
    }


def compare(
    runs: dict[str, Callable[[], Any]], repetitions: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(repetitions + 1):
        for name, run in runs.items():
            start = clock()
            run()
            if repetition:  # the first one warms up
                seconds[name].append(clock() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--boosters", nargs="+", default=["LightGBM", "XGBoost", "CatBoost"])
    options = parser.parse_args()
    X, y = make_classification(options.rows, 30, weights=[0.98], random_state=0)
    X = X.astype(np.float32)

    bars = []
    for booster, threads, make, clock in (
        ("LightGBM", 2, lightgbm_runs, time.process_time),
        ("XGBoost", 2, xgboost_runs, time.process_time),
        ("CatBoost", 1, catboost_runs, time.perf_counter),
        ("CatBoost", 2, catboost_runs, time.perf_counter),
    ):
        if booster not in options.boosters:
            continue
        seconds = compare(make(X, y, options.rounds, threads), options.repetitions, clock)

        def ratio(name: str, to: str, seconds: dict[str, list[float]] = seconds) -> float:
            return median(t / b for t, b in zip(seconds[name], seconds[to], strict=True))

        print(
            f"\n| {booster}, {threads} thread{'s' * (threads > 1)} | " + " | ".join(seconds) + " |"
        )
        print("|---" * (len(seconds) + 1) + "|")
        own = f"{median(seconds['own']):.2f} s"
        others = [f"{ratio(name, 'own'):.2f}" for name in seconds if name != "own"]
        print("| | " + " | ".join([own, *others]) + " |", flush=True)
        if booster != "CatBoost":
            bars.append((f"{booster}, gamma 0 to its own", ratio("gamma 0", "own"), 1.06))
            continue
        bar = 1.05 if threads == 1 else 2.2
        to_own = ratio("gamma 2", "own Focal")
        bars.append((f"CatBoost, {threads} thread(s), gamma 2 to its own Focal", to_own, bar))
        native = ratio("native=True, Gradient", "own Focal, Gradient")
        bars.append((f"CatBoost, {threads} thread(s), native=True to its own Focal", native, 1.02))
    print()
    for name, value, bar in bars:
        print(f"{'holds' if value <= bar else 'MISSED'}: {name} {value:.3f}, bar {bar}")


if __name__ == "__main__":
    main()
