"""Losses for CatBoost: objective, metric, cv, and train, whose model holds its init score."""

from focalboost.catboost.cross_validation import cv
from focalboost.catboost.objectives import metric, objective
from focalboost.catboost.training import train

__all__ = ["cv", "metric", "objective", "train"]
