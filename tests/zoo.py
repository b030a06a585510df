"""The one list of losses, with the samples that their properties are tested on."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    MarginLoss,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
)


def half(p: Any) -> Any:
    """Return a factor of our own, 1 - p / 2, for numpy and mpmath."""
    return 1 - p / 2


def half_1(p: Any) -> Any:
    return 0 * p - 0.5


def half_2(p: Any) -> Any:
    return 0 * p


@dataclass(frozen=True)
class SymmetricCrossEntropyLoss(MarginLoss):
    """A loss as a user writes it, without `log_tilt`: Wang et al. 2019, arXiv:1908.06112.

    To the log loss it adds the cross entropy with label and probability changed over, in which the
    logarithm of a probability of 0 is a constant: a multiple of 1 - p.
    """

    weight_of_reverse: float = 1.0
    alpha: float | None = None

    def value(self, margin, positive):
        return margin.neg_log_p + self.weight_of_reverse * margin.q

    def slope_and_bend(self, margin, positive):
        p, q, b = margin.p, margin.q, self.weight_of_reverse
        return q * (1 + b * p), p * q * (1 + b * (p - q))


BINARY = [
    FocalLoss(0.0),
    FocalLoss(0.0, 0.25),
    FocalLoss(0.5, 0.25),
    FocalLoss(1.0, 0.9),
    FocalLoss(2.0),
    FocalLoss(2.0, 0.25),
    FocalLoss(5.0, 0.9),
    AsymmetricLoss(1.0, 4.0),
    AsymmetricLoss(0.5, 3.0, alpha=0.25),
    AsymmetricLoss(1.0, 4.0, 0.05),
    AsymmetricLoss(2.0, 1.0, 0.2, 0.9),
    ModulatedLoss("cos"),
    ModulatedLoss("exp", 0.25),
    ModulatedLoss("exp_square"),
    ModulatedLoss((half, half_1, half_2)),
    FocalStarLoss(2.0, 1.0),
    FocalStarLoss(4.0, 0.0, 0.25),
    CalibratedFocalLoss(0.0),
    CalibratedFocalLoss(2.0),
    CalibratedFocalLoss(0.5, 0.25),
    CalibratedFocalLoss(5.0, 0.9),
    PolyLoss(),
    PolyLoss(2.0, 2.0, 0.25),
    PolyLoss(-0.5, 0.5),
    VectorScalingLoss((1.0, 0.5), (0.0, 1.0)),
    VectorScalingLoss((2.0, 1.0), (0.5, -1.5), 0.25),
    GeneralizedCrossEntropyLoss(),
    GeneralizedCrossEntropyLoss(0.9, 0.25),
    RobustFocalLoss(),
    RobustFocalLoss(2.0, 0.7, 0.25),
    RobustFocalLoss(0.0, 0.1),
    BrierLoss(),
    BrierLoss(0.25),
    SymmetricCrossEntropyLoss(),
    SymmetricCrossEntropyLoss(4.0, 0.25),
]

SOFTMAX = [
    SoftmaxFocalLoss(2),
    SoftmaxFocalLoss(3, 0.0),
    SoftmaxFocalLoss(3, 2.0, (0.5, 1.0, 0.25)),
    SoftmaxFocalLoss(3, (0.0, 2.0, 5.0)),
    SoftmaxFocalLoss(4, 0.5, (1.0, 0.5, 2.0, 0.1)),
    SoftmaxFocalLoss(4, (1.0, 0.5, 0.0, 3.0), (1.0, 0.5, 2.0, 0.1)),
    SoftmaxFocalLoss(5, 5.0),
]

LOSSES = [*BINARY, *SOFTMAX]

# One loss of each class: enough for a quick run.
QUICK = [
    FocalLoss(2.0, 0.25),
    AsymmetricLoss(1.0, 4.0, 0.05),
    ModulatedLoss("exp", 0.25),
    FocalStarLoss(2.0, 1.0),
    CalibratedFocalLoss(2.0),
    PolyLoss(2.0, 2.0, 0.25),
    VectorScalingLoss((2.0, 1.0), (0.5, -1.5), 0.25),
    GeneralizedCrossEntropyLoss(),
    RobustFocalLoss(2.0, 0.7, 0.25),
    BrierLoss(),
    SymmetricCrossEntropyLoss(4.0, 0.25),
    SoftmaxFocalLoss(3, 2.0, (0.5, 1.0, 0.25)),
]

# Where only the accuracy is tested: every formula of the powers, with every weight.
GRID = [
    FocalLoss(gamma, alpha)
    for gamma in (0, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10)
    for alpha in (None, 0.1, 0.25, 0.9)
]


def loss_id(loss: Any) -> str:
    # The repr of a function holds its address, which no run shares with another.
    return type(loss).__name__ if " at 0x" in repr(loss) else repr(loss)


# Numbers of single precision, so that float32 gets the same scores.
_POSITIVE = [0.0, 1e-8, 0.3, 1.0, 5.0, 20.0, 37.5, 40.0, 71.7, 111.9, 300.0, 709.5, 745.0]
SCORES = np.array([-v for v in _POSITIVE[:0:-1]] + _POSITIVE, np.float32).astype(np.float64)

# Where the differences of finite differences are not lost in rounding.
MILD = np.linspace(-6, 6, 41)


def n_classes(loss: Any) -> int:
    return loss.kernel.classes.n_classes


def coordinates(loss: Any) -> range:
    """Return the positions of a sample's raw scores."""
    return range(loss.kernel.classes.n_scores)


def moved(loss: Any, z: Any, j: int, step: float) -> Any:
    """Return the raw scores with a step in that of class j, or in the only one."""
    return z + step * np.eye(n_classes(loss))[j] if loss.is_multiclass else z + step


def component(values: Any, j: int) -> Any:
    """Return the raw scores of class j, or the only ones."""
    return values[:, j] if values.ndim == 2 else values


def weighted(w: Any, values: Any) -> Any:
    """Return values of shape (n,) or (n, K), times the weights of the samples."""
    return w[:, np.newaxis] * values if values.ndim == 2 else w * values


def constant(loss: Any, score: Any, n: int) -> Any:
    """Return n samples with the same raw score or raw scores."""
    return np.tile(score, (n, 1)) if loss.is_multiclass else np.full(n, score)


def _read_only(*arrays: Any) -> tuple[Any, ...]:
    for array in arrays:
        array.setflags(write=False)
    return arrays


def extreme(loss: Any) -> tuple[Any, Any]:
    """Return labels and scores up to where exp underflows, and beyond."""
    return _extreme(n_classes(loss) if loss.is_multiclass else None)


def mild(loss: Any, n: int = 60) -> tuple[Any, Any, Any]:
    """Return labels, scores and weights of samples such as a model has."""
    return _mild(n_classes(loss) if loss.is_multiclass else None, n)


@cache
def _extreme(k: int | None) -> tuple[Any, Any]:
    if k is None:
        return _read_only(np.repeat([0.0, 1.0], len(SCORES)), np.tile(SCORES, 2))
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, k, 12), rng.normal(size=(12, k)) * 3
    # the last samples' scores are far apart
    z[-3:] *= [[10.0], [30.0], [100.0]]
    # numbers of single precision, as above
    return _read_only(y, z.astype(np.float32).astype(np.float64))


@cache
def _mild(k: int | None, n: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n)
    y = rng.permutation(np.arange(n) % (k or 2))
    z = rng.normal(size=n if k is None else (n, k)) * 3
    return _read_only(y, z, rng.uniform(0.5, 2, n))
