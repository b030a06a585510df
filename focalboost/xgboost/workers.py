"""Communication of the workers of a collective, in Dask, Ray, Spark or by XGBoost's tracker.

Outside a collective each function returns what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from xgboost import collective

from focalboost.boosters.objectives import Samples, class_sums, one_of_each
from focalboost.losses import Loss
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array
from focalboost.losses.records import describe, record_of

T = TypeVar("T")


def refuse_workers(name: str) -> None:
    """Raise a ValueError where this process trains together with others."""
    if collective.is_distributed():
        raise ValueError(
            f"{name} must run in one process, got {collective.get_world_size()} workers of a "
            "collective, each with its own samples. Use focalboost.xgboost.train, which trains one "
            "model on all workers."
        )


def agreed(check: Callable[[], T], settings_of: Callable[[T], str]) -> T:
    """Return what the check returns, if it passes with equal settings on every worker.

    Otherwise raise an error on every worker. Without this check an error on one worker would
    appear on the others as a lost connection, and a different loss would go unnoticed.
    """
    if not collective.is_distributed():
        return check()
    error, here = None, ""
    try:
        checked = check()
        here = settings_of(checked)
    except Exception as own:
        error = own
    first = collective.broadcast(here, 0)
    n_errors, n_others = _sum(np.array([error is not None, error is None and here != first], float))
    if error is not None:
        raise error
    if n_errors:
        raise ValueError(
            "Another worker refused its samples or parameters: see the error on that worker."
        )
    if n_others:
        there = "different ones on another worker" if here == first else f"{first} on worker 0"
        raise ValueError(
            f"loss and max_step must be the same on all workers, got {here} on worker "
            f"{collective.get_rank()}, and {there}."
        )
    return checked


def settings(*losses: Loss, max_step: float | None) -> str:
    """Return our settings that must be equal on all workers, without the addresses of objects."""
    texts = dict.fromkeys(describe(record_of(loss)) for loss in losses)
    return f"{' to '.join(texts)} with max_step={max_step}"


def of_all_workers(classes: Classes, samples: Samples) -> Samples:
    """Return samples that stand for those of all workers in whatever is a sum over samples."""
    if not collective.is_distributed():
        return samples
    return one_of_each(_sum(class_sums(classes, samples)))


def mean_of_all_workers(mean: Callable[..., float], y: Array, z: Array, w: Array | None) -> float:
    """Return a weighted mean over the samples of all workers; a worker may have no samples."""
    if not collective.is_distributed():
        return mean(y, z, w)
    total = float(len(y) if w is None else np.sum(w, dtype=np.float64))
    share = total * mean(y, z, w) if total > 0 else 0.0
    share, total = _sum(np.array([share, total]))
    return float(share / total) if total > 0 else mean(y, z, w)


def mean_of_workers(value: Any) -> float:
    """Return the mean of the workers' values, as XGBoost computes it for a user's function."""
    return float(_sum(np.array([float(value)]))[0] / collective.get_world_size())


def _sum(values: Array) -> Array:
    return collective.allreduce(values, collective.Op.SUM)
