"""Softmax focal loss: more than two classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.optimize import elementwise

from focalboost import _compiled, _formulas, _softmax
from focalboost._binary import (
    Array,
    check_parameters,
    fill_by_blocks,
    largest_step,
    result_dtype,
    weighted_mean,
)
from focalboost._checks import (
    as_numbers,
    as_rows,
    broadcast,
    check_labels,
    check_probabilities,
    check_real,
    check_weights,
    check_whole,
)

__all__ = ["SoftmaxFocalLoss"]

# The share that a class without a row counts for in the start score, as in LightGBM.
_ABSENT = 1e-15


@dataclass(frozen=True)
class SoftmaxFocalLoss:
    r"""Focal loss of several classes on raw scores.

    With raw scores :math:`z_j`, :math:`p = \operatorname{softmax}(z)` and label c the loss of a row
    is

    .. math:: -\alpha_c (1 - p_c)^\gamma \log p_c

    where every class weight is 1 if ``alpha`` is None. With two classes and the scores
    :math:`(-z/2, z/2)` it is `FocalLoss`. As there, the softmax of the raw scores is *not* the
    probability unless gamma is 0 and alpha None; `predict_proba` is, in closed form.

    Parameters
    ----------
    n_classes : int
        Number of classes K, >= 2. Labels are 0 to K - 1.
    gamma : float, default=2.0
        Focusing parameter, any real >= 0. 0 gives the log loss of a softmax.
    alpha : sequence of K floats or None, default=None
        Weights of the classes, each > 0. `predict_proba` takes them out again.
    max_step : float or None, default=4.0
        Bound on the Newton step that a single row asks for in a booster, for each class; see
        `FocalLoss`. None is for parity with a booster's own loss at gamma = 0.
    n_threads : int, default=1
        Threads for large arrays. The results do not depend on it, and neither does equality.

    Notes
    -----
    With :math:`m = z_c - \log \sum_{j \ne c} e^{z_j}` the probability of class c is the sigmoid of
    m, so that a row's loss is the binary one at the margin m. With its slope and bend there, as in
    `FocalLoss`, and r the softmax of the other classes,

    .. math::
        \text{gradient}_c &= -\text{slope}, \quad & \text{gradient}_j &= \text{slope}\, r_j \\
        \text{hessian}_{cc} &= \text{bend}, \quad
        & \text{hessian}_{jj} &= \text{bend}\, r_j^2 + \text{slope}\, r_j (1 - r_j)

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.
    .. [2] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.

    Examples
    --------
    >>> from focalboost import SoftmaxFocalLoss
    >>> loss = SoftmaxFocalLoss(3, gamma=2.0)
    >>> loss.loss([0, 2], [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]).round(6)
    array([0.010869, 1.787895])
    >>> loss.predict_proba([[2.0, 0.0, 0.0]]).round(6)
    array([[0.97297 , 0.013515, 0.013515]])
    >>> loss.init_score([0, 0, 0, 1, 1, 2]).round(6)
    array([ 0.293333,  0.086694, -0.380028])
    """

    n_classes: int
    gamma: float = 2.0
    alpha: Sequence[float] | None = None
    _: KW_ONLY
    max_step: float | None = 4.0
    n_threads: int = field(default=1, repr=False, compare=False)

    is_multiclass: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_classes", check_whole("n_classes", self.n_classes, 2))
        check_parameters(self, gamma=(">= 0", lambda v: v >= 0))
        if self.alpha is not None:
            weights = [*np.atleast_1d(np.asarray(self.alpha, dtype=object))]
            if len(weights) != self.n_classes:
                raise ValueError(
                    f"alpha must have {self.n_classes} weights, one a class, got {self.alpha!r}."
                )
            alpha = tuple(
                check_real(f"alpha[{c}]", weight, "> 0", lambda v: v > 0)
                for c, weight in enumerate(weights)
            )
            object.__setattr__(self, "alpha", alpha)

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
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0, of which at least one is positive.

        Returns
        -------
        float

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> round(SoftmaxFocalLoss(3)([0, 2], [[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), 6)
        0.899382
        """
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
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n,)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(4, gamma=0.0).loss([1], [[0.0, 0.0, 0.0, 0.0]]).round(6)  # log 4
        array([1.386294])
        """
        formula = partial(_softmax.loss, self._weights(), self.gamma)
        (values,) = self._rowwise(formula, y_true, raw_prediction, sample_weight, of_loss=True)
        return values

    def gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the derivatives of each row's `loss` with respect to its raw scores.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(4, gamma=0.0).gradient([1], [[0.0, 0.0, 0.0, 0.0]])
        array([[ 0.25, -0.75,  0.25,  0.25]])
        """
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)[0]

    def hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the exact second derivatives, the diagonal of each row's Hessian.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(4, gamma=0.0).hessian([1], [[0.0, 0.0, 0.0, 0.0]])  # p (1 - p)
        array([[0.1875, 0.1875, 0.1875, 0.1875]])
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
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        gradient, hessian : ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(2, gamma=0.0).gradient_hessian([1], [[0.0, 0.0]])
        (array([[ 0.5, -0.5]]), array([[0.25, 0.25]]))
        """
        formula = partial(_softmax.gradient_hessian, self._weights(), self.gamma)
        gradient, hessian = self._rowwise(formula, y_true, raw_prediction, sample_weight)
        return gradient, hessian

    def curvature(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        r"""Return the positive stand-in for the Hessian's diagonal that boosters get.

        It is the diagonal of the Hessian averaged over the label with the posterior, and at least
        :math:`|\text{gradient}_j| / \text{max\_step}`, as in `FocalLoss`. Boosters scale it: the
        adapters multiply by K / (K - 1) for LightGBM and by 2 for XGBoost, as these do with their
        own losses.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(2).curvature([1], [[0.0, 0.0]]).round(6)
        array([[0.399143, 0.399143]])
        """
        return self.gradient_curvature(y_true, raw_prediction, sample_weight)[1]

    def gradient_curvature(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> tuple[Array, Array]:
        """Return `gradient` and `curvature`.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels 0 to K - 1.
        raw_prediction : array-like of shape (n, K)
            Raw scores.
        sample_weight : array-like of shape (n,), optional
            Factors of the rows.

        Returns
        -------
        gradient, curvature : ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(2, gamma=0.0).gradient_curvature([1], [[0.0, 0.0]])
        (array([[ 0.5, -0.5]]), array([[0.25, 0.25]]))
        """
        formula = partial(_softmax.gradient_curvature, *self._parameters())
        gradient, curvature = self._rowwise(formula, y_true, raw_prediction, sample_weight)
        return gradient, curvature

    def gradient_matrix(self) -> Callable[[Any, Array], tuple[Array, Array]]:
        """Return a function of one row, for boosters that take the whole matrix (CatBoost).

        Returns
        -------
        callable
            ``f(label, raw_prediction)`` gives the gradient, of shape (K,), and the expected Hessian
            with the bound on its diagonal, of shape (K, K). It takes a float64 array of shape (K,)
            and checks nothing. With numba installed it is compiled, and some fifty times faster.

        Examples
        --------
        >>> import numpy as np
        >>> from focalboost import SoftmaxFocalLoss
        >>> gradient, matrix = SoftmaxFocalLoss(3, gamma=0.0).gradient_matrix()(0, np.zeros(3))
        >>> matrix.round(3)
        array([[ 0.222, -0.111, -0.111],
               [-0.111,  0.222, -0.111],
               [-0.111, -0.111,  0.222]])
        """
        compiled = _compiled.softmax_gradient_matrix() or _softmax.gradient_matrix
        return partial(compiled, *self._parameters())

    def log_proba(self, raw_prediction: npt.ArrayLike) -> Array:
        r"""Return the logarithm of `predict_proba`.

        Parameters
        ----------
        raw_prediction : array-like of shape (n, K)
            Raw scores.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(2, gamma=0.0).log_proba([[0.0, 0.0]]).round(6)
        array([[-0.693147, -0.693147]])
        """
        z = self._scores(raw_prediction)
        with np.errstate(over="ignore", under="ignore"):
            by_class = _softmax.from_the_largest(np.ascontiguousarray(z.T, dtype=np.float64))
            margins = by_class - _softmax.logsumexp_of_others(by_class)
            logs = _softmax.log_posterior(np.log(self._weights()), self.gamma, margins)
            return np.asarray(logs.T, dtype=result_dtype(z))

    def predict_proba(self, raw_prediction: npt.ArrayLike) -> Array:
        r"""Return the probabilities of the classes that raw scores stand for.

        Those at which the raw scores are optimal: with :math:`\phi(v) = (1 - v)^\gamma
        - \gamma v (1 - v)^{\gamma - 1} \log v`, each is proportional to
        :math:`p_j / (\alpha_j \phi(p_j))`.

        Parameters
        ----------
        raw_prediction : array-like of shape (n, K)
            Raw scores.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(3, gamma=0.0).predict_proba([[0.0, 0.0, 0.0]]).round(6)
        array([[0.333333, 0.333333, 0.333333]])
        """
        with np.errstate(under="ignore"):
            return np.asarray(np.exp(self.log_proba(raw_prediction)))

    def inverse_link(self, raw_prediction: npt.ArrayLike) -> Array:
        """Return `predict_proba`, under the name that it has in `FocalLoss`.

        Parameters
        ----------
        raw_prediction : array-like of shape (n, K)
            Raw scores.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(2).inverse_link([[0.0, 0.0]])
        array([[0.5, 0.5]])
        """
        return self.predict_proba(raw_prediction)

    def link(self, proba: npt.ArrayLike) -> Array:
        """Return the raw scores, of mean 0, at which `predict_proba` gives the probabilities.

        Parameters
        ----------
        proba : array-like of shape (n, K)
            Probabilities in (0, 1) that sum to 1.

        Returns
        -------
        ndarray of shape (n, K)

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(3).link([[0.5, 0.3, 0.2]]).round(3)
        array([[ 0.271, -0.   , -0.271]])
        """
        eta = self._scores(proba, "proba").astype(np.float64)
        check_probabilities("proba", eta)
        sums = eta.sum(axis=1)
        if not (np.all(eta > 0) and np.allclose(sums, 1.0, rtol=0, atol=1e-6)):
            raise ValueError("proba must be positive and sum to 1 in every row, got others.")
        # log(p / phi) of each class, up to what is the same for all: the logarithm of 1 / N.
        target = np.log(eta) + np.log(self._weights())
        if self.gamma == 0:
            return np.asarray(target - target.mean(axis=1, keepdims=True))

        def log_p(log_scale: Array, row: Array) -> Array:
            wanted = target[row.astype(np.intp)] + log_scale[..., np.newaxis]
            return np.asarray(-_formulas.parts(self._margins(wanted))[2])

        def surplus(log_scale: Array, row: Array) -> Array:
            return np.asarray(np.exp(log_p(log_scale, row)).sum(axis=-1) - 1.0)

        rows = np.arange(len(eta), dtype=np.float64)
        bracket = elementwise.bracket_root(surplus, -np.ones(len(eta)), 1.0, args=(rows,))
        log_scale = elementwise.find_root(surplus, bracket.bracket, args=(rows,)).x
        scores = log_p(log_scale, rows)
        return np.asarray(scores - scores.mean(axis=1, keepdims=True))

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Array:
        """Return the constant raw scores with the least loss: `link` of the classes' shares.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels 0 to K - 1.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0.

        Returns
        -------
        ndarray of shape (K,)
            Of mean 0. A class without a row counts for a share of 1e-15, at which its probability
            starts.

        Examples
        --------
        >>> from focalboost import SoftmaxFocalLoss
        >>> SoftmaxFocalLoss(3, gamma=0.0).init_score([0, 0, 1, 2]).round(6)
        array([ 0.462098, -0.231049, -0.231049])
        """
        labels = as_rows("y_true", y_true)
        check_labels("y_true", labels, self.n_classes)
        weights = None
        if sample_weight is not None:
            weights = broadcast("sample_weight", sample_weight, labels.shape, "y_true")
            check_weights(weights)
        counts = np.bincount(labels.astype(np.intp), weights, minlength=self.n_classes)
        if not counts.sum() > 0:
            raise ValueError("y_true must hold at least one row of positive weight, got none.")
        shares = np.maximum(counts / counts.sum(), _ABSENT)
        return np.asarray(self.link(shares[np.newaxis] / shares.sum())[0])

    def _parameters(self) -> tuple[Array, Array, float, float]:
        weights = self._weights()
        return weights, np.log(weights), self.gamma, largest_step(self.max_step)

    def _weights(self) -> Array:
        return np.ones(self.n_classes) if self.alpha is None else np.asarray(self.alpha)

    def _margins(self, target: Array) -> Array:
        """Return the margins at which log(p / phi) is the target, which increases with them."""

        def excess(margin: Array, target: Array) -> Array:
            p, q, L, S = _formulas.parts(margin)
            return np.asarray(-L - _formulas.log_tilt(self.gamma, p, q, L, S) - target)

        with np.errstate(all="ignore"):
            bracket = elementwise.bracket_root(excess, -1.0, 1.0, args=(target,))
            return np.asarray(elementwise.find_root(excess, bracket.bracket, args=(target,)).x)

    def _scores(self, values: npt.ArrayLike, name: str = "raw_prediction") -> Array:
        array = as_numbers(name, values)
        if array.ndim != 2 or array.shape[1] != self.n_classes:
            raise ValueError(f"{name} must have shape (n, {self.n_classes}), got {array.shape}.")
        return array

    def _rowwise(
        self,
        formula: Callable[[Array, Array], tuple[Array, ...]],
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        of_loss: bool = False,
    ) -> list[Array]:
        """Evaluate a formula on every row, block by block, in double precision."""
        z = self._scores(raw_prediction)
        y = broadcast("y_true", y_true, z.shape[:1])
        check_labels("y_true", y, self.n_classes)
        w = None
        if sample_weight is not None:
            w = broadcast("sample_weight", sample_weight, z.shape[:1])
        shapes = [z.shape[:1]] if of_loss else [z.shape, z.shape]
        out = [np.empty(shape, dtype=result_dtype(z)) for shape in shapes]

        def by_class(labels: Array, scores: Array) -> tuple[Array, ...]:
            z = _softmax.from_the_largest(np.ascontiguousarray(scores.T))
            return tuple(part.T for part in formula(labels, z))

        fill_by_blocks(out, by_class, y, z, w, self.n_threads)
        return out
