"""The losses: mathematics on raw scores, with numpy and scipy and without any booster."""

from focalboost.losses.base import Loss
from focalboost.losses.calibrated import CalibratedFocalLoss
from focalboost.losses.focal import FocalLoss, SoftmaxFocalLoss
from focalboost.losses.margin import Margin, MarginLoss
from focalboost.losses.robust import BrierLoss, GeneralizedCrossEntropyLoss, RobustFocalLoss
from focalboost.losses.schedules import ExponentialGamma, LinearGamma, ScheduledLoss
from focalboost.losses.variants import (
    AsymmetricLoss,
    FocalStarLoss,
    ModulatedLoss,
    PolyLoss,
    VectorScalingLoss,
)

__all__ = [
    "AsymmetricLoss",
    "BrierLoss",
    "CalibratedFocalLoss",
    "ExponentialGamma",
    "FocalLoss",
    "FocalStarLoss",
    "GeneralizedCrossEntropyLoss",
    "LinearGamma",
    "Loss",
    "Margin",
    "MarginLoss",
    "ModulatedLoss",
    "PolyLoss",
    "RobustFocalLoss",
    "ScheduledLoss",
    "SoftmaxFocalLoss",
    "VectorScalingLoss",
]
