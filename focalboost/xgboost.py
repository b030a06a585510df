"""Focal loss in XGBoost: objective, metric, and a train that returns a sealed booster."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb
from scipy.special import expit, logit

from focalboost import _contract
from focalboost._contract import Array, Loss, Objective

__all__ = ["metric", "objective", "train"]

_ALPHA = "say it with alpha = w / (1 + w) for a positive weight of w."
_REFUSED: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    ("objective",): (("binary:logistic", None), "focal loss is the objective."),
    ("scale_pos_weight",): ((1, None), _ALPHA),
    ("base_score",): ((None,), "training starts at the loss's own optimum."),
    ("num_class",): ((0, 1, None), "the loss is binary."),
}

# FocalClassifier has parameters of its own for these.
_REFUSED_IN_CLASSIFIER: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    ("eval_metric",): ((None,), _contract.STOPPING),
    ("early_stopping_rounds",): ((None, 0), _contract.STOPPING),
    ("booster",): (("gbtree", "dart", None), "a linear model has no rounds to stop."),
}
# XGBoost passes a Python metric through text of six decimals: of a million times the loss.
_MAGNIFICATION = 1e6
_LARGEST_START = 13.8
# A start score for each class is stored from 3.1 on.
_TAKES_VECTORS = tuple(map(int, xgb.__version__.split(".")[:2])) >= (3, 1)


@dataclass(frozen=True)
class _Metric:
    loss: Any
    scale: float = 1.0

    def __post_init__(self) -> None:
        _contract.check_loss(self.loss, _contract.METRIC_NEEDS)

    @property
    def __name__(self) -> str:
        # XGBClassifier's name for it in the history.
        return _contract.loss_name(self.loss)

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        y, z, w = _contract.rows(self.loss, first, second, sample_weight)
        value = self.scale * float(self.loss(y, z, w))
        return (self.__name__, value) if isinstance(second, xgb.DMatrix) else value


class _Callbacks(xgb.callback.TrainingCallback):
    """Adds the loss to the history in full precision, then calls the others in their order.

    XGBoost passes a custom metric through text of six decimals, in which a small loss stands still
    and stops training early; and before 3.0 it calls callbacks in no order.
    """

    def __init__(
        self,
        loss: Loss,
        evals: Sequence[tuple[xgb.DMatrix, str]],
        callbacks: Sequence[xgb.callback.TrainingCallback],
        scheduled: _contract.ScheduledObjective | None,
    ) -> None:
        self._scheduled = scheduled
        self._metric = _Metric(loss)
        self._evals = evals
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
        if self._scheduled:
            # epoch begins at 0 in a continued model
            self._scheduled.enter(model.num_boosted_rounds())
        return any(c.before_iteration(model, epoch, evals_log) for c in self._callbacks)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        for data, name in self._evals:
            key, value = self._metric(model.predict(data, output_margin=True), data)
            evals_log.setdefault(name, {}).setdefault(key, []).append(value)
        return any(c.after_iteration(model, epoch, evals_log) for c in self._callbacks)


def objective(loss: Loss) -> Objective:
    """Return the loss as an objective for XGBoost.

    The object goes into ``obj`` of `xgboost.train` and `xgboost.cv`, and into
    ``XGBClassifier(objective=...)``. It applies sample weights, and raises a ValueError where a
    label is outside [0, 1], a raw score is not finite or has two dimensions.

    Where you train by other means than `train`, give XGBoost the start score with it:
    ``base_score=expit(loss.init_score(y))``, and natively ``objective="binary:logistic"`` too,
    which is the link of the model. XGBClassifier sets that by itself.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        Any object with ``gradient_curvature`` or ``gradient_hessian``, ``init_score`` or
        ``fit_intercept_only``, and a weighted mean as its call. scikit-learn's losses qualify.

    Returns
    -------
    callable
        It pickles, and equals the objective of an equal loss.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import expit
    >>> from xgboost import XGBClassifier
    >>> import focalboost.xgboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> model = XGBClassifier(
    ...     objective=focalboost.xgboost.objective(loss),
    ...     base_score=expit(loss.init_score(y)), min_child_weight=0.0)
    >>> bool(model.fit(X, y).predict_proba(X)[-1, 1] > 0.5)
    True
    """
    # XGBoost's own softmax has a diagonal Hessian twice as large.
    return Objective(loss, 1.0 if _contract.n_scores(loss) == 1 else 2.0)


def metric(loss: Loss) -> Callable[..., Any]:
    """Return the weighted mean loss as an evaluation metric for XGBoost.

    The object goes into ``custom_metric`` of `xgboost.train` and `xgboost.cv`, and into
    ``XGBClassifier(eval_metric=...)``, beside an `objective`: it takes its scores for raw scores,
    which they are under a Python objective.

    XGBoost passes a Python metric through text with six decimals, which is coarse for a loss near 0
    and can stop training early. `train` keeps every digit.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        See `objective`.

    Returns
    -------
    callable
        Its name in the history is that of the loss's class, ``focal_loss``.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> from focalboost import FocalLoss
    >>> import focalboost.xgboost
    >>> data = xgboost.DMatrix(np.zeros((2, 1)), [0.0, 1.0])
    >>> name, value = focalboost.xgboost.metric(FocalLoss(gamma=0.0))(np.zeros(2), data)
    >>> name, round(value, 6)
    ('focal_loss', 0.693147)
    """
    return _Metric(loss)


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
    loss: Loss,
) -> xgb.Booster:
    """Train an XGBoost model with the loss; everything else is as in `xgboost.train`.

    ``loss`` takes the place of ``obj`` and ``maximize``. Training starts at the loss's optimal
    constant. The weighted mean loss is the last metric of the history, in full precision, and so
    the one that early stopping minimises. The start score is stored in the booster that comes back:
    its ``predict`` is the sigmoid of the raw score (with several classes, the softmax), also after
    it is saved and loaded where focalboost is not installed. With focal loss that is a score, not a
    probability: ``loss.inverse_link(booster.predict(data, output_margin=True))`` is the
    probability.

    Parameters
    ----------
    params : dict
        XGBoost's parameters; its ``gamma`` and ``alpha`` are not the loss's. ``objective`` may be
        left out or be "binary:logistic", or "multi:softprob" with several classes, which need
        XGBoost 3.1. ``scale_pos_weight`` and ``base_score`` are refused.
        Hessians of focal loss are small: ``min_child_weight`` below its default of 1 lets trees
        split where positives are few.
    dtrain : xgboost.DMatrix
        Labels in [0, 1], or from 0 to K - 1 with K classes; it must have no ``base_margin``.
    num_boost_round, evals, early_stopping_rounds, evals_result, verbose_eval, callbacks, \
    custom_metric
        As in `xgboost.train`. As there, the booster holds all rounds, and ``best_iteration`` says
        which was the best.
    xgb_model : str, path, xgboost.Booster or bytearray, optional
        A model of the same objective to continue, as this function returns it; it keeps its start
        score.
    loss : FocalLoss, SoftmaxFocalLoss, ScheduledLoss or another loss
        See `objective`.

    Returns
    -------
    xgboost.Booster

    Raises
    ------
    ValueError
        If a label, raw score or parameter is not as said above.

    Warns
    -----
    UserWarning
        If the start score is beyond 13.8, where XGBoost cuts it off.

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
    schedule: Any = loss if _contract.is_schedule(loss) else None
    scheduled = None
    if schedule:
        begin = 0 if xgb_model is None else _as_booster(xgb_model).num_boosted_rounds()
        loss = schedule.at_round(begin + num_boost_round - 1)
        loss_at_start = schedule.at_round(0)
        scheduled = _contract.ScheduledObjective(schedule, objective)
    else:
        loss_at_start = loss
    _contract.check_loss(loss)
    k = _contract.n_scores(loss)
    params = _as_dict(params)
    _contract.refuse_options(params, _refused(k))
    evals = list(evals or [])
    for data in [dtrain, *(data for data, _ in evals)]:
        if len(data.get_base_margin()):
            raise ValueError(
                "base_margin must not be set on dtrain or evals: train starts at the loss's "
                "optimum and stores it in the model, which cannot hold a score a row. "
                "For scores of your own use xgboost.train with objective(loss)."
            )
    # Without a metric of its own XGBoost would add its default, on the sigmoid of the raw score.
    if "eval_metric" not in params:
        params.setdefault("disable_default_eval_metric", True)
    # The objective's name gives the model its link, and makes base_score a probability.
    params |= _own_objective(k)
    if xgb_model is None:
        init_score = _contract.start_score(loss_at_start, *_contract.labels_and_weights(dtrain))
        params["base_score"] = _base_score(init_score)
    else:
        _check_same_link(xgb_model, k)
    callbacks = list(callbacks or [])
    if verbose_eval:
        callbacks.append(xgb.callback.EvaluationMonitor(period=int(verbose_eval)))
    if early_stopping_rounds:
        # The last metric of the history is the one that stops: the loss.
        callbacks.append(xgb.callback.EarlyStopping(rounds=early_stopping_rounds, maximize=False))
    return xgb.train(
        params,
        dtrain,
        num_boost_round,
        evals=evals,
        obj=scheduled or objective(loss),
        evals_result=evals_result,
        verbose_eval=False,
        xgb_model=xgb_model,
        callbacks=[_Callbacks(loss, evals, callbacks, scheduled)],
        custom_metric=custom_metric,
    )


