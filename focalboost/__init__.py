"""Focal loss for LightGBM, XGBoost and CatBoost.

`FocalLoss` is the mathematics; ``focalboost.lightgbm``, ``focalboost.xgboost`` and
``focalboost.catboost`` plug it into each booster, and are imported by name. `FocalClassifier` is a
scikit-learn classifier around any of them, and the displays show a loss, where the loss of a data
set lies, and the posterior.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from focalboost.losses import (
    AsymmetricLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    ModulatedLoss,
)
from focalboost.multiclass import SoftmaxFocalLoss
from focalboost.schedules import ExponentialGamma, LinearGamma, ScheduledLoss

if TYPE_CHECKING:
    from focalboost.displays import CumulativeLossDisplay, FocalLossDisplay, PosteriorDisplay
    from focalboost.doctor import ObjectiveReport, check_objective
    from focalboost.estimator import EffectiveNumber, FocalClassifier

__all__ = [
    "AsymmetricLoss",
    "CalibratedFocalLoss",
    "CumulativeLossDisplay",
    "EffectiveNumber",
    "ExponentialGamma",
    "FocalClassifier",
    "FocalLoss",
    "FocalLossDisplay",
    "FocalStarLoss",
    "LinearGamma",
    "ModulatedLoss",
    "ObjectiveReport",
    "PosteriorDisplay",
    "ScheduledLoss",
    "SoftmaxFocalLoss",
    "check_objective",
]

# What is imported when it is asked for, and from where.
_LATER = {
    "CumulativeLossDisplay": "displays",
    "EffectiveNumber": "estimator",
    "FocalClassifier": "estimator",
    "FocalLossDisplay": "displays",
    "ObjectiveReport": "doctor",
    "PosteriorDisplay": "displays",
    "check_objective": "doctor",
}


def __getattr__(name: str) -> Any:
    # scikit-learn takes a second to import, which the native adapters need not wait for.
    if name in _LATER:
        return getattr(import_module(f"focalboost.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
