"""What every binary loss has: all that follows from the loss of one label and its derivatives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise
from scipy.special import expit, logit

from focalboost import _formulas
from focalboost._checks import (
    as_numbers,
    as_rows,
    broadcast,
    check_probabilities,
    check_real,
    check_weights,
    check_whole,
)

Array = npt.NDArray[Any]
Parts = tuple[Any, Any, Any, Any]

# The largest step whose inverse is still a normal number in single precision, in which LightGBM and
# XGBoost keep the curvature: the bound that stays when max_step is None.
_LARGEST_STEP = 1.0 / float(np.finfo(np.float32).tiny)

# Rows per block: a block's temporaries stay in a core's cache, take under 2 MB at any n, and are
# each (64 kB) small enough for the allocator to keep, which goes to the system for 128 kB.
_BLOCK = 8_192

# Starting threads takes as long as a few blocks.
_BLOCKS_FOR_THREADS = 8

# From this many rows on, numba's loop repays within a training run what its import costs.
_COMPILED_FROM = 200_000


def largest_step(max_step: float | None) -> float:
    return _LARGEST_STEP if max_step is None else min(max_step, _LARGEST_STEP)


def weighted_mean(values: Array, sample_weight: npt.ArrayLike | None) -> float:
    """Return the mean of the rows' losses."""
    if not values.size:
        raise ValueError("y_true must hold at least one row, got 0.")
    if sample_weight is None:
        return float(np.mean(values))
    weights = broadcast("sample_weight", sample_weight, values.shape)
    check_weights(weights)
    total = float(np.sum(weights, dtype=np.float64))
    if total == 0:
        raise ValueError("sample_weight must have a positive sum, got 0.")
    # A row of weight 0 does not count, even where its loss is infinite.
    counted = np.multiply(values, weights, out=np.zeros_like(values), where=weights > 0)
    return float(np.sum(counted)) / total


def check_parameters(loss: Any, **rules: tuple[str, Callable[[float], bool]]) -> None:
    """Check a loss's parameters that are numbers, and keep them as floats."""
    check_whole("n_threads", loss.n_threads, 1)
    for name, (rule, holds) in {**rules, "max_step": ("None or > 0", lambda v: v > 0)}.items():
        value = getattr(loss, name)
        if not (value is None and rule.startswith("None")):
            object.__setattr__(loss, name, check_real(name, value, rule, holds))


