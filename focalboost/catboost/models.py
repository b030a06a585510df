"""What a CatBoost model says of itself: the record that it holds, and its raw scores."""

from __future__ import annotations

import json
from typing import Any

import catboost as cb
import numpy as np

from focalboost.losses._types import Array

_KEY = "focalboost"


def native(model: object) -> cb.CatBoost | None:
    """Return a model of CatBoost as it is, and None for anything else."""
    return model if isinstance(model, cb.CatBoost) else None


def read_record(booster: cb.CatBoost) -> str | None:
    """Return the text of the record that a booster holds, or None."""
    return dict(booster.get_metadata()).get(_KEY)


def write_record(booster: cb.CatBoost, text: str) -> cb.CatBoost:
    """Write the record into the metadata of the model, which are in its files."""
    booster.get_metadata()[_KEY] = text
    return booster


def name_classes(booster: cb.CatBoost, names: list[int]) -> None:
    """Write the names of classes to where CatBoost reads them under a Python objective."""
    metadata = booster.get_metadata()
    params = json.loads(metadata["params"])
    params["data_processing_options"]["class_names"] = names
    metadata["params"] = json.dumps(params)


def raw_prediction(model: Any, data: Any) -> Array:
    """Return raw scores, of a Pool or a table as the model takes it."""
    return np.asarray(model.predict(data, prediction_type="RawFormulaVal"))
