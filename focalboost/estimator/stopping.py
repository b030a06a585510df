"""What early stopping of FocalClassifier watches."""

from __future__ import annotations

from dataclasses import dataclass

from focalboost.losses import Loss
from focalboost.losses._blocks import weighted_mean
from focalboost.losses._types import Array, Foreign


@dataclass(frozen=True)
class LogLoss:
    """Log loss of the probabilities that a loss's raw scores stand for, in nats."""

    loss: Loss

    def __call__(
        self, y_true: Array, raw_prediction: Array, sample_weight: Foreign = None
    ) -> float:
        log_odds = self.loss.log_odds(raw_prediction.astype(float, copy=False))
        return weighted_mean(self.loss.kernel.classes.log_loss(y_true, log_odds), sample_weight)

    # As a loss of several classes says it.
    @property
    def is_multiclass(self) -> bool:
        return self.loss.is_multiclass

    @property
    def n_classes(self) -> int:
        return self.loss.kernel.classes.n_classes
