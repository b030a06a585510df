"""The trees of a CatBoost model as values."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import catboost as cb
import numpy as np

from focalboost.boosters.trees import Forest, Leaf, Node, Split


def forest_of(booster: cb.CatBoost) -> Forest:
    """Return the trees that ``predict`` of a model sums."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        booster.save_model(str(path), format="json")
        model = json.loads(path.read_text(encoding="utf-8"))
    if booster.get_cat_feature_indices():
        raise ValueError(
            "The model must split numbers alone, got categories. Encode them as numbers in a "
            "pipeline."
        )
    features = model["features_info"]["float_features"]
    scale, bias = model["scale_and_bias"]
    if scale != 1:
        raise ValueError(f"The model must have scale 1, got {scale}.")
    if "trees" in model:
        trees = [_node(tree, features) for tree in model["trees"]]
    else:
        trees = [_oblivious(tree, features) for tree in model["oblivious_trees"]]
    return Forest(trees, np.array(bias, dtype=np.float64), len(booster.feature_names_))


def _oblivious(tree: Any, features: Any) -> Node:
    """Return a tree with one split per level; each level is a bit of the leaf's position."""
    splits, values = tree["splits"], tree["leaf_values"]
    k = len(values) >> len(splits)

    def at(level: int, leaf: int) -> Node:
        if level == len(splits):
            return _leaf(values[leaf * k : (leaf + 1) * k])
        true, false = at(level + 1, leaf | 1 << level), at(level + 1, leaf)
        return _split(splits[level], features, true, false)

    return at(0, 0)


def _node(node: Any, features: Any) -> Node:
    if "split" not in node:
        return _leaf(np.atleast_1d(node["value"]))
    true, false = (_node(node[side], features) for side in ("right", "left"))
    return _split(node["split"], features, true, false)


def _leaf(values: Any) -> Leaf:
    return Leaf({i: float(value) for i, value in enumerate(values)})


def _split(split: Any, features: Any, true: Node, false: Node) -> Split:
    feature = features[split["float_feature_index"]]
    is_missing_true = feature["nan_value_treatment"] == "AsTrue"
    column = feature["flat_feature_index"]
    return Split(column, ">", split["border"], is_missing_true, true, false)
