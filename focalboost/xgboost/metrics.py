"""The metrics of a training in XGBoost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from focalboost.boosters import metrics
from focalboost.boosters.metrics import OnProbabilities, of_user, refuse_metric
from focalboost.boosters.objectives import Called, Samples
from focalboost.losses import Loss
from focalboost.xgboost.objectives import Metric

# Those that look at the order of the scores alone, and those that are computed on probabilities.
# With several classes the order of a class's scores is not that of its probabilities.
_RANKING = {"auc", "aucpr", "pre", "ndcg", "map", "ams"}
_BINARY = {"logloss": metrics.log_loss, "error": metrics.error}
_MULTICLASS = {"mlogloss": metrics.log_loss, "merror": metrics.error}


@dataclass(frozen=True)
class NamedMetric(Called):
    """A metric of XGBoost's by name, on the probabilities."""

    metric: OnProbabilities | None = None

    def __call__(self, raw_prediction: Any, data: Any) -> tuple[str, float]:
        assert self.metric is not None
        y, z, w = self.samples(raw_prediction, data, None)
        return self.metric.name, self.metric.mean(y, z, w)


def metrics_of(
    params: Mapping[str, Any],
    custom_metric: Any,
    loss: Loss,
    known: dict[int, Samples] | None = None,
) -> tuple[dict[str, Any], list[Callable[..., Any]]]:
    """Return the parameters with the metrics that XGBoost computes, and the others as functions.

    The last function is the loss. Each returns a name and a value, or a list of such pairs.
    """
    known = {} if known is None else known
    is_binary = loss.kernel.classes.n_scores == 1
    ranking = _RANKING if is_binary else set()
    by_name = _BINARY if is_binary else _MULTICLASS
    asked = params.get("eval_metric") or []
    own: list[Any] = []
    functions: list[Callable[..., Any]] = []
    for word in [asked] if isinstance(asked, str) else asked:
        name, _, argument = str(word).partition("@")
        if name in ranking:
            own.append(word)
        elif name in by_name and (not argument or name == "error"):
            values = metrics.error_at(float(argument)) if argument else by_name[name]
            metric = OnProbabilities(word, loss, values)
            functions.append(NamedMetric(loss, metric=metric, known=known))
        else:
            remedy = "Use custom_metric, which is given probabilities."
            refuse_metric("eval_metric", word, {*ranking, *by_name}, remedy)
    own_loss = Metric(loss, known=known)
    customs = [] if custom_metric is None else [custom_metric]
    functions += of_user(customs, "custom_metric", own_loss)
    # Without a metric of its own XGBoost would add its default, on raw scores.
    params = {**params, "eval_metric": own or None}
    if not own:
        del params["eval_metric"]
        params["disable_default_eval_metric"] = True
    return params, [*functions, own_loss]


def results(found: Any) -> list[tuple[str, float]]:
    """Return what a metric function returned as pairs of a name and a value."""
    return list(found) if isinstance(found, list) else [found]