def _as_dict(params: Any) -> dict[str, Any]:
    """Return XGBoost's parameters as a dict; a list of pairs may name several metrics."""
    if params is None or isinstance(params, dict):
        return dict(params or {})
    metrics = [value for name, value in params if name == "eval_metric"]
    return {**dict(params), **({"eval_metric": metrics} if metrics else {})}


def _own_objective(k: int) -> dict[str, Any]:
    if k == 1:
        return {"objective": "binary:logistic"}
    return {"objective": "multi:softprob", "num_class": k}


def _refused(k: int) -> dict[tuple[str, ...], tuple[tuple[Any, ...], str]]:
    if k == 1:
        return _REFUSED
    if not _TAKES_VECTORS:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass, and a "
            f"start score for each class needs XGBoost 3.1 or newer, got {xgb.__version__}."
        )
    return _REFUSED | {
        ("objective",): (("multi:softprob", None), "the loss is the objective."),
        ("num_class",): ((k, None), f"the loss has {k} classes."),
    }


def _base_score(init_score: Any) -> float | list[float]:
    """Return the start score as XGBoost stores it, a probability in single precision.

    With several classes it stores raw scores.
    """
    if np.ndim(init_score):
        return [float(score) for score in init_score]
    base_score = np.float32(expit(init_score))
    stored = float(np.clip(logit(np.float64(base_score)), -_LARGEST_START, _LARGEST_START))
    if abs(stored - init_score) > 1e-3:
        warnings.warn(
            f"XGBoost stores the start score {init_score:.6g} as {stored:.6g}: it keeps a "
            "probability in single precision. Training starts there.",
            stacklevel=3,
        )
    return float(base_score)


