"""Losses that were not written for this package: objects, and pairs of functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import isfunction

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from focalboost.losses._blocks import is_finite, result_dtype, weighted_mean
from focalboost.losses._classes import TWO_CLASSES, Classes, SeveralClasses
from focalboost.losses._kernels import BinaryKernel, Derivatives, Kernel
from focalboost.losses._types import Array, Foreign, Function
from focalboost.losses.base import Loss, snake_case
from focalboost.losses.schedules import ScheduledLoss

__all__ = ["as_loss", "as_metric", "as_schedule"]

_DERIVATIVES = ("gradient_curvature", "gradient_hessian")
_INIT_SCORE = ("init_score", "fit_intercept_only")
_PROBABILITIES = ("log_odds", "inverse_link", "predict_proba")


def as_loss(loss: Foreign) -> Loss:
    """Return an object as a loss, or raise a TypeError that names the method that it lacks.

    The object may be a loss of this package, or derived from `MarginLoss`. It may be any other
    object whose call is the weighted mean loss, with ``gradient_hessian`` or ``gradient_curvature``
    and with ``init_score`` or ``fit_intercept_only``, as scikit-learn's losses have. Or it may be a
    pair of functions of labels and raw scores: the first returns the loss of each sample, and the
    second its gradient and Hessian.
    """
    return _as_loss(loss, (("__call__",), _DERIVATIVES, _INIT_SCORE))


def as_metric(loss: Foreign, name: str | None = None) -> Loss:
    """Return `as_loss` of an object that needs nothing but a call.

    ``name`` is the name in the history of an object of this package that is not a loss.
    """
    if name is not None:
        return ForeignLoss(loss, name)
    return _as_loss(loss, (("__call__",),))


def as_schedule(loss: Foreign) -> Loss | ScheduledLoss:
    """Return a schedule as it is, and any other object as a loss; both have ``at`` for a round."""
    return loss if isinstance(loss, ScheduledLoss) else as_loss(loss)


def _as_loss(loss: Foreign, needs: tuple[tuple[str, ...], ...]) -> Loss:
    if isinstance(loss, ForeignLoss) or (isinstance(loss, Loss) and not _is_overridden(loss)):
        return loss
    if isinstance(loss, type):
        raise TypeError(f"loss must be an instance, got the class {loss.__name__}.")
    if isinstance(loss, ScheduledLoss):
        raise TypeError(
            "A ScheduledLoss can only be used with train and cv of focalboost.lightgbm and "
            f"focalboost.xgboost, which keep track of the boosting round, got {loss!r}."
        )
    if isinstance(loss, tuple) and len(loss) == 2 and all(map(callable, loss)):
        return ForeignLoss(PairLoss(*loss))
    for names in needs:
        if not any(callable(getattr(loss, name, None)) for name in names):
            raise TypeError(f"loss must have a method {' or '.join(names)}, got {loss!r}.")
    return ForeignLoss(loss)


def _is_overridden(loss: Loss) -> bool:
    """Return whether a subclass overrides a public method, which its kernel does not know."""
    methods = (name for name, method in vars(Loss).items() if isfunction(method))
    return any(
        getattr(type(loss), name) is not getattr(Loss, name)
        for name in methods
        if not name.startswith("_") or name == "__call__"
    )


def _find(source: Foreign, names: tuple[str, ...]) -> str | None:
    """Return which of these methods an object has; its most derived class comes first."""
    by_class = (name for cls in type(source).__mro__ for name in names if name in vars(cls))
    # or by __getattr__, or set on the instance
    return next((n for n in (*by_class, *names) if callable(getattr(source, n, None))), None)


def _double(*arrays: Array | None) -> list[Array | None]:
    """Return arrays as scikit-learn's losses take them: in double precision and contiguous."""
    return [None if a is None else np.require(a, np.float64, "C") for a in arrays]


@dataclass(frozen=True)
class ForeignLoss(Loss):
    """An object with the contract of a loss, given all the methods of `Loss`."""

    source: Foreign
    given_name: str | None = None

    def __repr__(self) -> str:
        return repr(self.source)

    @property
    def name(self) -> str:
        """The name in a booster's history."""
        return self.given_name or snake_case(type(self.source).__name__)

    @property
    def kernel(self) -> Kernel:
        """The mathematics, on checked arrays."""
        if getattr(self.source, "is_multiclass", False):
            return ForeignKernel(self.source, SeveralClasses(int(self.source.n_classes)))
        return ForeignBinaryKernel(self.source, TWO_CLASSES)

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Foreign:
        """Return the object's own init score, or the init score that its probabilities give."""
        name = _find(self.source, _INIT_SCORE)
        if name is None:
            return super().init_score(y_true, sample_weight)
        labels, weights = self._labels_and_weights(y_true, sample_weight)
        scores = np.asarray(getattr(self.source, name)(*_double(labels, weights)), np.float64)
        return self._finite(float(scores) if scores.ndim == 0 else scores)


@dataclass(frozen=True)
class PairLoss:
    """The loss of each sample and its derivatives, as two functions of labels and raw scores."""

    value: Callable[[Array, Array], Foreign]
    derivatives: Callable[[Array, Array], Foreign]

    def __call__(
        self, y_true: Array, raw_prediction: Array, sample_weight: Foreign = None
    ) -> float:
        return weighted_mean(self.loss(y_true, raw_prediction), sample_weight)

    def loss(self, y_true: Array, raw_prediction: Array) -> Array:
        return np.asarray(self.value(y_true, raw_prediction), dtype=np.float64)

    def gradient_hessian(
        self, y_true: Array, raw_prediction: Array, sample_weight: Foreign = None
    ) -> tuple[Array, Array]:
        gradient, hessian = map(np.asarray, self.derivatives(y_true, raw_prediction))
        if sample_weight is None:
            return gradient, hessian
        return gradient * sample_weight, hessian * sample_weight


