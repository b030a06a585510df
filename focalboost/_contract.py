"""What a booster's file needs of a loss and of its rows, and nothing of any booster."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from focalboost._checks import (
    as_numbers,
    as_rows,
    check_labels,
    check_probabilities,
    check_weights,
)

Array = npt.NDArray[Any]


class Loss(Protocol):
    """The contract of a loss: ours have it, and so have scikit-learn's.

    Beside the mean loss it needs ``gradient_curvature`` or, failing that, ``gradient_hessian``,
    and ``init_score`` or ``fit_intercept_only``. A loss of several classes says so by
    ``is_multiclass`` and ``n_classes``.
    """

    def __call__(
        self, y_true: Array, raw_prediction: Array, sample_weight: Array | None = None
    ) -> float: ...


# What a booster's classifier is told of its own metrics inside FocalClassifier.
STOPPING = "FocalClassifier has stopping_metric and early_stopping_rounds."

METRIC_NEEDS = (("__call__",),)
_OBJECTIVE_NEEDS = (
    *METRIC_NEEDS,
    ("gradient_curvature", "gradient_hessian"),
    ("init_score", "fit_intercept_only"),
)


def _is_finite(values: Array) -> bool:
    # A sum needs no temporary array; where it overflows, each value is asked.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.sum(values)) or np.all(np.isfinite(values)))


def check_loss(loss: object, needs: tuple[tuple[str, ...], ...] = _OBJECTIVE_NEEDS) -> None:
    """Raise a TypeError that says what the loss lacks."""
    if isinstance(loss, type):
        raise TypeError(f"loss must be an instance, got the class {loss.__name__}.")
    if is_schedule(loss):
        raise TypeError(
            f"loss must be the same in every round here, got {loss!r}: focalboost.lightgbm.train "
            "and focalboost.xgboost.train count the rounds."
        )
    for names in needs:
        if not any(callable(getattr(loss, name, None)) for name in names):
            raise TypeError(f"loss must have a method {' or '.join(names)}, got {loss!r}.")


def is_schedule(loss: Any) -> bool:
    return callable(getattr(loss, "at_round", None))


def n_scores(loss: Any) -> int:
    """Return the number of raw scores of a row: that of the classes, or 1 for a binary loss."""
    return int(loss.n_classes) if getattr(loss, "is_multiclass", False) else 1


def loss_name(loss: Loss) -> str:
    """Return the name of the loss in a booster's history: FocalLoss is focal_loss."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(loss).__name__).lower()


def labels_and_weights(data: Any) -> tuple[Array, Array | None]:
    """Return what a LightGBM Dataset or XGBoost DMatrix holds, in single precision as it does."""
    weight = data.get_weight()
    labels = np.asarray(data.get_label(), dtype=np.float32)
    # LightGBM has None where no weights were set, XGBoost an empty array.
    weights = None if weight is None or len(weight) == 0 else np.asarray(weight, dtype=np.float32)
    return labels, weights


def rows(
    loss: Any, first: Any, second: Any, sample_weight: Array | None
) -> tuple[Array, Array, Array | None]:
    """Return labels, raw scores and weights from either form of a booster's call.

    Native training calls ``f(raw_prediction, data)``, the scikit-learn classes call
    ``f(y_true, raw_prediction, sample_weight)``.
    """
    if hasattr(second, "get_label"):
        return check_rows(loss, *labels_and_weights(second), raw_prediction=first)
    return check_rows(loss, first, sample_weight, raw_prediction=second)


def check_rows(
    loss: Any, y_true: Any, sample_weight: Any, raw_prediction: Any
) -> tuple[Array, Array, Array | None]:
    """Check the rows of one call and give them one precision, that of the raw scores."""
    z = np.asarray(raw_prediction)
    if z.dtype not in (np.float32, np.float64):
        z = as_numbers("raw_prediction", z).astype(np.float64)
    k = n_scores(loss)
    if k == 1 and z.ndim != 1:
        raise ValueError(
            "raw_prediction must have shape (n,) for a binary loss, one score a row, "
            f"got {z.shape}: is num_class set?"
        )
    if k > 1 and (z.ndim != 2 or z.shape[1] != k):
        raise ValueError(
            f"raw_prediction must have shape (n, {k}) for a loss of {k} classes, got {z.shape}: "
            f"is num_class {k}?"
        )
    if not _is_finite(z):
        raise ValueError(f"raw_prediction must be finite, got {z[~np.isfinite(z)][0]}.")
    y = as_rows("y_true", y_true)
    if y.shape != z.shape[:1]:
        raise ValueError(
            f"y_true must have the shape of raw_prediction, {z.shape[:1]}, got {y.shape}."
        )
    check_y_true(loss, y)
    y = np.ascontiguousarray(y, dtype=z.dtype)
    if sample_weight is None:
        return y, z, None
    w = as_rows("sample_weight", sample_weight)
    if w.shape != z.shape[:1]:
        raise ValueError(
            f"sample_weight must have the shape of raw_prediction, {z.shape[:1]}, got {w.shape}."
        )
    check_weights(w)
    return y, z, np.ascontiguousarray(w, dtype=z.dtype)


