"""Losses in LightGBM: objective, metric, and a train whose booster holds its init score."""

from focalboost.lightgbm.objectives import metric, objective
from focalboost.lightgbm.sealing import seal
from focalboost.lightgbm.training import train

__all__ = ["metric", "objective", "seal", "train"]
