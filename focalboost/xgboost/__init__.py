"""Losses in XGBoost: objective, metric, and a train whose booster holds its init score."""

from focalboost.xgboost.objectives import metric, objective
from focalboost.xgboost.training import train

__all__ = ["metric", "objective", "train"]
