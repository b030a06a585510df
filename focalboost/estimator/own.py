"""A booster trained with its own log loss, and all else as FocalClassifier has it."""

from __future__ import annotations

from focalboost.boosters.port import Adapter, Estimator, Job, Trained
from focalboost.estimator.classifier import FocalClassifier


class OwnLossClassifier(FocalClassifier):
    """What the losses of `compare_losses` are compared with; its ``gamma`` is 0.

    Tables, labels, weights, early stopping on log loss and ``calibration`` are those of
    `FocalClassifier`, so that nothing but the training differs.
    """

    def _train(self, adapter: Adapter, estimator: Estimator, job: Job) -> Trained:
        return adapter.fit_own(estimator, job)
