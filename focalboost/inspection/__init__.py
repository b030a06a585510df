"""Looking at a loss: whether it is right and helps, what it does, what its scores stand for."""

from focalboost.inspection.comparison import LossComparison, compare_losses
from focalboost.inspection.comparison_display import LossComparisonDisplay
from focalboost.inspection.displays import (
    CumulativeLossDisplay,
    FocalLossDisplay,
    PosteriorDisplay,
)
from focalboost.inspection.doctor import ObjectiveReport, check_objective

__all__ = [
    "CumulativeLossDisplay",
    "FocalLossDisplay",
    "LossComparison",
    "LossComparisonDisplay",
    "ObjectiveReport",
    "PosteriorDisplay",
    "check_objective",
    "compare_losses",
]
