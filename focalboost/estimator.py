"""FocalClassifier: focal loss in scikit-learn's clothes, around a booster's own classifier."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, assert_all_finite
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from focalboost._binary import BinaryLoss
from focalboost._checks import check_real, check_weights
from focalboost._tables import categories_of, encode, read
from focalboost.losses import FocalLoss
from focalboost.multiclass import SoftmaxFocalLoss

__all__ = ["EffectiveNumber", "FocalClassifier"]

Array = npt.NDArray[Any]

_CLASSES = {
    "lightgbm": "LGBMClassifier",
    "xgboost": "XGBClassifier",
    "catboost": "CatBoostClassifier",
}


@dataclass(frozen=True)
class LogLoss:
    """Log loss of the posterior: what early stopping watches, in units of nats."""

    loss: Any

    def __call__(self, y_true: Array, raw_prediction: Array, sample_weight: Any = None) -> float:
        if isinstance(self.loss, BinaryLoss):
            return FocalLoss(0.0)(y_true, self.loss.log_odds(raw_prediction), sample_weight)
        logs = self.loss.log_proba(raw_prediction)
        return SoftmaxFocalLoss(self.loss.n_classes, 0.0)(y_true, logs, sample_weight)

    # As a loss of several classes says it to the boosters' files.
    @property
    def is_multiclass(self) -> bool:
        return not isinstance(self.loss, BinaryLoss)

    @property
    def n_classes(self) -> int:
        return int(self.loss.n_classes)


@dataclass(frozen=True)
class EffectiveNumber:
    r"""Class weights by the effective number of samples, for `FocalClassifier`'s ``alpha``.

    A class of n rows weighs :math:`(1 - \beta) / (1 - \beta^n)` [1]_: 1 / n where beta is near 1,
    the same for all classes where it is 0.

    Parameters
    ----------
    beta : float, default=0.999
        In [0, 1): the larger, the more rows until a class counts as seen, about 1 / (1 - beta).

    References
    ----------
    .. [1] Y. Cui, M. Jia, T.-Y. Lin, Y. Song, S. Belongie, "Class-Balanced Loss Based on Effective
       Number of Samples", CVPR 2019, `arXiv:1901.05555 <https://arxiv.org/abs/1901.05555>`_.

    Examples
    --------
    >>> from focalboost import EffectiveNumber
    >>> EffectiveNumber(beta=0.99)([1000, 10]).round(4)
    array([0.01  , 0.1046])
    """

    beta: float = 0.999

    def __post_init__(self) -> None:
        beta = check_real("beta", self.beta, "in [0, 1)", lambda v: 0 <= v < 1)
        object.__setattr__(self, "beta", beta)

    def __call__(self, counts: npt.ArrayLike) -> Array:
        """Return a weight for each class, given the weighted numbers of its rows.

        Parameters
        ----------
        counts : array-like of shape (K,)
            Numbers of rows, > 0.

        Returns
        -------
        ndarray of shape (K,)
        """
        n = np.asarray(counts, dtype=np.float64)
        # beta**n by its logarithm, without cancellation where beta is near 1
        with np.errstate(divide="ignore"):
            return np.asarray((1.0 - self.beta) / -np.expm1(n * np.log(self.beta)))


class FocalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier that trains a booster with focal loss, with calibrated probabilities.

    It clones a classifier of LightGBM, XGBoost or CatBoost and trains the clone with `FocalLoss`,
    or with more than two classes `SoftmaxFocalLoss`, from the loss's optimal constant. Parameters
    of the booster are tuned as ``estimator__...``.

    Parameters
    ----------
    estimator : LGBMClassifier, XGBClassifier or CatBoostClassifier, default=None
        The booster; it is cloned. None is the first of the three that is installed, with its
        defaults. Parameters that a Python objective would switch off, such as
        ``scale_pos_weight``, are refused, and so are its own metrics and early stopping, for which
        there are parameters here; ``class_weight`` is folded into the weights.
        A CatBoostClassifier with no ``learning_rate`` trains at .03: CatBoost fits the rate to the
        data only for its own losses.
    gamma : float, default=2.0
        Focusing parameter of the loss, >= 0. This is not XGBoost's ``gamma``, which is
        ``estimator__gamma``.
    alpha : float, "balanced", EffectiveNumber, callable, dict or None, default=None
        Weight of the positive class in (0, 1), with 1 - alpha for the other. "balanced" weighs each
        class by 1 / its share of the weighted data, `EffectiveNumber` by another rule, a callable
        by what it returns for the weighted numbers of rows, a dict {label: weight} as it says:
        these are scaled to mean 1/2. None weighs all classes 1.
    max_step : float or None, default=4.0
        Bound on a row's own Newton step; see `FocalLoss`.
    loss : loss of this package or None, default=None
        Another loss to train with, such as `AsymmetricLoss`; its positive class is the second of
        the sorted labels. ``gamma`` and ``max_step`` are its own then, and ``alpha``, where it is
        not None, takes the place of its own.
    pos_label : label, default=None
        The class that a number as ``alpha`` weights. None is the second of the sorted labels; with
        string labels it must be given then. It is for two classes.
    early_stopping_rounds : int or None, default=50
        Rounds without a better ``stopping_metric`` on ``X_val`` after which training stops. Without
        ``X_val`` every round is trained.
    stopping_metric : {"log_loss", "focal_loss"}, default="log_loss"
        What early stopping watches: the log loss of the posterior, or the loss that trains.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The sorted labels.
    loss_ : FocalLoss, SoftmaxFocalLoss or another loss
        The loss, with alpha as the weight of ``classes_[1]``, or with K > 2 classes as the weights
        of all.
    init_score_ : float or ndarray of shape (K,)
        Raw score at which training began.
    estimator_ : LGBMClassifier, XGBClassifier or CatBoostClassifier
        The fitted clone. It holds the start score, so that it predicts alone and its SHAP values
        sum to the raw score; its own ``predict_proba`` is the *sigmoid* of the raw score, which is
        not the probability. Its class 1 is ``classes_[1]``, and its categories are the positions of
        ours. A pickle of it needs focalboost where it is CatBoost's.
    best_iteration_ : int
        Number of boosting rounds that prediction uses.
    evals_result_ : dict
        ``{"validation": {stopping_metric: values}}``, one value a round; empty without ``X_val``.
    n_features_in_ : int
        Number of columns in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are strings.

    See Also
    --------
    FocalLoss : The loss, and the posterior in closed form.

    Notes
    -----
    Three outputs, from raw to cooked: `raw_prediction` is the booster's score, `decision_function`
    the logit of the posterior, and `predict_proba` the posterior itself, in closed form [1]_.

    Weights are rescaled to mean 1, since boosters hold sums of Hessians against constants, and rows
    of weight 0 leave before training. For several labels a row wrap the classifier in
    scikit-learn's ``MultiOutputClassifier``, which trains one for each label. Soft labels are for
    the native adapters, such as ``focalboost.lightgbm.train``.

    Fitted models pickle. For ``skops`` trust ``focalboost.estimator.FocalClassifier``,
    ``focalboost.losses.FocalLoss`` or the class of another ``loss_``, and for LightGBM
    ``collections.OrderedDict``, ``lightgbm.basic.Booster``, ``lightgbm.sklearn.LGBMClassifier``;
    for XGBoost ``xgboost.core.Booster``, ``xgboost.sklearn.XGBClassifier``; for CatBoost
    ``catboost.core.CatBoostClassifier``, ``focalboost.catboost.MeanLoss``,
    ``focalboost.catboost._Objective``, ``focalboost.estimator.LogLoss``.

    References
    ----------
    .. [1] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.

    Examples
    --------
    >>> from lightgbm import LGBMClassifier
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalClassifier
    >>> X, y = make_classification(2000, weights=[0.95], random_state=0)
    >>> model = FocalClassifier(LGBMClassifier(n_estimators=30, verbose=-1), gamma=2.0)
    >>> proba = model.fit(X, y).predict_proba(X)[:, 1]
    >>> bool(abs(proba.mean() - y.mean()) < 0.01)
    True
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        gamma: float = 2.0,
        alpha: float | str | Callable[..., Any] | Mapping[Any, float] | None = None,
        max_step: float | None = 4.0,
        loss: Any = None,
        pos_label: Any = None,
        early_stopping_rounds: int | None = 50,
        stopping_metric: str = "log_loss",
    ) -> None:
        self.estimator = estimator
        self.gamma = gamma
        self.alpha = alpha
        self.max_step = max_step
        self.loss = loss
        self.pos_label = pos_label
        self.early_stopping_rounds = early_stopping_rounds
        self.stopping_metric = stopping_metric

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # XGBoost stores a start score for each class from 3.1 on.
        is_xgboost = type(self.estimator).__module__.partition(".")[0] == "xgboost"
        takes_classes = not is_xgboost or import_module("focalboost.xgboost")._TAKES_VECTORS
        tags.classifier_tags.multi_class = takes_classes
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> FocalClassifier:
        """Train the booster.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Numbers, booleans and categories; missing values are allowed.
        y : array-like of shape (n_samples,)
            Two or more classes of any label type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        X_val, y_val, sample_weight_val : default=None
            Data for early stopping, of the kinds of the first three. In a pipeline,
            ``Pipeline(transform_input=["X_val"])`` passes them through the steps before.

        Returns
        -------
        FocalClassifier
            Itself, fitted.

        Raises
        ------
        ValueError
            If a column, label, weight or parameter is not as said above.
        TypeError
            If ``estimator`` is not a classifier of one of the three boosters.
        """
        estimator = _default_estimator() if self.estimator is None else _copy(self.estimator)
        adapter = _adapter_of(estimator)
        if self.stopping_metric not in ("log_loss", "focal_loss"):
            raise ValueError(
                f"stopping_metric must be 'log_loss' or 'focal_loss', got {self.stopping_metric!r}."
            )
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together, got one of them.")

        table = read(X)
        self._check_columns(table, reset=True)
        categories = categories_of(table)
        table = encode(table, categories)
        labels = _as_labels(y)
        check_consistent_length(table, labels)
        table, labels, weight = _weighted(table, labels, sample_weight, estimator)
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(
                f"y must hold two classes of positive weight, got one class, {classes[0]}."
            )
        target = _encode(labels, classes)
        loss = self._make_loss(classes, np.bincount(target.astype(int), weight))
        init_score = loss.init_score(target, weight)

        valid = None
        if X_val is not None:
            labels_val = _as_labels(y_val)
            unknown = np.setdiff1d(labels_val, classes)
            if len(unknown):
                raise ValueError(f"y_val must hold labels of y only, got {unknown[0]}.")
            X_val = self._table(X_val, categories)
            check_consistent_length(X_val, labels_val)
            X_val, labels_val, weight_val = _weighted(
                X_val, labels_val, sample_weight_val, estimator
            )
            valid = X_val, _encode(labels_val, classes), weight_val

        self.estimator_, history, self.best_iteration_ = adapter._fit_classifier(
            estimator,
            loss,
            (table, target, weight),
            init_score,
            valid,
            LogLoss(loss) if self.stopping_metric == "log_loss" else loss,
            self.early_stopping_rounds,
        )
        self._categories = categories
        self.classes_ = classes
        self.loss_ = loss
        self.init_score_ = init_score
        self.evals_result_ = {"validation": {self.stopping_metric: history}} if valid else {}
        return self

    def raw_prediction(self, X: Any) -> Array:
        """Return the booster's raw scores, start score included.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows with the columns of ``fit``, in their order.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, K)
            Of ``classes_[1]``, or with more than two classes of each.
        """
        check_is_fitted(self)
        raw = _adapter_of(self.estimator_)._raw_prediction(
            self.estimator_, self._table(X, self._categories)
        )
        return np.asarray(raw, dtype=np.float64)

    def decision_function(self, X: Any) -> Array:
        """Return the logit of the probability of ``classes_[1]``, or each class's log-probability.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows with the columns of ``fit``, in their order.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, K)
            With two classes it is above 0 where the probability of ``classes_[1]`` is above .5,
            with more the largest is that of the most probable class.
        """
        raw = self.raw_prediction(X)
        values: Array = (
            self.loss_.log_odds(raw)
            if isinstance(self.loss_, BinaryLoss)
            else self.loss_.log_proba(raw)
        )
        return values

    def predict_proba(self, X: Any) -> Array:
        """Return the closed-form posterior of all classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows with the columns of ``fit``, in their order.

        Returns
        -------
        ndarray of shape (n_samples, K)
            In the order of ``classes_``.
        """
        raw = self.raw_prediction(X)
        proba: Array = self.loss_.predict_proba(raw)
        return proba

    def predict(self, X: Any) -> Array:
        """Return the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Rows with the columns of ``fit``, in their order.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        values = self.decision_function(X)
        codes = values.argmax(axis=1) if values.ndim == 2 else (values > 0).astype(int)
        return np.asarray(self.classes_[codes])

    def __sklearn_clone__(self) -> FocalClassifier:
        # clone itself refuses CatBoost's classifiers where a parameter is a list.
        params = self.get_params(deep=False)
        params["estimator"] = None if self.estimator is None else _copy(self.estimator)
        copied = type(self)(**{name: copy.deepcopy(value) for name, value in params.items()})
        if hasattr(self, "_metadata_request"):
            copied._metadata_request = copy.deepcopy(self._metadata_request)
        return copied

    def _table(self, X: Any, categories: dict[int, list[Any]]) -> Any:
        table = read(X)
        self._check_columns(table, reset=False)
        table = encode(table, categories)
        if isinstance(table, np.ndarray) and hasattr(self, "feature_names_in_"):
            import pandas as pd

            # XGBoost wants the names again that it was trained with.
            table = pd.DataFrame(table, columns=self.feature_names_in_)
        return table

    def _check_columns(self, table: Any, reset: bool) -> None:
        try:
            validate_data(self, table, reset=reset, skip_check_array=True)
        except ValueError as error:
            expected = getattr(self, "feature_names_in_", None)
            if reset or expected is None or not hasattr(table, "columns"):
                raise
            raise ValueError(
                f"{error}Expected the columns {[*expected]}, got {[*table.columns]}."
            ) from None

    def _make_loss(self, classes: Array, counts: Array) -> Any:
        """Return the loss to train with, given the classes and the weighted numbers of rows."""
        k = len(classes)
        weights = self._class_weights(classes, counts)
        alpha: Any = None
        if weights is not None:
            weights = weights / weights.sum()
            alpha = float(weights[1]) if k == 2 else tuple((weights * (k / 2)).tolist())
        if self.loss is None:
            if k == 2:
                return FocalLoss(self.gamma, alpha, max_step=self.max_step)
            return SoftmaxFocalLoss(k, self.gamma, alpha, max_step=self.max_step)
        if not isinstance(self.loss, BinaryLoss | SoftmaxFocalLoss):
            raise TypeError(f"loss must be None or a loss of focalboost, got {self.loss!r}.")
        if (2 if isinstance(self.loss, BinaryLoss) else self.loss.n_classes) != k:
            raise ValueError(f"loss must be one of {k} classes, as y has, got {self.loss!r}.")
        for name in ("gamma", "max_step"):
            default = signature(type(self)).parameters[name].default
            if getattr(self, name) != default:
                raise ValueError(
                    f"{name} must be left out where loss is given, got {getattr(self, name)!r}: "
                    "the loss has its own."
                )
        loss: Any = self.loss
        return loss if alpha is None else replace(loss, alpha=alpha)

    def _class_weights(self, classes: Array, counts: Array) -> Array | None:
        """Return what alpha says of each class, up to a factor."""
        if self.pos_label is not None and self.pos_label not in [*classes]:
            raise ValueError(
                f"pos_label must be a label of y, {[*classes]}, got {self.pos_label!r}."
            )
        if self.alpha is None:
            return None
        if isinstance(self.alpha, Mapping):
            if set(self.alpha) != set(classes):
                raise ValueError(
                    f"alpha must have a weight for each label, {[*classes]}, got {self.alpha!r}."
                )
            weights = [self.alpha[label] for label in classes]
        elif callable(self.alpha):
            weights = [*np.ravel(self.alpha(counts))]
            if len(weights) != len(classes):
                raise ValueError(
                    f"alpha must return {len(classes)} weights, one a class, got {len(weights)}."
                )
        elif isinstance(self.alpha, str):
            if self.alpha != "balanced":
                raise ValueError(
                    f"alpha must be a number, 'balanced', a callable, a dict or None, got "
                    f"{self.alpha!r}."
                )
            weights = [*(1.0 / counts)]
        else:
            return self._weights_of_number(classes)
        return np.array(
            [
                check_real(f"alpha[{label}]", weight, "> 0", lambda v: v > 0)
                for label, weight in zip(classes, weights, strict=True)
            ]
        )

    def _weights_of_number(self, classes: Array) -> Array:
        alpha = check_real("alpha", self.alpha, "None or in (0, 1)", lambda v: 0 < v < 1)
        if len(classes) > 2:
            raise ValueError(
                f"alpha must be 'balanced', a callable, a dict or None with {len(classes)} "
                f"classes, got {alpha}: a number is for two."
            )
        if self.pos_label is None and classes.dtype.kind not in "biuf":
            raise ValueError(
                "pos_label must be given where alpha is a number and the labels are strings, got "
                f"None with labels {[*classes]}: which of them does {alpha} weight?"
            )
        weights = [1.0 - alpha, alpha]
        return np.array(weights[::-1] if self.pos_label == classes[0] else weights)


