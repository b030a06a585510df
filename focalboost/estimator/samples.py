"""Labels and weights of a user, made ready for a booster."""

from __future__ import annotations

import numpy as np
from sklearn.utils import _safe_indexing, assert_all_finite
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, column_or_1d

from focalboost.boosters.port import Samples, Table
from focalboost.losses._checks import as_numbers, check_weights
from focalboost.losses._types import Array, Foreign


def refuse_collection(name: str, values: Foreign) -> None:
    """Raise a TypeError for a Dask collection, which would be gathered here silently."""
    if hasattr(values, "__dask_graph__"):
        raise TypeError(
            f"{name} must be in memory, got a Dask {type(values).__name__}. Call compute() on it, "
            "or train with focalboost.dask.train and predict with focalboost.dask.predict_proba."
        )


def as_labels(y: Foreign) -> Array:
    refuse_collection("y", y)
    shape: tuple[int, ...] = getattr(y, "shape", ())
    if len(shape) == 2 and shape[-1] > 1:
        raise ValueError(
            f"y should be a 1d array, got an array of shape {shape}: for several labels per "
            "sample, wrap FocalClassifier in sklearn.multioutput.MultiOutputClassifier."
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


def encode_labels(labels: Array, classes: Array) -> Array:
    return np.searchsorted(classes, labels).astype(np.float64)


def plain(classes: Array) -> list[Foreign] | None:
    """Return the labels as json can write them, or None where it cannot."""
    labels: list[Foreign] = classes.tolist()
    return labels if all(isinstance(v, str | int | float) for v in labels) else None


def weighted(table: Table, labels: Array, sample_weight: Foreign) -> Samples:
    """Return the samples of positive weight; their weights are None where none are given.

    Boosters compare sums of Hessians with constants, so that weights that sum to 1 would allow no
    split: weights with a mean below 1 are scaled to the mean 1. Other weights stay as they are, so
    that a weight of 2 counts a sample twice.
    """
    check_consistent_length(table, labels)
    if sample_weight is None:
        return Samples(table, labels, None)
    refuse_collection("sample_weight", sample_weight)
    if np.asarray(sample_weight).dtype.kind != "O":  # as pandas' nullable numbers are
        as_numbers("sample_weight", sample_weight)
    weight = _check_sample_weight(sample_weight, table, dtype=np.float64)
    check_weights(weight)
    if not np.any(weight):
        raise ValueError("sample_weight must have a positive sum, got 0.")
    (kept,) = np.nonzero(weight)
    if len(kept) < len(weight):
        table, labels, weight = _safe_indexing(table, kept), labels[kept], weight[kept]
    with np.errstate(over="ignore"):  # a mean of inf is above 1, too
        mean = float(np.mean(weight))
    return Samples(table, labels, in_single_precision(weight / min(mean, 1.0)))


def in_single_precision(weight: Array) -> Array:
    """Return weights as boosters hold them, so that the init score is for the same weights."""
    largest = float(np.finfo(np.float32).max)
    if weight.max() > largest:
        raise ValueError(
            f"sample_weight must be at most {largest:.3g}, the largest number that boosters hold, "
            f"got {weight.max():.3g}. Divide the weights by a constant."
        )
    return weight.astype(np.float32).astype(np.float64)
