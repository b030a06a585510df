"""ONNX graphs under construction: nodes from formulas and from trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from focalboost.boosters.trees import Forest, Leaf, Node

_MODES = {"<=": "BRANCH_LEQ", "<": "BRANCH_LT", ">": "BRANCH_GT"}


class Graph:
    """Nodes in single precision: each call adds a node, and returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def __call__(self, op: str, *inputs: Any, name: str | None = None, **attributes: Any) -> str:
        """Add a node, whose inputs are names of outputs of other nodes, or constants."""
        name = name or f"step_{len(self.nodes)}"
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        self.nodes.append(helper.make_node(op, names, [name], name=f"node_{name}", **attributes))
        return name

    def constant(self, value: Any) -> str:
        """Add a constant: floats in single precision, whole numbers as indices."""
        array = np.asarray(value)
        name = f"constant_{len(self.constants)}"
        if array.dtype.kind in "UO":
            text: Any = [str(label).encode() for label in array]
            made = helper.make_tensor(name, TensorProto.STRING, [len(text)], text)
        else:
            dtype = np.int64 if array.dtype.kind in "iub" else np.float32
            made = numpy_helper.from_array(array.astype(dtype), name)
        self.constants.append(made)
        return name


def tree_ensemble(forest: Forest, source: str, name: str) -> Any:
    """Return the node that sums the trees of a model to raw scores."""
    nodes: dict[str, list[Any]] = {
        key: []
        for key in (
            "treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids",
            "missing_value_tracks_true",
        )
    }  # fmt: skip
    targets: dict[str, list[Any]] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree, root in enumerate(forest.trees):
        _add_tree(tree, root, nodes, targets)
    attributes: dict[str, Any] = {
        "n_targets": len(forest.start),
        "base_values": forest.start.tolist(),
        "post_transform": "NONE",
        **{f"nodes_{key}": values for key, values in nodes.items()},
        **{f"target_{key}": values for key, values in targets.items()},
    }
    return helper.make_node(
        "TreeEnsembleRegressor", [source], [name], name="trees", domain="ai.onnx.ml", **attributes
    )


def _add_tree(
    tree: int, root: Node, nodes: dict[str, list[Any]], targets: dict[str, list[Any]]
) -> None:
    waiting: list[tuple[int, Node]] = [(0, root)]
    n_nodes = 1
    while waiting:
        i, node = waiting.pop()
        row: Sequence[Any] = (0, "LEAF", 0.0, 0, 0, 0)
        if isinstance(node, Leaf):
            for score, value in node.values.items():
                for key, of_leaf in zip(targets, (tree, i, score, value), strict=True):
                    targets[key].append(of_leaf)
        else:
            true, false = n_nodes, n_nodes + 1
            n_nodes += 2
            waiting += [(true, node.true), (false, node.false)]
            mode, missing = _MODES[node.comparison], int(node.is_missing_true)
            row = (node.feature, mode, node.threshold, true, false, missing)
        for key, value in zip(nodes, (tree, i, *row), strict=True):
            nodes[key].append(value)
