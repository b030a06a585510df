"""XGBClassifier, as FocalClassifier trains it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xgboost as xgb
from sklearn.base import clone

from focalboost.boosters.objectives import warn_of_no_split
from focalboost.boosters.options import plain_names, refuse, thread_count, without
from focalboost.boosters.port import Adapter, Job, Samples, Trained
from focalboost.losses._types import Array
from focalboost.xgboost import models, options
from focalboost.xgboost.objectives import Metric, objective
from focalboost.xgboost.options import Link, base_score
from focalboost.xgboost.training import Chain, NoteLoss, check_callbacks
from focalboost.xgboost.workers import refuse_workers

# XGBoost passes a Python metric through text with six decimals; magnified, it keeps its digits.
_MAGNIFICATION = 1e6


class _Unmagnified(Chain):
    """Callbacks that see the metric without the magnification."""

    def __init__(self, callbacks: Sequence[xgb.callback.TrainingCallback]) -> None:
        super().__init__(callbacks)
        self._log: dict[str, dict[str, list[float]]] = {}

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        for data, by_name in evals_log.items():
            for name, values in by_name.items():
                log = self._log.setdefault(data, {}).setdefault(name, [])
                log.append(values[-1] / _MAGNIFICATION)
        return super().after_iteration(model, epoch, self._log)


class XGBoostAdapter:
    """The port's adapter to XGBClassifier."""

    @property
    def takes_several_classes(self) -> bool:
        return options.TAKES_SEVERAL_CLASSES

    def accepts(self, estimator: object) -> bool:
        # Dask's estimators train elsewhere, and a random forest has no rounds.
        is_other = type(estimator).__name__.startswith(("Dask", "XGBRF"))
        return isinstance(estimator, xgb.XGBClassifier) and not is_other

    def default(self) -> xgb.XGBClassifier:
        return xgb.XGBClassifier()

    def copy(self, estimator: xgb.XGBClassifier) -> Any:
        copied = clone(estimator)
        # Training must call the user's callbacks, not their copies.
        copied.callbacks = estimator.callbacks
        return copied

    def fit(self, estimator: xgb.XGBClassifier, job: Job) -> Trained:
        """Train the estimator in place."""
        refuse_workers("FocalClassifier")
        params = estimator.get_params()
        link = Link.of(job.loss.kernel.classes)
        refuse(params, link.refused_in_classifier)
        if "class_weight" in params:
            # It has become alpha; XGBoost would warn that it does not know the parameter.
            estimator.kwargs = without(estimator.kwargs, "class_weight")
        rows = job.training
        callbacks = check_callbacks([*(params["callbacks"] or ()), *job.callbacks])
        if job.categories:
            estimator.set_params(enable_categorical=True)
        evals = _evals(job.validation)
        if evals and job.patience is not None:
            callbacks.append(_stopping(params, job.patience, job.is_score))
        n_threads = thread_count(params.get("n_jobs"))
        called = replace(
            objective(job.loss, max_step=job.max_step, n_threads=n_threads), is_checked=True
        )
        warn_of_no_split(
            called, (rows.y, rows.weight), job.init_score, *options.min_curvature(params)
        )
        estimator.set_params(
            objective=called,
            base_score=base_score(job.init_score),
            eval_metric=Metric(
                job.metric, scale=_MAGNIFICATION, is_checked=True, n_threads=n_threads
            )
            if evals
            else None,
            disable_default_eval_metric=True,
            callbacks=[_Unmagnified([NoteLoss(job.loss), *callbacks])],
        )
        estimator.fit(
            plain_names(rows.X), rows.y, sample_weight=rows.weight, verbose=False, **evals
        )
        history = []
        if evals:
            ((name, values),) = estimator.evals_result()["validation_0"].items()
            history = [value / _MAGNIFICATION for value in values]
            estimator.evals_result_ = {"validation_0": {name: history}}
        # From here on the estimator has XGBoost's own objective, and needs no focalboost.
        # set_params would pass every parameter to the booster, which takes no dict.
        estimator.objective = link.params["objective"]
        estimator.callbacks, estimator.eval_metric = params["callbacks"], None
        estimator.get_booster().set_param({"objective": estimator.objective})
        return self._trained(estimator, history)

    def fit_own(self, estimator: xgb.XGBClassifier, job: Job) -> Trained:
        """Train the estimator in place with XGBoost's own log loss, also for early stopping."""
        refuse_workers("FocalClassifier")
        params = estimator.get_params()
        refuse(params, Link.of(job.loss.kernel.classes).refused_in_classifier)
        rows = job.training
        callbacks = check_callbacks([*(params["callbacks"] or ()), *job.callbacks])
        evals = _evals(job.validation)
        if evals and job.patience is not None:
            callbacks.append(_stopping(params, job.patience, is_score=False))
        if job.categories:
            estimator.set_params(enable_categorical=True)
        estimator.set_params(callbacks=callbacks or None)
        estimator.fit(
            plain_names(rows.X), rows.y, sample_weight=rows.weight, verbose=False, **evals
        )
        estimator.callbacks = params["callbacks"]
        history: list[float] = []
        if evals:
            (history,) = estimator.evals_result()["validation_0"].values()
        return self._trained(estimator, history)

    def _trained(self, estimator: xgb.XGBClassifier, history: list[float]) -> Trained:
        booster = estimator.get_booster()
        return Trained(
            estimator,
            history,
            booster.num_boosted_rounds(),
            partial(self.raw_prediction, estimator),
            partial(models.write_record, booster),
        )

    def raw_prediction(self, estimator: xgb.XGBClassifier, X: Any) -> Array:
        """Return the raw scores of a complete estimator, init score included."""
        return np.asarray(estimator.predict(plain_names(X), output_margin=True))


def _evals(rows: Samples | None) -> dict[str, Any]:
    """Return the arguments of `fit` for the validation samples."""
    if rows is None:
        return {}
    weights = {} if rows.weight is None else {"sample_weight_eval_set": [rows.weight]}
    return {"eval_set": [(plain_names(rows.X), rows.y)], **weights}


def _stopping(params: dict[str, Any], patience: int, is_score: bool) -> Any:
    if options.is_dropout(params):
        warnings.warn(
            "XGBoost's dart changes the weights of earlier trees in later rounds, so that the "
            "model cut off at the best round is not the model that was measured there. Use "
            "booster='gbtree' without rate_drop and one_drop, or early_stopping_rounds=None.",
            stacklevel=6,
        )
    # With save_best the booster itself ends at its best round.
    return xgb.callback.EarlyStopping(rounds=patience, maximize=is_score, save_best=True)


ADAPTER: Adapter = XGBoostAdapter()
