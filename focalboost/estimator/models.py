"""The loss that a trained model of any booster holds, and the model's probabilities."""

from __future__ import annotations

import numpy as np

from focalboost.boosters.port import Table, find_model, record_in
from focalboost.estimator.calibration import Calibration
from focalboost.estimator.classifier import FocalClassifier
from focalboost.losses import Loss
from focalboost.losses._types import Array, Foreign
from focalboost.losses.records import loss_of_record

__all__ = ["loss_of", "predict_proba"]


def loss_of(model: Foreign) -> Loss:
    """Return the loss that a model was trained with, read from the model itself.

    Every model from `train`, `cv` and `FocalClassifier` holds its loss in the metadata of the
    native model, even after the booster's own functions saved it and loaded it in another process.

    Parameters
    ----------
    model : Booster of LightGBM or XGBoost, CatBoost, their classifiers, or FocalClassifier
        A trained model.

    Returns
    -------
    Loss
        The loss; for a `ScheduledLoss`, the loss of the last round.

    Raises
    ------
    TypeError
        If ``model`` is none of these.
    ValueError
        If the model holds no loss, a loss in a newer format, or a loss that no file can hold: a
        loss that is not from focalboost, or a loss with functions of its own.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost, focalboost.lightgbm
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> booster = focalboost.lightgbm.train(
    ...     {"verbose": -1}, lightgbm.Dataset(X, y), 5, loss=focalboost.FocalLoss(gamma=1.5))
    >>> saved = booster.model_to_string()
    >>> focalboost.loss_of(lightgbm.Booster(model_str=saved))
    FocalLoss(gamma=1.5, alpha=None)
    """
    if isinstance(model, FocalClassifier):
        model = model.estimator_
    return loss_of_record(record_in(find_model(model)))


def predict_proba(model: Foreign, data: Table) -> Array:
    """Return the probabilities of a model, by the loss that the model holds.

    They follow from the loss in closed form. For the booster of a `FocalClassifier` they are the
    probabilities of the classifier, with its calibration.

    Parameters
    ----------
    model : Booster of LightGBM or XGBoost, CatBoost, their classifiers, or FocalClassifier
        A trained model that holds its loss; see `loss_of`.
    data : table, DMatrix or Pool
        What the model's own ``predict`` takes; for an XGBoost booster a table is enough. The
        booster of a FocalClassifier that was trained on categories takes their codes.

    Returns
    -------
    ndarray of shape (n_samples, K)
        One column for each class, in the order of the classes.

    Raises
    ------
    TypeError, ValueError
        If the model holds no loss that can be read; see `loss_of`.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> import focalboost, focalboost.xgboost
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss, data = focalboost.FocalLoss(gamma=2.0), xgboost.DMatrix(X, y)
    >>> booster = focalboost.xgboost.train({"min_child_weight": 0}, data, 20, loss=loss)
    >>> proba = focalboost.predict_proba(booster, X)
    >>> proba.shape, bool(proba[-5:, 1].min() > 0.8)
    ((100, 2), True)
    """
    if isinstance(model, FocalClassifier):
        return model.predict_proba(data)
    found = find_model(model)
    return proba_of(record_in(found), found.models.raw_prediction(model, data))


def proba_of(record: Foreign, raw_prediction: Array) -> Array:
    """Return the probabilities of raw scores, by the record that their model holds."""
    loss = loss_of_record(record)
    log_odds = loss.log_odds(np.asarray(raw_prediction, dtype=np.float64))
    if record.get("calibration"):
        own = record["calibration"]
        log_odds = Calibration(own["factor"], tuple(own["shift"]))(log_odds)
    return np.asarray(loss.kernel.classes.proba(log_odds))
