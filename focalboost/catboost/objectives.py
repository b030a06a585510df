"""A loss as an objective and as a metric of CatBoost."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from focalboost.boosters.objectives import (
    check_finite,
    check_samples,
    check_scores,
    match,
    not_finite,
)
from focalboost.losses import Loss, _compiled
from focalboost.losses._classes import Classes
from focalboost.losses._kernels import Kernel
from focalboost.losses._types import Array, Pairs, Rows
from focalboost.losses.base import check_training
from focalboost.losses.foreign import as_loss, as_metric

__all__ = ["metric", "objective"]

# Below this number of samples numpy costs only a fraction of a second per hundred trees.
_SMALL = 20_000


@dataclass(frozen=True)
class _Called:
    """What CatBoost calls: a value object, as CatBoost copies and pickles it."""

    loss: Loss
    # The init score that the raw scores of a binary training lack.
    start: float = field(default=0.0, kw_only=True)
    # whether labels and weights were checked before training
    is_checked: bool = field(default=False, repr=False, compare=False, kw_only=True)

    # CatBoost must not try to compile the methods from their source.
    no_jit = True

    @cached_property
    def _kernel(self) -> Kernel:
        return self.loss.kernel

    @cached_property
    def _classes(self) -> Classes:
        return self._kernel.classes

    def _samples(
        self, approxes: Any, targets: Any, weights: Any
    ) -> tuple[Array, Array, Array | None]:
        """Return labels, raw scores and weights of a call."""
        z = check_scores(self._classes, approxes)
        if not self.is_checked:
            targets, weights = check_samples(self._classes, targets, weights)
        return match(z, targets, weights)

    def __deepcopy__(self, memo: Any) -> Any:
        # scikit-learn's clone compares CatBoost's copied parameters by identity.
        return self

    def __getstate__(self) -> dict[str, Any]:
        # without the compiled functions
        return {parameter.name: getattr(self, parameter.name) for parameter in fields(self)}


@dataclass(frozen=True)
class Objective(_Called):
    """Derivatives as CatBoost asks for them: for up to 1,000 samples, from its threads."""

    max_step: float | None = 4.0

    @cached_property
    def _pairs(self) -> Pairs:
        return self._kernel.negative_pairs(self.max_step, self.start)

    @cached_property
    def _rows(self) -> Rows:
        return self._kernel.negative_rows(self.max_step)

    @cached_property
    def _n_scores(self) -> int:
        return self._classes.n_scores

    def calc_ders_multi(self, approxes: Array, target: float, weight: float) -> Any:
        """Return the derivatives of one sample of several classes."""
        # This runs twice for each sample and tree.
        k = self._n_scores
        if not self.is_checked and target not in range(k):
            raise ValueError(f"y_true must be a whole number from 0 to {k - 1}, got {target}.")
        if len(approxes) == k:
            rows, are_finite = self._rows(target, approxes, weight)
            if are_finite:
                # CatBoost reads Python's own numbers faster than numpy's.
                gradient, *matrix = rows.tolist()
                return gradient, matrix
        raise ValueError(f"raw_prediction must be {k} finite scores, got {approxes}.")

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Array:
        # In a training CatBoost calls this for some 150 samples, so that checks take a fifth of the
        # time; scores that are not finite are found below.
        y, z, w = targets, approxes, weights
        if not self.is_checked:
            y, z, w = self._samples(approxes, targets, weights)
        # CatBoost maximises: its derivatives have the other sign. It wants a new (n, 2) array.
        pairs, are_finite = self._pairs(y, z, w)
        if not are_finite:
            raise not_finite(z, pairs[:, 0])
        return pairs


@dataclass(frozen=True)
class MeanLoss(_Called):
    """The weighted mean loss as a metric of CatBoost, which takes its name from this class."""

    # whether the value is a score, to be maximised
    is_score: bool = field(default=False, repr=False, kw_only=True)

    def is_max_optimal(self) -> bool:
        return self.is_score

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        scores = approxes[0] if len(approxes) == 1 else np.transpose(approxes)
        y, z, w = self._samples(scores, target, weight)
        check_finite(z)
        z = z + self.start if self.start else z
        total = float(len(y) if w is None else np.sum(w))
        # A batch without weight has no mean.
        return (self._kernel.mean(y, z, w) * total if total else 0.0), total

    def get_final_error(self, error: float, weight: float) -> float:
        return error / weight


def objective(loss: Any, *, max_step: float | None = 4.0) -> Objective:
    """Return the loss as an objective for CatBoost.

    The object goes into ``loss_function`` of `catboost.train`, `catboost.cv`, `catboost.CatBoost`
    and ``CatBoostClassifier``, together with an ``eval_metric``, which CatBoost then requires. It
    applies sample weights, and raises a ValueError if a label is not one of the classes or a raw
    score is not finite.

    CatBoostClassifier needs ``class_names`` too: without them its ``predict`` raises an IndexError.
    It applies ``class_weights`` and ``auto_class_weights`` as sample weights; pass the same weights
    to ``loss.init_score``.

    CatBoost sets no init score for a Python objective: `train` sets it and stores it in the model.
    If you train by other means, set it as ``baseline`` of the training and validation Pools, and
    add it to the fitted model with ``model.set_scale_and_bias(1, init_score)``. To continue a model
    of `train` by other means, pass ``model.copy()``: from the model itself CatBoost would continue
    with raw scores that lack the init score.

    With several classes CatBoost calls the objective once for each sample, from one thread at a
    time, and asks for the full Hessian. A loss provides it as ``gradient_matrix``; for a loss
    without that method CatBoost gets the diagonal. On one thread training takes ten to twenty times
    as long as with CatBoost's own loss, and on several threads even longer, as they wait for each
    other in Python: set ``thread_count=1``, as `train` does by default if the table has 15 samples
    or more for each column. With two classes, a binary loss is faster.

    For a binary loss CatBoost asks for derivatives in batches of up to 1,000 samples. If numba is
    installed (``pip install "focalboost[fast]"``), a compiled loop computes them; otherwise numpy
    does, and training takes about one and a half to two times as long. With 10,000 samples or more,
    and some 20 columns or fewer, one thread is faster than two, which spend more time waiting for
    each other than they save; `train` then sets ``thread_count=1`` on a machine with two cores.

    Parameters
    ----------
    loss : Loss or another object with the contract of a loss
        The contract is in the notes of `Loss`; scikit-learn's losses fulfil it.
    max_step : float or None, default=4.0
        Bound on the Newton step of a single sample, in units of the raw score; see
        `Loss.curvature`. Use None for parity with CatBoost's own log loss at gamma = 0.

    Returns
    -------
    object
        It can be pickled, and equals the objective of an equal loss.

    Examples
    --------
    >>> import numpy as np
    >>> from catboost import CatBoostClassifier
    >>> import focalboost.catboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> model = CatBoostClassifier(
    ...     loss_function=focalboost.catboost.objective(loss),
    ...     eval_metric=focalboost.catboost.metric(loss),
    ...     class_names=[0, 1], iterations=20, verbose=0, allow_writing_files=False)
    >>> model = model.fit(X, y.astype(int), baseline=np.full(100, loss.init_score(y)))
    >>> model.set_scale_and_bias(1, loss.init_score(y))
    >>> bool(model.predict(X[-1:], prediction_type="RawFormulaVal")[0] > loss.init_score(y))
    True
    """
    max_step, _ = check_training(max_step, 1)
    return Objective(as_loss(loss), max_step)


def metric(loss: Any) -> MeanLoss:
    """Return the weighted mean loss as an evaluation metric for CatBoost.

    The object goes into ``eval_metric``, together with an `objective`.

    Parameters
    ----------
    loss : Loss or another object whose call is the weighted mean loss
        See `objective`.

    Returns
    -------
    object
        Its name in the history is that of its class, ``MeanLoss``.

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> import focalboost.catboost
    >>> focalboost.catboost.metric(FocalLoss(gamma=0.0)).evaluate([[0.0, 0.0]], [0, 1], None)
    (1.3862943611198906, 2.0)
    """
    return MeanLoss(as_metric(loss))


def try_out(objective: Objective, n_samples: int) -> None:
    """Call an objective once, so that it compiles here and not in CatBoost's threads."""
    kernel = objective.loss.kernel
    k = kernel.classes.n_scores
    if k > 1:
        objective.calc_ders_multi(np.zeros(k), 0.0, 1.0)
    else:
        objective.calc_ders_range(np.zeros(2), np.array([0.0, 1.0]), None)
    if kernel.has_compiled() and _compiled.is_missing() and (k > 1 or n_samples > _SMALL):
        share = "a twentieth" if k > 1 else "two thirds"
        warnings.warn(
            f"numba is not installed: with it, training would take about {share} of the time. "
            'Run pip install "focalboost[fast]".',
            stacklevel=4,
        )
