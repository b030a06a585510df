"""The metric that early stopping of FocalClassifier watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names

from focalboost.boosters.metrics import OfProbabilities
from focalboost.losses import Loss
from focalboost.losses._blocks import weighted_mean
from focalboost.losses._types import Array, Foreign, Function
from focalboost.losses.foreign import as_metric


@dataclass(frozen=True)
class LogLoss(OfProbabilities):
    """Log loss of the probabilities, in nats."""

    def __call__(
        self, y_true: Array, raw_prediction: Array, sample_weight: Array | None = None
    ) -> float:
        found = self.loss.kernel.compiled_mean(
            y_true, raw_prediction, sample_weight, is_log_loss=True
        )
        return super().__call__(y_true, raw_prediction, sample_weight) if found is None else found

    def value(self, y_true: Array, log_odds: Array, sample_weight: Foreign) -> float:
        return weighted_mean(self.loss.kernel.classes.log_loss(y_true, log_odds), sample_weight)


@dataclass(frozen=True)
class Score(OfProbabilities):
    """A scikit-learn scorer by its name, or a function of the user."""

    score: str | Callable[..., Foreign]

    def value(self, y_true: Array, log_odds: Array, sample_weight: Foreign) -> float:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        labels = y_true.astype(np.intp)
        if isinstance(self.score, str):
            scorer = get_scorer(self.score)
            return float(scorer(_Predicted(self.loss), log_odds, labels, **weights))
        proba = self.loss.kernel.classes.proba(log_odds)
        proba = proba if self.is_multiclass else proba[:, 1]
        return float(self.score(labels, proba, **weights))


class _Predicted(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier for scorers, which takes log-odds as its samples."""

    def __init__(self, loss: Loss) -> None:
        self._of_loss = loss.kernel.classes
        self.classes_ = np.arange(self._of_loss.n_classes)

    def decision_function(self, log_odds: Array) -> Array:
        return log_odds

    def predict_proba(self, log_odds: Array) -> Array:
        return self._of_loss.proba(log_odds)

    def predict(self, log_odds: Array) -> Array:
        return self._of_loss.codes(log_odds)


def check_stopping_metric(metric: Foreign) -> None:
    if callable(metric) and hasattr(metric, "__name__"):
        return
    names = ("log_loss", "focal_loss", *get_scorer_names())
    if not isinstance(metric, str) or metric not in names:
        raise ValueError(
            "stopping_metric must be 'log_loss', 'focal_loss', the name of a scikit-learn "
            "scorer such as 'average_precision', or a function of labels and probabilities whose "
            f"larger values are better, got {metric!r}."
        )


def stopping_metric(metric: str | Function, loss: Loss) -> tuple[Loss, bool]:
    """Return the metric of early stopping as a mean loss, and whether larger values are better."""
    if metric == "focal_loss":
        return loss, False
    if metric == "log_loss":
        return as_metric(LogLoss(loss)), False
    name = metric if isinstance(metric, str) else metric.__name__
    return as_metric(Score(loss, metric), name), True
