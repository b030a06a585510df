"""The record of the loss in a LightGBM model, and the raw scores of the model."""

from __future__ import annotations

import re
from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost.boosters.options import plain_names
from focalboost.losses._types import Array

# The record is among the parameters of the model text, which LightGBM keeps when it reads and
# writes a model. LightGBM does not warn of an unknown parameter if the parameter has no value.
_LINE = re.compile(r"\n\[focalboost: \]:(.*)")


def native(model: object) -> lgb.Booster | None:
    """Return the booster of a trained model of LightGBM, and None for anything else."""
    if isinstance(model, lgb.LGBMModel):
        return model.booster_
    return model if isinstance(model, lgb.Booster) else None


def read_record(booster: lgb.Booster) -> str | None:
    """Return the text of the record that a booster holds, or None."""
    found = _LINE.search(booster.model_to_string(num_iteration=1))
    return found and found[1]


def write_record(booster: lgb.Booster, text: str) -> lgb.Booster:
    """Return a new booster that holds the record and is otherwise the same."""
    return from_text(with_record(booster.model_to_string(num_iteration=-1), text), booster)


def from_text(model: str, booster: lgb.Booster) -> lgb.Booster:
    """Return the booster of a model's text, with what the text of this booster does not hold."""
    found = lgb.Booster(model_str=model)
    found.best_iteration = booster.best_iteration
    found.best_score = booster.best_score
    found.params = booster.params
    return found


def with_record(model: str, text: str) -> str:
    """Return the text of a model with a record, which replaces an earlier record."""
    return _LINE.sub("", model).replace(
        "\nend of parameters", f"\n[focalboost: ]:{text}\n\nend of parameters", 1
    )


def raw_prediction(model: Any, data: Any) -> Array:
    """Return the raw scores of a table that the booster or its classifier takes."""
    return np.asarray(model.predict(plain_names(data), raw_score=True))
