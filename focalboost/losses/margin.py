"""The base class of binary losses of the margin, from which to derive a loss of your own."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from focalboost.losses._kernels import Margin, MarginKernel
from focalboost.losses._types import Pair, Values
from focalboost.losses.base import Loss

__all__ = ["Margin", "MarginLoss"]


class MarginLoss(Loss):
    r"""Base class of a binary loss that is a function of the margin.

    The margin m is the raw score z of a positive sample, and -z of a negative sample. A subclass is
    a frozen dataclass with two methods: `value`, the loss of a sample of weight 1, and
    `slope_and_bend`, minus the first derivative of `value` in m and the second derivative.
    Everything else follows: gradient and Hessian, the curvature for boosters, the probability that
    a raw score stands for, the init score, soft labels, sample weights, and training in three
    boosters and in `FocalClassifier`. `check_objective` tells whether the two methods belong
    together.

    Declare a field ``alpha: float | None = None`` to weight the positive class by alpha and the
    negative one by 1 - alpha; the probability corrects for the weights.

    Notes
    -----
    With p = sigmoid(m), q = 1 - p and the slope :math:`s_y` of the label y, the log-odds that a raw
    score stands for are :math:`\log(s_0 / s_1)`. They must increase with the raw score, and the
    slopes must be positive; a convex loss is sufficient, but not necessary.

    `log_tilt`, the logarithm of slope / q, need not be defined. By default it is computed from the
    slope, which is exact until the slope is below 1e-300; a subclass that defines it has exact
    probabilities at any score.

    Examples
    --------
    Log loss and a bounded penalty on the probability of the other class (Leng et al. 2022,
    `arXiv:2204.12511 <https://arxiv.org/abs/2204.12511>`_), in eight lines:

    >>> from dataclasses import dataclass
    >>> from focalboost import MarginLoss
    >>> @dataclass(frozen=True)
    ... class Poly1Loss(MarginLoss):
    ...     epsilon: float = 1.0
    ...     def value(self, margin, positive):
    ...         return margin.neg_log_p + self.epsilon * margin.q
    ...     def slope_and_bend(self, margin, positive):
    ...         p, q = margin.p, margin.q
    ...         return q * (1 + self.epsilon * p), p * q * (1 + self.epsilon * (p - q))
    >>> loss = Poly1Loss(epsilon=2.0)
    >>> loss.gradient([1, 0], [0.5, 0.5]).round(6)
    array([-0.847548,  1.092467])
    >>> print(loss.inverse_link(loss.init_score([0, 0, 0, 1])).round(6))
    0.25
    >>> from focalboost import check_objective
    >>> check_objective(loss).ok
    True
    """

    alpha: float | None = None

    @abstractmethod
    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1.

        Parameters
        ----------
        margin : Margin
            Arrays ``m``, ``p``, ``q``, ``neg_log_p`` and ``neg_log_q`` of the margin.
        positive : bool
            Whether the samples are positive, for a loss that treats the classes differently.
        """

    @abstractmethod
    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q, by which the slope differs from that of log loss."""
        slope, _ = self.slope_and_bend(margin, positive)
        smallest = np.finfo(np.float64).tiny
        # Without the bound on -log q, which keeps rising where the slope is at the smallest number,
        # the log-odds would fall again, to 0 at a raw score of 1e20.
        return np.log(np.maximum(slope, smallest)) + np.minimum(margin.neg_log_q, -np.log(smallest))

    @property
    def kernel(self) -> MarginKernel:
        """The mathematics, on checked arrays."""
        return MarginKernel(self, self.alpha)
