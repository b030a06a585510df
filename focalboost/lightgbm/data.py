"""What training reads from LightGBM's data sets, and what it sets on them temporarily."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost.losses._checks import as_list, check_kind
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array


def check_data_sets(train_set: Any, valid_sets: Any) -> list[lgb.Dataset]:
    """Check all data sets, and return the validation sets as a list."""
    remedy = "Write lightgbm.Dataset(X, y)."
    check_kind("train_set", train_set, lgb.Dataset, "a lightgbm.Dataset", remedy)
    if isinstance(valid_sets, lgb.Dataset):
        return [valid_sets]
    return as_list("valid_sets", valid_sets, lgb.Dataset, "a list of lightgbm.Dataset", remedy)


def check_no_init_score(data: lgb.Dataset) -> None:
    if len(_field(data, "init_score")):
        raise ValueError(
            "init_score must not be set on train_set or valid_sets: train starts at the optimum of "
            "the loss and embeds it in the model, which cannot hold a score for each sample. To "
            "use your own init scores, call lightgbm.train with objective(loss)."
        )


def samples_of(data: lgb.Dataset) -> tuple[Array, Array | None]:
    weight = _field(data, "weight")
    return _field(data, "label"), weight if len(weight) else None


def read(data: lgb.Dataset, train_set: lgb.Dataset, params: dict[str, Any]) -> None:
    """Construct a subset or a file, whose labels cannot be read otherwise."""
    if _is_constructed(data) or data.label is not None:
        return
    if data.used_indices is None and not isinstance(data.data, str | Path):
        # LightGBM would take missing labels for zeros.
        raise ValueError("label must be set on train_set and valid_sets, got None.")
    if data.used_indices is not None:
        data.construct()  # with the parameters of the full data set
        return
    if data is not train_set:
        data.set_reference(train_set)
    # lightgbm.train does this itself, but too late for us.
    data._update_params({"feature_pre_filter": False, **params}).construct()  # noqa: SLF001


@contextmanager
def init_scores(data_sets: list[lgb.Dataset], init_score: Any, classes: Classes) -> Iterator[None]:
    """Set an init score on the data sets (none if it is None), and remove it afterwards."""
    for data in data_sets:
        check_no_init_score(data)
    own_params = [data.params for data in data_sets]
    if not _is_constructed(data_sets[0]):
        # Otherwise LightGBM refuses a Python objective on constant or small data.
        for data in data_sets:
            if not _is_constructed(data):
                data.params = {"feature_pre_filter": False, **(data.params or {})}
    try:
        for data in data_sets if init_score is not None else []:
            if getattr(data, "_predictor", None) is not None:
                # Left by a run that continued a model; it would replace the init score.
                data._set_predictor(None)  # noqa: SLF001
            data.set_init_score(classes.repeat(init_score, len(_field(data, "label"))))
        yield
    finally:
        for data, own in zip(data_sets, own_params, strict=True):
            data.set_init_score(None)
            if _is_constructed(data):
                data.set_field("init_score", None)
            else:
                data.params = own


def _is_constructed(data: lgb.Dataset) -> bool:
    # A construction that failed leaves a null pointer, at which LightGBM's own methods crash.
    handle = data._handle  # noqa: SLF001
    return handle is not None and bool(handle.value)


def _field(data: lgb.Dataset, name: str) -> Array:
    """Return label, weight or init_score, empty if unset, without constructing a data set.

    `lightgbm.train` must construct the data set itself, with its own parameters.
    """
    values = data.get_field(name) if _is_constructed(data) else getattr(data, name)
    # In single precision, as LightGBM stores it.
    return np.asarray([] if values is None else values, dtype=np.float32)
