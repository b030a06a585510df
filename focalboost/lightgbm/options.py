"""LightGBM's parameters: names, parameters that a Python objective switches off, and the link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from focalboost.boosters.options import ALPHA, START, STOPPING, Refused
from focalboost.losses._checks import check_whole
from focalboost.losses._classes import Classes

OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
BOOSTING = ("boosting", "boosting_type", "boost")
NUM_CLASS = ("num_class", "num_classes")
NUM_THREADS = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")
NUM_ITERATIONS = (
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "nrounds",
    "num_boost_round",
    "n_estimators",
    "max_iter",
)
MIN_CURVATURE = (
    "min_sum_hessian_in_leaf",
    "min_sum_hessian_per_leaf",
    "min_sum_hessian",
    "min_hessian",
    "min_child_weight",
)
METRIC = ("metric", "metrics", "metric_types")
EARLY_STOPPING = (
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping",
    "n_iter_no_change",
)
_BAGGING = (
    "LightGBM ignores it with a Python objective. Use bagging_fraction, and the loss's alpha."
)

# Parameters that have no effect with a Python objective, however it is trained.
SWITCHED_OFF = (
    Refused(("scale_pos_weight",), (1, None), ALPHA),
    Refused(("is_unbalance", "unbalance", "unbalanced_sets"), (False, None), ALPHA),
    Refused(
        ("pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"),
        (1, None),
        _BAGGING,
    ),
    Refused(
        ("neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"),
        (1, None),
        _BAGGING,
    ),
)
_MACHINES = (
    "Each machine would compute the init score and the early stopping loss on its samples alone. "
    "Use focalboost.xgboost.train or focalboost.dask.train, which sum over all workers."
)
# Refused for any number of classes.
_ALWAYS = (
    *SWITCHED_OFF,
    Refused(("machines", "workers", "nodes"), ("", None), _MACHINES),
    Refused(
        ("machine_list_filename", "machine_list_file", "machine_list", "mlist"),
        ("", None),
        _MACHINES,
    ),
    Refused(("num_machines", "num_machine"), (1, None), _MACHINES),
    Refused(("sigmoid",), (1, None), "The link of the trained model is the plain sigmoid."),
    Refused(("boost_from_average",), (True, None), START),
    Refused(
        BOOSTING,
        ("gbdt", "gbrt", "dart", "goss", None),
        "LightGBM's random forests take no Python objective.",
    ),
)
# FocalClassifier has parameters of its own for these.
_IN_CLASSIFIER = (
    Refused(OBJECTIVE[1:], (None,), "The loss of FocalClassifier is the objective."),
    Refused(METRIC, (None, "None", ""), STOPPING),
    Refused(EARLY_STOPPING, (None, 0), STOPPING),
)


@dataclass(frozen=True)
class Link:
    """LightGBM's names and settings for a model with the raw scores of a loss."""

    params: Mapping[str, Any]
    # the link in the words of the model file, and of an error message
    text: str
    kind: str
    # factor of the curvature: LightGBM's own softmax multiplies the diagonal Hessian by it
    factor: float
    # Without an objective of its own LightGBM passes raw scores to its metrics, so that only
    # metrics of the order of the scores are right.
    ranking_metrics: frozenset[str]
    refused: tuple[Refused, ...]

    @staticmethod
    def of(classes: Classes) -> Link:
        """Return the link for two classes or for several."""
        k = classes.n_classes
        if classes.n_scores == 1:
            return Link(
                {"objective": "binary"},
                "binary sigmoid:1",
                "binary",
                1.0,
                frozenset({"auc", "average_precision"}),
                (
                    Refused(OBJECTIVE, ("binary", None), "The loss is the objective."),
                    Refused(NUM_CLASS, (1, None), "The loss is binary."),
                    *_ALWAYS,
                ),
            )
        return Link(
            {"objective": "multiclass", "num_class": k},
            f"multiclass num_class:{k}",
            f"multiclass (num_class:{k})",
            k / (k - 1),
            frozenset({"auc_mu"}),
            (
                Refused(OBJECTIVE, ("multiclass", "softmax", None), "The loss is the objective."),
                Refused(NUM_CLASS, (k, None), f"The loss has {k} classes."),
                *_ALWAYS,
            ),
        )

    @property
    def refused_in_classifier(self) -> tuple[Refused, ...]:
        return (*self.refused, *_IN_CLASSIFIER)


def min_curvature(params: Mapping[str, Any]) -> tuple[str, float]:
    """Return the name under which the least curvature of a leaf is set, and its value."""
    name = next((name for name in MIN_CURVATURE if name in params), MIN_CURVATURE[0])
    return name, float(params.get(name, 1e-3))


def rounds_of(params: Mapping[str, Any], num_boost_round: Any) -> int:
    """Return the number of rounds; in LightGBM the parameters take precedence over the argument."""
    name = next((name for name in NUM_ITERATIONS if params.get(name) is not None), None)
    if name is None:
        return check_whole("num_boost_round", num_boost_round, 1)
    return check_whole(name, params[name], 1)


def get(params: Mapping[str, Any], names: tuple[str, ...], default: Any = None) -> Any:
    """Return the value of a parameter under whichever of its names it is set."""
    return next((params[name] for name in names if name in params), default)