@dataclass(frozen=True)
class ForeignKernel(Kernel):
    """A loss of which only its methods on whole arrays are known."""

    source: Foreign
    classes: Classes

    def loss(self, y: Array, z: Array) -> Array:
        if callable(own := getattr(self.source, "loss", None)):
            return np.asarray(own(y, z), dtype=np.float64)
        return np.array([self.source(y[[i]], z[[i]]) for i in range(len(y))], dtype=np.float64)

    def gradient_hessian(self, y: Array, z: Array) -> tuple[Array, Array]:
        own = getattr(self.source, "gradient_hessian", None) or self._derivatives()
        gradient, hessian = map(np.asarray, own(y, z, None))
        return gradient, hessian

    def gradient_curvature(self, y: Array, z: Array, max_step: float | None) -> tuple[Array, Array]:
        return self.weighted_derivatives(y, z, None, max_step, 1)[:2]

    def gradient_matrix(self, max_step: float | None) -> Callable[[int, Array], Foreign]:
        if callable(own := getattr(self.source, "gradient_matrix", None)):
            return own()  # type: ignore[no-any-return]

        def of_sample(label: int, z: Array) -> tuple[Array, Array]:
            y, z = np.full(1, float(label)), np.array(z, ndmin=2)
            gradient, curvature, _ = self.weighted_derivatives(y, z, None, max_step, 1)
            # The diagonal alone, multiplied by the factor of LightGBM's own softmax loss.
            k = self.classes.n_classes
            return gradient[0], np.diag(curvature[0] * k / (k - 1))

        return of_sample

    def weighted_derivatives(
        self,
        y: Array,
        z: Array,
        w: Array | None,
        max_step: float | None,
        n_threads: int,
        out: Sequence[Array] | None = None,
        factor: float = 1.0,
    ) -> Derivatives:
        gradient, curvature = map(np.asarray, self._derivatives()(*_double(y, z, w)))
        if max_step is not None:
            curvature = np.maximum(curvature, np.abs(gradient) / max_step)
        dtype = result_dtype(z) if out is None else out[0].dtype
        gradient = gradient.astype(dtype, copy=False)
        curvature = (factor * curvature).astype(dtype, copy=False)
        return Derivatives(gradient, curvature, all(map(is_finite, (z, gradient, curvature))))

    def mean(self, y: Array, z: Array, w: Array | None, n_threads: int = 1) -> float:
        return float(self.source(*_double(y, z, w)))

    def log_odds(self, z: Array) -> Array:
        name = _find(self.source, _PROBABILITIES)
        if name is None:
            return self.log_odds_by_gradients(z)
        values = np.asarray(getattr(self.source, name)(np.atleast_1d(z)), dtype=np.float64)
        if name != "log_odds":
            values = self.log_odds_of(values) if name == "predict_proba" else logit(values)
        return np.asarray(values.reshape(z.shape))

    def log_odds_of(self, proba: Array) -> Array:
        return np.asarray(logit(proba))

    def log_odds_by_gradients(self, z: Array) -> Array:
        """Return the log-odds of the probabilities at which the expected gradient is 0."""
        k = self.classes.n_classes
        gradients = [self.gradient_hessian(np.full(len(z), float(c)), z)[0] for c in range(k)]
        sums = np.stack([*np.moveaxis(np.stack(gradients), 2, 0), np.ones((k, len(z)))])
        # shape (n, K + 1, K): an equation for each score and one for the sum
        equations = np.moveaxis(sums, 2, 0)
        proba = np.linalg.pinv(equations)[:, :, -1]
        return np.asarray(logit(np.clip(proba, 0.0, 1.0)))

    def link(self, proba: Array) -> Array:
        raise TypeError(
            f"{self.source!r} has no link: of a loss of several classes that is not from "
            "focalboost, only the probabilities are known."
        )

    def _derivatives(self) -> Function:
        name = _find(self.source, _DERIVATIVES)
        if name is None:
            raise TypeError(
                f"loss must have a method {' or '.join(_DERIVATIVES)}, got {self.source!r}."
            )
        return getattr(self.source, name)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ForeignBinaryKernel(ForeignKernel, BinaryKernel):
    """A loss of two classes, whose probabilities follow from its gradients."""

    def values(self, z: Array) -> tuple[Array, Array]:
        return self.loss(np.ones(len(z)), z), self.loss(np.zeros(len(z)), z)

    def slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        gradient1, hessian1 = self.gradient_hessian(np.ones(len(z)), z)
        gradient0, hessian0 = self.gradient_hessian(np.zeros(len(z)), z)
        return -gradient1, hessian1, gradient0, hessian0

    def log_odds_of(self, proba: Array) -> Array:
        return np.asarray(logit(proba[:, 1]))

    def log_odds_by_gradients(self, z: Array) -> Array:
        slope1, _, slope0, _ = self.slopes_and_bends(z.reshape(-1))
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = (np.log(slope0) - np.log(slope1)).reshape(z.shape)
        # Where a score is so extreme that both gradients vanish, the log-odds are infinite.
        return np.where(np.isnan(odds), np.copysign(np.inf, z), odds)

    def link(self, proba: Array) -> Array:
        return BinaryKernel.link(self, proba)
