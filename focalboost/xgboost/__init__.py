"""Losses for XGBoost: objective, metric, cv, and train, whose booster holds its init score."""

from focalboost.xgboost.cross_validation import cv
from focalboost.xgboost.objectives import metric, objective
from focalboost.xgboost.training import train

__all__ = ["cv", "metric", "objective", "train"]
