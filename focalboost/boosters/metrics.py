"""Metrics in addition to the loss, computed on probabilities as with a booster's own loss.

With a Python objective, a booster passes raw scores to its metrics, which its own objective would
have turned into probabilities. The same rules hold for all boosters: a metric that depends only on
the order of the scores is the booster's own; the metrics of this module are computed on the
probabilities; other names are refused; and a function of the user is given the probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
from scipy.special import logit

from focalboost.losses import Loss
from focalboost.losses._blocks import weighted_mean
from focalboost.losses._checks import check_kind
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array
from focalboost.losses.foreign import as_metric


def log_loss(classes: Classes, labels: Array, log_odds: Array) -> Array:
    return classes.log_loss(labels, log_odds)


def error(classes: Classes, labels: Array, log_odds: Array, threshold: float = 0.5) -> Array:
    """Return 1 where the class differs from the label, and a mixture for a soft label.

    With two classes the class is positive where its probability is above the threshold.
    """
    codes = classes.codes(log_odds - logit(threshold))
    return np.asarray(np.minimum(np.abs(codes - labels), 1.0))


def error_at(threshold: float) -> Callable[..., Array]:
    return partial(error, threshold=threshold)


def brier_score(classes: Classes, labels: Array, log_odds: Array) -> Array:
    return np.asarray((classes.proba(log_odds)[:, 1] - labels) ** 2)


@dataclass(frozen=True)
class OfProbabilities:
    """A metric of the probabilities that raw scores stand for, called like a mean loss."""

    loss: Loss

    def __call__(
        self, y_true: Array, raw_prediction: Array, sample_weight: Array | None = None
    ) -> float:
        log_odds = self.loss.log_odds(raw_prediction.astype(np.float64, copy=False))
        return self.value(y_true, log_odds, sample_weight)

    def value(self, y_true: Array, log_odds: Array, sample_weight: Array | None) -> float:
        raise NotImplementedError

    # The attributes of a loss of several classes.
    @property
    def is_multiclass(self) -> bool:
        return self.loss.is_multiclass

    @property
    def n_classes(self) -> int:
        return self.loss.kernel.classes.n_classes


@dataclass(frozen=True)
class MeanValue(OfProbabilities):
    """The weighted mean of a value of each sample, given classes, labels and log-odds."""

    of_samples: Callable[[Classes, Array, Array], Array]

    def value(self, y_true: Array, log_odds: Array, sample_weight: Array | None) -> float:
        values = self.of_samples(self.loss.kernel.classes, y_true, log_odds)
        return weighted_mean(values, sample_weight)


def by_name(name: str, loss: Loss, of_samples: Callable[..., Array]) -> Loss:
    """Return a booster's metric as a loss, which the adapter's `metric` takes."""
    return as_metric(MeanValue(loss, of_samples), name)


@dataclass(frozen=True)
class UserMetric:
    """A function of the user, given probabilities as with a booster's own objective."""

    function: Callable[..., Any]
    loss: Loss

    def __call__(self, raw_prediction: Any, data: Any) -> Any:
        return self.function(self.loss.inverse_link(raw_prediction), data)


def of_user(functions: Iterable[Any], name: str, own: Any) -> list[Callable[..., Any]]:
    """Return the metric functions of the user, functions made by `metric` as they are.

    The training adds its own loss, so that the same function is left out.
    """
    found: list[Callable[..., Any]] = []
    for function in functions:
        remedy = "The names of metrics go into params."
        check_kind(name, function, Callable, "a function of predictions and data", remedy)
        if not isinstance(function, type(own)):
            found.append(UserMetric(function, own.loss))
        elif function.loss.name == own.loss.name and function != own:
            raise ValueError(
                f"{name} must have another name in the history than the training loss, "
                f"{own.loss.name}, got {function.loss!r}. Give a function of your own."
            )
        elif function != own:
            found.append(function)
    return found


def refuse_metric(name: str, asked: Any, known: Iterable[str], remedy: str) -> NoReturn:
    """Raise a ValueError for a metric of the booster that would be wrong on raw scores."""
    raise ValueError(
        f"{name} must be {' or '.join(sorted(known))}, got {asked!r}: with a Python objective it "
        f"would be computed on raw scores. {remedy}"
    )
