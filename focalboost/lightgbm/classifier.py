"""LGBMClassifier, as FocalClassifier trains it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from typing import Any

import lightgbm as lgb
import numpy as np
from sklearn.base import clone

from focalboost.boosters.objectives import warn_of_no_split
from focalboost.boosters.options import plain_names, refuse, thread_count
from focalboost.boosters.port import Adapter, Job, Samples, Trained
from focalboost.lightgbm import models, options
from focalboost.lightgbm.objectives import Metric, objective
from focalboost.lightgbm.options import Link
from focalboost.lightgbm.sealing import seal
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
        called = replace(
            objective(job.loss, max_step=job.max_step, n_threads=n_threads), is_checked=True
        )
        samples = job.training.y, job.training.weight
        warn_of_no_split(called, samples, job.init_score, *options.min_curvature(params))
        estimator.set_params(
            objective=called,
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
                "eval_metric": Metric(job.metric, is_score=job.is_score, is_checked=True),
            }
            if job.patience is not None:
                callbacks.append(lgb.early_stopping(job.patience, verbose=False))
        rows = job.training
        estimator.fit(
            plain_names(rows.X), rows.y, sample_weight=rows.weight,
            init_score=classes.repeat(job.init_score, len(rows.y)), callbacks=callbacks, **evals,
        )  # fmt: skip
        # From here on the estimator has LightGBM's own objective, and needs no focalboost.
        sealed = seal(estimator.booster_, job.init_score)
        # LGBMClassifier has no public way to take another booster.
        estimator._Booster = sealed  # noqa: SLF001
        estimator.set_params(objective=None, metric=None)
        estimator._objective = link.params["objective"]  # noqa: SLF001
        values = [v for by_name in history.values() for v in by_name.values()]
        return Trained(estimator, values[0] if values else [], sealed.current_iteration())

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
        values = [v for by_name in history.values() for v in by_name.values()]
        trained = estimator.booster_
        # The best iteration is -1 without early stopping.
        n_rounds = max(trained.best_iteration, 0) or trained.current_iteration()
        return Trained(estimator, values[0] if values else [], n_rounds)

    def write_record(self, estimator: lgb.LGBMClassifier, text: str) -> None:
        """Write a record into the booster of an estimator that `fit` trained."""
        # LGBMClassifier has no public way to take another booster.
        estimator._Booster = models.write_record(estimator.booster_, text)  # noqa: SLF001

    def raw_prediction(self, estimator: lgb.LGBMClassifier, X: Any) -> Array:
        """Return the raw scores of an estimator that `fit` trained, init score included."""
        return np.asarray(estimator.predict(plain_names(X), raw_score=True))


def _evals(estimator: lgb.LGBMClassifier, rows: Samples) -> dict[str, Any]:
    """Return the arguments of `fit` for the validation samples."""
    X, y = plain_names(rows.X), rows.y
    # LightGBM 4.7 renames the argument.
    is_new = "eval_X" in signature(estimator.fit).parameters
    evals = {"eval_X": (X,), "eval_y": (y,)} if is_new else {"eval_set": [(X, y)]}
    return {**evals, "eval_sample_weight": [rows.weight]}


ADAPTER: Adapter = LightGBMAdapter()