def _as_booster(xgb_model: Any) -> xgb.Booster:
    return xgb_model if isinstance(xgb_model, xgb.Booster) else xgb.Booster(model_file=xgb_model)


def _check_same_link(xgb_model: Any, k: int) -> None:
    learner = json.loads(_as_booster(xgb_model).save_config())["learner"]
    name, n_classes = learner["objective"]["name"], learner["learner_model_param"]["num_class"]
    wanted = _own_objective(k)["objective"]
    if name != wanted or max(int(n_classes), 1) != k:
        raise ValueError(f"xgb_model must be a {wanted} model, got {name} of {n_classes} classes.")


def _fit_classifier(
    estimator: xgb.XGBClassifier,
    loss: Loss,
    rows: tuple[Any, Array, Array | None],
    init_score: Any,
    valid: tuple[Any, Array, Array | None] | None,
    stopping_metric: Any,
    early_stopping_rounds: int | None,
) -> tuple[xgb.XGBClassifier, list[float], int]:
    """Train an XGBClassifier in place; return it, its validation history and number of rounds."""
    params = estimator.get_params()
    k = _contract.n_scores(loss)
    refused = _refused(k) | _REFUSED_IN_CLASSIFIER
    if k > 1:
        # XGBClassifier's own default stands there.
        harmless, remedy = refused["objective",]
        refused["objective",] = (*harmless, "binary:logistic"), remedy
    _contract.refuse_options(params, refused)
    if "class_weight" in params:
        # folded into the weights; XGBoost would warn that it does not know it
        estimator.kwargs = {k: v for k, v in estimator.kwargs.items() if k != "class_weight"}
    X, y, weight = rows
    if hasattr(X, "dtypes") and any(str(dtype) == "category" for dtype in X.dtypes):
        estimator.set_params(enable_categorical=True)
    callbacks = list(params["callbacks"] or [])
    evals: dict[str, Any] = {}
    if valid is not None:
        X_valid, y_valid, weight_valid = valid
        evals = {"eval_set": [(X_valid, y_valid)]}
        if weight_valid is not None:
            evals["sample_weight_eval_set"] = [weight_valid]
        if early_stopping_rounds is not None:
            # The booster then ends at its best round, for whoever predicts with it.
            callbacks.append(
                xgb.callback.EarlyStopping(
                    rounds=early_stopping_rounds, maximize=False, save_best=True
                )
            )
    estimator.set_params(
        objective=objective(loss),
        base_score=_base_score(init_score),
        eval_metric=_Metric(stopping_metric, _MAGNIFICATION) if valid else None,
        disable_default_eval_metric=True,
        callbacks=callbacks or None,
    )
    estimator.fit(X, y, sample_weight=weight, verbose=False, **evals)
    history = []
    if valid is not None:
        ((name, values),) = estimator.evals_result()["validation_0"].items()
        history = [value / _MAGNIFICATION for value in values]
        estimator.evals_result_ = {"validation_0": {name: history}}
        if early_stopping_rounds is not None:
            estimator.get_booster().set_attr(best_score=str(min(history)))
    # From here on it is a classifier with XGBoost's own objective, which needs no focalboost.
    estimator.set_params(
        objective=_own_objective(k)["objective"], callbacks=params["callbacks"], eval_metric=None
    )
    return estimator, history, estimator.get_booster().num_boosted_rounds()


def _raw_prediction(estimator: xgb.XGBClassifier, X: Any) -> Array:
    """Return the raw scores of a classifier that `_fit_classifier` trained."""
    return np.asarray(estimator.predict(X, output_margin=True))