def check_y_true(loss: Any, y_true: Array) -> None:
    if n_scores(loss) == 1:
        check_probabilities("y_true", y_true)
    else:
        check_labels("y_true", y_true, n_scores(loss))


def derivatives_of(loss: Any) -> Callable[..., tuple[Array, Array]]:
    """Return the loss's method that a booster gets its derivatives from."""
    derivatives = getattr(loss, "gradient_curvature", None) or loss.gradient_hessian
    return cast(Callable[..., tuple[Array, Array]], derivatives)


def checked(
    derivatives: Callable[..., tuple[Array, Array]],
    y_true: Array,
    raw_prediction: Array,
    sample_weight: Array | None,
) -> tuple[Array, Array]:
    """Return gradient and curvature; a NaN among them would end the learning without a word."""
    gradient, curvature = derivatives(y_true, raw_prediction, sample_weight)
    for name, values in (("gradient", gradient), ("curvature", curvature)):
        if np.shape(values) != raw_prediction.shape:
            raise ValueError(
                f"loss must give a {name} of shape {raw_prediction.shape}, got {np.shape(values)}."
            )
        if not _is_finite(values):
            raise ValueError(f"loss must give a finite {name}, got NaN or inf.")
    return gradient, curvature


def start_score(loss: Any, y_true: Any, sample_weight: Any) -> Any:
    """Return the loss's best constant for a training set, a number or one for each class."""
    # Double precision: scikit-learn's losses compute in that of the labels.
    y = as_rows("y_true", y_true).astype(np.float64)
    if y.size == 0:
        raise ValueError("y_true must hold at least one row, got 0.")
    check_y_true(loss, y)
    best = getattr(loss, "init_score", None) or loss.fit_intercept_only
    w = None
    if sample_weight is not None:
        w = as_rows("sample_weight", sample_weight).astype(np.float64)
    start = best(y_true=y, sample_weight=w)
    return float(start) if n_scores(loss) == 1 else np.asarray(start, dtype=np.float64)


def for_rows(start: Any, n_rows: int) -> Array:
    """Return a start score repeated for each row: an array of shape (n,) or (n, K)."""
    return np.full(n_rows, start) if np.ndim(start) == 0 else np.tile(start, (n_rows, 1))


def refuse_options(
    params: Mapping[str, Any], refused: Mapping[tuple[str, ...], tuple[tuple[Any, ...], str]]
) -> None:
    """Raise where a parameter is set that a Python objective would silently disable.

    ``refused`` maps the names of a parameter to the values that change nothing and to what to do
    instead of any other.
    """
    for names, (harmless, remedy) in refused.items():
        for name in names:
            if name in params and not any(_same(params[name], value) for value in harmless):
                raise ValueError(
                    f"{name} must be left out or be {harmless[0]!r}, got {params[name]!r}: {remedy}"
                )


def _same(value: Any, harmless: Any) -> bool:
    # Boosters read True, "true" and "True" alike.
    return bool(np.array_equal(value, harmless)) or str(value).lower() == str(harmless).lower()


@dataclass(frozen=True)
class Objective:
    """Gradient and curvature of a loss, as LightGBM and XGBoost call for them.

    The factor of the curvature is what the booster's own multiclass loss has.
    """

    loss: Any
    factor: float = 1.0

    def __post_init__(self) -> None:
        check_loss(self.loss)

    # LGBMClassifier counts these parameters and passes weights to the third, XGBClassifier looks
    # for the name sample_weight; native training passes two.
    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> tuple[Array, Array]:
        y, z, w = rows(self.loss, first, second, sample_weight)
        gradient, curvature = checked(derivatives_of(self.loss), y, z, w)
        return gradient, curvature if self.factor == 1 else self.factor * curvature


@dataclass
class ScheduledObjective:
    """The objective of a schedule's loss in the current round."""

    loss: Any
    make: Callable[[Any], Objective]

    def __post_init__(self) -> None:
        self.enter(0)

    def __deepcopy__(self, memo: Any) -> ScheduledObjective:
        # LightGBM copies its parameters, and would never hear of the round.
        return self

    def enter(self, i: int) -> None:
        """Go on with the loss of round i."""
        self.objective = self.make(self.loss.at_round(i))

    def __call__(self, first: Any, second: Any) -> tuple[Array, Array]:
        return self.objective(first, second)
