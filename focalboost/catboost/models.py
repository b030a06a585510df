"""What a CatBoost model says of itself: the record that it holds, and its raw scores."""

from __future__ import annotations

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


def raw_prediction(model: Any, data: Any) -> Array:
    """Return raw scores, of a Pool or a table as the model takes it."""
    return np.asarray(model.predict(data, prediction_type="RawFormulaVal"))
