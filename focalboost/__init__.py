"""Focal loss for LightGBM, XGBoost and CatBoost.

`FocalLoss` has the mathematics. The modules ``focalboost.lightgbm``, ``focalboost.xgboost`` and
``focalboost.catboost`` plug it into each booster; import them by name. `FocalClassifier` is a
scikit-learn classifier around any of the three. `check_objective` checks a loss of your own,
`compare_losses` tells whether a loss helps on a table, and the displays plot a loss, how the loss
of a data set is spread over its samples, the probabilities, and the result of a comparison.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from focalboost import losses
from focalboost.losses import *  # noqa: F403

if TYPE_CHECKING:
    from focalboost.estimator import EffectiveNumber, FocalClassifier, loss_of, predict_proba
    from focalboost.inspection import (
        CumulativeLossDisplay,
        FocalLossDisplay,
        LossComparison,
        LossComparisonDisplay,
        ObjectiveReport,
        ProbabilityDisplay,
        check_objective,
        compare_losses,
    )

__all__ = [
    "CumulativeLossDisplay",
    "EffectiveNumber",
    "FocalClassifier",
    "FocalLossDisplay",
    "LossComparison",
    "LossComparisonDisplay",
    "ObjectiveReport",
    "ProbabilityDisplay",
    "check_objective",
    "compare_losses",
    "loss_of",
    "predict_proba",
]
__all__ += losses.__all__

__version__ = version("focalboost")

# Names that are imported on first use, and their modules: scikit-learn takes a second to import,
# which users of the adapters need not wait for.
_LATER = {
    "CumulativeLossDisplay": "inspection",
    "EffectiveNumber": "estimator",
    "FocalClassifier": "estimator",
    "FocalLossDisplay": "inspection",
    "LossComparison": "inspection",
    "LossComparisonDisplay": "inspection",
    "ObjectiveReport": "inspection",
    "ProbabilityDisplay": "inspection",
    "check_objective": "inspection",
    "compare_losses": "inspection",
    "loss_of": "estimator",
    "predict_proba": "estimator",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"focalboost.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
