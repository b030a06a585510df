"""The metrics of a training in CatBoost, which takes a metric's name from its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from focalboost.boosters import metrics
from focalboost.boosters.metrics import OnProbabilities, refuse_metric
from focalboost.catboost.objectives import MeanLoss, metric
from focalboost.losses import Loss
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array

# Those that look at the order of the scores alone, and CatBoost's own focal loss of raw scores.
# With several classes the order of a class's scores is not that of its probabilities.
_ON_RAW_SCORES = {"AUC", "PRAUC", "NormalizedGini", "QueryAUC", "Focal"}
_BINARY = {
    "Logloss": metrics.log_loss,
    "CrossEntropy": metrics.log_loss,
    "BrierScore": metrics.brier_score,
    "ZeroOneLoss": metrics.error,
}
_MULTICLASS = {"MultiClass": metrics.log_loss, "ZeroOneLoss": metrics.error}


@dataclass(frozen=True)
class UserMetric:
    """A metric object of the user's, which is given scores as beside CatBoost's own objective.

    CatBoost hands raw scores to a Python metric, which are log-odds under Logloss, and under
    MultiClass what softmax makes probabilities of. So are these.
    """

    metric: Any
    loss: Loss

    # CatBoost must not try to compile the methods from their source.
    no_jit = True

    def is_max_optimal(self) -> bool:
        return bool(self.metric.is_max_optimal())

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> Any:
        scores = np.asarray(approxes[0] if len(approxes) == 1 else np.transpose(approxes))
        own = self.loss.kernel.classes.own_scores(self.loss.log_odds(scores))
        return self.metric.evaluate([*np.atleast_2d(own.T)], target, weight)

    def get_final_error(self, error: float, weight: float) -> Any:
        return self.metric.get_final_error(error, weight)

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __reduce__(self) -> Any:
        return _as_class_of_name, (type(self).__name__, UserMetric, self.metric, self.loss)


@dataclass(frozen=True)
class NamedMetric(MeanLoss):
    """A metric of CatBoost's by name, on the probabilities."""

    values: Callable[[Classes, Array, Array], Array] = metrics.log_loss

    def mean(self, y: Array, z: Array, w: Array | None) -> float:
        return OnProbabilities(type(self).__name__, self.loss, self.values).mean(y, z, w)

    def __reduce__(self) -> Any:
        return _as_class_of_name, (type(self).__name__, NamedMetric, self.loss, self.values)


def _as_class_of_name(name: str, base: Any, first: Any, second: Any) -> Any:
    """Return a metric whose class has the name that the history is to have."""
    cls: Any = type(name, (base,), {})
    return cls(first, second) if base is UserMetric else cls(first, values=second)


def metrics_of(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """Return the parameters with a metric that stops training: by default the loss."""
    is_binary = loss.kernel.classes.n_scores == 1
    on_raw_scores = _ON_RAW_SCORES if is_binary else set()
    by_name = _BINARY if is_binary else _MULTICLASS
    for name in ("custom_metric", "custom_loss"):
        asked = params.get(name) or []
        for word in [asked] if isinstance(asked, str) else asked:
            if _name(word) not in on_raw_scores:
                refuse_metric(name, word, on_raw_scores, "Give it as eval_metric, or leave it out.")
    asked = params.get("eval_metric")
    if asked is None:
        found: Any = replace(metric(loss), is_checked=True)
    elif isinstance(asked, MeanLoss) or (isinstance(asked, str) and _name(asked) in on_raw_scores):
        found = asked
    elif not isinstance(asked, str):
        found = _as_class_of_name(type(asked).__name__, UserMetric, asked, loss)
    elif asked in by_name:
        found = _as_class_of_name(asked, NamedMetric, loss, by_name[asked])
    else:
        remedy = "Use a metric object, which is given log-odds."
        refuse_metric("eval_metric", asked, {*on_raw_scores, *by_name}, remedy)
    return {**params, "eval_metric": found}


def _name(metric: str) -> str:
    return str(metric).partition(":")[0]
