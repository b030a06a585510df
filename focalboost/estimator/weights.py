"""Class weights, as ``alpha`` of FocalClassifier gives them for each label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focalboost.losses._checks import as_numbers, check_real, kind_of
from focalboost.losses._types import Array, Foreign

__all__ = ["EffectiveNumber"]


@dataclass(frozen=True)
class EffectiveNumber:
    r"""Class weights by the effective number of samples, for `FocalClassifier`'s ``alpha``.

    A class of n samples gets the weight :math:`(1 - \beta) / (1 - \beta^n)` [1]_. It is near 1 / n
    where beta is near 1, and the same for all classes where beta is 0.

    Parameters
    ----------
    beta : float, default=0.999
        In [0, 1). The larger beta is, the more samples it takes until a class counts as fully seen,
        about ``1 / (1 - beta)``.

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
        """Return a weight for each class, given the weighted number of its samples.

        Parameters
        ----------
        counts : array-like of shape (K,)
            Numbers of samples, > 0.

        Returns
        -------
        ndarray of shape (K,)
        """
        n = as_numbers("counts", counts).astype(np.float64)
        if not np.all(n > 0):
            raise ValueError(f"counts must be > 0, got {n[~(n > 0)].flat[0]:g}.")
        # beta**n by its logarithm, without cancellation where beta is near 1
        with np.errstate(divide="ignore"):
            return np.asarray((1.0 - self.beta) / -np.expm1(n * np.log(self.beta)))


def as_alpha(alpha: Foreign, pos_label: Foreign, classes: Array, counts: Array) -> Foreign:
    """Return ``alpha`` of a loss, given the sorted labels and their weighted numbers of samples."""
    if pos_label is not None and (np.ndim(pos_label) or pos_label not in [*classes]):
        raise ValueError(f"pos_label must be a label of y, {[*classes]}, got {pos_label!r}.")
    if pos_label is not None and len(classes) > 2:
        raise ValueError(f"pos_label must be None with {len(classes)} classes, got {pos_label!r}.")
    if alpha is None:
        return None
    if isinstance(alpha, type):
        raise TypeError(f"alpha must be an instance, got {kind_of(alpha)}.")
    if isinstance(alpha, Mapping):
        weights = _from_mapping(alpha, classes)
    elif callable(alpha):
        weights = [*np.ravel(alpha(counts))]
        if len(weights) != len(classes):
            raise ValueError(
                f"alpha must return {len(classes)} weights, one for each class, got {len(weights)}."
            )
    elif isinstance(alpha, str):
        if alpha != "balanced":
            raise ValueError(
                f"alpha must be a number, 'balanced', a callable, a dict or None, got {alpha!r}."
            )
        weights = [*(1.0 / counts)]
    else:
        remedy = "'balanced', a callable, a dict or None"
        return of_positive("alpha", alpha, pos_label, classes, remedy)
    scaled = np.array(
        [
            check_real(f"alpha[{label}]", weight, "> 0", lambda v: v > 0)
            for label, weight in zip(classes, weights, strict=True)
        ]
    )
    if len(classes) == 2:
        return float(scaled[1] / scaled.sum())
    return tuple((scaled * (counts.sum() / (counts @ scaled))).tolist())


def mean_factor(alpha: Foreign, counts: Array) -> float:
    """Return the mean over the samples of the class weights that ``alpha`` of a loss gives."""
    if alpha is None:
        return 1.0
    factors = [1.0 - alpha, alpha] if isinstance(alpha, float) else alpha
    return float(counts @ np.asarray(factors) / counts.sum())


def of_estimator(alpha: Foreign, class_weight: Foreign, classes: Array) -> Foreign:
    """Return ``alpha``, or in its place the class_weight of a booster's classifier."""
    if class_weight is None:
        return alpha
    if alpha is not None:
        raise ValueError(
            f"class_weight of the estimator must be None where alpha is given, got "
            f"{class_weight!r} beside alpha={alpha!r}. Both weight the classes."
        )
    if isinstance(class_weight, Mapping):
        # As in scikit-learn, a label that is left out has the weight 1.
        return {**dict.fromkeys(classes.tolist(), 1.0), **class_weight}
    return class_weight


def _from_mapping(alpha: Mapping[Foreign, Foreign], classes: Array) -> list[Foreign]:
    if set(alpha) != set(classes):
        raise ValueError(f"alpha must have a weight for each label, {[*classes]}, got {alpha!r}.")
    return [alpha[label] for label in classes]


def of_positive(name: str, value: Foreign, pos_label: Foreign, classes: Array, other: str) -> float:
    """Return a number in (0, 1) for the second class, given the number for the positive class.

    ``other`` names the values that the parameter may have instead of a number.
    """
    number = check_real(name, value, "None or in (0, 1)", lambda v: 0 < v < 1)
    if len(classes) > 2:
        raise ValueError(
            f"{name} must be {other} with {len(classes)} classes, got {number}: a number is for "
            "two classes."
        )
    if pos_label is None and classes.dtype.kind not in "biuf":
        raise ValueError(
            f"pos_label must be given where {name} is a number and the labels are strings, got "
            f"None with labels {[*classes]}: which of them is {number} for?"
        )
    return 1.0 - number if pos_label == classes[0] else number
