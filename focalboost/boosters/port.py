"""What crosses between FocalClassifier and a booster, and how a booster is found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol, TypeAlias

from focalboost.losses import Loss
from focalboost.losses._types import Array, Values

# A table is an array, a sparse matrix or a frame, and an estimator is a booster's classifier: the
# libraries have no types.
Table: TypeAlias = Any
Estimator: TypeAlias = Any
Booster: TypeAlias = Any

LIBRARIES = ("lightgbm", "xgboost", "catboost")


@dataclass(frozen=True)
class Samples:
    """A table of numbers and codes, labels from 0 on, and weights."""

    X: Table
    y: Array
    weight: Array | None


@dataclass(frozen=True)
class Job:
    """What a booster is asked to train."""

    loss: Loss
    max_step: float | None
    init_score: Values
    training: Samples
    validation: Samples | None
    # The mean loss or score that early stopping watches, and the rounds without a better value.
    metric: Loss
    is_score: bool
    patience: int | None
    # of the booster's own kind
    callbacks: tuple[Any, ...]
    # The positions of the columns that hold codes of categories.
    categories: tuple[int, ...]


@dataclass(frozen=True)
class Trained:
    """What a booster gives back."""

    estimator: Estimator
    history: list[float]
    n_rounds: int
    # The raw scores of a table, init score included.
    raw_prediction: Callable[[Table], Array]
    # Completes the estimator, which from then on holds a record and the init score.
    finish: Callable[[str], object]


class Adapter(Protocol):
    """What FocalClassifier needs of a booster's folder: its ``classifier.ADAPTER``."""

    @property
    def takes_several_classes(self) -> bool:
        """Whether a sample may have a raw score for each class."""

    def accepts(self, estimator: object) -> bool:
        """Return whether this is a classifier of the booster that trains in this process."""

    def default(self) -> Estimator:
        """Return the booster's classifier with its defaults, except for what it prints."""

    def copy(self, estimator: Estimator) -> Estimator:
        """Return an unfitted copy."""

    def fit(self, estimator: Estimator, job: Job) -> Trained:
        """Train the estimator in place."""

    def fit_own(self, estimator: Estimator, job: Job) -> Trained:
        """Train the estimator in place with the booster's own log loss, and stop on it.

        The job's loss is log loss. Its ``max_step``, ``init_score`` and ``metric`` have no effect.
        """

    def raw_prediction(self, estimator: Estimator, X: Table) -> Array:
        """Return the raw scores of a complete estimator, init score included."""


class Models(Protocol):
    """What a booster's module ``models`` has."""

    def native(self, model: object) -> Booster | None:
        """Return the booster of a trained model of the library, and None for anything else."""

    def read_record(self, booster: Booster) -> str | None:
        """Return the text of the record that a booster holds, or None."""

    def write_record(self, booster: Booster, text: str) -> Booster:
        """Return a booster that holds the record."""

    def raw_prediction(self, model: object, data: Table) -> Array:
        """Return raw scores of a booster or of its classifier."""


def _adapter(library: str) -> Adapter:
    adapter: Adapter = import_module(f"focalboost.{library}.classifier").ADAPTER
    return adapter


def _loaded() -> Iterator[Adapter]:
    # An estimator of a library can exist only where the library is loaded.
    return (_adapter(library) for library in LIBRARIES if library in sys.modules)


class Found(NamedTuple):
    """The library of a trained model, the library's module ``models``, and the native booster."""

    library: str
    models: Models
    booster: Booster


def find_model(model: object) -> Found:
    """Return where a trained model comes from, or raise a TypeError."""
    for library in LIBRARIES:
        if library in sys.modules:
            models: Models = import_module(f"focalboost.{library}.models")
            booster = models.native(model)
            if booster is not None:
                return Found(library, models, booster)
    raise TypeError(
        "model must be a trained model of LightGBM, XGBoost or CatBoost or a FocalClassifier, got "
        f"{type(model).__name__}."
    )


def record_in(found: Found) -> Any:
    """Return the record that a model holds, or raise a ValueError where it holds none."""
    text = found.models.read_record(found.booster)
    if text is None:
        raise ValueError(
            "model must hold its loss, as models of train, cv and FocalClassifier do, got a "
            "model without a loss. Call predict_proba of the loss on the model's raw scores."
        )
    return json.loads(text)


def find_adapter(estimator: object) -> Adapter | None:
    """Return the adapter of the library that the estimator is a classifier of, or None."""
    return next((adapter for adapter in _loaded() if adapter.accepts(estimator)), None)


def first_installed() -> Adapter | None:
    """Return the adapter of the first library that is installed, or None."""
    return next((_adapter(library) for library in LIBRARIES if find_spec(library)), None)
