"""Losses in LightGBM: objective, metric, cv, and a train whose booster holds its init score."""

from focalboost.lightgbm.cross_validation import cv
from focalboost.lightgbm.objectives import metric, objective
from focalboost.lightgbm.sealing import seal
from focalboost.lightgbm.training import train

__all__ = ["cv", "metric", "objective", "seal", "train"]
