"""A loss as the objective of a booster, with checks of its samples and its results."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from focalboost.boosters.options import Refused, warn_of
from focalboost.losses import Loss, ScheduledLoss
from focalboost.losses._blocks import is_finite
from focalboost.losses._checks import as_numbers, as_rows, check_weights
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array
from focalboost.losses.foreign import ForeignLoss

Samples = tuple[Array, Array | None]


def labels_and_weights(data: Any) -> Samples:
    """Return labels and weights of a Dataset or DMatrix, which holds them in single precision."""
    weight = data.get_weight()
    labels = np.asarray(data.get_label(), dtype=np.float32)
    # LightGBM has None where no weights were set, XGBoost an empty array.
    return labels, None if weight is None or len(weight) == 0 else np.asarray(weight, np.float32)


def check_samples(classes: Classes, labels: Any, weights: Any) -> Samples:
    """Return labels and weights as arrays, after all checks that need no raw score."""
    y = as_rows("y_true", labels)
    classes.check_labels("y_true", y)
    if weights is None:
        return y, None
    w = as_rows("sample_weight", weights)
    check_weights(w)
    return y, w


def check_scores(classes: Classes, raw_prediction: Any) -> Array:
    """Return raw scores as a booster passes them, one or K for each sample."""
    z = np.asarray(raw_prediction)
    if z.dtype not in (np.float32, np.float64):
        z = as_numbers("raw_prediction", z).astype(np.float64)
    if z.size == 0:
        # XGBoost 3.4 has the shape (0, 0) where a worker has no samples
        z = z.reshape(classes.shape(0))
    if z.shape != classes.shape(len(z) if z.ndim else 0):
        wanted = "(n,)" if classes.n_scores == 1 else f"(n, {classes.n_scores})"
        raise ValueError(
            f"raw_prediction must have shape {wanted} for a loss of {classes.n_classes} classes, "
            f"got {z.shape}: is num_class set to {classes.n_scores}?"
        )
    return z


def check_finite(raw_prediction: Array) -> None:
    if not is_finite(raw_prediction):
        wrong = raw_prediction[~np.isfinite(raw_prediction)]
        raise ValueError(f"raw_prediction must be finite, got {wrong[0]}.")


def match(z: Array, y: Array, w: Array | None) -> tuple[Array, Array, Array | None]:
    """Return labels, scores and weights, which must be of the same samples."""
    for name, values in (("y_true", y), ("sample_weight", w)):
        if values is not None and values.shape != z.shape[:1]:
            raise ValueError(
                f"{name} must have the shape of raw_prediction, {z.shape[:1]}, got {values.shape}."
            )
    return y, z, w


def not_finite(z: Array, gradient: Array) -> ValueError:
    """Return the error for scores or derivatives that are not all finite."""
    check_finite(z)
    name = "curvature" if is_finite(gradient) else "gradient"
    return ValueError(f"loss must give a finite {name}, got NaN or inf.")


@dataclass(frozen=True)
class Called:
    """A function for LightGBM and XGBoost: of scores and data, or labels, scores and weights.

    ``known`` has the labels and weights of the data sets of a training, by the data set's id.
    """

    loss: Loss
    known: dict[int, Samples] = field(default_factory=dict, repr=False, compare=False, kw_only=True)
    # True in a training whose labels and weights were checked before it
    is_checked: bool = field(default=False, repr=False, compare=False, kw_only=True)

    # Returns itself: LightGBM copies its parameters, and need not copy the samples.
    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "known": {}}

    def samples(
        self, first: Any, second: Any, sample_weight: Any
    ) -> tuple[Array, Array, Array | None]:
        """Return labels, raw scores and weights from either form of a call.

        Native training calls ``f(raw_prediction, data)``, the scikit-learn classes call
        ``f(y_true, raw_prediction, sample_weight)``.
        """
        classes = self.loss.kernel.classes
        if hasattr(second, "get_label"):
            z = check_scores(classes, first)
            y, w = self.known.get(id(second)) or check_samples(classes, *labels_and_weights(second))
        else:
            z, y, w = check_scores(classes, second), first, sample_weight
            if not self.is_checked:
                y, w = check_samples(classes, y, w)
        return match(z, y, w)

    def finite_samples(
        self, first: Any, second: Any, sample_weight: Any
    ) -> tuple[Array, Array, Array | None]:
        """Return `samples` after a check for scores of NaN or inf, which a metric cannot take."""
        y, z, w = self.samples(first, second, sample_weight)
        check_finite(z)
        return y, z, w


@dataclass(frozen=True)
class MeanMetric(Called):
    """The weighted mean of a loss."""

    n_threads: int = field(default=1, repr=False, compare=False, kw_only=True)

    def mean(self, y: Array, z: Array, w: Array | None) -> float:
        return self.loss.kernel.mean(y, z, w, self.n_threads)


@dataclass(frozen=True)
class Objective(Called):
    """Gradient and curvature of a loss.

    The curvature is multiplied by ``factor``, as in the booster's own multiclass loss.
    """

    factor: float = 1.0
    max_step: float | None = 4.0
    n_threads: int = 1
    # Options that have no effect with it, for boosters that pass their parameters.
    switched_off: tuple[Refused, ...] = field(default=(), repr=False, compare=False)

    # LGBMClassifier counts these parameters and passes weights to the third, XGBClassifier looks
    # for the name sample_weight; native training passes two.
    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> tuple[Array, Array]:
        if self.switched_off and id(second) not in self.known:
            warn_of(getattr(second, "params", None) or {}, self.switched_off)
        return self.derivatives(*self.samples(first, second, sample_weight))

    def derivatives(
        self, y: Array, z: Array, w: Array | None, out: Sequence[Array] | None = None
    ) -> tuple[Array, Array]:
        """Return gradient and curvature, in the arrays of ``out`` where it is given.

        A NaN among them would end the learning silently, and is an error.
        """
        found = self.loss.kernel.weighted_derivatives(
            y, z, w, self.max_step, self.n_threads, out, self.factor
        )
        found.check_shape(z)
        if not found.are_finite:
            raise not_finite(z, found.gradient)
        return found.gradient, found.curvature


def class_sums(classes: Classes, samples: Samples) -> Array:
    """Return the sum of weights of each class; a soft label counts for both."""
    labels, weights = samples
    if classes.n_scores > 1:
        return np.bincount(labels.astype(np.intp), weights, minlength=classes.n_classes)
    labels = labels.astype(np.float64, copy=False)
    weights = np.ones(()) if weights is None else weights.astype(np.float64, copy=False)
    return np.array([np.sum((1.0 - labels) * weights), np.sum(labels * weights)])


def one_of_each(sums: Array) -> Samples:
    """Return a sample of each class, weighted by the sum of its class, to stand for all samples."""
    return np.arange(len(sums), dtype=np.float64), sums


def warn_of_no_split(
    objective: Objective, samples: Samples, init_score: Any, name: str, least: float
) -> None:
    """Warn where the curvature of all samples at the start is less than two leaves need."""
    classes = objective.loss.kernel.classes
    y, w = samples
    are_hard = classes.n_scores > 1 or np.all((y == 0) | (y == 1))
    # One sample of each class stands for all, except with a foreign loss, which may look at all
    # samples, and with soft labels, for which the bound is no mixture of the bounds at 0 and at 1.
    if are_hard and not isinstance(objective.loss, ForeignLoss):
        y, w = one_of_each(class_sums(classes, samples))
    scores = classes.repeat(init_score, len(y))
    _, curvature = replace(objective, is_checked=True)(y, scores, w)
    total = float(np.max(np.sum(curvature, axis=0, dtype=np.float64)))
    if total < 2 * least:
        warnings.warn(
            f"{name} is {least:g}, the least curvature of a leaf, and the curvature of all samples "
            f"at the start is {total:.3g}: no tree can split, and the model is a constant. Set "
            f"{name} below {total / 2:.1g}, or multiply the sample weights.",
            stacklevel=3,
        )


@dataclass
class RoundObjective:
    """The objective of the loss of the current boosting round."""

    schedule: Loss | ScheduledLoss
    make: Callable[..., Objective] = field(repr=False)
    # not in the repr, which MLflow logs
    known: dict[int, Samples] = field(repr=False)
    max_step: float | None
    n_threads: int

    def __post_init__(self) -> None:
        self.objective = self._of(self.schedule.at(0))
        self._out: Sequence[Array] | None = None

    def __deepcopy__(self, memo: Any) -> RoundObjective:
        # LightGBM copies its parameters, and a copy would not learn of a new round.
        return self

    def enter(self, i: int) -> None:
        """Continue with the loss of round i."""
        loss = self.schedule.at(i)
        if loss is not self.objective.loss:
            self.objective = self._of(loss)

    def use_threads(self, n_threads: int) -> None:
        """Compute the loss on another number of threads."""
        self.n_threads = n_threads
        self.objective = replace(self.objective, n_threads=n_threads)

    def __call__(self, first: Any, second: Any) -> tuple[Array, Array]:
        y, z, w = self.objective.samples(first, second, None)
        # The same arrays in every round, in the precision in which boosters keep them.
        if self._out is None or self._out[0].shape != z.shape:
            self._out = [np.empty_like(z, dtype=np.float32) for _ in range(2)]
        return self.objective.derivatives(y, z, w, self._out)

    def _of(self, loss: Loss) -> Objective:
        objective = self.make(loss, max_step=self.max_step, n_threads=self.n_threads)
        return replace(objective, known=self.known)


def known_samples(
    classes: Classes, data_sets: Iterable[tuple[Any, Any, Any]]
) -> dict[int, Samples]:
    """Return the checked samples of data sets, each given with its labels and weights."""
    return {id(data): check_samples(classes, labels, w) for data, labels, w in data_sets}