def _copy(estimator: Any) -> Any:
    """Return an unfitted copy, as clone does, of CatBoost's classifiers too."""
    if type(estimator).__module__.partition(".")[0] == "catboost":
        return type(estimator)(**copy.deepcopy(estimator.get_params()))
    return clone(estimator)


def _default_estimator() -> Any:
    for library, name in _CLASSES.items():
        if find_spec(library) is not None:
            quiet = {"lightgbm": {"verbose": -1}, "catboost": {"verbose": 0}}
            return getattr(import_module(library), name)(**quiet.get(library, {}))
    raise ImportError(
        "FocalClassifier needs a booster: install lightgbm, xgboost or catboost, "
        'for example by pip install "focalboost[lightgbm]".'
    )


def _adapter_of(estimator: Any) -> Any:
    """Return the module of ours for the library that the estimator is a classifier of."""
    for library, name in _CLASSES.items():
        module = sys.modules.get(library)
        # Dask's estimators train elsewhere, and a random forest has no rounds.
        is_other = type(estimator).__name__.startswith(("Dask", "XGBRF"))
        if module and isinstance(estimator, getattr(module, name)) and not is_other:
            return import_module(f"focalboost.{library}")
    if isinstance(estimator, Pipeline):
        hint = "put FocalClassifier inside the Pipeline"
    else:
        hint = "others can take objective(loss) of focalboost.lightgbm, xgboost or catboost"
    raise TypeError(
        "estimator must be an LGBMClassifier, XGBClassifier or CatBoostClassifier, "
        f"got {type(estimator).__name__}: {hint}."
    )


