"""LGBMClassifier, as FocalClassifier trains it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import lightgbm as lgb
import numpy as np
from sklearn.base import clone

from focalboost.boosters.objectives import Objective, warn_of_no_split
from focalboost.boosters.options import plain_names, refuse, thread_count
from focalboost.boosters.port import Adapter, Job, Samples, Trained
from focalboost.lightgbm import models, options
from focalboost.lightgbm.objectives import Metric, objective
from focalboost.lightgbm.options import Link
from focalboost.lightgbm.sealing import sealed
from focalboost.lightgbm.training import keep_parameters, note_at_first
from focalboost.losses._checks import as_list
from focalboost.losses._types import Array


class LightGBMAdapter:
    """The port's adapter to LGBMClassifier."""

    takes_several_classes = True

    def accepts(self, estimator: object) -> bool:
        # Dask's estimators train elsewhere.
        is_dask = type(estimator).__name__.startswith("Dask")
        return isinstance(estimator, lgb.LGBMClassifier) and not is_dask

    def default(self) -> lgb.LGBMClassifier:
        return lgb.LGBMClassifier(verbose=-1)

    def copy(self, estimator: lgb.LGBMClassifier) -> Any:
        return clone(estimator)

    def fit(self, estimator: lgb.LGBMClassifier, job: Job) -> Trained:
        """Train the estimator in place."""
        params = estimator.get_params()
        classes = job.loss.kernel.classes
        link = Link.of(classes)
        refuse(params, link.refused_in_classifier)
        n_threads = thread_count(params.get("n_jobs"))
        called = objective(job.loss, max_step=job.max_step, n_threads=n_threads)
        rows = job.training
        warn_of_no_split(
            called, (rows.y, rows.weight), job.init_score, *options.min_curvature(params)
        )
        estimator.set_params(
            objective=_of_training(called, rows),
            metric="None",
            class_weight=None,
            feature_pre_filter=False,
        )
        history: dict[str, dict[str, list[float]]] = {}
        own = as_list("callbacks", job.callbacks, Callable, "a list of functions")
        callbacks: list[Any] = [
            *own,
            keep_parameters,
            note_at_first(job.loss),
            lgb.record_evaluation(history),
        ]
        evals: dict[str, Any] = {}
        if job.validation is not None:
            evals = _evals(estimator, job.validation) | {
                "eval_init_score": [classes.repeat(job.init_score, len(job.validation.y))],
                "eval_metric": Metric(
                    job.metric, is_score=job.is_score, is_checked=True, n_threads=n_threads
                ),
            }
            if job.patience is not None:
                callbacks.append(lgb.early_stopping(job.patience, verbose=False))
        estimator.fit(
            plain_names(rows.X), rows.y, sample_weight=rows.weight,
            init_score=classes.repeat(job.init_score, len(rows.y)), callbacks=callbacks, **evals,
        )  # fmt: skip

        def raw_prediction(X: Any) -> Array:
            return np.asarray(self.raw_prediction(estimator, X) + job.init_score)

        def finish(record: str) -> None:
            # From here on the estimator has LightGBM's own objective, and needs no focalboost.
            # LGBMClassifier has no public way to take another booster.
            estimator._Booster = sealed(estimator.booster_, job.init_score, record)  # noqa: SLF001
            estimator.set_params(objective=None, metric=None)
            estimator._objective = link.params["objective"]  # noqa: SLF001

        return _trained(estimator, history, raw_prediction, finish)

    def fit_own(self, estimator: lgb.LGBMClassifier, job: Job) -> Trained:
        """Train the estimator in place with LightGBM's own log loss, also for early stopping."""
        refuse(estimator.get_params(), Link.of(job.loss.kernel.classes).refused_in_classifier)
        history: dict[str, dict[str, list[float]]] = {}
        callbacks: list[Any] = [*job.callbacks, lgb.record_evaluation(history)]
        evals: dict[str, Any] = {}
        if job.validation is not None:
            evals = _evals(estimator, job.validation)
            if job.patience is not None:
                callbacks.append(lgb.early_stopping(job.patience, verbose=False))
        rows = job.training
        estimator.fit(
            plain_names(rows.X), rows.y, sample_weight=rows.weight, callbacks=callbacks, **evals
        )

        def finish(record: str) -> None:
            estimator._Booster = models.write_record(estimator.booster_, record)  # noqa: SLF001

        return _trained(estimator, history, partial(self.raw_prediction, estimator), finish)

    def raw_prediction(self, estimator: lgb.LGBMClassifier, X: Any) -> Array:
        """Return the raw scores of a complete estimator, init score included."""
        return np.asarray(estimator.predict(plain_names(X), raw_score=True))


def _trained(
    estimator: lgb.LGBMClassifier,
    history: dict[str, dict[str, list[float]]],
    raw_prediction: Callable[[Any], Array],
    finish: Callable[[str], None],
) -> Trained:
    values = [v for by_name in history.values() for v in by_name.values()]
    booster = estimator.booster_
    # The best iteration is -1 without early stopping.
    n_rounds = max(booster.best_iteration, 0) or booster.current_iteration()
    return Trained(estimator, values[0] if values else [], n_rounds, raw_prediction, finish)


def _of_training(objective: Objective, rows: Samples) -> Callable[[Array, Array], Any]:
    """Return the objective of these samples, in the form in which LGBMClassifier costs least.

    LGBMClassifier reads the signature of its objective in each round, and labels, and weights for
    an objective of three arguments.
    """
    y = rows.y.astype(np.float32)
    w = None if rows.weight is None else rows.weight.astype(np.float32)
    shape = objective.loss.kernel.classes.shape(len(rows.y))
    out = [np.empty(shape, dtype=np.float32, order="F") for _ in range(2)]

    def derivatives(y_true: Array, raw_prediction: Array) -> tuple[Array, Array]:  # noqa: ARG001
        return objective.derivatives(y, raw_prediction, w, out)

    return derivatives


def _evals(estimator: lgb.LGBMClassifier, rows: Samples) -> dict[str, Any]:
    """Return the arguments of `fit` for the validation samples."""
    X, y = plain_names(rows.X), rows.y
    # LightGBM 4.7 renames the argument.
    is_new = "eval_X" in signature(estimator.fit).parameters
    evals = {"eval_X": (X,), "eval_y": (y,)} if is_new else {"eval_set": [(X, y)]}
    return {**evals, "eval_sample_weight": [rows.weight]}


ADAPTER: Adapter = LightGBMAdapter()
