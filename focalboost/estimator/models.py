"""What a trained model of any booster says: the loss that it holds, and its probabilities."""

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
    """Return the loss that a model was trained with, as the model itself holds it.

    Every model of `train`, `cv` and `FocalClassifier` holds its loss among the metadata of the
    native model, also after it is saved by the booster's own means and loaded in another process.

    Parameters
    ----------
    model : Booster of LightGBM or XGBoost, CatBoost, their classifiers, or FocalClassifier
        A trained model.

    Returns
    -------
    Loss
        Of a `ScheduledLoss` that of the last round.

    Raises
    ------
    TypeError
        If it is no model of these.
    ValueError
        If the model holds no loss, one of a newer format, or one that no file can hold: a loss that
        is not of focalboost, or one with functions of its own.

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
    """Return the probabilities of a model, by the loss that it holds.

    They are those of the loss's closed form, and of a booster out of a `FocalClassifier` those of
    the classifier, with its calibration.

    Parameters
    ----------
    model : Booster of LightGBM or XGBoost, CatBoost, their classifiers, or FocalClassifier
        A trained model that holds its loss; see `loss_of`.
    data : table, DMatrix or Pool
        What the model's own ``predict`` takes; for an XGBoost booster a table will do. A booster
        out of a FocalClassifier that was trained on categories takes their codes.

    Returns
    -------
    ndarray of shape (n_samples, K)
        The classes in their order.

    Raises
    ------
    TypeError, ValueError
        As in `loss_of`.

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
