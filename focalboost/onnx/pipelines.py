"""The converter with which skl2onnx converts a FocalClassifier in a pipeline."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from onnx import TensorProto, helper

from focalboost.estimator import FocalClassifier
from focalboost.onnx.export import to_onnx


def register() -> None:
    """Register FocalClassifier with skl2onnx, if skl2onnx is installed."""
    if find_spec("skl2onnx") is None:
        return
    from skl2onnx import update_registered_converter

    update_registered_converter(
        FocalClassifier,
        "FocalClassifier",
        _outputs,
        _convert,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [True, False],
            "raw_scores": [False],
        },
    )


def _outputs(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    labels = operator.raw_operator.classes_
    n = operator.inputs[0].get_first_dimension()
    is_text = labels.dtype.kind in "UO"
    operator.outputs[0].type = (StringTensorType if is_text else Int64TensorType)([n])
    operator.outputs[1].type = FloatTensorType([n, len(labels)])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of the classifier's own ONNX model to the pipeline, under unique names."""
    graph = to_onnx(operator.raw_operator).graph
    source = scope.get_unique_variable_name("numbers")
    given = operator.inputs[0].full_name
    container.add_node("Cast", [given], [source], to=TensorProto.FLOAT, name=f"{source}_cast")
    names: dict[str, str] = {
        "X": source,
        "label": operator.outputs[0].full_name,
        "probabilities": operator.outputs[1].full_name,
    }

    def name_of(name: str) -> str:
        if name not in names:
            names[name] = scope.get_unique_variable_name(name)
        return names[name]

    for constant in graph.initializer:
        constant.name = name_of(constant.name)
        container.initializers.append(constant)
    for node in graph.node:
        container.add_node(
            node.op_type,
            [name_of(name) for name in node.input],
            [name_of(name) for name in node.output],
            op_domain=node.domain,
            op_version=3 if node.domain else 15,
            name=scope.get_unique_operator_name(node.name),
            **{a.name: helper.get_attribute_value(a) for a in node.attribute},
        )
