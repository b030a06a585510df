"""Training in XGBoost, starting at the init score of the loss."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
import xgboost as xgb

from focalboost.boosters.objectives import (
    RoundObjective,
    Samples,
    known_samples,
    warn_of_no_split,
)
from focalboost.boosters.options import check_model, check_rounds, refuse, thread_count
from focalboost.boosters.tracking import note_loss
from focalboost.losses import Loss
from focalboost.losses._checks import as_list, check_kind, check_pair, check_whole
from focalboost.losses.foreign import as_schedule
from focalboost.losses.records import continued, to_text
from focalboost.xgboost.data import samples_of
from focalboost.xgboost.metrics import metrics_of, results
from focalboost.xgboost.models import read_record, write_record
from focalboost.xgboost.objectives import Metric, objective
from focalboost.xgboost.options import Link, as_dict, base_score, min_curvature
from focalboost.xgboost.workers import agreed, mean_of_workers, of_all_workers, settings

__all__ = ["train"]


class Chain(xgb.callback.TrainingCallback):
    """Calls callbacks in their order, which XGBoost does not keep before 3.0."""

    def __init__(self, callbacks: Sequence[xgb.callback.TrainingCallback]) -> None:
        self._callbacks = callbacks

    def before_training(self, model: Any) -> Any:
        for callback in self._callbacks:
            model = callback.before_training(model)
        return model

    def after_training(self, model: Any) -> Any:
        for callback in self._callbacks:
            model = callback.after_training(model)
        return model

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        return any(c.before_iteration(model, epoch, evals_log) for c in self._callbacks)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        return any(c.after_iteration(model, epoch, evals_log) for c in self._callbacks)


class NoteLoss(xgb.callback.TrainingCallback):
    """Records the loss in the MLflow run of this training, and in the model.

    The model holds the loss from the start, so that models saved during training hold it too.
    """

    def __init__(self, loss: Loss) -> None:
        self._loss = loss

    def before_training(self, model: Any) -> Any:
        note_loss("xgboost", self._loss)
        return write_record(model, to_text(self._loss))


class Calls(Chain):
    """Adds metrics to the history in full precision, then calls the other callbacks.

    XGBoost passes a custom metric through text with six decimals, in which a small loss no longer
    changes and training stops too early. XGBoost calls `measure` instead, which returns no text.
    """

    def __init__(
        self,
        metrics: Sequence[Callable[..., Any]],
        rounds: RoundObjective,
        names: Sequence[str],
        callbacks: Sequence[xgb.callback.TrainingCallback],
    ) -> None:
        super().__init__(callbacks)
        self._metrics = metrics
        self._rounds = rounds
        self._names = names
        self._found: list[list[tuple[str, float]]] = []

    def use_threads(self, n_threads: int) -> None:
        """Compute loss and metrics on another number of threads."""
        self._rounds.use_threads(n_threads)
        self._metrics = [
            replace(metric, n_threads=n_threads) if isinstance(metric, Metric) else metric
            for metric in self._metrics
        ]

    def measure(self, raw_prediction: Any, data: xgb.DMatrix) -> list[Any]:
        """Keep the metrics of a data set; XGBoost calls it in each round, in the order of evals."""
        self._found.append(
            [
                # our own metrics are over all workers already
                (key, value if isinstance(metric, Metric) else mean_of_workers(value))
                for metric in self._metrics
                for key, value in results(metric(raw_prediction, data))
            ]
        )
        return []

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        # epoch begins at 0 in a continued model
        self._rounds.enter(model.num_boosted_rounds())
        return super().before_iteration(model, epoch, evals_log)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        for name, found in zip(self._names, self._found, strict=True):
            for key, value in found:
                evals_log.setdefault(name, {}).setdefault(key, []).append(value)
        self._found.clear()
        return super().after_iteration(model, epoch, evals_log)


@dataclass
class Job:
    """What XGBoost is to train, except the data and the init score."""

    first: Loss
    last: Loss
    params: dict[str, Any]
    rounds: RoundObjective
    calls: Calls
    xgb_model: xgb.Booster | None

    @property
    def settings(self) -> str:
        return settings(self.first, self.last, max_step=self.rounds.max_step)


def job_of(
    params: Any,
    num_boost_round: int,
    names: Sequence[str],
    asked: Sequence[xgb.callback.TrainingCallback],
    xgb_model: Any,
    custom_metric: Any,
    loss: Any,
    max_step: float | None,
) -> Job:
    """Check the arguments of training, and return what XGBoost is to train."""
    begin = 0
    if xgb_model is not None:
        xgb_model = _as_booster(xgb_model)
        begin = xgb_model.num_boosted_rounds()
        loss = continued(loss, read_record(xgb_model), "xgb_model")
    schedule = as_schedule(loss)
    check_whole("num_boost_round", num_boost_round, 0)
    first, last = schedule.at(0), schedule.at(max(begin + num_boost_round - 1, 0))
    link = Link.of(last.kernel.classes)
    params = as_dict(params)
    refuse(params, link.refused)
    if xgb_model is not None:
        _check_same_link(xgb_model, link)
    known: dict[int, Samples] = {}
    n_threads = thread_count(params.get("nthread", params.get("n_jobs")), "nthread")
    params, metrics = metrics_of(params, custom_metric, last, known, n_threads)
    rounds = RoundObjective(schedule, objective, known, max_step, n_threads)
    calls = Calls(metrics, rounds, names, [NoteLoss(last), *asked])
    return Job(first, last, {**params, **link.params}, rounds, calls, xgb_model)


def train(
    params: dict[str, Any],
    dtrain: xgb.DMatrix,
    num_boost_round: int = 10,
    *,
    evals: Sequence[tuple[xgb.DMatrix, str]] | None = None,
    early_stopping_rounds: int | None = None,
    evals_result: dict[str, Any] | None = None,
    verbose_eval: bool | int | None = True,
    xgb_model: str | os.PathLike[str] | xgb.Booster | bytearray | None = None,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    custom_metric: Callable[..., Any] | None = None,
    loss: Any = None,
    max_step: float | None = 4.0,
) -> xgb.Booster:
    """Train an XGBoost model with the loss; everything else is as in `xgboost.train`.

    ``loss`` replaces ``obj`` and ``maximize``. Training starts at the loss's optimal constant. The
    weighted mean loss is the last metric of the history, in full precision, and therefore the
    metric that early stopping minimises. The returned booster stores the init score: its
    ``predict`` is the sigmoid of the raw score (with several classes, the softmax), even if the
    saved model is loaded where focalboost is not installed. With focal loss that is a score, not a
    probability. The probability is
    ``loss.inverse_link(booster.predict(data, output_margin=True))``.

    On the workers of a collective, as in Ray Train, in a barrier stage of Spark or under
    `xgboost.collective`, call it on every worker with that worker's part of the samples, which may
    be empty. It trains one model on all samples: the init score and the history are those of all
    samples, and an error or a different loss on one worker ends training on all of them. For Dask,
    use `focalboost.dask.train`.

    Parameters
    ----------
    params : dict
        XGBoost's parameters; their ``gamma`` and ``alpha`` are not those of the loss. ``objective``
        may be left out or be "binary:logistic", or "multi:softprob" with several classes, which
        need XGBoost 3.1. ``scale_pos_weight`` and ``base_score`` are refused. ``eval_metric`` may
        name a metric of the order of the scores, such as "auc" or "aucpr", or "logloss", "error" or
        "error@0.2", which are computed on the loss's probabilities; with several classes "mlogloss"
        or "merror". Other metrics are refused.
        Hessians of focal loss are small: with few positives, set ``min_child_weight`` below its
        default of 1 so that trees can split.
    dtrain : xgboost.DMatrix
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes, and no ``base_margin``.
    num_boost_round, evals, early_stopping_rounds, evals_result, verbose_eval, callbacks, \
    custom_metric
        As in `xgboost.train`: the booster holds all rounds, and ``best_iteration`` is the best one.
        As with XGBoost's own objective, ``custom_metric`` is given probabilities, here those of the
        loss; an object from `metric` is given raw scores. On several workers your own function is
        called with each worker's part, and the history holds the mean of the workers' values.
    xgb_model : str, path, xgboost.Booster or bytearray, optional
        A model from this function to continue, with the same objective; it keeps its init score.
        With ``process_type="update"`` and ``updater="refresh"`` its leaves are refitted to new data
        with the loss.
    loss : Loss, ScheduledLoss or another object with the contract of a loss
        See `objective`. Optional with an ``xgb_model`` that holds its loss; a model cannot continue
        with a different loss.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`. The loss is computed on ``nthread``
        threads.

    Returns
    -------
    xgboost.Booster

    Raises
    ------
    ValueError
        If a label is out of range, a raw score is not finite, or a parameter is invalid or has no
        effect with a Python objective. The message names it.
    TypeError
        If an argument is of a kind that the function does not take.

    Warns
    -----
    UserWarning
        If the init score is beyond 13.8, where XGBoost cuts it off, if XGBoost stores
        another score in single precision, or if the samples have too little curvature at the init
        score for any tree to split.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> import focalboost.xgboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss, data = FocalLoss(gamma=2.0), xgboost.DMatrix(X, y)
    >>> booster = focalboost.xgboost.train({"min_child_weight": 0}, data, 20, loss=loss)
    >>> proba = loss.inverse_link(booster.predict(data, output_margin=True))
    >>> bool(proba[:85].max() < 0.05) and bool(proba[-5:].min() > 0.8)
    True
    """

    def check() -> Job:
        check_kind("evals_result", {} if evals_result is None else evals_result, dict, "a dict")
        asked = asked_callbacks(callbacks, verbose_eval, early_stopping_rounds)
        pairs = check_evals(evals, xgb.DMatrix)
        names = [name for _, name in pairs]
        job = job_of(
            params, num_boost_round, names, asked, xgb_model, custom_metric, loss, max_step
        )
        data_sets = {id(dtrain): (dtrain, "dtrain")}
        for data, _ in pairs:
            data_sets.setdefault(id(data), (data, "evals"))
        samples = ((data, *samples_of(data, name)) for data, name in data_sets.values())
        job.rounds.known |= known_samples(job.last.kernel.classes, samples)
        return job

    job = agreed(check, lambda job: job.settings)
    if job.xgb_model is None:
        start = of_all_workers(job.last.kernel.classes, job.rounds.known[id(dtrain)])
        init_score = job.first.init_score(*start)
        job.params["base_score"] = base_score(init_score)
        warn_of_no_split(job.rounds.objective, start, init_score, *min_curvature(job.params))
    return xgb.train(
        job.params,
        dtrain,
        num_boost_round,
        evals=evals,
        obj=job.rounds,
        custom_metric=job.calls.measure,
        evals_result=evals_result,
        verbose_eval=False,
        xgb_model=job.xgb_model,
        callbacks=[job.calls],
    )


def asked_callbacks(
    callbacks: Any, verbose_eval: Any, early_stopping_rounds: Any, **of_monitor: Any
) -> list[xgb.callback.TrainingCallback]:
    """Return the user's callbacks, and those that the arguments of a training ask for."""
    asked = check_callbacks(callbacks)
    rule = "a bool or a whole number"
    check_kind("verbose_eval", verbose_eval or 0, (bool, np.bool_, Integral), rule)
    check_rounds(early_stopping_rounds=early_stopping_rounds or None)
    if verbose_eval:
        asked.append(xgb.callback.EvaluationMonitor(period=int(verbose_eval), **of_monitor))
    if early_stopping_rounds:
        # Early stopping watches the last metric of the history, which is the loss.
        asked.append(xgb.callback.EarlyStopping(rounds=early_stopping_rounds, maximize=False))
    return asked


def check_callbacks(callbacks: Any) -> list[xgb.callback.TrainingCallback]:
    rule = "a list of xgboost.callback.TrainingCallback"
    return as_list("callbacks", callbacks, xgb.callback.TrainingCallback, rule)


def check_evals(evals: Any, kind_of_data: type, words: str = "an xgboost.DMatrix") -> list[Any]:
    rule = f"a list of pairs of {words} and a name"
    pairs = as_list("evals", evals, object, rule)
    for pair in pairs:
        check_pair("evals", pair, rule)
        for value, kind in zip(pair, (kind_of_data, str), strict=True):
            check_kind("evals", value, kind, rule)
    return pairs


def _as_booster(xgb_model: Any) -> xgb.Booster:
    rule = "an xgboost.Booster, a path or a bytearray"
    check_model("xgb_model", xgb_model, (xgb.Booster, bytearray), rule)
    return xgb_model if isinstance(xgb_model, xgb.Booster) else xgb.Booster(model_file=xgb_model)


def _check_same_link(xgb_model: xgb.Booster, link: Link) -> None:
    learner = json.loads(xgb_model.save_config())["learner"]
    name, n_classes = learner["objective"]["name"], learner["learner_model_param"]["num_class"]
    wanted = link.params["objective"]
    if name != wanted or int(n_classes) not in {link.n_classes, max(link.n_classes, 1)}:
        raise ValueError(f"xgb_model must be a {wanted} model, got {name} of {n_classes} classes.")
