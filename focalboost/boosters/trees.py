"""The trees of a model as values, whichever booster grew them."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

from focalboost.losses._types import Array


class Leaf(NamedTuple):
    """What a leaf adds to raw scores, by the position of the score."""

    values: dict[int, float]


class Split(NamedTuple):
    """A comparison of one feature with a threshold in single precision, and its two sides."""

    feature: int
    # "<=", "<" or ">"
    comparison: str
    threshold: float
    # where a missing value goes
    is_missing_true: bool
    true: Node
    false: Node


Node: TypeAlias = Split | Leaf


class Forest(NamedTuple):
    """Trees, and the raw scores from which they start."""

    trees: list[Node]
    start: Array
    n_features: int


def below(threshold: float) -> float:
    """Return the largest single precision number that is not above the threshold.

    A value in single precision compares the same with both.
    """
    with np.errstate(over="ignore"):
        rounded = np.float32(threshold)
    return float(
        np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded
    )
