"""The metrics of training in LightGBM, and the metric that stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import lightgbm as lgb

from focalboost.boosters import metrics
from focalboost.boosters.metrics import of_user, refuse_metric
from focalboost.boosters.objectives import Samples
from focalboost.boosters.options import without
from focalboost.lightgbm import options
from focalboost.lightgbm.objectives import Metric
from focalboost.lightgbm.options import Link
from focalboost.losses import Loss
from focalboost.losses._checks import as_list, check_whole

# LightGBM's names of each metric, its main name first, and what it computes.
_BINARY = {
    ("binary_logloss", "binary"): metrics.log_loss,
    ("cross_entropy", "xentropy"): metrics.log_loss,
    ("binary_error",): metrics.error,
}
_MULTICLASS = {
    ("multi_logloss", "multiclass", "softmax", "multiclassova", "multiclass_ova", "ova", "ovr"): (
        metrics.log_loss
    ),
    ("multi_error",): metrics.error,
}
_NONE = {"none", "null", "custom", "na", ""}


def metrics_of(
    params: Mapping[str, Any],
    feval: Any,
    loss: Loss,
    known: dict[int, Samples],
    n_threads: int,
) -> tuple[dict[str, Any], list[Callable[..., Any]]]:
    """Return the parameters with LightGBM's own metrics, and the other metrics as functions.

    The last function is the loss.
    """
    classes = loss.kernel.classes
    ranking = Link.of(classes).ranking_metrics
    computed = _BINARY if classes.n_scores == 1 else _MULTICLASS
    own: list[str] = []
    functions: list[Callable[..., Any]] = []
    for word in asked_metrics(params):
        names = next((names for names in computed if word in names), None)
        if word in ranking:
            own.append(word)
        elif names is not None:
            metric = metrics.by_name(names[0], loss, computed[names])
            functions.append(Metric(metric, known=known))
        else:
            known_names = {*ranking, *(names[0] for names in computed)}
            refuse_metric("metric", word, known_names, "Use feval, which is given probabilities.")
    rule = "a function of predictions and data, or a list of functions"
    fevals = [feval] if callable(feval) else as_list("feval", feval, object, rule)
    own_loss = Metric(loss, known=known, n_threads=n_threads)
    functions += of_user(fevals, "feval", own_loss)
    params = without(params, *options.METRIC) | {"metric": own or "None"}
    return params, [*functions, own_loss]


def asked_metrics(params: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics that the parameters ask for."""
    value = options.get(params, options.METRIC) or ()
    rule = "the name of a metric, or a list of names"
    words = value.split(",") if isinstance(value, str) else as_list("metric", value, object, rule)
    return [w for word in words if (w := str(word).strip().lower()) not in _NONE]


def patience_of(params: Mapping[str, Any]) -> int | None:
    """Return the number of early stopping rounds, or None without early stopping."""
    value = options.get(params, options.EARLY_STOPPING)
    if value is None or str(value).strip().lower() in _NONE:
        return None
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        value = int(value)
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) <= 0:
        return None
    return check_whole("early_stopping_round", value, 1)


def stop_on(loss: Loss, patience: int, params: Mapping[str, Any]) -> Callable[[Any], None]:
    """Return LightGBM's early stopping, which by itself watches all metrics, on one metric.

    That metric is the loss, or with first_metric_only the first metric that was asked for.
    """
    verbosity = [params[key] for key in ("verbosity", "verbose") if key in params]
    is_first = str(params.get("first_metric_only", False)).lower() in ("true", "1", "+")
    stop = lgb.early_stopping(
        patience,
        verbose=not verbosity or verbosity[0] > 0,
        min_delta=params.get("early_stopping_min_delta", 0.0),
    )
    history: dict[int, list[Any]] = {}

    def stop_on_one(env: Any) -> None:
        history[env.iteration] = env.evaluation_result_list or []
        results = _of_validation(env)
        name = results[0][1] if is_first and results else loss.name
        try:
            # A named tuple in older releases of LightGBM, a dataclass in newer ones.
            stop(
                lgb.callback.CallbackEnv(
                    model=env.model,
                    params=env.params,
                    iteration=env.iteration,
                    begin_iteration=env.begin_iteration,
                    end_iteration=env.end_iteration,
                    evaluation_result_list=[result for result in results if result[1] == name],
                )
            )
        except lgb.callback.EarlyStopException as found:
            # best_score holds every metric, as in LightGBM itself.
            found.best_score = history[found.best_iteration]
            raise

    stop_on_one.order = stop.order  # type: ignore[attr-defined]
    return stop_on_one


def _of_validation(env: Any) -> list[Any]:
    """Return the results that can stop a training, each with its data set first.

    Older releases of `lightgbm.cv` join data set and metric, as in "valid focal_loss".
    """
    results = env.evaluation_result_list or []
    if not isinstance(env.model, lgb.CVBooster):
        return results
    split = [(*r[1].split(" ", 1), *r[2:]) if r[0] == "cv_agg" else r for r in results]
    return [result for result in split if result[0] == "valid"]
