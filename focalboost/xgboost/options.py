"""XGBoost's parameters: parameters that a Python objective switches off, and the link."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xgboost as xgb
from scipy.special import expit, logit

from focalboost.boosters.options import ALPHA, START, STOPPING, Refused, as_params
from focalboost.losses._classes import Classes

# XGBoost stores an init score for each class from 3.1 on.
TAKES_SEVERAL_CLASSES = tuple(map(int, xgb.__version__.split(".")[:2])) >= (3, 1)

# Dropout needs no booster="dart" from 3.4 on.
_DROPS_IN_GBTREE = tuple(map(int, xgb.__version__.split(".")[:2])) >= (3, 4)

_ALWAYS = (
    Refused(("scale_pos_weight",), (1, None), ALPHA),
    Refused(("base_score",), (None,), START),
)
# FocalClassifier has parameters of its own for these.
_IN_CLASSIFIER = (
    Refused(("eval_metric",), (None,), STOPPING),
    Refused(("early_stopping_rounds",), (None, 0), STOPPING),
    Refused(("booster",), ("gbtree", "dart", None), "A linear model has no rounds to stop."),
)
_LARGEST_SCORE = 13.8


@dataclass(frozen=True)
class Link:
    """XGBoost's names and settings for a model with the raw scores of a loss.

    The objective's name gives the model its link, and says whether base_score is a probability.
    """

    params: Mapping[str, Any]
    # factor of the curvature: XGBoost's own softmax doubles the diagonal Hessian
    factor: float
    objective: Refused
    num_class: Refused

    @staticmethod
    def of(classes: Classes) -> Link:
        """Return the link for two classes or for several."""
        remedy = "The loss is the objective."
        if classes.n_scores == 1:
            return Link(
                {"objective": "binary:logistic"},
                1.0,
                Refused(("objective",), ("binary:logistic", None), remedy),
                Refused(("num_class",), (0, 1, None), "The loss is binary."),
            )
        k = classes.n_classes
        return Link(
            {"objective": "multi:softprob", "num_class": k},
            2.0,
            Refused(("objective",), ("multi:softprob", None), remedy),
            Refused(("num_class",), (k, None), f"The loss has {k} classes."),
        )

    @property
    def n_classes(self) -> int:
        """The number of classes in a model file, which is 0 for two classes."""
        return int(self.params.get("num_class", 0))

    @property
    def refused(self) -> tuple[Refused, ...]:
        if self.n_classes and not TAKES_SEVERAL_CLASSES:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass, "
                f"and an init score for each class needs XGBoost 3.1 or newer, got "
                f"{xgb.__version__}."
            )
        return (self.objective, self.num_class, *_ALWAYS)

    @property
    def refused_in_classifier(self) -> tuple[Refused, ...]:
        # XGBClassifier has binary:logistic as its default, whatever the labels are.
        harmless = (*self.objective.harmless, "binary:logistic")
        objective = replace(self.objective, harmless=harmless)
        return (*(r for r in self.refused if r is not self.objective), objective, *_IN_CLASSIFIER)


def is_dropout(params: Mapping[str, Any]) -> bool:
    """Return whether later rounds change the weights of earlier trees."""
    asked = any(params.get(name) for name in ("rate_drop", "one_drop"))
    return params.get("booster") == "dart" or (_DROPS_IN_GBTREE and asked)


def min_curvature(params: Mapping[str, Any]) -> tuple[str, float]:
    """Return the name and value of the least curvature of a leaf, 0 for a linear model."""
    if params.get("booster") == "gblinear":
        return "min_child_weight", 0.0
    value = params.get("min_child_weight")
    return "min_child_weight", 1.0 if value is None else float(value)


def base_score(init_score: Any) -> float | list[float]:
    """Return the init score as XGBoost stores it, a probability in single precision.

    With several classes it stores raw scores.
    """
    if np.ndim(init_score):
        return [float(score) for score in init_score]
    probability = np.float32(expit(init_score))
    stored = float(np.clip(logit(np.float64(probability)), -_LARGEST_SCORE, _LARGEST_SCORE))
    if abs(stored - init_score) > 1e-3:
        warnings.warn(
            f"XGBoost stores the init score {init_score:.6g} as {stored:.6g}: it keeps a "
            "probability in single precision. Training starts at the stored score.",
            stacklevel=3,
        )
    return float(probability)


def as_dict(params: Any) -> dict[str, Any]:
    """Return XGBoost's parameters as a dict; a list of pairs may name several metrics."""
    is_pairs = isinstance(params, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in params
    )
    if not is_pairs:
        return as_params(params)
    metrics = [value for name, value in params if name == "eval_metric"]
    return {**dict(params), **({"eval_metric": metrics} if metrics else {})}
