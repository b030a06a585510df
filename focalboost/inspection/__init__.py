"""Looking at a loss: whether it is right, what it does, and what its scores stand for."""

from focalboost.inspection.displays import (
    CumulativeLossDisplay,
    FocalLossDisplay,
    PosteriorDisplay,
)
from focalboost.inspection.doctor import ObjectiveReport, check_objective

__all__ = [
    "CumulativeLossDisplay",
    "FocalLossDisplay",
    "ObjectiveReport",
    "PosteriorDisplay",
    "check_objective",
]
