"""Losses in CatBoost: objective, metric, and a train whose model holds its init score."""

from focalboost.catboost.objectives import metric, objective
from focalboost.catboost.training import train

__all__ = ["metric", "objective", "train"]
