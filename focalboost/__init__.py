"""Focal loss for LightGBM, XGBoost and CatBoost.

`FocalLoss` is the mathematics; ``focalboost.lightgbm``, ``focalboost.xgboost`` and
``focalboost.catboost`` plug it into each booster, and are imported by name.
"""

from focalboost.losses import FocalLoss

__all__ = ["FocalLoss"]
