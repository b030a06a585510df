"""The objectives that `check_objective` takes, behind one set of names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature

import numpy as np
from scipy.differentiate import derivative
from scipy.special import expit

from focalboost.losses import Loss
from focalboost.losses._checks import check_kind, check_pair, kind_of
from focalboost.losses._classes import TWO_CLASSES, Classes
from focalboost.losses._types import Array, Foreign, Function
from focalboost.losses.foreign import as_loss

Derivatives = Function

# Scores whose probabilities are neither 0 nor 1 in single precision.
_MILD = np.linspace(-8.0, 8.0, 33)
_FAR = np.array([-800.0, -100.0, -40.0, 40.0, 100.0, 800.0])


@dataclass(frozen=True)
class Subject:
    """An objective to check, and the points at which to check it.

    ``call`` returns what the booster gets, unchanged. ``values`` is the loss of samples of weight
    1, or None. ``source`` is the objective if it is an object with methods, and ``loss`` the loss
    that it is, if any.
    """

    name: str
    classes: Classes
    call: Derivatives
    values: Callable[[Array, Array], Array] | None
    exact: Derivatives | None = None
    source: Foreign = None
    loss: Loss | None = None

    @property
    def scores(self) -> Array:
        k = self.classes.n_scores
        return _MILD if k < 2 else np.random.default_rng(0).normal(scale=3.0, size=(12, k))

    @property
    def y(self) -> Array:
        return np.repeat(np.arange(self.classes.n_classes, dtype=np.float64), len(self.scores))

    @property
    def z(self) -> Array:
        return np.concatenate([self.scores] * self.classes.n_classes)

    @property
    def w(self) -> Array:
        return np.random.default_rng(1).uniform(0.5, 2.0, len(self.y))

    @property
    def far(self) -> tuple[Array, Array]:
        """Labels, and extreme scores of the first class, where the other scores are 0."""
        k, n_classes = self.classes.n_scores, self.classes.n_classes
        scores = _FAR if k < 2 else np.outer(_FAR, np.eye(k)[0])
        return np.repeat(np.arange(float(n_classes)), len(scores)), np.concatenate(
            [scores] * n_classes
        )

    @property
    def wrong_side(self) -> tuple[Array, Array]:
        """Labels of one class, and scores that miss it more and more."""
        scores = -np.arange(5.0, 801.0, 5.0)
        k = self.classes.n_scores
        return (np.ones(len(scores)), scores) if k < 2 else (
            np.zeros(len(scores)),
            np.outer(scores, np.eye(k)[0]),
        )  # fmt: skip

    def derivatives(self, y: Array, z: Array, w: Array | None = None) -> tuple[Array, Array]:
        # Copies, since an objective may write into them.
        gradient, hessian = self.call(y.copy(), z.copy(), w)
        return np.asarray(gradient, np.float64), np.asarray(hessian, np.float64)

    def slopes(self, function: Callable[[Array, Array], Array], j: int) -> tuple[Array, Array]:
        """Return a function's derivative in score j at every point, and its error."""

        def along(step: Array, sample: Array) -> Array:
            samples = np.broadcast_to(sample, step.shape).astype(np.intp).ravel()
            z = self.z[samples]
            column(z, j)[...] += step.ravel()
            return np.asarray(function(self.y[samples], z)).reshape(step.shape)

        samples = np.arange(len(self.y), dtype=np.float64)
        found = derivative(along, np.zeros(len(samples)), args=(samples,), initial_step=0.1)
        return found.df, found.error


def column(values: Array, j: int) -> Array:
    """Return the values of score j, a view."""
    return values if values.ndim == 1 else values[:, j]


