"""Checks of arguments: each message names the argument, the rule and the value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real

import numpy as np
import numpy.typing as npt

from focalboost.losses._types import Foreign


def as_numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[Foreign]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be numeric, got parts of different lengths.") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be numeric, got dtype {array.dtype}.")
    return array


def as_rows(name: str, values: npt.ArrayLike) -> npt.NDArray[Foreign]:
    """Return an array with at most one dimension; the shape (n, 1) becomes (n,)."""
    array = as_numbers(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim > 1:
        raise ValueError(f"{name} must have shape (n,) or (n, 1), got {array.shape}.")
    return array


def broadcast(
    name: str, values: npt.ArrayLike, shape: tuple[int, ...], like: str = "raw_prediction"
) -> npt.NDArray[Foreign]:
    """Return values in the shape of another array, from as many values or from a scalar."""
    array = as_rows(name, values)
    if array.shape == shape:
        return array
    if array.ndim:
        raise ValueError(f"{name} must have the shape of {like}, {shape}, got {array.shape}.")
    return np.broadcast_to(array, shape)


def check_probabilities(name: str, values: npt.NDArray[Foreign]) -> None:
    # Two reductions and no temporary; a NaN fails both comparisons.
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        wrong = values[~((values >= 0) & (values <= 1))]
        raise ValueError(f"{name} must lie in [0, 1], got {wrong.flat[0]}.")


def check_labels(name: str, values: npt.NDArray[Foreign], n_classes: int) -> None:
    # Valid labels need one temporary array only; a NaN fails each comparison.
    if values.size and not (values.min() >= 0 and values.max() < n_classes):
        is_wrong = ~((values >= 0) & (values < n_classes))
    else:
        is_wrong = values != np.floor(values)
    if np.any(is_wrong):
        raise ValueError(
            f"{name} must hold whole numbers from 0 to {n_classes - 1}, got "
            f"{values[is_wrong].flat[0]}."
        )


def check_weights(sample_weight: npt.NDArray[Foreign]) -> None:
    if sample_weight.size and not (sample_weight.min() >= 0 and sample_weight.max() < np.inf):
        wrong = sample_weight[~((sample_weight >= 0) & (sample_weight < np.inf))]
        raise ValueError(f"sample_weight must be finite and >= 0, got {wrong.flat[0]}.")


def in_range(sample_weight: npt.NDArray[Foreign]) -> npt.NDArray[Foreign]:
    """Return weights scaled by a power of 2, which is exact, so that their sum is finite."""
    weights = np.asarray(sample_weight, dtype=np.float64)
    largest = float(np.max(weights, initial=0.0))
    # up to here the sum of 2**300 weights is finite
    return weights if largest < 2.0**700 else np.ldexp(weights, -int(np.frexp(largest)[1]))


def check_real(name: str, value: object, rule: str, holds: Callable[[float], bool]) -> float:
    bound = rule.removeprefix("None or ")
    none = "" if bound == rule else "None or "
    bound = f" {bound}" if bound else ""
    # float first, as it is the faster check
    if isinstance(value, bool | np.bool_) or not isinstance(value, float | Real):
        raise TypeError(f"{name} must be {none}a real number{bound}, got {value!r}.")
    number = _as_float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be {none}a finite number{bound}, got {value!r}.")
    if not holds(number):
        raise ValueError(f"{name} must be {rule}, got {value!r}.")
    return number


def _as_float(value: float | Real) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number that is too large for a float
        return math.inf


def check_whole(name: str, value: object, smallest: int) -> int:
    # int first, as it is the faster check
    if not isinstance(value, int | Integral) or isinstance(value, bool) or int(value) < smallest:
        raise ValueError(f"{name} must be a whole number >= {smallest}, got {value!r}.")
    return int(value)


def kind_of(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def check_kind(name: str, value: object, kinds: Foreign, rule: str, remedy: str = "") -> None:
    """Raise a TypeError that names the kind of an object of another kind."""
    if not isinstance(value, kinds):
        raise TypeError(f"{name} must be {rule}, got {kind_of(value)}. {remedy}".rstrip())


def check_pair(name: str, value: Foreign, rule: str) -> None:
    """Raise a TypeError for a value that does not have two parts."""
    n_parts = len(value) if hasattr(value, "__len__") else None
    if n_parts != 2:
        length = "" if n_parts is None else f" of length {n_parts}"
        raise TypeError(f"{name} must be {rule}, got {kind_of(value)}{length}.")


def as_list(
    name: str, values: Foreign, kinds: Foreign, rule: str, remedy: str = ""
) -> list[Foreign]:
    """Return the objects of a list, all of the same kind; None is an empty list."""
    if values is None:
        return []
    if isinstance(values, str | bytes):
        check_kind(name, values, (), rule, remedy)
    check_kind(name, values, Iterable, rule, remedy)
    found = list(values)
    for value in found:
        check_kind(name, value, kinds, rule, remedy)
    return found
