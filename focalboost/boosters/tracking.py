"""The loss among the parameters that MLflow's autologging logs for a training."""

from __future__ import annotations

import sys
import warnings

from focalboost.losses import Loss
from focalboost.losses.records import describe, record_of


def note_loss(library: str, loss: Loss) -> None:
    """Log class and parameters of the loss where the library's autologging has an active run.

    The autologging itself reads the booster's parameters, which do not hold the loss.
    """
    mlflow = sys.modules.get("mlflow")
    if mlflow is None:
        return
    # the library's autologging is on only where this module is loaded
    autologging = sys.modules.get("mlflow.utils.autologging_utils")
    if autologging is None or autologging.autologging_is_disabled(library):
        return
    if mlflow.active_run() is None:
        return
    record = record_of(loss)
    parameters = record.get("parameters", {})
    noted = {f"loss_{name}": value for name, value in parameters.items()}
    try:
        mlflow.log_params({"loss": record["class"] or describe(record), **noted})
    except mlflow.MlflowException as error:
        # The run has another loss already; the training goes on, as under autologging.
        warnings.warn(f"MLflow did not take the parameters of the loss: {error}", stacklevel=2)
