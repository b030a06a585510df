"""Focal loss as a function of the log-odds that its raw scores stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import logit

from focalboost.losses import _formulas
from focalboost.losses._kernels import BinaryKernel, FocalFormula, FocalKernel
from focalboost.losses._types import Array
from focalboost.losses.base import Loss, real, weight

__all__ = ["CalibratedFocalLoss"]


@dataclass(frozen=True)
class CalibratedFocalLoss(Loss):
    r"""Focal loss whose raw scores are log-odds.

    It is `FocalLoss` as a function of :math:`v = \operatorname{logit} \eta(z)`, the log-odds that a
    raw score z of focal loss stands for. Therefore the plain sigmoid of a raw score *is* the
    probability, SHAP values are in log-odds, a saved model's own ``predict`` is calibrated, and
    training starts at the logit of the share of positives. With the gradients :math:`g_y` of focal
    loss,

    .. math::
        \text{gradient} = \omega(v)\, (\sigma(v) - y), \qquad
        \omega(v) = (g_0 - g_1)\, \frac{dz}{dv}

    so that in these coordinates focal loss is log loss with smaller weights where the probability
    is uncertain; its expected Hessian is :math:`\omega(v) \sigma(v) (1 - \sigma(v))`.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing parameter, >= 0. 0 gives log loss.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    References
    ----------
    .. [1] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_, derives the link.

    Examples
    --------
    >>> from focalboost import CalibratedFocalLoss, FocalLoss
    >>> focal, calibrated = FocalLoss(2.0), CalibratedFocalLoss(2.0)
    >>> calibrated.loss([1, 1], focal.log_odds([0.5, -3.0])).round(6)
    array([0.067573, 2.76628 ])
    >>> focal.loss([1, 1], [0.5, -3.0]).round(6)
    array([0.067573, 2.76628 ])
    >>> calibrated.inverse_link(0.0)
    array(0.5)
    """

    gamma: float = real(2.0, ">= 0", lambda v: v >= 0)
    alpha: float | None = weight()

    @property
    def kernel(self) -> CalibratedKernel:
        """The mathematics, on checked arrays."""
        return CalibratedKernel(self.gamma, self.alpha)


@dataclass(frozen=True)
class CalibratedKernel(BinaryKernel):
    """Focal loss of log-odds."""

    gamma: float
    alpha: float | None

    @property
    def focal(self) -> FocalKernel:
        return FocalKernel(FocalFormula(self.gamma), self.alpha)

    def values(self, z: Array) -> tuple[Array, Array]:
        return self.focal.values(self._focal_score(z))

    def slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        score = self._focal_score(z)
        slope1, bend1, slope0, bend0 = self.focal.slopes_and_bends(score)
        p, q, L, S = _formulas.parts(score)
        bent1, twisted1 = _formulas.relative_derivatives(self.gamma, p, q, L)
        bent0, twisted0 = _formulas.relative_derivatives(self.gamma, q, p, S)
        # dv/dz and its derivative; then omega = (g0 - g1) * dz/dv and its derivative in v.
        speed = bent0 + bent1
        gain = (twisted1 + bent1**2) - (twisted0 + bent0**2)
        omega = (slope0 + slope1) / speed
        omega_rise = ((bend0 - bend1) - omega * gain) / speed**2
        p, q, _, _ = _formulas.parts(z)
        common = omega * (p * q)
        return omega * q, common - omega_rise * q, omega * p, common + omega_rise * p

    def log_odds(self, z: Array) -> Array:
        return z

    def score_at(self, log_odds: Array) -> Array:
        return log_odds

    def _focal_score(self, v: Array) -> Array:
        """Return the raw score of focal loss with these log-odds, by Newton steps from a table."""
        if self.alpha is not None:
            v = v + logit(self.alpha)
        if self.gamma == 0:
            return v
        focal, (odds, scores) = FocalKernel(FocalFormula(self.gamma), None), _table(self.gamma)
        beyond = v - np.clip(v, odds[0], odds[-1])
        z = np.interp(v, odds, scores) + beyond / (self.gamma + 1.0)
        # The first guess is within 1e-4, beyond the table within exp(-40).
        for _ in range(3):
            p, q, L, S = _formulas.parts(z)
            speed = (
                _formulas.relative_derivatives(self.gamma, p, q, L)[0]
                + _formulas.relative_derivatives(self.gamma, q, p, S)[0]
            )
            # beyond 700 the line is exact, and an infinite score has no step
            z = np.where(np.abs(z) < 700.0, z - (focal.log_odds(z) - v) / speed, z)
        return np.asarray(z)


@lru_cache(maxsize=16)
def _table(gamma: float) -> tuple[Array, Array]:
    scores = np.linspace(-40.0, 40.0, 4001)
    return FocalKernel(FocalFormula(gamma), None).log_odds(scores), scores
