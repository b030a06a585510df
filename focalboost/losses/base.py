"""The base class of all losses: its methods, documented once, all follow from the kernel."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import field, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from focalboost.losses._blocks import by_blocks, result_dtype
from focalboost.losses._checks import (
    as_rows,
    broadcast,
    check_probabilities,
    check_real,
    check_weights,
    check_whole,
    in_range,
)
from focalboost.losses._kernels import Kernel
from focalboost.losses._types import Array, Values

__all__ = ["Loss"]

# Attributes that CatBoost and XGBClassifier look up on an objective or a metric.
_ASKED_BY_BOOSTERS = {"calc_ders_range", "calc_ders_multi", "evaluate", "__name__"}
_FOR_BOOSTERS = (
    "Give a booster objective(loss) as its objective and metric(loss) as its metric, from "
    "focalboost.lightgbm, focalboost.xgboost or focalboost.catboost."
)


def real(default: float, rule: str, holds: Callable[[float], bool]) -> Values:
    """Return a dataclass field for a real number, whose rule the loss checks."""
    return field(default=default, metadata={"rule": rule, "holds": holds})


def weight() -> Values:
    """Return the field of the positive class's weight."""
    return field(default=None, metadata={"rule": "None or in (0, 1)", "holds": lambda v: 0 < v < 1})


