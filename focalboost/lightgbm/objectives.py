"""A loss as an objective and as a metric of LightGBM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from focalboost.boosters.objectives import MeanMetric, Objective
from focalboost.lightgbm.options import SWITCHED_OFF, Link
from focalboost.losses.base import check_training
from focalboost.losses.foreign import as_loss, as_metric

__all__ = ["metric", "objective"]


@dataclass(frozen=True)
class Metric(MeanMetric):
    """The weighted mean of a loss, or a score to be maximised."""

    is_score: bool = False

    def __call__(
        self, first: Any, second: Any, sample_weight: Any = None
    ) -> tuple[str, float, bool]:
        y, z, w = self.finite_samples(first, second, sample_weight)
        return self.loss.name, self.mean(y, z, w), self.is_score


def objective(loss: Any, *, max_step: float | None = 4.0, n_threads: int = 1) -> Objective:
    """Return the loss as an objective for LightGBM.

    The object goes into ``params["objective"]`` of `lightgbm.train` and `lightgbm.cv`, and into
    ``LGBMClassifier(objective=...)``. It applies sample weights, and raises a ValueError if a label
    is not one of the classes, or a raw score is not finite or has the wrong shape.

    Parameters that have no effect with a Python objective, such as ``is_unbalance`` and
    ``scale_pos_weight``, are refused by `train` and cause a warning in `lightgbm.train` and
    `lightgbm.cv`. LGBMClassifier gives no warning, as it does not show them to its objective.

    LightGBM sets no init score for a Python objective: `train` sets it and embeds it in the model.
    If you train by other means, set it as ``init_score`` on training and validation data, and
    embed it in the booster with `seal`.

    Parameters
    ----------
    loss : Loss or another object with the contract of a loss
        The contract is in the notes of `Loss`; scikit-learn's losses fulfil it.
    max_step : float or None, default=4.0
        Bound on the Newton step of a single sample, in units of the raw score; see
        `Loss.curvature`. Without a bound (None), a leaf of rare, badly misclassified samples steps
        so far that training diverges, even with plain log loss. Use None for parity with
        LightGBM's own log loss at gamma = 0.
    n_threads : int, default=1
        Threads for large arrays. The results do not depend on it.

    Returns
    -------
    callable
        It can be pickled, and equals the objective of an equal loss.

    Examples
    --------
    >>> import numpy as np
    >>> from lightgbm import LGBMClassifier
    >>> import focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> objective = focalboost.lightgbm.objective(loss)
    >>> model = LGBMClassifier(objective=objective, n_estimators=5, verbose=-1)
    >>> model = model.fit(X, y, init_score=np.full(100, loss.init_score(y)))
    >>> booster = focalboost.lightgbm.seal(model.booster_, loss.init_score(y))
    >>> bool(booster.predict(X[-1:])[0] > booster.predict(X[:1])[0])
    True
    """
    loss = as_loss(loss)
    max_step, n_threads = check_training(max_step, n_threads)
    return Objective(
        loss,
        factor=Link.of(loss.kernel.classes).factor,
        max_step=max_step,
        n_threads=n_threads,
        switched_off=SWITCHED_OFF,
    )


def metric(loss: Any) -> Callable[..., tuple[str, float, bool]]:
    """Return the weighted mean loss as an evaluation metric for LightGBM.

    The object goes into ``feval`` of `lightgbm.train` and `lightgbm.cv`, and into ``eval_metric``
    of ``LGBMClassifier.fit``, together with an `objective`: it expects raw scores, which LightGBM
    passes to metrics only with a Python objective. With LGBMClassifier also set ``metric="None"``;
    otherwise LightGBM adds ``binary_logloss``, computed on raw scores.

    Parameters
    ----------
    loss : Loss or another object whose call is the weighted mean loss
        See `objective`.

    Returns
    -------
    callable
        Its name in the history is that of the loss's class, such as ``focal_loss``.

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> import focalboost.lightgbm
    >>> focalboost.lightgbm.metric(FocalLoss(gamma=0.0))([0.0, 1.0], [0.0, 0.0])
    ('focal_loss', 0.6931471805599453, False)
    """
    return Metric(as_metric(loss))
