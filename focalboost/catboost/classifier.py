"""CatBoostClassifier, as FocalClassifier trains it."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import catboost as cb
import numpy as np

from focalboost.boosters.options import refuse
from focalboost.boosters.port import Adapter, Job, Samples, Trained
from focalboost.catboost import models
from focalboost.catboost.data import baseline, in_single_precision
from focalboost.catboost.objectives import metric, objective, try_out
from focalboost.catboost.options import COLUMNS, Link, defaults
from focalboost.catboost.snapshots import bound_to_loss
from focalboost.losses._checks import kind_of
from focalboost.losses._types import Array


class CatBoostAdapter:
    """The port's adapter to CatBoostClassifier."""

    takes_several_classes = True

    def accepts(self, estimator: object) -> bool:
        return isinstance(estimator, cb.CatBoostClassifier)

    def default(self) -> cb.CatBoostClassifier:
        return cb.CatBoostClassifier(verbose=0)

    def copy(self, estimator: cb.CatBoostClassifier) -> cb.CatBoostClassifier:
        refuse(estimator.get_params(), COLUMNS)
        # scikit-learn's clone refuses CatBoost's classifiers if a parameter is a list.
        return type(estimator)(**copy.deepcopy(estimator.get_params()))

    def fit(self, estimator: cb.CatBoostClassifier, job: Job) -> Trained:
        """Train the estimator in place."""
        params = estimator.get_params()
        classes = job.loss.kernel.classes
        link = Link.of(classes)
        refuse(params, link.refused_in_classifier)
        init_score = in_single_precision(job.init_score)
        # With two classes the objective adds the init score to the raw scores.
        added = init_score if classes.n_scores == 1 else 0.0
        called = replace(objective(job.loss, max_step=job.max_step), start=added, is_checked=True)
        try_out(called, len(job.training.y))
        cat_features = _cat_features(params, job)

        def pool(rows: Samples) -> cb.Pool:
            start = None if added else baseline(init_score, len(rows.y), classes)
            return _pool(rows, cat_features, start)

        if cat_features:
            estimator.set_params(cat_features=cat_features)
        training = pool(job.training)
        estimator.set_params(
            **defaults(params, None, training.shape, classes),
            **bound_to_loss(params, job.loss, job.max_step),
            loss_function=called,
            eval_metric=replace(
                metric(job.metric), start=added, is_score=job.is_score, is_checked=True
            ),
            class_names=link.class_names,
            allow_writing_files=params.get("allow_writing_files", False),
        )
        evals = {} if job.validation is None else _evals(pool(job.validation), job.patience)
        for callback in job.callbacks:
            if not callable(getattr(callback, "after_iteration", None)):
                raise TypeError(
                    "callbacks must be a list of objects with a method after_iteration, got "
                    f"{kind_of(callback)}."
                )
        estimator.fit(training, callbacks=[*job.callbacks] or None, **evals)
        history = []
        if evals:
            (history,) = estimator.get_evals_result()["validation"].values()
        estimator.set_scale_and_bias(1.0, init_score)
        return self._trained(estimator, history)

    def fit_own(self, estimator: cb.CatBoostClassifier, job: Job) -> Trained:
        """Train the estimator in place with CatBoost's own log loss, also for early stopping."""
        params = estimator.get_params()
        link = Link.of(job.loss.kernel.classes)
        refuse(params, link.refused_in_classifier)
        if all(params.get(name) is None for name in ("learning_rate", "eta")):
            raise ValueError(
                "learning_rate must be given to compare CatBoost's own log loss with other losses, "
                "got None: CatBoost would adapt it to the data only for its own losses. "
                "Write CatBoostClassifier(learning_rate=0.1)."
            )
        cat_features = _cat_features(params, job)
        if cat_features:
            estimator.set_params(cat_features=cat_features)
        estimator.set_params(
            class_names=link.class_names,
            allow_writing_files=params.get("allow_writing_files", False),
        )
        evals: dict[str, Any] = {}
        if job.validation is not None:
            evals = _evals(_pool(job.validation, cat_features), job.patience)
        pool = _pool(job.training, cat_features)
        estimator.fit(pool, callbacks=[*job.callbacks] or None, **evals)
        history: list[float] = []
        if evals:
            (history,) = estimator.get_evals_result()["validation"].values()
        return self._trained(estimator, history)

    def _trained(self, estimator: cb.CatBoostClassifier, history: list[float]) -> Trained:
        return Trained(
            estimator,
            history,
            estimator.tree_count_,
            partial(self.raw_prediction, estimator),
            partial(models.write_record, estimator),
        )

    def raw_prediction(self, estimator: cb.CatBoostClassifier, X: Any) -> Array:
        """Return the raw scores of a complete estimator, init score included."""
        return np.asarray(estimator.predict(_with_text(X), prediction_type="RawFormulaVal"))


def _cat_features(params: dict[str, Any], job: Job) -> list[int]:
    """Return the positions of categorical columns: those the user names, and the table's."""
    names = [*getattr(job.training.X, "columns", [])]
    own = [names.index(c) if c in names else int(c) for c in params.get("cat_features") or []]
    return sorted({*own, *job.categories})


def _pool(rows: Samples, cat_features: list[int], start: Array | None = None) -> cb.Pool:
    return cb.Pool(
        _with_text(rows.X), rows.y, weight=rows.weight, baseline=start, cat_features=cat_features
    )


def _evals(pool: cb.Pool, patience: int | None) -> dict[str, Any]:
    """Return the arguments of `fit` for validation."""
    return {
        "eval_set": pool,
        "early_stopping_rounds": patience,
        "use_best_model": patience is not None,
    }


def _with_text(table: Any) -> Any:
    """Return the table with its codes as strings and missing ones as "nan", as CatBoost asks."""
    columns = [i for i, dtype in enumerate(getattr(table, "dtypes", [])) if dtype == "category"]
    if columns:
        table = table.copy(deep=False)
        for i in columns:
            column = table.iloc[:, i].astype(object)
            table.isetitem(i, column.where(column.notna(), "nan").astype(str).astype(object))
    return table


ADAPTER: Adapter = CatBoostAdapter()
