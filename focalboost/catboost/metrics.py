"""The metrics of training in CatBoost, which takes a metric's name from its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from focalboost.boosters import metrics
from focalboost.boosters.metrics import refuse_metric
from focalboost.boosters.options import without
from focalboost.catboost.objectives import MeanLoss
from focalboost.losses import Loss
from focalboost.losses._checks import as_list, kind_of

# Metrics of the order of the scores, and CatBoost's own focal loss, which takes raw scores.
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
    """A user's metric object, which is given the same kind of scores as with CatBoost's own loss.

    CatBoost passes raw scores to a Python metric. Under Logloss they are log-odds, and under
    MultiClass their softmax gives the probabilities. The scores passed here are of the same kind.
    """

    metric: Any
    loss: Loss
    # The init score that the raw scores of a binary training lack.
    start: float

    # CatBoost must not try to compile the methods from their source.
    no_jit = True

    def is_max_optimal(self) -> bool:
        return bool(self.metric.is_max_optimal())

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> Any:
        scores = np.asarray(approxes[0] if len(approxes) == 1 else np.transpose(approxes))
        own = self.loss.kernel.classes.own_scores(self.loss.log_odds(scores + self.start))
        return self.metric.evaluate([*np.atleast_2d(own.T)], target, weight)

    def get_final_error(self, error: float, weight: float) -> Any:
        return self.metric.get_final_error(error, weight)

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def _named(name: str, plain: Any) -> Any:
    """Return a metric whose class has the name for the history."""
    cls: Any = type(name, (type(plain),), {"__reduce__": lambda _: (_named, (name, plain))})
    found = cls.__new__(cls)
    found.__dict__.update(vars(plain))
    return found


def need_init_score(params: Mapping[str, Any]) -> bool:
    """Return whether a metric that CatBoost computes by itself changes with the init score."""
    words = [params.get("eval_metric"), *(word for _, word in _custom(params))]
    return any(_name(word) == "Focal" for word in words)


def metrics_of(params: Mapping[str, Any], loss: Loss, start: float) -> dict[str, Any]:
    """Return the parameters with the metric that they ask for, as CatBoost is to call it.

    Metrics that are not CatBoost's own add ``start`` to the raw scores.
    """
    is_binary = loss.kernel.classes.n_scores == 1
    on_raw_scores = _ON_RAW_SCORES if is_binary else set()
    computed = _BINARY if is_binary else _MULTICLASS
    for name, word in _custom(params):
        if _name(word) not in on_raw_scores:
            refuse_metric(name, word, on_raw_scores, "Give it as eval_metric, or leave it out.")
    asked = params.get("eval_metric")
    found: Any
    if asked is None:
        return without(params, "eval_metric")
    if isinstance(asked, MeanLoss):
        found = replace(asked, start=start)
    elif isinstance(asked, str) and _name(asked) in on_raw_scores:
        found = asked
    elif not isinstance(asked, str):
        methods = ("is_max_optimal", "evaluate", "get_final_error")
        if isinstance(asked, type) or not all(callable(getattr(asked, m, None)) for m in methods):
            raise TypeError(
                "eval_metric must be the name of a metric, or an object with the methods "
                f"{', '.join(methods)}, got {kind_of(asked)}."
            )
        found = _named(type(asked).__name__, UserMetric(asked, loss, start))
    elif asked in computed:
        of_samples = metrics.by_name(asked, loss, computed[asked])
        mean = MeanLoss(of_samples, start=start, is_checked=True)
        found = _named(asked, mean)
    else:
        remedy = "Use a metric object, which is given log-odds."
        refuse_metric("eval_metric", asked, {*on_raw_scores, *computed}, remedy)
    return {**params, "eval_metric": found}


def _custom(params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the metrics beside eval_metric, each with the option that asks for it."""
    found = []
    for name in ("custom_metric", "custom_loss"):
        asked = params.get(name) or []
        rule = "the name of a metric, or a list of names"
        words = [asked] if isinstance(asked, str) else as_list(name, asked, object, rule)
        found += [(name, word) for word in words]
    return found


def _name(metric: object) -> str:
    return str(metric).partition(":")[0]
