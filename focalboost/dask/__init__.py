"""Focal loss on Dask collections: training with xgboost.dask, and probabilities."""

from focalboost.dask.prediction import predict_proba
from focalboost.dask.training import train

__all__ = ["predict_proba", "train"]
