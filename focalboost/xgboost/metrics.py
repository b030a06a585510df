"""The metrics of training in XGBoost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from focalboost.boosters import metrics
from focalboost.boosters.metrics import of_user, refuse_metric
from focalboost.boosters.objectives import Samples
from focalboost.boosters.options import without
from focalboost.losses import Loss
from focalboost.losses._checks import as_list
from focalboost.xgboost.objectives import Metric

# Metrics of the order of the scores, and metrics that are computed on probabilities.
# With several classes the order of a class's scores is not that of its probabilities.
_RANKING = {"auc", "aucpr", "pre", "ndcg", "map", "ams"}
_BINARY = {"logloss": metrics.log_loss, "error": metrics.error}
_MULTICLASS = {"mlogloss": metrics.log_loss, "merror": metrics.error}


def metrics_of(
    params: Mapping[str, Any],
    custom_metric: Any,
    loss: Loss,
    known: dict[int, Samples],
    n_threads: int,
) -> tuple[dict[str, Any], list[Callable[..., Any]]]:
    """Return the parameters with XGBoost's own metrics, and the other metrics as functions.

    The last function is the loss. Each returns a name and a value, or a list of such pairs.
    """
    is_binary = loss.kernel.classes.n_scores == 1
    ranking = _RANKING if is_binary else set()
    computed = _BINARY if is_binary else _MULTICLASS
    asked = params.get("eval_metric") or []
    rule = "the name of a metric, or a list of names"
    words = [asked] if isinstance(asked, str) else as_list("eval_metric", asked, object, rule)
    own: list[Any] = []
    functions: list[Callable[..., Any]] = []
    for word in words:
        name, _, argument = str(word).partition("@")
        if name in ranking:
            own.append(word)
        elif name in computed and (not argument or (name == "error" and _is_number(argument))):
            values = metrics.error_at(float(argument)) if argument else computed[name]
            functions.append(Metric(metrics.by_name(word, loss, values), known=known))
        else:
            remedy = "Use custom_metric, which is given probabilities."
            refuse_metric("eval_metric", word, {*ranking, *computed}, remedy)
    own_loss = Metric(loss, known=known, n_threads=n_threads)
    customs = [] if custom_metric is None else [custom_metric]
    functions += of_user(customs, "custom_metric", own_loss)
    # Without a metric XGBoost would add its default metric, computed on raw scores.
    asked_of_booster = {"eval_metric": own} if own else {"disable_default_eval_metric": True}
    return {**without(params, "eval_metric"), **asked_of_booster}, [*functions, own_loss]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def results(found: Any) -> list[tuple[str, float]]:
    """Return what a metric function returned as pairs of a name and a value."""
    return list(found) if isinstance(found, list) else [found]
