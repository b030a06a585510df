"""What training reads from XGBoost's data sets."""

from __future__ import annotations

import xgboost as xgb
from xgboost import collective

from focalboost.boosters.objectives import Samples, labels_and_weights
from focalboost.losses._checks import check_kind


def samples_of(data: xgb.DMatrix, name: str = "dtrain") -> Samples:
    """Return the labels and weights of data, which must have no base_margin."""
    remedy = "Write xgboost.DMatrix(X, y)."
    check_kind(name, data, xgb.DMatrix, "an xgboost.DMatrix", remedy)
    # a worker of a collective may have no samples
    if not len(data.get_label()) and (data.num_row() or not collective.is_distributed()):
        raise ValueError(f"label must be set on {name}, got none. {remedy}")
    if len(data.get_base_margin()):
        raise ValueError(
            "base_margin must not be set on the data: training starts at the optimum of the loss "
            "and stores it in the model, which cannot hold a score for each sample. To use your "
            "own init scores, call xgboost.train or xgboost.cv with objective(loss)."
        )
    return labels_and_weights(data)
