"""Training on the workers of a Dask cluster, starting at the init score of the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xgboost as xgb
import xgboost.dask
from distributed import Client, default_client, get_worker

from focalboost.boosters.objectives import (
    check_samples,
    class_sums,
    one_of_each,
    warn_of_no_split,
)
from focalboost.boosters.options import START, thread_count
from focalboost.losses._checks import check_kind
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array
from focalboost.xgboost.options import base_score, min_curvature
from focalboost.xgboost.training import Job, asked_callbacks, check_evals, job_of

__all__ = ["train"]

_DATA = "an xgboost.dask.DaskDMatrix"


def train(
    client: Client | None,
    params: dict[str, Any],
    dtrain: xgb.dask.DaskDMatrix,
    num_boost_round: int = 10,
    *,
    evals: Sequence[tuple[xgb.dask.DaskDMatrix, str]] | None = None,
    early_stopping_rounds: int | None = None,
    xgb_model: xgb.Booster | None = None,
    verbose_eval: bool | int = True,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    custom_metric: Callable[..., Any] | None = None,
    coll_cfg: Any = None,
    loss: Any = None,
    max_step: float | None = 4.0,
) -> dict[str, Any]:
    """Train an XGBoost model with the loss on a Dask cluster, in the form of `xgboost.dask.train`.

    Training starts at the optimal constant of all samples, and the history holds the weighted mean
    loss over all samples, wherever they are stored. The model is the same as from
    `focalboost.xgboost.train` on one machine, except for what XGBoost's own distributed training
    changes: the quantiles of features with many values.

    Parameters
    ----------
    client : distributed.Client or None
        A synchronous client; None means the current client.
    params, num_boost_round, xgb_model, early_stopping_rounds, custom_metric, loss, max_step
        As in `focalboost.xgboost.train`. Your own function as ``custom_metric`` is called with each
        worker's part, and the history holds the mean of the workers' values. The loss is computed
        on as many threads as a worker has.
    dtrain : xgboost.dask.DaskDMatrix or DaskQuantileDMatrix
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes, and no ``base_margin``.
    evals, verbose_eval, callbacks
        As in `xgboost.dask.train`.
    coll_cfg : xgboost.collective.Config, optional
        As in `xgboost.dask.train` of XGBoost 3.0 and newer.

    Returns
    -------
    dict
        ``{"booster": xgboost.Booster, "history": dict}``. The booster holds its loss, from which
        `focalboost.dask.predict_proba` computes the probabilities; `xgboost.dask.predict` and
        DaskXGBClassifier return the sigmoid of the raw score.

    Raises
    ------
    TypeError, ValueError
        As in `focalboost.xgboost.train`.

    Warns
    -----
    UserWarning
        As in `focalboost.xgboost.train`.

    Examples
    --------
    >>> import dask.array as da, xgboost.dask
    >>> from distributed import Client
    >>> import focalboost.dask
    >>> from focalboost import FocalLoss
    >>> X = da.arange(100.0, chunks=50)[:, None]
    >>> y = (X[:, 0] >= 90).astype(float)
    >>> with Client(n_workers=1, processes=False, dashboard_address=":0") as client:
    ...     data = xgboost.dask.DaskDMatrix(client, X, y)
    ...     found = focalboost.dask.train(
    ...         client, {"min_child_weight": 0}, data, 20, loss=FocalLoss(gamma=2.0))
    ...     proba = focalboost.dask.predict_proba(client, found["booster"], X).compute()
    >>> bool(proba[:85, 1].max() < 0.05) and bool(proba[-5:, 1].min() > 0.8)
    True
    """
    client = default_client() if client is None else client
    if client.asynchronous:
        raise ValueError("client must be synchronous, got an asynchronous client.")
    check_kind("dtrain", dtrain, xgb.dask.DaskDMatrix, _DATA)
    pairs = check_evals(evals, xgb.dask.DaskDMatrix, _DATA)
    asked = asked_callbacks(callbacks, verbose_eval, early_stopping_rounds)
    names = [name for _, name in pairs]
    job = job_of(params, num_boost_round, names, asked, xgb_model, custom_metric, loss, max_step)
    classes = job.last.kernel.classes
    start = one_of_each(_class_sums(client, classes, dtrain, "dtrain"))
    for data, _ in pairs:
        if data is not dtrain:
            _class_sums(client, classes, data, "evals")
    if job.xgb_model is None:
        init_score = job.first.init_score(*start)
        job.params["base_score"] = base_score(init_score)
        warn_of_no_split(job.rounds.objective, start, init_score, *min_curvature(job.params))
    found: dict[str, Any] = xgb.dask.train(
        client,
        job.params,
        dtrain,
        num_boost_round,
        evals=evals,
        obj=job.rounds,
        custom_metric=job.calls.measure,
        verbose_eval=False,
        xgb_model=job.xgb_model,
        callbacks=[_Threads(job), job.calls],
        # XGBoost has coll_cfg from 3.0 on.
        **({} if coll_cfg is None else {"coll_cfg": coll_cfg}),
    )
    return found


class _Threads(xgb.callback.TrainingCallback):
    """Computes the loss on as many threads as XGBoost has on the worker."""

    def __init__(self, job: Job) -> None:
        self._calls = job.calls
        self._asked = job.params.get("nthread") or job.params.get("n_jobs")

    def before_training(self, model: Any) -> Any:
        self._calls.use_threads(thread_count(self._asked or get_worker().state.nthreads))
        return model


def _class_sums(client: Client, classes: Classes, data: Any, name: str) -> Array:
    """Check the labels of data on the workers, and return the class sums of the data."""
    parts = [part for parts in data.worker_map.values() for part in parts]
    futures = [client.submit(_sums_of_part, classes, part, name, pure=False) for part in parts]
    return np.asarray(sum(client.gather(futures)))


def _sums_of_part(classes: Classes, part: dict[str, Any], name: str) -> Array:
    if part.get("label") is None:
        raise ValueError(f"label must be set on {name}, got none.")
    if part.get("base_margin") is not None:
        raise ValueError(f"base_margin must not be set on {name}. {START}")
    # in single precision, as XGBoost holds them
    labels, weights = (
        None if (values := part.get(key)) is None else np.ravel(values).astype(np.float32)
        for key in ("label", "weight")
    )
    return class_sums(classes, check_samples(classes, labels, weights))
