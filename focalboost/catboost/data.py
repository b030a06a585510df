"""What training reads from CatBoost's Pools, and what it sets on them temporarily."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import catboost as cb
import numpy as np

from focalboost.losses._checks import check_kind, check_pair, kind_of
from focalboost.losses._classes import Classes
from focalboost.losses._types import Array


def training_pool(pool: Any, native: bool) -> cb.Pool:
    if isinstance(pool, str | os.PathLike):
        pool = cb.Pool(os.fspath(pool))
    if not isinstance(pool, cb.Pool):
        raise ValueError(f"pool must be a catboost.Pool or a path, got {kind_of(pool)}.")
    if not native:
        _check_columns(pool)
    return pool


def _check_columns(pool: cb.Pool) -> None:
    for kind, found in (
        ("text", pool.get_text_feature_indices()),
        ("embedding", pool.get_embedding_feature_indices()),
    ):
        if found:
            raise ValueError(
                f"pool must have no {kind} features, got columns {found}: with a Python objective "
                "CatBoost computes other features from them than for classification. Use "
                "native=True, or encode them as numbers first."
            )


def as_pool(data: Any, pool: cb.Pool) -> cb.Pool:
    """Return a validation set as a Pool, with the kinds of columns of the training Pool."""
    rule = "a catboost.Pool, a path or a tuple (X, y), or a list of these"
    check_kind("eval_set", data, (cb.Pool, str, os.PathLike, tuple), rule)
    if isinstance(data, cb.Pool):
        return data
    if isinstance(data, str | os.PathLike):
        return cb.Pool(os.fspath(data))
    check_pair("eval_set", data, rule)
    return cb.Pool(
        *data,
        cat_features=pool.get_cat_feature_indices(),
        text_features=pool.get_text_feature_indices(),
        embedding_features=pool.get_embedding_feature_indices(),
    )


def labels_of(pool: cb.Pool) -> Array:
    if not pool.has_label():
        raise ValueError("label must be set on pool and eval_set, got none.")
    labels = np.asarray(pool.get_label())
    if labels.dtype.kind in "OU":
        # CatBoost keeps the labels of a file, and labels that are not numbers, as strings.
        with suppress(ValueError):
            labels = labels.astype(np.float64)
    return labels


@contextmanager
def baselines(pools: list[cb.Pool], init_score: Any, classes: Classes) -> Iterator[None]:
    """Set an init score on the pools (none if it is None), and remove it afterwards."""
    for p in pools:
        if np.size(p.get_baseline()):
            raise ValueError(
                "baseline must not be set on pool or eval_set: train starts at the optimum of the "
                "loss and stores it in the model, which cannot hold a score for each sample. To "
                "use your own init scores, call catboost.train with objective(loss)."
            )
    changed = pools if init_score is not None else []
    try:
        for p in changed:
            p.set_baseline(baseline(init_score, p.num_row(), classes))
        yield
    finally:
        for p in changed:
            p.set_baseline(np.empty((p.num_row(), 0)))


def baseline(init_score: Any, n_samples: int, classes: Classes) -> Array:
    """Return an init score as CatBoost takes it, as a two-dimensional array."""
    return classes.repeat(init_score, n_samples).reshape(n_samples, classes.n_scores)


def in_single_precision(init_score: Any) -> Any:
    """Return an init score as CatBoost keeps a baseline, as a number or a list."""
    return np.float32(init_score).astype(np.float64).tolist()
