"""CatBoost's parameters: parameters that a Python objective switches off, and the link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from focalboost.boosters.options import ALPHA, START, STOPPING, Refused, thread_count
from focalboost.losses._classes import Classes

OBJECTIVE = ("loss_function", "objective")
_ITERATIONS = ("iterations", "num_boost_round", "n_estimators", "num_trees")
# Steps in a leaf with CatBoost's own log loss, for two classes and for several.
_LEAF_STEPS = ({"Newton": 10, "Gradient": 40}, {"Newton": 1, "Gradient": 10})
# Where a second thread costs more than it saves, as threads wait for each other in Python. With
# several classes, where CatBoost asks for each sample: from so many samples for each column on.
_LONG = 15
# With two classes, on two cores: from so many samples on CatBoost asks for small batches, and to
# wait for one takes as long as a second thread saves in a thousand cells of the table.
_MANY, _CELLS = 10_000, 1_000

_CLASS_WEIGHTS = (
    "CatBoost would apply it to the samples, but the init score and the probabilities would not "
    "take it into account. Pass alpha to the loss, or alpha='balanced' to FocalClassifier."
)
_ALWAYS = (
    Refused(("scale_pos_weight",), (1, None), ALPHA),
    Refused(("class_weights",), (None,), _CLASS_WEIGHTS),
    Refused(("auto_class_weights",), (None, "None"), _CLASS_WEIGHTS),
    Refused(("boost_from_average",), (False, None), START),
    Refused(("model_shrink_rate",), (0, None), "CatBoost cannot shrink with an init score."),
    Refused(
        ("task_type",),
        ("CPU", None),
        "CatBoost computes a Python objective and its own Focal only on the CPU.",
    ),
    Refused(("target_border",), (None,), "Use the labels 0 and 1, or soft labels."),
)
# FocalClassifier has parameters of its own for these, or takes no such columns.
_IN_CLASSIFIER = (
    Refused(("eval_metric", "custom_metric", "custom_loss"), (None,), STOPPING),
    Refused(("early_stopping_rounds", "od_wait", "od_type", "od_pval"), (None,), STOPPING),
    Refused(("eval_fraction",), (None, 0), "Pass X_val and y_val to fit."),
)

# Refused before FocalClassifier reads the table, whose columns would not be numbers.
COLUMNS = (
    Refused(
        ("text_features", "embedding_features"),
        (None,),
        "With a Python objective CatBoost computes other features from them than for "
        "classification. Encode them as numbers first.",
    ),
)


@dataclass(frozen=True)
class Link:
    """CatBoost's names and settings for a model with the raw scores of a loss."""

    class_names: list[int]
    refused: tuple[Refused, ...]

    @staticmethod
    def of(classes: Classes) -> Link:
        """Return the link for two classes or for several."""
        k = classes.n_classes
        if classes.n_scores == 2:
            raise ValueError(
                "CatBoost has one raw score for two classes, got a loss with two raw scores. Use a "
                "binary loss, such as FocalLoss instead of SoftmaxFocalLoss(2)."
            )
        names = [*range(k)]
        own, labels = ("MultiClass", f"0 to {k - 1}")
        if classes.n_scores == 1:
            own, labels = ("Logloss", "numbers in [0, 1]")
        return Link(
            names,
            (
                Refused(OBJECTIVE, (own, None), "The loss is the objective."),
                Refused(("classes_count",), (k, None), f"The loss has {k} classes."),
                Refused(("class_names",), (None, names), f"Labels are {labels}."),
                *_ALWAYS,
            ),
        )

    @property
    def names(self) -> set[str]:
        """The names of the refused options; CatBoost need not see their harmless values."""
        return {name for option in self.refused for name in option.names}

    @property
    def refused_in_classifier(self) -> tuple[Refused, ...]:
        return (*self.refused, *_IN_CLASSIFIER)


def defaults(
    params: Mapping[str, Any],
    iterations: int | None,
    shape: tuple[int, int],
    classes: Classes,
    native: bool = False,
) -> dict[str, Any]:
    """Return the defaults of CatBoost's own log loss, for options that the user does not set.

    With a Python objective CatBoost steps once in each leaf, and samples for several classes as for
    two. Backtracking of the steps is left out: with a Python objective it uses eval_metric.

    There is one thread where more would only wait for each other in Python.
    """
    n_samples, n_columns = shape
    own: dict[str, Any] = {}
    steps = params.get("leaf_estimation_iterations")
    if steps is None:
        found = (iterations, *(params.get(name) for name in _ITERATIONS))
        n_rounds = next((number for number in found if number is not None), 1000)
        method = params.get("leaf_estimation_method") or "Newton"
        is_small = n_columns < 20 and n_rounds < 200
        steps = 1 if is_small else _LEAF_STEPS[classes.n_scores > 1].get(method, 1)
        own["leaf_estimation_iterations"] = steps
    sampling = (params.get(name) for name in ("bootstrap_type", "subsample"))
    if classes.n_scores > 1 and all(value is None for value in sampling):
        own["bootstrap_type"] = "Bayesian"
    if classes.n_scores > 1:
        must_wait = n_samples >= _LONG * n_columns
    else:
        n_batches = max(128, n_samples // 500) * (1 + steps) if isinstance(steps, int) else 0
        is_narrow = n_samples * n_columns < _CELLS * n_batches
        must_wait = n_samples >= _MANY and is_narrow and thread_count(None) == 2
    if must_wait and not native and params.get("thread_count") is None:
        own["thread_count"] = 1
    return own


def own_loss(loss: Any, params: dict[str, Any], are_hard: bool) -> str:
    """Return the name of CatBoost's own focal loss, or raise where it computes another loss."""
    gamma, alpha = getattr(loss, "gamma", 0.0), getattr(loss, "alpha", None)
    if loss.name != "focal_loss" or not gamma > 0 or alpha is None:
        raise ValueError(
            "native must be False unless loss is a FocalLoss with gamma > 0 and an alpha, "
            f"got {loss!r}: CatBoost has no other focal loss of its own."
        )
    method = params.get("leaf_estimation_method")
    if method != "Gradient":
        raise ValueError(
            f"native must be False unless leaf_estimation_method is 'Gradient', got {method!r}: "
            "CatBoost's own Focal steps by the exact Hessian, which is negative for hard samples."
        )
    if not are_hard:
        raise ValueError("native must be False unless every label is 0 or 1: Focal rounds labels.")
    return f"Focal:focal_alpha={alpha!r};focal_gamma={gamma!r}"


def one_of(name: str, value: Any, synonym: str, other: Any) -> Any:
    """Return what was given under either of two names."""
    if value is not None and other is not None:
        raise ValueError(f"{name} and {synonym} must not both be given: they are synonyms.")
    return other if value is None else value
