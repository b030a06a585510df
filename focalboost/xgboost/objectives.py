"""A loss as an objective and as a metric of XGBoost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import xgboost as xgb

from focalboost.boosters.objectives import MeanMetric, Objective
from focalboost.losses.base import check_training
from focalboost.losses.foreign import as_loss, as_metric
from focalboost.xgboost.options import Link
from focalboost.xgboost.workers import mean_of_all_workers

__all__ = ["metric", "objective"]


@dataclass(frozen=True)
class Metric(MeanMetric):
    """The weighted mean of a loss, times a factor."""

    scale: float = 1.0

    @property
    def __name__(self) -> str:
        # XGBClassifier's name for it in the history.
        return self.loss.name

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        y, z, w = self.finite_samples(first, second, sample_weight)
        value = self.scale * mean_of_all_workers(self.mean, y, z, w)
        return (self.loss.name, value) if isinstance(second, xgb.DMatrix) else value


def objective(loss: Any, *, max_step: float | None = 4.0, n_threads: int = 1) -> Objective:
    """Return the loss as an objective for XGBoost.

    The object goes into ``obj`` of `xgboost.train` and `xgboost.cv`, and into
    ``XGBClassifier(objective=...)``. It applies sample weights, and raises a ValueError if a label
    is not one of the classes, or a raw score is not finite or has the wrong shape.

    ``scale_pos_weight`` has no effect with a Python objective. XGBoost does not show its parameters
    to the objective, which cannot refuse it; `train`, `cv` and `FocalClassifier` do.

    If you train by other means than `train`, also set the init score, by
    ``base_score=expit(loss.init_score(y))``. With `xgboost.train` set
    ``objective="binary:logistic"`` too, which is the link of the model; XGBClassifier sets it by
    itself.

    Parameters
    ----------
    loss : Loss or another object with the contract of a loss
        The contract is in the notes of `Loss`; scikit-learn's losses fulfil it.
    max_step : float or None, default=4.0
        Bound on the Newton step of a single sample, in units of the raw score; see
        `Loss.curvature`. It does for a sample what ``max_delta_step`` does for a leaf. Use None
        for parity with XGBoost's own log loss at gamma = 0.
    n_threads : int, default=1
        Threads for large arrays. The results do not depend on it.

    Returns
    -------
    callable
        It can be pickled, and equals the objective of an equal loss.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import expit
    >>> from xgboost import XGBClassifier
    >>> import focalboost.xgboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> model = XGBClassifier(
    ...     objective=focalboost.xgboost.objective(loss),
    ...     base_score=expit(loss.init_score(y)), min_child_weight=0.0)
    >>> bool(model.fit(X, y).predict_proba(X)[-1, 1] > 0.5)
    True
    """
    loss = as_loss(loss)
    max_step, n_threads = check_training(max_step, n_threads)
    factor = Link.of(loss.kernel.classes).factor
    return Objective(loss, factor=factor, max_step=max_step, n_threads=n_threads)


def metric(loss: Any) -> Callable[..., Any]:
    """Return the weighted mean loss as an evaluation metric for XGBoost.

    The object goes into ``custom_metric`` of `xgboost.train` and `xgboost.cv`, and into
    ``XGBClassifier(eval_metric=...)``, together with an `objective`: it expects raw scores, which
    XGBoost passes to metrics only with a Python objective.

    XGBoost passes a Python metric through text with six decimals, which is coarse for a loss near 0
    and can end training too early. `train` keeps every digit.

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
    >>> import numpy as np, xgboost
    >>> from focalboost import FocalLoss
    >>> import focalboost.xgboost
    >>> data = xgboost.DMatrix(np.zeros((2, 1)), [0.0, 1.0])
    >>> name, value = focalboost.xgboost.metric(FocalLoss(gamma=0.0))(np.zeros(2), data)
    >>> name, round(value, 6)
    ('focal_loss', 0.693147)
    """
    return Metric(as_metric(loss))
