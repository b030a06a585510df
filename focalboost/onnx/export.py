"""A trained model as ONNX: its trees, and the closed form of its probabilities."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from focalboost.boosters.port import find_model, record_in
from focalboost.boosters.trees import Forest
from focalboost.estimator import FocalClassifier
from focalboost.losses._checks import check_whole
from focalboost.losses.records import loss_of_record
from focalboost.onnx.nodes import Graph, tree_ensemble
from focalboost.onnx.posterior import add_posterior

__all__ = ["to_onnx"]


def to_onnx(model: Any, *, opset: int = 15) -> onnx.ModelProto:
    """Return a trained model as ONNX, which predicts without focalboost and without a booster.

    The graph takes ``X``, single precision numbers of shape (n, n_features), and returns

    ``label`` : shape (n,)
        The most probable class: an element of ``classes_`` for a `FocalClassifier`, otherwise 0 to
        K - 1. Text stays text; booleans and floats become whole numbers.
    ``probabilities`` : shape (n, K)
        The probabilities of `focalboost.predict_proba`, in single precision.
    ``raw_prediction`` : shape (n,) or (n, K)
        The raw scores.

    The metadata of the graph hold the loss. A number that has more digits than single precision
    holds may fall on the other side of a threshold than in the booster, as in any ONNX file of a
    booster.

    Parameters
    ----------
    model : FocalClassifier, Booster of LightGBM or XGBoost, CatBoost, or their classifiers
        A trained model that holds its loss; see `focalboost.loss_of`. Its columns must be numbers:
        encode categories in a pipeline, which skl2onnx converts once this module is imported.
    opset : int, default=15
        Version of the ONNX operators, at least 15.

    Returns
    -------
    onnx.ModelProto
        ``model.SerializeToString()`` is the file.

    Raises
    ------
    ValueError
        If the model holds no loss, or a loss with functions of your own; or if the model splits
        categories, has linear trees or is a linear model.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost, focalboost.lightgbm
    >>> from focalboost.onnx import to_onnx
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> booster = focalboost.lightgbm.train(
    ...     {"verbose": -1}, lightgbm.Dataset(X, y), 5, loss=focalboost.FocalLoss(gamma=2.0))
    >>> [output.name for output in to_onnx(booster).graph.output]
    ['label', 'probabilities', 'raw_prediction']
    """
    check_whole("opset", opset, 15)
    forest, record = _read(model)
    loss = loss_of_record(record)
    k = len(forest.start)
    n_classes = loss.kernel.classes.n_classes
    labels = record.get("labels")
    labels = np.arange(n_classes) if labels is None else np.array(labels)
    is_text = labels.dtype.kind == "U"
    calibration = record.get("calibration") or {"factor": 1.0, "shift": []}

    g = Graph()
    g.nodes.append(tree_ensemble(forest, "X", "sums"))
    scores = g("Reshape", "sums", np.array([-1, k]))
    add_posterior(g, scores, loss, calibration["factor"], calibration["shift"], "probabilities")
    best = g("ArgMax", "probabilities", axis=1, keepdims=0)
    g("Gather", labels if is_text else labels.astype(np.int64), best, name="label")
    g("Reshape", scores, np.array([-1] if k == 1 else [-1, k]), name="raw_prediction")
    graph = helper.make_graph(
        g.nodes,
        "focalboost",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", forest.n_features])],
        [
            helper.make_tensor_value_info(
                "label", TensorProto.STRING if is_text else TensorProto.INT64, ["n"]
            ),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", n_classes]),
            helper.make_tensor_value_info(
                "raw_prediction", TensorProto.FLOAT, ["n"] if k == 1 else ["n", k]
            ),
        ],
        g.constants,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(
        graph, opset_imports=opsets, ir_version=8, producer_name="focalboost",
        producer_version=record["focalboost"],
    )  # fmt: skip
    helper.set_model_props(made, {"focalboost": json.dumps(record)})
    onnx.checker.check_model(made)
    return made


def _read(model: Any) -> tuple[Forest, Any]:
    """Return the trees of a model and the record of its loss."""
    if isinstance(model, FocalClassifier):
        if model._categories:  # noqa: SLF001
            raise ValueError(
                "X must have held only numbers to export a FocalClassifier to ONNX, got "
                f"categories in the columns {sorted(model._categories)}. Encode them in a "  # noqa: SLF001
                "pipeline before the classifier."
            )
        model = model.estimator_
    found = find_model(model)
    record = record_in(found)
    trees = import_module(f"focalboost.{found.library}.trees")
    forest: Forest = trees.forest_of(found.booster)
    return forest, record