class Loss(ABC):
    r"""A loss on raw scores, with its derivatives and the probabilities that scores stand for.

    It is the base class of all losses in this package. A loss is a frozen dataclass of its
    parameters: it has a repr, and it can be compared, hashed and pickled.

    Notes
    -----
    **Arrays.** Every method takes the same arrays, with n samples and K classes:

    ``y_true`` : array-like of shape (n,)
        Labels. With two classes, numbers in [0, 1]: a label between 0 and 1 stands for a positive
        sample of weight ``y_true`` and a negative sample of weight ``1 - y_true``. With more
        classes, whole numbers from 0 to K - 1.
    ``raw_prediction`` : array-like of shape (n,) or (n, 1) with two classes, else (n, K)
        Raw scores of a booster, not probabilities.
    ``sample_weight`` : array-like of shape (n,), optional
        Weights of the samples. With two classes, ``sample_weight`` and ``y_true`` may be scalars.

    Results have the shape of ``raw_prediction``, or (n,) where there is one value for each sample.
    They are computed in double precision, and returned in single precision if ``raw_prediction`` is
    in single precision, otherwise in double precision. Arguments are never modified.

    **Errors.** If an array is not numeric, has the wrong shape, or holds a label that is not one of
    the classes, a ValueError names the argument, the rule and the value.

    **The contract.** The adapters and `FocalClassifier` take any object with the following methods,
    and raise a TypeError that names a missing method. The call
    ``(y_true, raw_prediction, sample_weight)`` returns the weighted mean loss.
    ``gradient_curvature`` or ``gradient_hessian`` of the same arrays returns the derivatives of
    each sample, multiplied by its weight. ``init_score`` or ``fit_intercept_only`` of labels and
    weights returns the best constant. A loss of several classes also has ``is_multiclass``, which
    is True, and ``n_classes``. For two classes, a pair of functions of labels and raw scores is
    enough: the first returns the loss of each sample, and the second its gradient and Hessian.

    See Also
    --------
    MarginLoss : The base class for a loss of your own.
    """

    def __post_init__(self) -> None:
        for parameter in fields(self):  # type: ignore[arg-type]
            rule = parameter.metadata.get("rule")
            value = getattr(self, parameter.name)
            if rule is not None and not (value is None and rule.startswith("None")):
                number = check_real(parameter.name, value, rule, parameter.metadata["holds"])
                object.__setattr__(self, parameter.name, number)

    @property
    @abstractmethod
    def kernel(self) -> Kernel:
        """The mathematics, on checked arrays."""

    @property
    def name(self) -> str:
        """The name in a booster's history, such as focal_loss for ``FocalLoss``."""
        return snake_case(type(self).__name__)

    @property
    def is_multiclass(self) -> bool:
        """Whether each sample has one raw score per class."""
        return self.kernel.classes.n_scores > 1

    def at(self, i: int) -> Loss:  # noqa: ARG002
        """Return this loss for every boosting round i; only a `ScheduledLoss` changes with it."""
        return self

    def __call__(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Return the weighted mean loss, for weights >= 0 of which at least one is positive.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> round(FocalLoss(gamma=2.0)([0, 1], [-1.0, 1.0]), 6)
        0.022658
        """
        if hasattr(raw_prediction, "get_label"):
            kind = type(raw_prediction).__name__
            raise TypeError(f"raw_prediction must be raw scores, got a {kind}. {_FOR_BOOSTERS}")
        _, y, z, w = self._arrays(y_true, raw_prediction, sample_weight)
        if not y.size:
            raise ValueError("y_true must hold at least one sample, got 0.")
        return self.kernel.mean(y, z, w)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> bool:
            if name == "no_jit":
                return True  # otherwise CatBoost would fail to set an attribute
            remedy = f". {_FOR_BOOSTERS}" if name in _ASKED_BY_BOOSTERS else ""
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{remedy}")

    def loss(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the loss of each sample, times its weight, of shape (n,).

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=1.0).loss([1, 0], [0.0, 0.0]).round(6)
        array([0.346574, 0.346574])
        """
        kernel = self.kernel
        shape, y, z, w = self._arrays(y_true, raw_prediction, sample_weight)
        losses = np.empty(y.shape, dtype=result_dtype(z))
        by_blocks(lambda y, z: (kernel.loss(y, z),), [losses], y, z, w)
        return losses.reshape(shape[:1])

    def gradient(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the derivative of each sample's `loss` with respect to its raw scores.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).gradient([1, 0], [0.0, 0.0])  # p - y
        array([-0.5,  0.5])
        """
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)[0]

    def hessian(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Array:
        """Return the exact second derivative of each sample's `loss`, which may be negative.

        With K classes it is the diagonal of each sample's Hessian.

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

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).gradient_hessian([1], [0.0])
        (array([-0.5]), array([0.25]))
        """
        shape, y, z, w = self._arrays(y_true, raw_prediction, sample_weight)
        gradient, hessian = (np.empty_like(z, dtype=result_dtype(z)) for _ in range(2))
        by_blocks(self.kernel.gradient_hessian, [gradient, hessian], y, z, w)
        return gradient.reshape(shape), hessian.reshape(shape)

    def curvature(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        max_step: float | None = None,
    ) -> Array:
        r"""Return the positive stand-in for the Hessian that boosters get.

        It is the expected Hessian. With the gradients :math:`g_y` and Hessians :math:`h_y` of both
        labels and the probability :math:`\eta = g_0 / (g_0 - g_1)` that the raw score stands for,

        .. math:: \max\bigl(\eta h_1 + (1 - \eta) h_0,\;
                  |\text{gradient}| / \text{max\_step}\bigr)

        This average of the Hessian over the labels that the model itself expects is positive at
        every score, since `log_odds` increases with the score; the exact Hessian is not. At
        gamma = 0 with alpha None the curvature is p(1-p). With K classes it is the diagonal of the
        average over the K labels.

        Parameters
        ----------
        max_step : float > 0 or None, default=None
            Bound on the Newton step of a single sample, in units of raw score. It is like XGBoost's
            max_delta_step, but for a sample instead of a leaf. It takes effect for a sample that is
            badly wrong, whose gradient is large where the model expects almost none. The adapters'
            ``train`` uses 4. None keeps only the bound of 8.5e37 at which the curvature would
            vanish in single precision.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).curvature([1, 1], [0.0, -3.0], max_step=4.0).round(6)
        array([0.399143, 0.281687])
        """
        return self.gradient_curvature(y_true, raw_prediction, sample_weight, max_step=max_step)[1]

    def gradient_curvature(
        self,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        max_step: float | None = None,
        n_threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return `gradient` and `curvature`, which share most of their work.

        Where numba is installed, `FocalLoss` and `SoftmaxFocalLoss` compute both in a compiled
        loop: for 200,000 samples and more, and for any number of samples once numba is imported or
        two million samples have been computed in the process. The results agree with those of numpy
        but for the last digit.

        Parameters
        ----------
        max_step : float > 0 or None, default=None
            See `curvature`.
        n_threads : int, default=1
            Number of threads for large arrays. The results do not depend on it.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).gradient_curvature([1], [0.0])
        (array([-0.5]), array([0.25]))
        """
        shape, y, z, w = self._arrays(y_true, raw_prediction, sample_weight)
        max_step, n_threads = check_training(max_step, n_threads)
        gradient, curvature, _ = self.kernel.weighted_derivatives(y, z, w, max_step, n_threads)
        return gradient.reshape(shape), curvature.reshape(shape)

    def log_odds(self, raw_prediction: npt.ArrayLike) -> Array:
        r"""Return the log-odds that raw scores stand for, of the positive class or of each class.

        They belong to the probability at which the raw score is optimal, that is, at which the
        expected gradient is 0: with the gradients :math:`g_y` of the two labels,
        :math:`\eta = g_0 / (g_0 - g_1)`. The log-odds increase with the raw score. For `FocalLoss`
        they are

        .. math:: \operatorname{logit} \eta = \gamma z + \log(p - \gamma q \log q)
                  - \log(q - \gamma p \log p) - \operatorname{logit} \alpha

        without the last term if alpha is None.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).log_odds([-2.0, 0.0, 2.0]).round(6)
        array([-5.398382,  0.      ,  5.398382])
        >>> FocalLoss(gamma=0.0).log_odds([-2.0, 0.0, 2.0])
        array([-2.,  0.,  2.])
        """
        kernel = self.kernel
        z = kernel.classes.as_scores("raw_prediction", raw_prediction)
        dtype = result_dtype(z)
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            odds = kernel.log_odds(z.astype(np.float64))
            # The log-odds of a finite score stay finite: they are clipped at the largest number.
            largest = float(np.finfo(dtype).max)
            odds = np.where(np.isinf(z), odds, np.clip(odds, -largest, largest))
            return np.asarray(odds, dtype=dtype)

    def inverse_link(self, raw_prediction: npt.ArrayLike) -> Array:
        """Return the probability of the positive class, or of each class, from `log_odds`.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).inverse_link([-2.0, 0.0, 2.0]).round(6)
        array([0.004504, 0.5     , 0.995496])
        """
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(expit(self.log_odds(raw_prediction)))

    def predict_proba(self, raw_prediction: npt.ArrayLike) -> Array:
        """Return the probabilities of all classes, of shape (n, K) with K >= 2.

        Each probability is exact even where it is near 0.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).predict_proba([-2.0, 0.0]).round(6)
        array([[0.995496, 0.004504],
               [0.5     , 0.5     ]])
        """
        odds = self.log_odds(raw_prediction)
        with np.errstate(over="ignore", under="ignore"):
            return self.kernel.classes.proba(odds)

    def log_proba(self, raw_prediction: npt.ArrayLike) -> Array:
        """Return the logarithm of `inverse_link`, without loss of precision near 0.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=0.0).log_proba([-1000.0, 0.0]).round(6)
        array([-1.00000e+03, -6.93147e-01])
        """
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(log_expit(self.log_odds(raw_prediction)))

    def link(self, proba: npt.ArrayLike) -> Array:
        """Return the raw scores at which `inverse_link` gives the probabilities.

        With two classes, the probabilities 0 and 1 have the raw scores -inf and inf. With K
        classes, the probabilities must be positive and sum to 1, and the raw scores returned have
        mean 0.

        Parameters
        ----------
        proba : array-like of shape (n,), or (n, K) with K > 2
            Probabilities.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> FocalLoss(gamma=2.0).link([0.01, 0.5]).round(6)
        array([-1.706453,  0.      ])
        """
        kernel = self.kernel
        values = kernel.classes.as_scores("proba", proba)
        check_probabilities("proba", values)
        return np.asarray(kernel.link(values.astype(np.float64)), dtype=result_dtype(values))

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Values:
        """Return the constant raw score with the least loss, at which training begins.

        It is the `link` of the weighted mean label, or with K classes of the class shares, where a
        class without samples gets a share of 1e-15.

        Returns
        -------
        float, or ndarray of shape (K,)
            The init score. With K classes its mean is 0.

        Raises
        ------
        ValueError
            If only one of two classes has positive weight, so that no finite score is optimal.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> round(FocalLoss(gamma=2.0).init_score([1] + 99 * [0]), 6)
        -1.706453
        """
        labels, given = self._labels_and_weights(y_true, sample_weight)
        weights = np.ones(()) if given is None else in_range(given)
        classes = self.kernel.classes
        weight_sum = float(np.sum(np.broadcast_to(weights, labels.shape), dtype=np.float64))
        label_sum = classes.label_sums(labels, weights, weight_sum)
        return self.init_score_from_sums(label_sum, weight_sum)

    def init_score_from_sums(self, label_sum: npt.ArrayLike, weight_sum: float) -> Values:
        """Return `init_score` from sums over the samples, for labels that arrive in parts.

        Parameters
        ----------
        label_sum : float, or array-like of shape (K,)
            Sum of ``sample_weight * y_true``, or with K classes the total weight of each class.
        weight_sum : float
            Sum of ``sample_weight``, or the number of samples if there are no weights.

        Examples
        --------
        >>> from focalboost import FocalLoss
        >>> round(FocalLoss(gamma=2.0).init_score_from_sums(1, 100), 6)
        -1.706453
        """
        sums = self.kernel.classes.check_label_sums(label_sum)
        weight_sum = check_real("weight_sum", weight_sum, ">= 0", lambda v: v >= 0)
        return self._finite(self.kernel.init_score_from_sums(sums, weight_sum))

    def _finite(self, init_score: Values) -> Values:
        if not np.all(np.isfinite(init_score)):
            raise ValueError(
                f"loss must have a finite init score, got {init_score}: no raw score of {self!r} "
                "stands for the class shares of these labels."
            )
        return init_score

    def _labels_and_weights(
        self, y_true: Values, sample_weight: Values
    ) -> tuple[Array, Array | None]:
        """Return checked labels and weights of the same samples."""
        labels = as_rows("y_true", y_true).reshape(-1)
        self.kernel.classes.check_labels("y_true", labels)
        if sample_weight is None:
            return labels, None
        weights = broadcast("sample_weight", sample_weight, labels.shape, "y_true")
        check_weights(weights)
        return labels, weights

    def _arrays(
        self, y_true: Values, raw_prediction: Values, sample_weight: Values
    ) -> tuple[tuple[int, ...], Array, Array, Array | None]:
        """Return the scores' shape, and checked labels, scores and weights of n samples."""
        classes = self.kernel.classes
        z = classes.as_scores("raw_prediction", raw_prediction)
        n = z.shape[:1]
        y = broadcast("y_true", y_true, n)
        classes.check_labels("y_true", y)
        w = None
        if sample_weight is not None:
            w = broadcast("sample_weight", sample_weight, n)
            check_weights(w)
            w = np.atleast_1d(w)
        return z.shape, np.atleast_1d(y), np.atleast_1d(z), w


def check_training(max_step: object, n_threads: object) -> tuple[float | None, int]:
    """Return the two training options that a loss takes, checked."""
    if max_step is not None:
        max_step = check_real("max_step", max_step, "None or > 0", lambda v: v > 0)
    return max_step, check_whole("n_threads", n_threads, 1)


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
