"""Checks of arguments: each message names the argument, the rule and the value."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt


def as_numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numeric, got dtype {array.dtype}.")
    return array


def as_rows(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return an array of no or one dimension; a column of shape (n, 1) is taken as (n,)."""
    array = as_numbers(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim > 1:
        raise ValueError(f"{name} must have shape (n,) or (n, 1), got {array.shape}.")
    return array


def broadcast(
    name: str, values: npt.ArrayLike, shape: tuple[int, ...], like: str = "raw_prediction"
) -> npt.NDArray[Any]:
    """Return rows of the shape of another array, from as many values or from one."""
    array = as_rows(name, values)
    if array.ndim and array.shape != shape:
        raise ValueError(f"{name} must have the shape of {like}, {shape}, got {array.shape}.")
    return np.broadcast_to(array, shape)


def check_probabilities(name: str, values: npt.NDArray[Any]) -> None:
    # Two reductions and no temporary; a NaN fails both comparisons.
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        wrong = values[~((values >= 0) & (values <= 1))]
        raise ValueError(f"{name} must lie in [0, 1], got {wrong.flat[0]}.")


def check_labels(name: str, values: npt.NDArray[Any], n_classes: int) -> None:
    # No temporary where all is well but for one; a NaN fails each comparison.
    if values.size and not (values.min() >= 0 and values.max() < n_classes):
        is_wrong = ~((values >= 0) & (values < n_classes))
    else:
        is_wrong = values != np.floor(values)
    if np.any(is_wrong):
        raise ValueError(
            f"{name} must hold whole numbers from 0 to {n_classes - 1}, got "
            f"{values[is_wrong].flat[0]}."
        )


def check_weights(sample_weight: npt.NDArray[Any]) -> None:
    if sample_weight.size and not (sample_weight.min() >= 0 and sample_weight.max() < np.inf):
        wrong = sample_weight[~((sample_weight >= 0) & (sample_weight < np.inf))]
        raise ValueError(f"sample_weight must be finite and >= 0, got {wrong.flat[0]}.")


def check_real(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number {rule}, got {value!r}.")
    number = float(value)
    if not (math.isfinite(number) and holds(number)):
        raise ValueError(f"{name} must be {rule}, got {value!r}.")
    return number


def check_whole(name: str, value: object, smallest: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < smallest:
        raise ValueError(f"{name} must be a whole number >= {smallest}, got {value!r}.")
    return int(value)
