"""Bounded losses, which limit the effect of a sample with a wrong label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from focalboost.losses import _formulas
from focalboost.losses._kernels import Margin
from focalboost.losses._types import Pair, Values
from focalboost.losses.base import real, weight
from focalboost.losses.margin import MarginLoss

__all__ = ["BrierLoss", "GeneralizedCrossEntropyLoss", "RobustFocalLoss"]


@dataclass(frozen=True)
class RobustFocalLoss(MarginLoss):
    r"""Focal loss of a bounded cross entropy, for data with wrong labels.

    With :math:`p_t` the probability of the true class, the loss of a sample is

    .. math:: \alpha_t (1 - p_t)^r\, \frac{1 - p_t^k}{k}

    Parameters
    ----------
    r : float, default=0.5
        Focusing parameter, >= 0: the gamma of `FocalLoss`. 0 gives `GeneralizedCrossEntropyLoss`.
    k : float, default=0.5
        Robustness in (0, 1): a sample costs at most 1 / k. The limit k -> 0 is `FocalLoss`.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    Notes
    -----
    A bounded loss has little curvature where a sample is badly wrong, which is where rare positives
    start. With such a loss, lower the parameters that a booster compares with the sum of curvatures
    (``min_sum_hessian_in_leaf``, ``min_child_weight``) or adds to it (``reg_lambda``).

    References
    ----------
    .. [1] J. Luo, Y. Quan, S. Xu, "Robust-GBDT: GBDT with Nonconvex Loss for Tabular
       Classification in the Presence of Label Noise and Class Imbalance", 2023,
       `arXiv:2310.05067 <https://arxiv.org/abs/2310.05067>`_.

    Examples
    --------
    >>> from focalboost import RobustFocalLoss
    >>> RobustFocalLoss(r=1.0, k=0.5).loss([1, 1], [0.0, -1000.0]).round(6)
    array([0.292893, 2.      ])
    """

    r: float = real(0.5, ">= 0", lambda v: v >= 0)
    k: float = real(0.5, "in (0, 1)", lambda v: 0 < v < 1)
    alpha: float | None = weight()

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        return _formulas.power(margin.q, self.r, margin.neg_log_q) * self._bounded(margin)

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        p, q, r, k = margin.p, margin.q, self.r, self.k
        factor = _formulas.power(q, r, margin.neg_log_q)
        bounded, power = self._bounded(margin), np.exp(-k * margin.neg_log_p)
        inner = r * p * bounded + power * q
        inner_rise = p * q * (r * bounded - (r + 1.0) * power) + k * power * q * q
        return factor * inner, factor * (r * p * inner - inner_rise)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        ratio = _formulas.ratio(self._bounded(margin), margin.q)
        # p**k is taken out of the sum, since both of its terms may underflow
        log = np.log1p(self.r * ratio * np.exp((self.k - 1.0) * margin.neg_log_p))
        return log - self.k * margin.neg_log_p - self.r * margin.neg_log_q

    def _bounded(self, margin: Margin) -> Values:
        """Return (1 - p**k) / k."""
        return -np.expm1(-self.k * margin.neg_log_p) / self.k


@dataclass(frozen=True)
class GeneralizedCrossEntropyLoss(MarginLoss):
    r"""Cross entropy that is bounded, between log loss and mean absolute error.

    With :math:`p_t` the probability of the true class, the loss of a sample is

    .. math:: \alpha_t\, \frac{1 - p_t^k}{k}

    Its log-odds are :math:`(1 - k) z`, minus ``logit(alpha)`` where there is an alpha.

    Parameters
    ----------
    k : float, default=0.5
        Robustness in (0, 1). The limit k -> 0 is log loss; k = 1 would be the mean absolute error,
        whose best constant is the majority class, and is excluded for this reason.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    See Also
    --------
    RobustFocalLoss : The same loss with a focusing parameter, and a note on boosters' limits.

    References
    ----------
    .. [1] Z. Zhang, M. R. Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural
       Networks with Noisy Labels", NeurIPS 2018,
       `arXiv:1805.07836 <https://arxiv.org/abs/1805.07836>`_.

    Examples
    --------
    >>> from focalboost import GeneralizedCrossEntropyLoss
    >>> loss = GeneralizedCrossEntropyLoss(k=0.5)
    >>> loss.loss([1, 1], [0.0, -1000.0]).round(6)
    array([0.585786, 2.      ])
    >>> loss.log_odds([-2.0, 2.0])
    array([-1.,  1.])
    """

    k: float = real(0.5, "in (0, 1)", lambda v: 0 < v < 1)
    alpha: float | None = weight()

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        return -np.expm1(-self.k * margin.neg_log_p) / self.k

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        slope = np.exp(-self.k * margin.neg_log_p) * margin.q
        return slope, slope * (margin.p - self.k * margin.q)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        return -self.k * margin.neg_log_p


@dataclass(frozen=True)
class BrierLoss(MarginLoss):
    r"""Squared error of the probability.

    With :math:`p_t = \sigma(m)` the probability of the true class, the loss of a sample is

    .. math:: \alpha_t (1 - p_t)^2

    It is a proper loss with the sigmoid as its link: the log-odds are the raw score, minus
    ``logit(alpha)`` where there is an alpha. Unlike log loss it is bounded.

    Parameters
    ----------
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review 78, 1950, `doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
       <https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2>`_.

    Examples
    --------
    >>> from focalboost import BrierLoss
    >>> BrierLoss().loss([1, 0], [0.0, 0.0])
    array([0.25, 0.25])
    """

    alpha: float | None = weight()

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        return margin.q * margin.q

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        slope = 2.0 * margin.p * margin.q * margin.q
        return slope, slope * (2.0 * margin.p - margin.q)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        return math.log(2.0) - (margin.neg_log_p + margin.neg_log_q)
