"""The trees of an XGBoost model as values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost as xgb
from scipy.special import logit

from focalboost.boosters.trees import Forest, Leaf, Node, Split


def forest_of(booster: xgb.Booster) -> Forest:
    """Return the trees that ``predict`` of a booster sums."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    param, model = learner["learner_model_param"], learner["gradient_booster"]
    if "trees" not in model.get("model", {}) and "gbtree" not in model:
        raise ValueError(f"The model must have trees, got booster={model['name']!r}.")
    # With dropout each tree has a factor, which XGBoost stores in the model only from 3.4 on.
    grown = model.get("gbtree", model)["model"]
    ones = [1.0] * len(grown["trees"])
    factors = grown.get("weight_drop") or model.get("weight_drop") or ones
    start = np.atleast_1d(np.array(json.loads(param["base_score"]), dtype=np.float64))
    if learner["objective"]["name"] == "binary:logistic":
        start = logit(start)
    trees = [
        _node(tree, 0, score, factor)
        for tree, score, factor in zip(grown["trees"], grown["tree_info"], factors, strict=True)
    ]
    return Forest(trees, start, int(param["num_feature"]))


def _node(tree: Any, i: int, score: int, factor: float) -> Node:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ValueError("The model must have one tree for each class: leave out multi_strategy.")
    if tree["left_children"][i] == -1:
        return Leaf({score: factor * tree["split_conditions"][i]})
    if tree["split_type"][i]:
        raise ValueError(
            "The model must split numbers alone, got a split by categories. Encode categories as "
            "numbers in a pipeline."
        )
    return Split(
        tree["split_indices"][i],
        "<",
        tree["split_conditions"][i],
        bool(tree["default_left"][i]),
        _node(tree, tree["left_children"][i], score, factor),
        _node(tree, tree["right_children"][i], score, factor),
    )
