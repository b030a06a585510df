"""Trainings in XGBoost on one process, or on two that know a part of the samples each."""

import multiprocessing
import os
import queue
import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from focalboost import FocalLoss, LinearGamma, ScheduledLoss, SoftmaxFocalLoss

PARAMS = {"max_depth": 4, "nthread": 1, "min_child_weight": 0.0, "eta": 0.3, "tree_method": "hist"}
BINARY, SOFTMAX = FocalLoss(2.0), SoftmaxFocalLoss(3, (0.5, 1.0, 2.0))


def share_of_positives(proba, data):
    """Return a value of a worker's own part, whatever the model says."""
    return "share", float(np.mean(data.get_label(), dtype=float))


@dataclass(frozen=True)
class Case:
    """A training, and what each worker knows of the data: the samples before or after the cut."""

    name: str
    loss: object = BINARY
    is_sorted: bool = True
    has_weights: bool = False
    cut: int = 1000
    evals_cut: int = 300
    quantiles: bool = False
    options: dict = field(default_factory=dict)
    # What one of the workers does, of which the others must hear.
    fault: str = ""


CASES = [
    Case("label-sorted"),
    Case("shuffled", is_sorted=False, options={"early_stopping_rounds": 5, "num_boost_round": 200}),
    Case("weights", FocalLoss(2.0, 0.25), has_weights=True),
    Case("no positives on worker 0", cut=1700),
    Case("no samples on worker 0", cut=0),
    Case("no samples of evals on worker 0", evals_cut=0,
         options={"early_stopping_rounds": 5, "num_boost_round": 200}),
    Case("three classes", SOFTMAX),
    Case("three classes, weights", SOFTMAX, is_sorted=False, has_weights=True),
    Case("quantiles", quantiles=True),
    Case("schedule", ScheduledLoss(FocalLoss(), LinearGamma(2.0, 0.0, 20))),
    Case("metrics", options={"params": {"eval_metric": ["logloss", "error@0.2"]}}),
    # A function of the user's: the mean of the workers' values, so that the parts are equal here.
    Case("own metric", is_sorted=False, options={"custom_metric": share_of_positives}),
]  # fmt: skip
FAULTS = [
    Case("bad labels", fault="label"),
    Case("another loss", fault="loss"),
    Case("another bound", fault="max_step"),
    Case("error in a round", fault="round"),
    Case("cv", fault="cv"),
    Case("FocalClassifier", is_sorted=False, fault="classifier"),
]


def make_data(n, k, seed, is_sorted, has_weights):
    """Return samples whose features have few values, so that the workers' quantiles agree."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 8, size=(n, 4)).astype(float)
    score = X @ [0.8, -0.5, 0.3, 0.0] + rng.logistic(size=n)
    y = np.digitize(score, np.quantile(score, [0.85] if k == 2 else [0.6, 0.9])).astype(float)
    w = rng.uniform(0.5, 2.0, n) if has_weights else None
    order = np.argsort(y, kind="stable") if is_sorted else np.arange(n)
    return X[order], y[order], None if w is None else w[order]


def data_of(case):
    """Return the samples to train and to validate on."""
    k = 3 if case.loss == SOFTMAX else 2
    return [make_data(n, k, seed, case.is_sorted, case.has_weights)
            for seed, n in enumerate((2000, 600))]  # fmt: skip


def train(case, rank=0, world=1):
    """Return raw scores of all samples, the history and the number of rounds."""
    import xgboost

    import focalboost.xgboost

    parts = whole = data_of(case)
    if world > 1:
        mine = [slice(0, cut) if rank == 0 else slice(cut, None)
                for cut in (case.cut, case.evals_cut)]  # fmt: skip
        parts = [[None if a is None else a[rows] for a in data]
                 for data, rows in zip(whole, mine, strict=True)]  # fmt: skip
    (X, y, w), (X_val, y_val, w_val) = parts
    options = {"num_boost_round": 20, **case.options}
    loss, params = case.loss, {**PARAMS, **options.pop("params", {})}
    if rank == 1 and case.fault:
        if case.fault == "label":
            y = y + 2
        elif case.fault == "loss":
            loss = FocalLoss(1.0)
        elif case.fault == "max_step":
            options["max_step"] = 2.0
        elif case.fault in {"round", "death"}:
            options["callbacks"] = [failing_callback(case.fault)]
    if case.quantiles:
        data = xgboost.QuantileDMatrix(X, y, weight=w)
        validation = xgboost.QuantileDMatrix(X_val, y_val, weight=w_val, ref=data)
    else:
        data = xgboost.DMatrix(X, y, weight=w)
        validation = xgboost.DMatrix(X_val, y_val, weight=w_val)
    if world > 1 and case.fault == "cv":
        focalboost.xgboost.cv(params, data, loss=loss)
    if world > 1 and case.fault == "classifier":
        focalboost.FocalClassifier(xgboost.XGBClassifier(), loss=loss).fit(X, y)
    history = {}
    booster = focalboost.xgboost.train(
        params, data, evals=[(validation, "val")], evals_result=history, verbose_eval=False,
        loss=loss, **options,
    )  # fmt: skip
    rows = xgboost.DMatrix(np.concatenate([X for X, _, _ in whole]))
    return booster.predict(rows, output_margin=True), history["val"], booster.num_boosted_rounds()


def failing_callback(fault):
    import xgboost

    class Fails(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            if epoch == 3:
                if fault == "death":
                    os._exit(9)
                raise RuntimeError("in round 3")
            return False

    return Fails()


def work(rank, jobs, found):
    import xgboost

    for case, arguments in jobs:
        try:
            with xgboost.collective.CommunicatorContext(**arguments, dmlc_task_id=str(rank)):
                rank_here = xgboost.collective.get_rank()
                result = train(case, rank_here, xgboost.collective.get_world_size())
        except Exception as error:
            rank_here, result = rank, error
        # an error of XGBoost does not pickle
        if isinstance(result, Exception):
            result = f"{type(result).__name__}: {result}"
        found.put((case.name, rank_here, result))


def on_two_workers(cases, timeout=60):
    """Return what two processes that train together say, by the case's name and rank.

    What a process does not say within the time is missing, be it dead or waiting.
    """
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker

    # By task, so that ranks are those of the processes.
    trackers = [RabitTracker(n_workers=2, host_ip="127.0.0.1", sortby="task") for _ in cases]
    for tracker in trackers:
        tracker.start()
    jobs = [(case, tracker.worker_args()) for case, tracker in zip(cases, trackers, strict=True)]
    context = multiprocessing.get_context("spawn")
    found, end = context.Queue(), time.monotonic() + timeout
    processes = [context.Process(target=work, args=(rank, jobs, found)) for rank in range(2)]
    for process in processes:
        process.start()
    results = {}
    while len(results) < 2 * len(cases) and time.monotonic() < end:
        try:
            name, rank, result = found.get(timeout=0.5)
        except queue.Empty:
            if not any(process.is_alive() for process in processes):
                break
        else:
            results[name, rank] = result
    for process in processes:
        process.join(1)
        process.kill()
    for tracker in trackers:
        # It complains of workers that died.
        with suppress(XGBoostError):
            tracker.free()
    return results
