"""What a training reads from XGBoost's data sets."""

from __future__ import annotations

import xgboost as xgb

from focalboost.boosters.objectives import Samples, labels_and_weights


def samples_of(data: xgb.DMatrix) -> Samples:
    """Return labels and weights of data without scores of their own."""
    if len(data.get_base_margin()):
        raise ValueError(
            "base_margin must not be set on the data: training starts at the optimum of the loss "
            "and stores it in the model, which cannot hold a score for each sample. For scores of "
            "your own use xgboost.train or xgboost.cv with objective(loss)."
        )
    return labels_and_weights(data)
