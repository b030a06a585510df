"""Trained models as ONNX files, with the closed form of their probabilities (extra ``onnx``)."""

from focalboost.onnx.export import to_onnx
from focalboost.onnx.pipelines import register

__all__ = ["to_onnx"]

register()
