"""Inspection of a loss: is it correct, does it help, and what do its scores stand for."""

from focalboost.inspection.comparison import LossComparison, compare_losses
from focalboost.inspection.comparison_display import LossComparisonDisplay
from focalboost.inspection.displays import (
    CumulativeLossDisplay,
    FocalLossDisplay,
    ProbabilityDisplay,
)
from focalboost.inspection.doctor import ObjectiveReport, check_objective

__all__ = [
    "CumulativeLossDisplay",
    "FocalLossDisplay",
    "LossComparison",
    "LossComparisonDisplay",
    "ObjectiveReport",
    "ProbabilityDisplay",
    "check_objective",
    "compare_losses",
]
