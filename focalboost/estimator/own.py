"""A FocalClassifier whose booster is trained with its own log loss."""

from __future__ import annotations

from focalboost.boosters.port import Adapter, Estimator, Job, Trained
from focalboost.estimator.classifier import FocalClassifier


class OwnLossClassifier(FocalClassifier):
    """The reference that `compare_losses` compares losses with; its ``gamma`` is 0.

    Tables, labels, weights, early stopping on log loss and ``calibration`` are those of
    `FocalClassifier`, so that nothing but the training differs.
    """

    def _train(self, adapter: Adapter, estimator: Estimator, job: Job) -> Trained:
        return adapter.fit_own(estimator, job)