def subject_of(objective: Foreign, value: Function | None) -> Subject:
    """Return the subject for an objective."""
    if value is not None:
        check_kind("value", value, Callable, "a function of labels and raw scores")
    if isinstance(objective, type):
        raise TypeError(f"objective must be an instance, got {kind_of(objective)}.")
    grad, hess = getattr(objective, "grad", None), getattr(objective, "hess", None)
    if callable(grad) and callable(hess):
        return _of_probabilities(objective, grad, hess, value)
    of_a_loss = ("gradient_hessian", "gradient_curvature", "init_score", "fit_intercept_only")
    is_loss = any(hasattr(objective, name) for name in of_a_loss)
    if not (callable(objective) or is_loss):
        rule = (
            "a loss, a function that returns gradient and Hessian, or an object with grad and hess"
        )
        check_kind("objective", objective, (), rule)
    if callable(objective) and not is_loss:
        return _of_function(objective, value)
    if value is not None:
        raise TypeError(
            f"value must be None where the objective is a loss, which has its own, got {value!r}."
        )
    return _of_loss(objective)


def _of_loss(source: Foreign) -> Subject:
    loss = as_loss(source)
    classes = loss.kernel.classes
    # Unchanged: the kernel of a foreign loss calls the object's own method.
    kernel = loss.kernel

    def call(y: Array, z: Array, w: Array | None) -> Foreign:
        return kernel.weighted_derivatives(y, z, w, None, 1)[:2]

    # The call of our losses is the mean of `loss`; of other losses only the call is known.
    values = source.loss if loss is source else partial(_single_values, source)
    exact = getattr(source, "gradient_hessian", None)
    return Subject(repr(source), classes, call, values, exact, source, loss)


def _of_probabilities(
    objective: Foreign, grad: Derivatives, hess: Derivatives, value: Function | None
) -> Subject:
    def call(y: Array, z: Array, w: Array | None) -> Foreign:
        p = expit(z)
        return _times(w, grad(y, p), hess(y, p))

    if value is None and callable(objective):
        value = lambda y, z: objective(y, expit(z))  # noqa: E731
    values = None if value is None else partial(_single_values, value)
    return Subject(type(objective).__name__, TWO_CLASSES, call, values, source=objective)


def _of_function(function: Derivatives, value: Function | None) -> Subject:
    def by_labels(y: Array, z: Array, w: Array | None) -> Foreign:
        return _times(w, *_pair(function(y, z)))

    def by_data(y: Array, z: Array, w: Array | None) -> Foreign:
        return _pair(function(z, _Data(y, w)))

    _check_parameters(function)
    call = by_labels
    try:
        by_labels(np.ones(3), np.zeros(3), None)
    except AttributeError as error:
        if "get_label" not in str(error):
            raise
        call = by_data
    values = None if value is None else partial(_single_values, value)
    name = getattr(function, "__name__", repr(function))
    return Subject(name, TWO_CLASSES, call, values)


def _check_parameters(function: Derivatives) -> None:
    try:
        parameters = signature(function)
    except ValueError:  # a function that was not written in Python
        return
    try:
        parameters.bind(None, None)
    except TypeError:
        raise TypeError(
            "objective must be a function of (y_true, raw_prediction) or of (preds, data), got a "
            f"function of {parameters}."
        ) from None


def _pair(found: Foreign) -> Foreign:
    check_pair("the result of objective", found, "a pair of gradient and Hessian")
    return found


@dataclass(frozen=True)
class _Data:
    """Labels and weights, as LightGBM's Dataset and XGBoost's DMatrix show them."""

    label: Array
    weight: Array | None

    def get_label(self) -> Array:
        return self.label

    def get_weight(self) -> Array | None:
        return self.weight


def _times(w: Array | None, gradient: Foreign, hessian: Foreign) -> tuple[Foreign, Foreign]:
    # A function of labels and scores takes no weights: the caller multiplies by them.
    return (gradient, hessian) if w is None else (w * gradient, w * hessian)


def _single_values(function: Function, y: Array, z: Array) -> Array:
    """Return the loss of each sample, one by one: the mean of one sample is its loss."""
    return np.array([float(np.mean(function(y[[i]], z[[i]]))) for i in range(len(y))])
