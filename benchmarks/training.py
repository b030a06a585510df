"""What a custom objective costs: the wall time of training beside the booster's own loss.

Data sets are built once. Every contestant trains once per repetition, in turn, so that all see the
same machine, and the figures are medians of the ratios to the booster's own loss in the same
repetition. At gamma 0 without a bound the trees are those of the booster's own loss, so that the
ratio is the overhead alone, for which there are bars (upper limits). "replayed" returns gradients
that were recorded before, which is the least that any Python objective costs. The script prints
whether each bar holds.

    python benchmarks/training.py [--cases "1e6 samples"] [--boosters LightGBM] [--repetitions 5]

The packages are timed where they are installed (pip install bokbokbok gbdtCBL imlightgbm).
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from kernel import package, textbook
from sklearn.datasets import make_classification

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalClassifier, FocalLoss, SoftmaxFocalLoss

Run = Callable[[], Any]
BOTH, ALL = ("LightGBM", "XGBoost"), ("LightGBM", "XGBoost", "CatBoost")
OWN, OVERHEAD = "own", "gamma 0"
OWN_FOCAL = "Focal:focal_alpha=0.25;focal_gamma=2.0"


@dataclass(frozen=True)
class Case:
    """A table and how to train on it, and the bar of each booster that has a bar."""

    name: str
    n_samples: int
    n_features: int
    rounds: int
    bars: dict[str, float]
    boosters: tuple[str, ...] = BOTH
    n_classes: int = 2
    is_watched: bool = False  # by a metric of training and validation data in each round
    threads: int = 2
    steps: int = 1  # in a leaf, in CatBoost

    def tables(self) -> tuple[Any, Any, Any, Any]:
        """Return samples and labels for training and for validation."""
        n_more = self.n_samples // 5
        X, y = make_classification(
            self.n_samples + n_more, self.n_features, n_informative=5, n_classes=self.n_classes,
            weights=[0.98] if self.n_classes == 2 else None, random_state=0,
        )  # fmt: skip
        X = X.astype(np.float32)
        return X[n_more:], y[n_more:], X[:n_more], y[:n_more]

    def loss(self, gamma: float) -> Any:
        several = SoftmaxFocalLoss(self.n_classes, gamma)
        return FocalLoss(gamma) if self.n_classes == 2 else several


CASES = [
    Case("1e6 samples", 1_000_000, 30, 20, {"LightGBM": 1.04, "XGBoost": 1.06}),
    Case(
        "1e6 samples, with metrics",
        1_000_000,
        30,
        20,
        {"LightGBM": 1.08, "XGBoost": 1.1},
        is_watched=True,
    ),
    Case("1e6 samples, 5 classes", 1_000_000, 30, 5, {}, n_classes=5),
    Case(
        "20,000 samples", 20_000, 20, 100, {"LightGBM": 1.04, "XGBoost": 1.12, "CatBoost": 1.6}, ALL
    ),
    Case("10,000 samples, 200 trees", 10_000, 20, 200, {}),
    Case(
        "1,000 samples", 1_000, 20, 100, {"LightGBM": 1.08, "XGBoost": 1.28, "CatBoost": 1.1}, ALL
    ),
    Case("1,000 samples, 5 classes", 1_000, 20, 20, {}, n_classes=5),
    # CatBoost's own log loss is in single precision, so that bars for many samples are relative to
    # its Focal.
    Case(
        "200,000 samples, 1 thread", 200_000, 20, 20, {"CatBoost": 0.75}, ("CatBoost",), threads=1
    ),
    Case("200,000 samples", 200_000, 20, 20, {"CatBoost": 1.2}, ("CatBoost",)),
    # CatBoost's default for log loss, without a bar
    Case("20,000 samples, 10 steps a leaf", 20_000, 20, 100, {}, ("CatBoost",), steps=10),
    Case(
        "20,000 samples, 3 classes", 20_000, 20, 20, {"CatBoost": 5.0}, ("CatBoost",), n_classes=3
    ),
]


def other_objectives() -> dict[str, Callable[[Any, Any], Any]]:
    """Return other implementations of focal loss, as ``f(raw_prediction, data)``."""
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


OTHERS = other_objectives()


class Recorder:
    """An objective that keeps what another objective returns."""

    def __init__(self, objective: Any) -> None:
        self.objective = objective
        self.found: list[Any] = []

    def __call__(self, z: Any, data: Any) -> Any:
        pair = tuple(np.array(part, dtype=np.float32) for part in self.objective(z, data))
        self.found.append(pair)
        return pair

    def __deepcopy__(self, memo: Any) -> Any:
        return self  # LightGBM copies its parameters

    def replay(self) -> Callable[[Any, Any], Any]:
        pairs = iter(self.found)
        return lambda z, data: next(pairs)


def lightgbm_runs(case: Case) -> dict[str, Run]:
    X, y, X_val, y_val = case.tables()
    several = {} if case.n_classes == 2 else {"num_class": case.n_classes}
    params = {"verbose": -1, "num_threads": case.threads}
    data = lightgbm.Dataset(X, y, params=params).construct()
    watched: dict[str, Any] = {}
    if case.is_watched:
        more = lightgbm.Dataset(X_val, y_val, reference=data, params=params).construct()
        watched = {"valid_sets": [data, more]}
    name = "binary" if case.n_classes == 2 else "multiclass"

    def own(objective: Any, **metric: Any) -> Any:
        return lightgbm.train(
            {**params, **several, "objective": objective, **metric}, data, case.rounds, **watched
        )

    def ours(gamma: float, max_step: float | None) -> Any:
        return focalboost.lightgbm.train(
            params, data, case.rounds, **watched, loss=case.loss(gamma), max_step=max_step
        )

    def by_class() -> Any:
        model = lightgbm.LGBMClassifier(n_estimators=case.rounds, verbose=-1, n_jobs=case.threads)
        return FocalClassifier(model, gamma=2.0, calibration=None).fit(X, y)

    def by_train() -> Any:
        fresh = lightgbm.Dataset(X, y, params=params)
        return focalboost.lightgbm.train(params, fresh, case.rounds, loss=case.loss(2.0))

    objective = partial(focalboost.lightgbm.objective, n_threads=case.threads)
    recorder = Recorder(objective(case.loss(0.0), max_step=None))
    own(recorder, metric="None")
    return {
        OWN: lambda: own(name),
        "replayed": lambda: own(recorder.replay(), metric="None"),
        OVERHEAD: lambda: ours(0.0, None),
        "gamma 2": lambda: ours(2.0, 4.0),
        "objective alone": lambda: own(objective(case.loss(2.0)), metric="None"),
        **({} if case.is_watched else {"with its data": by_train, "FocalClassifier": by_class}),
        **{
            name: partial(own, run, metric="None")
            for name, run in (OTHERS if case.n_classes == 2 else {}).items()
        },
    }  # fmt: skip


def xgboost_runs(case: Case) -> dict[str, Run]:
    X, y, X_val, y_val = case.tables()
    params = {"nthread": case.threads, "tree_method": "hist"}
    data = xgboost.QuantileDMatrix(X, y, nthread=case.threads)
    watched: dict[str, Any] = {}
    if case.is_watched:
        more = xgboost.QuantileDMatrix(X_val, y_val, ref=data, nthread=case.threads)
        watched = {"evals": [(data, "training"), (more, "validation")], "verbose_eval": False}
    own_params = {**params, "objective": "binary:logistic"}
    if case.n_classes > 2:
        own_params = {**params, "objective": "multi:softprob", "num_class": case.n_classes}

    def own(objective: Any = None) -> Any:
        return xgboost.train(own_params, data, case.rounds, obj=objective, **watched)

    def ours(gamma: float, max_step: float | None) -> Any:
        return focalboost.xgboost.train(
            params, data, case.rounds, **watched, loss=case.loss(gamma), max_step=max_step
        )

    def by_class() -> Any:
        model = xgboost.XGBClassifier(n_estimators=case.rounds, n_jobs=case.threads)
        return FocalClassifier(model, gamma=2.0, calibration=None).fit(X, y)

    def by_train() -> Any:
        fresh = xgboost.QuantileDMatrix(X, y, nthread=case.threads)
        return focalboost.xgboost.train(params, fresh, case.rounds, loss=case.loss(2.0))

    objective = partial(focalboost.xgboost.objective, n_threads=case.threads)
    recorder = Recorder(objective(case.loss(0.0), max_step=None))
    own(recorder)
    return {
        OWN: own,
        "replayed": lambda: own(recorder.replay()),
        OVERHEAD: lambda: ours(0.0, None),
        "gamma 2": lambda: ours(2.0, 4.0),
        "objective alone": lambda: own(objective(case.loss(2.0))),
        **({} if case.is_watched else {"with its data": by_train, "FocalClassifier": by_class}),
        **{
            name: partial(own, run)
            for name, run in (OTHERS if case.n_classes == 2 else {}).items()
        },
    }  # fmt: skip


class TextbookOfCatBoost:
    """The textbook's derivatives as CatBoost asks for them."""

    no_jit = True

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Any:
        return -np.column_stack(textbook(targets, approxes))


