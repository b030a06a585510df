"""Probabilities of a model on Dask collections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xgboost.dask
from distributed import Client

from focalboost.boosters.port import find_model, record_in
from focalboost.estimator.models import proba_of
from focalboost.losses.records import loss_of_record

__all__ = ["predict_proba"]


def predict_proba(client: Client | None, model: Any, data: Any) -> da.Array:
    """Return the probabilities of a model by the loss that it holds, partition by partition.

    The result is lazy: nothing is computed until you ask for it.

    Parameters
    ----------
    client : distributed.Client or None
        None means the current client.
    model : xgboost.Booster, or what `train` returns
        A trained model that holds its loss; see `focalboost.loss_of`.
    data : dask.array.Array, dask.dataframe.DataFrame or xgboost.dask.DaskDMatrix
        The samples, in any form that `xgboost.dask.predict` takes.

    Returns
    -------
    dask.array.Array of shape (n_samples, K)
        One column for each class, in their order. The partitions are those of the data.

    Raises
    ------
    TypeError, ValueError
        If ``model`` is not a trained model that holds its loss; see `focalboost.loss_of`.

    Examples
    --------
    >>> import dask.array as da, numpy as np, xgboost
    >>> from distributed import Client
    >>> import focalboost.dask, focalboost.xgboost
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> booster = focalboost.xgboost.train(
    ...     {"min_child_weight": 0}, xgboost.DMatrix(X, y), 20, loss=focalboost.FocalLoss(2.0))
    >>> with Client(n_workers=1, processes=False, dashboard_address=":0") as client:
    ...     proba = focalboost.dask.predict_proba(client, booster, da.from_array(X, chunks=50))
    ...     found = proba.compute()
    >>> proba.chunks
    ((50, 50), (2,))
    >>> bool(np.all(found == focalboost.predict_proba(booster, X)))
    True
    """
    booster = model["booster"] if isinstance(model, Mapping) else model
    record = record_in(find_model(booster))
    n_classes = loss_of_record(record).kernel.classes.n_classes
    raw = xgboost.dask.predict(client, booster, data, output_margin=True)
    if not isinstance(raw, da.Array):
        raw = raw.to_dask_array()
    return raw.map_blocks(
        partial(proba_of, record),
        dtype=np.float64,
        chunks=(raw.chunks[0], (n_classes,)),
        new_axis=1 if raw.ndim == 1 else None,
    )