class BinaryLoss(ABC):
    """A loss of binary labels on raw scores, by the losses of both labels at a raw score."""

    alpha: float | None
    max_step: float | None
    n_threads: int

    @abstractmethod
    def _values(self, z: Array) -> tuple[Array, Array]:
        """Return the loss of a positive and of a negative row, class weights included."""

    @abstractmethod
    def _slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        """Return minus the first derivative in the margin, and the second, of both labels."""

    @abstractmethod
    def _log_odds(self, z: Array) -> Array:
        """Return the logarithm of the ratio of both slopes, in double precision."""

    def _check(self, **rules: tuple[str, Callable[[float], bool]]) -> None:
        check_parameters(self, **rules, alpha=("None or in (0, 1)", lambda v: 0 < v < 1))

    def __call__(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the weighted mean loss.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0, of which at least one is positive.

        Returns
        -------
        float

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> round(FocalLoss(gamma=2.0)([0, 1], [-1.0, 1.0]), 6)
        0.022658
        """
        # The mean of single precision values is taken in double precision.
        values = self.loss(y_true, np.asarray(raw_prediction, dtype=np.float64))
        return weighted_mean(values, sample_weight)

    def loss(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the loss of each row, times its weight.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n,)

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=1.0).loss([1, 0], [0.0, 0.0]).round(6)
        array([0.346574, 0.346574])
        """
        (values,) = self._pointwise(
            self._loss_formula, y_true, raw_prediction, sample_weight, n_results=1
        )
        return values

    def gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the derivative of each row's `loss` with respect to its raw score.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n,)

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).gradient([1, 0], [0.0, 0.0])  # p - y
        array([-0.5,  0.5])
        """
        return self.gradient_curvature(y_true, raw_prediction, sample_weight)[0]

    def hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the exact second derivative of each row's `loss`, also where it is negative.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n,)

        See Also
        --------
        curvature : The positive stand-in that boosters get.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).hessian([1, 1], [0.0, -3.0]).round(6)
        array([ 0.399143, -0.020089])
        """
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)[1]

    def gradient_hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return `gradient` and `hessian`.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        gradient, hessian : ndarray of shape (n,)

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).gradient_hessian([1], [0.0])
        (array([-0.5]), array([0.25]))
        """
        gradient, hessian = self._pointwise(
            self._gradient_hessian_formula, y_true, raw_prediction, sample_weight
        )
        return gradient, hessian

    def curvature(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        r"""Return the positive stand-in for the Hessian that boosters get.

        It is the expected Hessian, with a bound on a row's own Newton step. With the gradients
        :math:`g_y` and Hessians :math:`h_y` of both labels and the posterior
        :math:`\eta = g_0 / (g_0 - g_1)`, a row has

        .. math:: \max\bigl(\eta h_1 + (1 - \eta) h_0,\;
                  |\text{gradient}| / \text{max\_step}\bigr)

        The Hessian averaged over the label that the model itself expects is positive at every
        score, since `log_odds` increases; the exact one is not. At gamma = 0 and alpha None it is
        p(1-p). For the row that is badly wrong, and so has a large gradient where the model
        expects none, the bound takes over. Both parts have the scale of the loss, so that
        the curvature is positive wherever the gradient is not 0, at any scale of weights.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n,)

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).curvature([1, 1], [0.0, -3.0]).round(6)
        array([0.399143, 0.281687])
        """
        return self.gradient_curvature(y_true, raw_prediction, sample_weight)[1]

    def gradient_curvature(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return `gradient` and `curvature`, which share most of their work.

        Those of `FocalLoss` come from a compiled loop from 200,000 rows on, where numba is there.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        raw_prediction : array-like of shape (n,)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        gradient, curvature : ndarray of shape (n,)

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).gradient_curvature([1], [0.0])
        (array([-0.5]), array([0.25]))
        """
        formula = self._gradient_curvature_formula
        if np.size(raw_prediction) >= _COMPILED_FROM:
            formula = self._compiled_formula() or formula
        gradient, curvature = self._pointwise(formula, y_true, raw_prediction, sample_weight)
        return gradient, curvature

    def compiled_gradient_curvature(self) -> Callable[..., tuple[Array, Array]] | None:
        """Return `gradient_curvature` compiled by numba, or None.

        It computes the same formula without the cost of many small array operations, so that it
        wins on batches of a few hundred rows, which is how CatBoost asks for derivatives. It takes
        float64 arrays of shape (n,) and checks nothing.

        Returns
        -------
        callable or None
            ``f(y_true, raw_prediction, sample_weight)``, which gives gradient and curvature.
            The first call compiles, or loads what an earlier process compiled. None where numba is
            not installed, and in a subclass that has another ``gradient_curvature``.

        Examples
        --------
        >>> import numpy as np
        >>> from focalboost import FocalLoss
        >>> derivatives = FocalLoss(gamma=0.0).compiled_gradient_curvature()
        >>> derivatives(np.ones(1), np.zeros(1), None)
        (array([-0.5]), array([0.25]))
        """
        formula = self._compiled_formula()
        if formula is None:
            return None

        def derivatives(
            y_true: Array, raw_prediction: Array, sample_weight: Array | None
        ) -> tuple[Array, Array]:
            gradient, curvature = formula(y_true, raw_prediction)
            if sample_weight is not None:
                gradient *= sample_weight
                curvature *= sample_weight
            return gradient, curvature

        return derivatives

    def log_odds(self, raw_prediction: npt.ArrayLike) -> Array:
        r"""Return the log-odds of the positive class that a raw score stands for.

        Those of the probability at which the raw score is optimal, :math:`\eta = g_0 / (g_0 - g_1)`
        with the gradients :math:`g_y` of the two labels. They increase with the raw score. For
        `FocalLoss`

        .. math:: \operatorname{logit} \eta = \gamma z + \log(p - \gamma q \log q)
                  - \log(q - \gamma p \log p) - \operatorname{logit} \alpha

        without the last term if alpha is None.

        Parameters
        ----------
        raw_prediction : array-like
            Raw scores.

        Returns
        -------
        ndarray
            Log-odds, of the shape of ``raw_prediction``.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).log_odds([-2.0, 0.0, 2.0]).round(6)
        array([-5.398382,  0.      ,  5.398382])
        >>> FocalLoss(gamma=0.0).log_odds([-2.0, 0.0, 2.0])
        array([-2.,  0.,  2.])
        """
        z = as_numbers("raw_prediction", raw_prediction)
        dtype = result_dtype(z)
        with np.errstate(over="ignore", under="ignore"):
            odds = self._log_odds(z.astype(np.float64))
            # Beyond the largest number of its precision the log-odds of a finite score stay finite.
            largest = float(np.finfo(dtype).max)
            odds = np.where(np.isinf(z), odds, np.clip(odds, -largest, largest))
            return np.asarray(odds, dtype=dtype)

    def inverse_link(self, raw_prediction: npt.ArrayLike) -> Array:
        """Return the probability of the positive class: the sigmoid of `log_odds`.

        Parameters
        ----------
        raw_prediction : array-like
            Raw scores.

        Returns
        -------
        ndarray
            Probabilities, of the shape of ``raw_prediction``.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).inverse_link([-2.0, 0.0, 2.0]).round(6)
        array([0.004504, 0.5     , 0.995496])
        """
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(expit(self.log_odds(raw_prediction)))

    def link(self, proba: npt.ArrayLike) -> Array:
        """Return the raw score at which `inverse_link` gives the probability.

        Parameters
        ----------
        proba : array-like
            Probabilities in [0, 1]. 0 and 1 have the raw scores -inf and inf.

        Returns
        -------
        ndarray
            Raw scores, of the shape of ``proba``.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).link([0.01, 0.5]).round(6)
        array([-1.706453,  0.      ])
        """
        proba = as_numbers("proba", proba)
        check_probabilities("proba", proba)
        dtype = result_dtype(proba)
        target = np.asarray(logit(proba.astype(np.float64)))
        root = np.array(target)
        inside = np.isfinite(target)
        if np.any(inside):
            root[inside] = self._score_at(target[inside])
        return np.asarray(root, dtype=dtype)

    def predict_proba(self, raw_prediction: npt.ArrayLike) -> Array:
        """Return the probabilities of the negative and the positive class.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,)
            Raw scores.

        Returns
        -------
        ndarray of shape (n, 2)
            The second column is `inverse_link`; each is exact also where it is near 0.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).predict_proba([-2.0, 0.0]).round(6)
        array([[0.995496, 0.004504],
               [0.5     , 0.5     ]])
        """
        odds = self.log_odds(as_rows("raw_prediction", raw_prediction))
        with np.errstate(over="ignore", under="ignore"):
            return np.stack([expit(-odds), expit(odds)], axis=-1)

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Return the constant raw score with the least loss: `link` of the weighted mean label.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels in [0, 1].
        sample_weight : array-like of shape (n,), optional
            Weights >= 0.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If only one class has weight: no finite score is the best.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> round(FocalLoss(gamma=2.0).init_score([1] + 99 * [0]), 6)
        -1.706453
        """
        labels = as_rows("y_true", y_true)
        check_probabilities("y_true", labels)
        if sample_weight is None:
            return self.init_score_from_sums(float(np.sum(labels, dtype=np.float64)), labels.size)
        weights = broadcast("sample_weight", sample_weight, labels.shape, "y_true")
        check_weights(weights)
        return self.init_score_from_sums(
            float(np.sum(labels * weights.astype(np.float64, copy=False))),
            float(np.sum(weights, dtype=np.float64)),
        )

    def init_score_from_sums(self, label_sum: float, weight_sum: float) -> float:
        """Return `init_score` from two sums, for labels that arrive in parts.

        Parameters
        ----------
        label_sum : float
            Sum of ``sample_weight * y_true``; the number of positives where there are no weights.
        weight_sum : float
            Sum of ``sample_weight``; the number of rows where there are no weights.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If only one class has weight: no finite score is the best.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> round(FocalLoss(gamma=2.0).init_score_from_sums(1, 100), 6)
        -1.706453
        """
        if not 0 < label_sum < weight_sum < math.inf:
            raise ValueError(
                "y_true must hold both classes with positive weight for a finite start score: "
                f"0 < label_sum < weight_sum, got {label_sum} and {weight_sum}."
            )
        return float(self.link(label_sum / weight_sum))

    def _loss_formula(self, y: Array, z: Array) -> tuple[Array]:
        if_positive, if_negative = self._values(z)
        # A share of 0 stays 0 also where the other label's loss is infinite.
        share1 = np.where(y > 0, y * if_positive, 0.0)
        return (share1 + np.where(y < 1, (1 - y) * if_negative, 0.0),)

    def _gradient_hessian_formula(self, y: Array, z: Array) -> tuple[Array, Array]:
        slope1, bend1, slope0, bend0 = self._slopes_and_bends(z)
        return (1.0 - y) * slope0 - y * slope1, y * bend1 + (1.0 - y) * bend0

    def _gradient_curvature_formula(self, y: Array, z: Array) -> tuple[Array, Array]:
        return _formulas.bounded_expectation(
            largest_step(self.max_step), y, *self._slopes_and_bends(z)
        )

    def _compiled_formula(self) -> Callable[..., tuple[Array, Array]] | None:
        return None

    def _score_at(self, log_odds: Array) -> Array:
        """Return the raw scores of finite log-odds, or an infinite one where none has them."""

        def excess(z: Array, target: Array) -> Array:
            return np.clip(self._log_odds(z), -_formulas.LARGEST, _formulas.LARGEST) - target

        with np.errstate(all="ignore"):
            bracket = elementwise.bracket_root(excess, -1.0, 1.0, args=(log_odds,))
            root = elementwise.find_root(excess, bracket.bracket, args=(log_odds,)).x
        return np.where(bracket.success, root, np.copysign(np.inf, log_odds))

    def _class_weights(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)

    def _pointwise(
        self,
        formula: Callable[[Array, Array], tuple[Array, ...]],
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        n_results: int = 2,
    ) -> list[Array]:
        """Evaluate a formula on every row, block by block, in double precision."""
        z = as_rows("raw_prediction", raw_prediction)
        y = broadcast("y_true", y_true, z.shape)
        check_probabilities("y_true", y)
        w = None if sample_weight is None else broadcast("sample_weight", sample_weight, z.shape)
        shape, dtype = z.shape, result_dtype(z)
        y, z, w = y.reshape(-1), z.reshape(-1), None if w is None else w.reshape(-1)
        out = [np.empty(z.shape, dtype=dtype) for _ in range(n_results)]
        fill_by_blocks(out, formula, y, z, w, self.n_threads)
        return [whole.reshape(shape) for whole in out]


def result_dtype(raw: Array) -> type[np.float32] | type[np.float64]:
    return np.float32 if raw.dtype == np.float32 else np.float64


def fill_by_blocks(
    out: list[Array],
    formula: Callable[[Array, Array], tuple[Array, ...]],
    y: Array,
    z: Array,
    w: Array | None,
    n_threads: int,
) -> None:
    """Write a formula's results, times the weights, in blocks of rows that fit a core's cache."""

    def fill(start: int) -> None:
        rows = slice(start, start + _BLOCK)
        # Beyond the range of exp and of the products the limits are reached.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            parts = formula(
                y[rows].astype(np.float64, copy=False), z[rows].astype(np.float64, copy=False)
            )
            for whole, part in zip(out, parts, strict=True):
                if w is not None:
                    part = part * w[rows].reshape(-1, *(1,) * (part.ndim - 1))
                whole[rows] = part

    starts = range(0, len(z), _BLOCK)
    if n_threads == 1 or len(starts) < _BLOCKS_FOR_THREADS:
        for start in starts:
            fill(start)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            # A list, so that an error in a thread is an error here.
            list(pool.map(fill, starts))


class MarginLoss(BinaryLoss):
    """A binary loss by the loss of one label, of weight 1, as a function of its margin.

    The margin of a positive row is its raw score, that of a negative row minus it.
    """

    @abstractmethod
    def _value(self, positive: bool, margin: Any, parts: Parts) -> Any:
        """Return the loss, given `_formulas.parts` of the margin."""

    @abstractmethod
    def _slope_and_bend(self, positive: bool, margin: Any, parts: Parts) -> tuple[Any, Any]:
        """Return minus the first derivative, and the second."""

    @abstractmethod
    def _log_tilt(self, positive: bool, margin: Any, parts: Parts) -> Any:
        """Return the logarithm of slope / q: of the slope beside that of log loss."""

    def _values(self, z: Array) -> tuple[Array, Array]:
        p, q, L, S = _formulas.parts(z)
        a1, a0 = self._class_weights()
        if_positive = self._value(True, z, (p, q, np.where(z == -np.inf, np.inf, L), S))
        if_negative = self._value(False, -z, (q, p, np.where(z == np.inf, np.inf, S), L))
        return a1 * if_positive, a0 * if_negative

    def _slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        p, q, L, S = _formulas.parts(z)
        slope1, bend1 = self._slope_and_bend(True, z, (p, q, L, S))
        slope0, bend0 = self._slope_and_bend(False, -z, (q, p, S, L))
        if self.alpha is None:
            return slope1, bend1, slope0, bend0
        a1, a0 = self._class_weights()
        return a1 * slope1, a1 * bend1, a0 * slope0, a0 * bend0

    def _log_odds(self, z: Array) -> Array:
        # The slopes' ratio is p / q * tilt0 / tilt1, whose first factor is exp(z).
        p, q, L, S = _formulas.parts(z)
        tilt0, tilt1 = (
            self._log_tilt(False, -z, (q, p, S, L)),
            self._log_tilt(True, z, (p, q, L, S)),
        )
        odds = z + (tilt0 - tilt1)
        return np.asarray(odds if self.alpha is None else odds - logit(self.alpha))
