"""The trees of a LightGBM model as values."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost.boosters.trees import Forest, Leaf, Node, Split, below


def forest_of(booster: lgb.Booster) -> Forest:
    """Return the trees that ``predict`` of a sealed model sums."""
    model = booster.dump_model()
    k = model["num_tree_per_iteration"]
    trees = [_node(tree["tree_structure"], i % k) for i, tree in enumerate(model["tree_info"])]
    return Forest(trees, np.zeros(k), booster.num_feature())


def _node(node: Any, score: int) -> Node:
    if "split_feature" not in node:
        if "leaf_const" in node:
            raise ValueError("The model must have no linear trees: their leaves are not values.")
        return Leaf({score: node["leaf_value"]})
    missing = node["missing_type"]
    if node["decision_type"] != "<=" or missing == "Zero":
        raise ValueError(
            "The model must split numbers alone, without zero_as_missing, got a split "
            f"{node['decision_type']!r} with missing_type {missing!r}. Encode categories as "
            "numbers in a pipeline."
        )
    threshold = float(node["threshold"])
    return Split(
        node["split_feature"],
        "<=",
        below(threshold),
        # If training saw no missing value, a missing value is taken for 0.
        node["default_left"] if missing == "NaN" else threshold >= 0,
        _node(node["left_child"], score),
        _node(node["right_child"], score),
    )
