"""Focal loss on raw scores: value, derivatives, curvature, link and start score."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from numbers import Integral
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
)

__all__ = ["FocalLoss"]

Array = npt.NDArray[Any]

# The largest step whose inverse is still a normal number in single precision, in which LightGBM and
# XGBoost keep the curvature: the bound that stays when max_step is None.
_LARGEST_STEP = 1.0 / float(np.finfo(np.float32).tiny)

# Rows per block: a block's temporaries stay in a core's cache, take under 2 MB at any n, and are
# each (64 kB) small enough for the allocator to keep, which goes to the system for 128 kB.
_BLOCK = 8_192


# From this many rows on, numba's loop repays within a training run what its import costs.
_COMPILED_FROM = 200_000


@dataclass(frozen=True)
class FocalLoss:
    r"""Binary focal loss on raw scores.

    With raw score :math:`z`, :math:`p = 1 / (1 + e^{-z})` and label :math:`y`, the loss of a row is

    .. math:: -\alpha\, y\, (1 - p)^\gamma \log p - (1 - \alpha)(1 - y)\, p^\gamma \log(1 - p)

    where both class weights are 1 if ``alpha`` is None. It is the log loss times a factor that is
    near 0 for rows which the model already gets right. Its minimiser is not the probability of the
    positive class, but that probability is known in closed form: `log_odds`, `inverse_link` and
    `predict_proba` give it. ``expit(raw_prediction)`` is *not* a probability unless gamma is 0 and
    alpha None.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing parameter, any real >= 0. 0 gives log loss.
    alpha : float or None, default=None
        Weight of the positive class in (0, 1); the negative class weighs ``1 - alpha``. Up to an
        overall factor this is a ``pos_weight`` (``scale_pos_weight``) of ``alpha / (1 - alpha)``.
        None weighs both classes 1, which is twice the loss of ``alpha=0.5``. The closed-form
        probability takes the weights out again.
    max_step : float or None, default=4.0
        Bound on the Newton step that a single row asks for in a booster:
        ``|gradient| <= max_step * curvature``. It does not touch `loss`, `gradient` and `hessian`.
        Without it (None) a leaf of rare, badly wrong rows steps so far that training diverges, with
        plain log loss too: None is for parity with a booster's own log loss at gamma = 0. It keeps
        only the bound of 8.5e37 at which the curvature would vanish in single precision.

    Notes
    -----
    Every method computes in float64 and returns float32 where ``raw_prediction`` is float32, else
    float64. Labels between 0 and 1 are allowed: such a row is the mixture of a positive row of
    weight ``y_true`` and a negative row of weight ``1 - y_true``. Arrays have shape (n,) or (n, 1),
    and give (n,); ``y_true`` and ``sample_weight`` may also be scalars.

    With :math:`q = 1 - p`, :math:`L = -\log p` and a positive row of weight 1,

    .. math::
        \text{gradient} &= -q^\gamma (\gamma p L + q) \\
        \text{hessian} &= q^\gamma p\, (\gamma^2 p L + (2\gamma + 1) q - \gamma q L)

    The Hessian is negative where p is small (below 0.058 at gamma 2), which is where rare positives
    start. Boosters get `curvature` in its place.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.
    .. [2] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss
    >>> loss = FocalLoss(gamma=2.0, alpha=0.25)
    >>> raw_prediction = np.log([0.95 / 0.05, 0.05 / 0.95])  # p = 0.95 and p = 0.05
    >>> loss.loss([1, 1], raw_prediction).round(7)  # an easy row and a hard one
    array([3.210000e-05, 6.759121e-01])
    >>> start = loss.init_score([0, 0, 0, 1])
    >>> print(round(float(loss.inverse_link(start)), 12))
    0.25
    """

    gamma: float = 2.0
    alpha: float | None = None
    _: KW_ONLY
    max_step: float | None = 4.0
    n_threads: int = field(default=1, repr=False, compare=False)

    def __post_init__(self) -> None:
        checked = {"gamma": check_real("gamma", self.gamma, ">= 0", lambda v: v >= 0)}
        if self.alpha is not None:
            checked["alpha"] = check_real(
                "alpha", self.alpha, "None or in (0, 1)", lambda v: 0 < v < 1
            )
        if self.max_step is not None:
            checked["max_step"] = check_real(
                "max_step", self.max_step, "None or > 0", lambda v: v > 0
            )
        if not (isinstance(self.n_threads, Integral) and self.n_threads >= 1):
            raise ValueError(f"n_threads must be a whole number >= 1, got {self.n_threads!r}.")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

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
            _formulas.loss, self._parameters(), y_true, raw_prediction, sample_weight, n_results=1
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
            _formulas.gradient_hessian, self._parameters(), y_true, raw_prediction, sample_weight
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

        From 200,000 rows on they come from a compiled loop where numba is installed.

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
        formula = _formulas.gradient_curvature
        if np.size(raw_prediction) >= _COMPILED_FROM:
            formula = self._compiled_formula() or formula
        gradient, curvature = self._pointwise(
            formula,
            (*self._parameters(), self._largest_step()),
            y_true,
            raw_prediction,
            sample_weight,
        )
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
        parameters = (*self._parameters(), self._largest_step())

        def derivatives(
            y_true: Array, raw_prediction: Array, sample_weight: Array | None
        ) -> tuple[Array, Array]:
            gradient, curvature = formula(*parameters, y_true, raw_prediction)
            if sample_weight is not None:
                gradient *= sample_weight
                curvature *= sample_weight
            return gradient, curvature

        return derivatives

    def log_odds(self, raw_prediction: npt.ArrayLike) -> Array:
        r"""Return the log-odds of the positive class that a raw score stands for.

        The probability at which the raw score is optimal, :math:`\eta = g_0 / (g_0 - g_1)` with the
        gradients :math:`g_y` of the two labels, has

        .. math:: \operatorname{logit} \eta = \gamma z + \log(p - \gamma q \log q)
                  - \log(q - \gamma p \log p) - \operatorname{logit} \alpha

        without the last term if alpha is None. It increases with the raw score.

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
        dtype = _result_dtype(z)
        with np.errstate(over="ignore", under="ignore"):
            odds = self._unweighted_log_odds(z.astype(np.float64)) - self._logit_alpha()
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
        dtype = _result_dtype(proba)
        target = np.asarray(logit(proba.astype(np.float64)) + self._logit_alpha())
        if self.gamma == 0:
            return target.astype(dtype)
        # The log-odds are odd in z, and (gamma + 1) z - log(1 + gamma) <= log_odds <= (gamma + 1) z
        # for z >= 0: a bracket of width under 0.37 at any gamma.
        size = np.where(np.isinf(target), 0.0, np.abs(target))
        low = size / (self.gamma + 1.0)
        high = low + math.log1p(self.gamma) / (self.gamma + 1.0)
        root = elementwise.find_root(
            lambda z, v: self._unweighted_log_odds(z) - v,
            # Widened by more than the rounding of log_odds, so that the signs differ.
            (low * (1 - 1e-12) - 1e-12, high * (1 + 1e-12) + 1e-12),
            args=(size,),
        ).x
        root = np.where(np.isinf(target), np.inf, np.maximum(root, 0.0))
        return np.asarray(np.copysign(root, target), dtype=dtype)

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

    def _class_weights(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)

    def _compiled_formula(self) -> Callable[..., tuple[Array, Array]] | None:
        is_own = type(self).gradient_curvature is FocalLoss.gradient_curvature
        return _formulas.compiled_gradient_curvature() if is_own else None

    def _parameters(self) -> tuple[float, float, float]:
        return (*self._class_weights(), self.gamma)

    def _largest_step(self) -> float:
        return _LARGEST_STEP if self.max_step is None else min(self.max_step, _LARGEST_STEP)

    def _logit_alpha(self) -> float:
        return 0.0 if self.alpha is None else float(logit(self.alpha))

    def _unweighted_log_odds(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return `log_odds` without alpha.

        Textbook: the formula in `log_odds`, whose second logarithm meets denormal numbers. Here
        ``log(p + ...)`` is split into ``log p`` and the logarithm of a bounded ratio. With
        e = exp(-|z|), the ratios are ``q * softplus(z) / p = e * (z + log1p(e))`` and
        ``p * softplus(-z) / q = log1p(e) / e`` for z >= 0; a negative score mirrors a positive one.
        """
        size = np.minimum(np.abs(z), _formulas.LARGEST)
        e = np.exp(-size)
        tail = np.log1p(e)
        ratio = np.divide(tail, e, out=np.ones_like(e), where=e > 0)
        with np.errstate(over="ignore"):
            odds = (self.gamma + 1.0) * np.abs(z)
        odds = odds + (np.log1p(self.gamma * (e * (size + tail))) - np.log1p(self.gamma * ratio))
        return np.asarray(np.copysign(odds, z))

    def _pointwise(
        self,
        formula: Callable[..., tuple[Any, ...]],
        parameters: tuple[float, ...],
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
        shape, dtype = z.shape, _result_dtype(z)
        y, z, w = y.reshape(-1), z.reshape(-1), None if w is None else w.reshape(-1)
        out = [np.empty(z.shape, dtype=dtype) for _ in range(n_results)]

        def fill(start: int) -> None:
            rows = slice(start, start + _BLOCK)
            # Beyond the range of exp and of the products the limits are reached.
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                parts = formula(
                    *parameters,
                    y[rows].astype(np.float64, copy=False),
                    z[rows].astype(np.float64, copy=False),
                )
                for whole, part in zip(out, parts, strict=True):
                    whole[rows] = part if w is None else part * w[rows]

        starts = range(0, z.size, _BLOCK)
        if self.n_threads == 1 or len(starts) < 2:
            for start in starts:
                fill(start)
        else:
            with ThreadPoolExecutor(self.n_threads) as pool:
                # A list, so that an error in a thread is an error here.
                list(pool.map(fill, starts))
        return [whole.reshape(shape) for whole in out]


def _result_dtype(raw: Array) -> type[np.float32] | type[np.float64]:
    return np.float32 if raw.dtype == np.float32 else np.float64
