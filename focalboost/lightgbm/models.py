"""What a LightGBM model says of itself: the record that it holds, and its raw scores."""

from __future__ import annotations

import re
from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost.boosters.options import plain_names
from focalboost.losses._types import Array

# Among the parameters of the model text, which LightGBM keeps when it reads and writes a model. Of
# one without a value it does not say that it does not know it.
_LINE = re.compile(r"(?m)^\[focalboost: \]:(.*)\n")


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
    """Return a new booster that holds the record and is the same in all else."""
    model = with_record(booster.model_to_string(num_iteration=-1), text)
    written = lgb.Booster(model_str=model)
    written.best_iteration = booster.best_iteration
    written.best_score = booster.best_score
    written.params = booster.params
    return written


def with_record(model: str, text: str) -> str:
    """Return the text of a model with a record in place of the one that it has."""
    return _LINE.sub("", model).replace(
        "\nend of parameters", f"\n[focalboost: ]:{text}\n\nend of parameters", 1
    )


def raw_prediction(model: Any, data: Any) -> Array:
    """Return raw scores, of the table that the booster or its classifier takes."""
    return np.asarray(model.predict(plain_names(data), raw_score=True))