def catboost_runs(case: Case) -> dict[str, Run]:
    X, y, _, _ = case.tables()
    params = {
        "iterations": case.rounds, "depth": 6, "learning_rate": 0.1, "thread_count": case.threads,
        "verbose": 0, "allow_writing_files": False, "leaf_estimation_iterations": case.steps,
        "leaf_estimation_method": "Newton", "boosting_type": "Plain",
    }  # fmt: skip
    pool = catboost.Pool(X, y.astype(int))
    pool.quantize()

    def own(loss: Any, **more: Any) -> Any:
        return catboost.train(pool, {**params, "loss_function": loss, **more})

    our_params = dict(params)
    if case.threads > 1:
        del our_params["thread_count"]  # train chooses one or all

    def ours(gamma: float, max_step: float | None) -> Any:
        return focalboost.catboost.train(pool, our_params, loss=case.loss(gamma), max_step=max_step)

    if case.n_classes > 2:
        return {
            OWN: partial(own, "MultiClass"),
            OVERHEAD: partial(ours, 0.0, None),
            "gamma 2": partial(ours, 2.0, 4.0),
        }
    return {
        OWN: partial(own, "Logloss"),
        "own Focal": partial(own, OWN_FOCAL),
        OVERHEAD: partial(ours, 0.0, None),
        "gamma 2": partial(ours, 2.0, 4.0),
        "textbook": partial(own, TextbookOfCatBoost(), eval_metric="Logloss"),
    }


