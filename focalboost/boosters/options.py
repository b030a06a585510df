"""Options of a booster that a Python objective would silently switch off."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalboost.losses._checks import check_kind, check_whole

ALPHA = (
    "It has no effect with a Python objective. Remove it and pass alpha = w / (1 + w) to the loss; "
    "for a positive weight of w = 10, alpha = 0.909."
)
START = "Training starts at the init score of the loss."
# The remedy for a booster's own metrics inside FocalClassifier.
STOPPING = "Use stopping_metric and early_stopping_rounds of FocalClassifier."

_SPECIAL = re.compile(r'[\[\]{}<>",:]')


@dataclass(frozen=True)
class Refused:
    """An option under all of its names, the values that change nothing, and what to do instead."""

    names: tuple[str, ...]
    harmless: tuple[Any, ...]
    remedy: str

    def check(self, params: Mapping[str, Any]) -> None:
        """Raise a ValueError where the option is set to another value."""
        for name in self.names:
            if name in params and not any(_same(params[name], value) for value in self.harmless):
                raise ValueError(
                    f"{name} must be left out or be {self.harmless[0]!r}, got {params[name]!r}. "
                    f"{self.remedy}"
                )


def refuse(params: Mapping[str, Any], refused: Iterable[Refused]) -> None:
    for option in refused:
        option.check(params)


def warn_of(params: Mapping[str, Any], refused: Iterable[Refused]) -> None:
    """Warn of options that `refuse` refuses, where an earlier training may have set them."""
    try:
        refuse(params, refused)
    except ValueError as error:
        warnings.warn(str(error), stacklevel=3)


def as_params(params: Any) -> dict[str, Any]:
    """Return a copy of a booster's parameters."""
    check_kind("params", {} if params is None else params, Mapping, "a dict")
    return dict(params or {})


def check_rounds(**rounds: Any) -> None:
    """Raise a ValueError for a number of rounds that is neither None nor a whole number >= 1."""
    for name, value in rounds.items():
        if value is not None:
            check_whole(name, value, 1)


def check_model(name: str, model: Any, kinds: Any, rule: str) -> None:
    """Raise an error for a model to continue of the wrong kind, or a path without a file."""
    check_kind(name, model, (str, os.PathLike, kinds), rule)
    if isinstance(model, str | os.PathLike) and not os.path.exists(model):
        raise ValueError(f"{name} must be {rule}, got no file at {os.fspath(model)!r}.")


def without(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return the parameters without those of these names."""
    return {name: value for name, value in params.items() if name not in names}


def thread_count(value: Any, name: str = "n_jobs") -> int:
    """Return the number of threads of a booster's own setting; by default all cores."""
    try:
        count = int(value or 0)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a whole number, got {value!r}.") from None
    if count > 0:
        return count
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def plain_names(table: Any) -> Any:
    """Return a frame with column names that LightGBM and XGBoost take.

    They refuse characters of JSON. An underscore replaces each, and the column's position follows.
    """
    names = [*getattr(table, "columns", [])]
    plain = [
        f"{_SPECIAL.sub('_', name)}_{i}"
        if isinstance(name, str) and _SPECIAL.search(name)
        else name
        for i, name in enumerate(names)
    ]
    return table if plain == names else table.set_axis(plain, axis="columns")


def _same(value: Any, harmless: Any) -> bool:
    # Boosters read True, "true" and "True" alike.
    return bool(np.array_equal(value, harmless)) or str(value).lower() == str(harmless).lower()
