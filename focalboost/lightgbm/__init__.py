"""Losses for LightGBM: objective, metric, and train, cv and refit for self-contained models."""

from focalboost.lightgbm.cross_validation import cv
from focalboost.lightgbm.objectives import metric, objective
from focalboost.lightgbm.refitting import refit
from focalboost.lightgbm.sealing import seal
from focalboost.lightgbm.training import train

__all__ = ["cv", "metric", "objective", "refit", "seal", "train"]
