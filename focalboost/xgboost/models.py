"""The record of the loss in an XGBoost model, and the raw scores of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import xgboost as xgb

from focalboost.boosters.options import plain_names
from focalboost.losses._types import Array


def native(model: object) -> xgb.Booster | None:
    """Return the booster of a trained model of XGBoost, and None for anything else."""
    if isinstance(model, xgb.XGBModel):
        booster = model.get_booster()
        # The classifier predicts with the rounds up to the best.
        is_stopped = booster.attr("best_iteration") is not None
        return booster[: booster.best_iteration + 1] if is_stopped else booster
    return model if isinstance(model, xgb.Booster) else None


def read_record(booster: xgb.Booster) -> str | None:
    """Return the text of the record that a booster holds, or None."""
    return booster.attr("focalboost")


def write_record(booster: xgb.Booster, text: str) -> xgb.Booster:
    """Write the record into the attributes of the booster, which are in its files."""
    booster.set_attr(focalboost=text)
    return booster


def raw_prediction(model: Any, data: Any) -> Array:
    """Return the raw scores of a DMatrix, or of a table that the classifier takes."""
    if isinstance(model, xgb.Booster) and not isinstance(data, xgb.DMatrix):
        data = xgb.DMatrix(plain_names(data), enable_categorical=True)
    return np.asarray(model.predict(data, output_margin=True))
