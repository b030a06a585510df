"""New leaf values for the trees of a LightGBM model, fitted with the loss that it holds."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from focalboost.boosters.objectives import check_samples
from focalboost.lightgbm.models import read_record, with_record
from focalboost.lightgbm.objectives import objective
from focalboost.lightgbm.sealing import as_booster
from focalboost.losses._checks import check_real
from focalboost.losses._types import Array
from focalboost.losses.foreign import as_loss
from focalboost.losses.records import continued, to_text

__all__ = ["refit"]

# What LightGBM adds to the curvature of a leaf.
_EPSILON = float(np.float32(1e-15))


def refit(
    booster: lgb.Booster,
    data: Any,
    label: npt.ArrayLike,
    decay_rate: float = 0.9,
    *,
    weight: npt.ArrayLike | None = None,
    loss: Any = None,
    max_step: float | None = 4.0,
) -> lgb.Booster:
    """Return the booster with leaves fitted to new data, as `lightgbm.Booster.refit` does.

    Trees and splits stay. Starting at the raw score 0, tree by tree, the value of each leaf becomes
    ``decay_rate * old + (1 - decay_rate) * shrinkage * step``, with the Newton step of the new
    samples in that leaf. LightGBM's own method uses the gradients of log loss, which do not fit the
    raw scores of another loss; this function uses the gradients of the model's loss.

    Parameters
    ----------
    booster : lightgbm.Booster
        A model from `train`, `cv` or `seal`, without linear trees.
    data : array-like, sparse matrix or data frame of shape (n_samples, n_features)
        The new samples, in any form that ``booster.predict`` takes.
    label : array-like of shape (n_samples,)
        Labels in [0, 1], or from 0 to K - 1 with K classes.
    decay_rate : float, default=0.9
        Share of the old leaf values, in [0, 1].
    weight : array-like of shape (n_samples,), optional
        Sample weights.
    loss : Loss or another object with the contract of a loss, optional
        The loss of the booster, needed only if the booster does not hold it.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`.

    Returns
    -------
    lightgbm.Booster
        A new booster, which holds the loss.

    Raises
    ------
    ValueError
        If the booster holds no loss and none is given, or holds another loss; if it has linear
        trees; or if a label, weight or parameter is invalid.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost, focalboost.lightgbm
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> booster = focalboost.lightgbm.train(
    ...     {"verbose": -1}, lightgbm.Dataset(X, y), 20, loss=focalboost.FocalLoss(gamma=2.0))
    >>> later = focalboost.lightgbm.refit(booster, X, np.arange(100) >= 80, decay_rate=0.5)
    >>> before, after = (focalboost.predict_proba(b, X)[:, 1].mean() for b in (booster, later))
    >>> bool(before < after)
    True
    """
    booster = as_booster(booster)
    decay_rate = check_real("decay_rate", decay_rate, "in [0, 1]", lambda v: 0 <= v <= 1)
    record = read_record(booster)
    loss = continued(loss, record, "booster")
    if loss is None:
        raise ValueError("loss must be given if the booster does not hold it, got None.")
    loss = as_loss(loss)
    text = booster.model_to_string(num_iteration=-1)
    if record is None:
        text = with_record(text, to_text(loss))
    if _values("is_linear", text).any():
        raise ValueError("booster must have no linear trees: their leaves are not single values.")
    classes = loss.kernel.classes
    k = classes.n_scores
    if booster.num_model_per_iteration() != k:
        raise ValueError(
            f"loss must have as many raw scores as booster, {booster.num_model_per_iteration()}, "
            f"got {loss!r}."
        )
    y, w = check_samples(classes, np.asarray(label), weight)
    called = replace(objective(loss, max_step=max_step), is_checked=True)
    shrinkage, n_leaves = _values("shrinkage", text), _values("num_leaves", text).astype(int)
    limits = _Limits.of(text)
    # LightGBM 4.0 returns one dimension for one tree.
    leaf_of = np.asarray(booster.predict(data, pred_leaf=True, num_iteration=-1), dtype=np.intp)
    leaf_of = leaf_of.reshape(-1, len(n_leaves))
    if len(leaf_of) != len(y):
        raise ValueError(
            f"label must have one value for each of the {len(leaf_of)} samples of data, got "
            f"{len(y)}."
        )

    later = lgb.Booster(model_str=text)
    raw = np.zeros((len(y), k))
    for first in range(0, len(shrinkage), k):
        # in single precision, as LightGBM takes them
        gradient, curvature = (
            np.asarray(values, np.float32).reshape(raw.shape)
            for values in called(y, raw.reshape(classes.shape(len(y))), w)
        )
        for i in range(k):
            tree = first + i
            leaves, n = leaf_of[:, tree], n_leaves[tree]
            step = limits.step(
                np.bincount(leaves, gradient[:, i], n), np.bincount(leaves, curvature[:, i], n)
            )
            old = np.array([booster.get_leaf_output(tree, leaf) for leaf in range(n)])
            new = decay_rate * old + (1 - decay_rate) * shrinkage[tree] * step
            for leaf in range(n):
                later.set_leaf_output(tree, leaf, new[leaf])
            raw[:, i] += new[leaves]
    later.params = booster.params
    return later


class _Limits(NamedTuple):
    """LightGBM's parameters that limit a Newton step."""

    l1: float
    l2: float
    largest: float

    @staticmethod
    def of(text: str) -> _Limits:
        names = ("lambda_l1", "lambda_l2", "max_delta_step")
        found = (re.search(rf"(?m)^\[{name}: (.*)\]$", text) for name in names)
        return _Limits(*(float(match[1]) if match else 0.0 for match in found))

    def step(self, gradient: Array, curvature: Array) -> Array:
        """Return the step of each leaf, from sums over its samples."""
        shrunk = np.sign(gradient) * np.maximum(np.abs(gradient) - self.l1, 0.0)
        step = -shrunk / (curvature + _EPSILON + self.l2)
        return np.clip(step, -self.largest, self.largest) if self.largest > 0 else step


def _values(name: str, text: str) -> Array:
    """Return the number that each tree has under a name."""
    return np.array([float(value) for value in re.findall(rf"(?m)^{name}=(.*)$", text)])
