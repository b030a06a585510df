"""Focal loss for LightGBM, XGBoost and CatBoost.

`FocalLoss` is the mathematics; ``focalboost.lightgbm``, ``focalboost.xgboost`` and
``focalboost.catboost`` plug it into each booster, and are imported by name. `FocalClassifier` is a
scikit-learn classifier around any of them.
"""

from typing import TYPE_CHECKING, Any

from focalboost.losses import (
    AsymmetricLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    ModulatedLoss,
)
from focalboost.multiclass import SoftmaxFocalLoss

if TYPE_CHECKING:
    from focalboost.estimator import FocalClassifier

__all__ = [
    "AsymmetricLoss",
    "CalibratedFocalLoss",
    "FocalClassifier",
    "FocalLoss",
    "FocalStarLoss",
    "ModulatedLoss",
    "SoftmaxFocalLoss",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import, which the native adapters need not wait for.
    if name == "FocalClassifier":
        from focalboost.estimator import FocalClassifier

        return FocalClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