MAKERS = {"LightGBM": lightgbm_runs, "XGBoost": xgboost_runs, "CatBoost": catboost_runs}


def seconds_of(runs: dict[str, Run], repetitions: int, least: float = 0.5) -> pd.DataFrame:
    """Return the seconds of each contestant (a column) in each repetition, the first not counted.

    Short trainings are repeated until a repetition takes some time.
    """
    found = []
    times = 1
    for repetition in range(repetitions + 1):
        row = {}
        for name, run in runs.items():
            start = time.perf_counter()
            for _ in range(times):
                run()
            row[name] = (time.perf_counter() - start) / times
        if repetition:
            found.append(row)
        times = max(1, min(10, int(least / row[OWN])))
    return pd.DataFrame(found)


class Bar(NamedTuple):
    """A figure and its upper limit."""

    name: str
    value: float
    bar: float

    def __str__(self) -> str:
        word = "holds" if self.value <= self.bar else "MISSED"
        return f"{word}: {self.name} {self.value:.3f}, bar {self.bar}"


def bars_of(case: Case, booster: str, seconds: pd.DataFrame) -> list[Bar]:
    def ratio(name: str, to: str) -> float:
        return median(seconds[name] / seconds[to])

    found = []
    if booster in case.bars:
        is_to_focal = booster == "CatBoost" and "own Focal" in seconds and case.n_samples > 20_000
        name, to = ("gamma 2", "own Focal") if is_to_focal else (OVERHEAD, OWN)
        title = f"{booster}, {case.name}, {name} to {to}"
        found.append(Bar(title, ratio(name, to), case.bars[booster]))
    if "FocalClassifier" in seconds:
        # Both read the table; the other contestants get it in the booster's own form.
        title = f"{booster}, {case.name}, FocalClassifier to train"
        found.append(Bar(title, ratio("FocalClassifier", "with its data"), 1.03))
    return found


def predictions(repetitions: int) -> list[Bar]:
    """Return what predict_proba of FocalClassifier costs beside the booster's own class."""
    X, y = make_classification(5_000, 20, weights=[0.9], random_state=0)
    few = X[:250]
    found = []
    for booster, model in (
        ("LightGBM", lightgbm.LGBMClassifier(verbose=-1, n_jobs=2)),
        ("XGBoost", xgboost.XGBClassifier(n_jobs=2)),
        ("CatBoost", catboost.CatBoostClassifier(
            iterations=100, verbose=0, thread_count=2, allow_writing_files=False
        )),
    ):  # fmt: skip
        focal = FocalClassifier(model, gamma=2.0).fit(X, y)
        model.fit(X, y)
        runs = {OWN: partial(model.predict_proba, few), "ours": partial(focal.predict_proba, few)}
        seconds = seconds_of(runs, 4 * repetitions)
        value = median(seconds["ours"] / seconds[OWN])
        found.append(Bar(f"{booster}, predict_proba of 250 samples", value, 1.2))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=[case.name for case in CASES])
    parser.add_argument("--boosters", nargs="+", default=[*MAKERS])
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    rows, bars = [], []
    for case in (case for case in CASES if case.name in options.cases):
        for booster in (name for name in case.boosters if name in options.boosters):
            seconds = seconds_of(MAKERS[booster](case), options.repetitions)
            ratios = seconds.div(seconds[OWN], axis=0).median()
            own = f"{seconds[OWN].median():.3g}"
            row = {"": f"{booster}, {case.name}, {case.rounds} rounds", "own, s": own}
            row |= {name: f"{value:.2f}" for name, value in ratios.drop(OWN).items()}
            rows.append(row)
            bars += bars_of(case, booster, seconds)
            print(row, flush=True)
    bars += predictions(options.repetitions)
    print("\n" + pd.DataFrame(rows).fillna("").to_markdown(index=False, disable_numparse=True))
    print()
    print(*bars, sep="\n")


if __name__ == "__main__":
    main()