def _as_labels(y: Any) -> Array:
    shape: tuple[int, ...] = getattr(y, "shape", ())
    if len(shape) == 2 and shape[-1] > 1:
        raise ValueError(
            f"y should be a 1d array, got an array of shape {shape}: for several labels a row wrap "
            "FocalClassifier in sklearn.multioutput.MultiOutputClassifier."
        )
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    kind = type_of_target(labels, input_name="y")
    if kind == "continuous" and labels.min() >= 0 and labels.max() <= 1:
        raise ValueError(
            "Unknown label type: y must hold classes, got numbers between 0 and 1. Soft labels "
            "are for the native adapters, such as focalboost.lightgbm.train."
        )
    check_classification_targets(labels)
    return np.asarray(labels)


def _encode(labels: Array, classes: Array) -> Array:
    return np.searchsorted(classes, labels).astype(np.float64)


def _weighted(
    table: Any, labels: Array, sample_weight: Any, estimator: Any
) -> tuple[Any, Array, Array | None]:
    """Return the rows of positive weight and their weights, of mean 1, or None where all are 1.

    LightGBM's class_weight is a factor of the weights, where the start score sees it too.
    """
    class_weight = estimator.get_params().get("class_weight")
    if sample_weight is None and class_weight is None:
        return table, labels, None
    weight = _check_sample_weight(sample_weight, table, dtype=np.float64)
    check_weights(weight)
    if class_weight is not None:
        weight = weight * compute_sample_weight(class_weight, labels)
    if not np.any(weight):
        raise ValueError("sample_weight must have a positive sum, got 0.")
    (kept,) = np.nonzero(weight)
    if len(kept) < len(weight):
        table, labels, weight = _safe_indexing(table, kept), labels[kept], weight[kept]
    # In single precision, as boosters hold them, so that the start score is for the same weights.
    return table, labels, (weight / weight.mean()).astype(np.float32).astype(np.float64)
