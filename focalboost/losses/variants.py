"""Losses that change focal loss's factor, its margin or its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from focalboost.losses import _formulas
from focalboost.losses._checks import as_numbers, check_real
from focalboost.losses._kernels import FocalFormula, Margin, MarginKernel
from focalboost.losses._types import Array, Pair, Parts, Values
from focalboost.losses.base import real, weight
from focalboost.losses.margin import MarginLoss

__all__ = [
    "AsymmetricLoss",
    "FocalStarLoss",
    "ModulatedLoss",
    "PolyLoss",
    "VectorScalingLoss",
]

# A modulating factor and its first two derivatives.
_FACTORS: dict[Values, tuple[Callable[[Values], Values], ...]] = {
    "cos": (np.cos, lambda p: -np.sin(p), lambda p: -np.cos(p)),
    "exp": (lambda p: np.exp(-p), lambda p: -np.exp(-p), lambda p: np.exp(-p)),
    "exp_square": (
        lambda p: np.exp(-(p**2)),
        lambda p: -2.0 * p * np.exp(-(p**2)),
        lambda p: (4.0 * p**2 - 2.0) * np.exp(-(p**2)),
    ),
}


@dataclass(frozen=True)
class AsymmetricLoss(MarginLoss):
    r"""Focal loss with a gamma for each class and a margin for easy negatives.

    With :math:`p_m = \max(p - m, 0)`, the loss of a sample is

    .. math:: -\alpha\, y\, (1 - p)^{\gamma_+} \log p
              - (1 - \alpha)(1 - y)\, p_m^{\gamma_-} \log(1 - p_m)

    A negative sample below the margin costs nothing. Without a margin this is asymmetric focal
    loss, and with equal gammas `FocalLoss`.

    Parameters
    ----------
    gamma_positive : float, default=1.0
        Focusing parameter of the positive class, >= 0. At 0 with a margin, no raw score stands for
        a probability near 1, and `link` gives inf there.
    gamma_negative : float, default=4.0
        Focusing parameter of the negative class, >= 0, and >= 1 where there is a margin, since
        otherwise the gradient would jump at the margin.
    margin : float, default=0.0
        Probability in [0, 1) below which a negative sample costs nothing; the paper uses 0.05.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    Notes
    -----
    At and below the score of the margin, ``logit(margin)``, a model expects no positives:
    `inverse_link` is 0 there, and the log-odds are the smallest finite number.

    References
    ----------
    .. [1] E. Ben-Baruch, T. Ridnik, N. Zamir, A. Noy, I. Friedman, M. Protter, L. Zelnik-Manor,
       "Asymmetric Loss For Multi-Label Classification", ICCV 2021,
       `arXiv:2009.14119 <https://arxiv.org/abs/2009.14119>`_.

    Examples
    --------
    >>> from focalboost import AsymmetricLoss
    >>> loss = AsymmetricLoss(gamma_positive=1.0, gamma_negative=4.0, margin=0.05)
    >>> loss.loss([1, 0, 0], [0.0, 0.0, -4.0]).round(6)  # the last: p = 0.018
    array([0.346574, 0.024515, 0.      ])
    >>> print(loss.inverse_link(loss.init_score([0, 0, 0, 1])).round(6))
    0.25
    """

    gamma_positive: float = real(1.0, ">= 0", lambda v: v >= 0)
    gamma_negative: float = real(4.0, ">= 0", lambda v: v >= 0)
    margin: float = real(0.0, "in [0, 1)", lambda v: 0 <= v < 1)
    alpha: float | None = weight()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.margin > 0 and self.gamma_negative < 1:
            raise ValueError(
                f"gamma_negative must be >= 1 where margin is > 0, got {self.gamma_negative}: the "
                "gradient would jump at the margin."
            )

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        if positive or self.margin == 0:
            return self._focal(positive).value(margin, positive)
        left, neg_log_right = self._beyond(margin)
        return left**self.gamma_negative * neg_log_right

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative.

        With V the value as a function of the part of q beyond the margin, the two are ``p*q*V'``
        and ``p*q*((p - q)*V' + p*q*V'')``.
        """
        if positive or self.margin == 0:
            return self._focal(positive).slope_and_bend(margin, positive)
        gamma, (left, neg_log_right) = self.gamma_negative, self._beyond(margin)
        p, q = margin.p, margin.q
        right, is_left = p + self.margin, left > 0
        power_below = left ** (gamma - 1.0)
        # -log(1 - left) / left, which is 1 at 0
        ratio = np.divide(neg_log_right, left, out=np.ones_like(left), where=is_left)
        first = power_below * left * (gamma * ratio + 1.0 / right)
        second = power_below * (
            gamma * (gamma - 1.0) * ratio + 2.0 * gamma / right + left / right**2
        )
        pq = p * q
        return pq * first, np.where(is_left, pq * ((p - q) * first + pq * second), 0.0)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        if positive or self.margin == 0:
            return self._focal(positive).log_tilt(margin, positive)
        return self.log_ratio(margin) - margin.neg_log_p

    def log_ratio(self, margin: Margin) -> Values:
        """Return the logarithm of slope / (p * q) of a negative sample beyond the margin."""
        gamma, (left, neg_log_right) = self.gamma_negative, self._beyond(margin)
        with np.errstate(divide="ignore", invalid="ignore"):
            log = (gamma - 1.0) * np.log(left) + np.log(
                left / (margin.p + self.margin) + gamma * neg_log_right
            )
        return np.where(left > 0, log, -np.inf)

    @property
    def kernel(self) -> AsymmetricKernel:
        """The mathematics, on checked arrays."""
        return AsymmetricKernel(self, self.alpha)

    def _focal(self, positive: bool) -> FocalFormula:
        return FocalFormula(self.gamma_positive if positive else self.gamma_negative)

    def _beyond(self, margin: Margin) -> Pair:
        """Return ``left``, the part of q beyond the margin, and ``-log(1 - left)``."""
        left = np.maximum(margin.q - self.margin, 0.0)
        # 1 - left would cancel where left is near 1
        near_1 = -np.log(np.minimum(margin.p + self.margin, 1.0))
        return left, np.where(left < 0.5, -np.log1p(-np.minimum(left, 0.5)), near_1)


@dataclass(frozen=True)
class AsymmetricKernel(MarginKernel):
    """The kernel of asymmetric loss, whose log-odds may end at a finite number."""

    formula: AsymmetricLoss

    def log_odds(self, z: Array) -> Array:
        if self.formula.margin == 0:
            return super().log_odds(z)
        # The factor q, which the slopes of both labels have, is left out: as a difference of
        # logarithms it would lose the digits at an extreme score, and with them the limit of the
        # log-odds.
        p, q, L, S = _formulas.parts(z)
        tilt1 = self.formula.log_tilt(Margin(z, p, q, L, S), True)
        odds = self.formula.log_ratio(Margin(-z, q, p, S, L)) - L - tilt1
        return np.asarray(odds if self.alpha is None else odds - logit(self.alpha))


@dataclass(frozen=True)
class ModulatedLoss(MarginLoss):
    r"""Log loss times a function of the probability of the true class, your own or one by name.

    With :math:`p_t = p` for a positive and :math:`1 - p` for a negative sample, the loss is

    .. math:: -\alpha_t\, f(p_t) \log p_t

    which is `FocalLoss` for :math:`f(p) = (1 - p)^\gamma`.

    Parameters
    ----------
    factor : {"cos", "exp", "exp_square"} or tuple of three callables, default="cos"
        :math:`\cos p`, :math:`e^{-p}`, :math:`e^{-p^2}` [1]_, or f with its first and second
        derivative, each a function of an array of probabilities. f must be positive below 1. To
        pickle the loss, use functions defined in a module.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    Notes
    -----
    The closed-form probability needs :math:`f(p) - p f'(p) \log(1/p)` > 0 and log-odds that
    increase with the raw score, which the constructor checks on a grid. Where f vanishes at 1 the
    log-odds end at the largest finite number.

    References
    ----------
    .. [1] M. Forrester, "Focal loss alternatives", 2019, names the three factors.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import ModulatedLoss
    >>> ModulatedLoss("exp").loss([1, 0], [0.0, 0.0]).round(6)
    array([0.420415, 0.420415])
    >>> linear = (lambda p: 1 - p / 2, lambda p: -0.5 + 0 * p, lambda p: 0 * p)
    >>> ModulatedLoss(linear).inverse_link([-2.0, 0.0, 2.0]).round(6)
    array([0.072405, 0.5     , 0.927595])
    """

    factor: (
        str
        | tuple[Callable[[Values], Values], Callable[[Values], Values], Callable[[Values], Values]]
    ) = "cos"
    alpha: float | None = weight()

    def __post_init__(self) -> None:
        super().__post_init__()
        is_triple = isinstance(self.factor, tuple) and len(self.factor) == 3
        is_name = isinstance(self.factor, str) and self.factor in _FACTORS
        if not (is_name or (is_triple and all(map(callable, self.factor)))):
            raise ValueError(
                f"factor must be one of {[*_FACTORS]} or a tuple of a function and its first two "
                f"derivatives, got {self.factor!r}."
            )
        z = np.linspace(-30.0, 30.0, 601)
        for function in self._functions():
            self._check_values(function(expit(z)), z.shape)
        with np.errstate(all="ignore"):
            rises = np.diff(self.kernel.log_odds(z)) > 0
        if not np.all(rises):
            worst = z[int(np.argmin(rises))]
            raise ValueError(
                "factor must be positive and give log-odds that increase with the raw score, got "
                f"log-odds that do not increase at the raw score {worst:.1f}."
            )

    def _check_values(self, values: Values, shape: tuple[int, ...]) -> None:
        found = as_numbers("factor", values).shape
        if found not in ((), shape):
            raise ValueError(
                f"factor must return a number for each of {shape[0]} probabilities, got an array "
                f"of shape {found}."
            )

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        return self._functions()[0](margin.p) * margin.neg_log_p

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        p, q, L = margin.p, margin.q, margin.neg_log_p
        f, first, second = (function(p) for function in self._functions())
        bend = (q - p) * first * (p * L) + q * p * second * (p * L) - 2.0 * p * q * first + p * f
        return q * (f - first * (p * L)), q * bend

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        f, first, _ = self._functions()
        with np.errstate(divide="ignore"):
            return np.log(f(margin.p) - first(margin.p) * (margin.p * margin.neg_log_p))

    def _functions(self) -> tuple[Callable[[Values], Values], ...]:
        return _FACTORS[self.factor] if isinstance(self.factor, str) else self.factor


@dataclass(frozen=True)
class FocalStarLoss(MarginLoss):
    r"""Convex variant of focal loss, FL* of the paper's appendix.

    The loss of a sample with margin :math:`m` (z for a positive, -z for a negative sample) is

    .. math:: -\alpha_t \log \sigma(\gamma m + \beta) / \gamma

    It is log loss of a steeper and shifted margin, so that its Hessian is positive everywhere.

    Parameters
    ----------
    gamma : float, default=2.0
        Steepness, > 0.
    beta : float, default=1.0
        Shift. gamma = 1 with beta = 0 is log loss.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, appendix A, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.

    Examples
    --------
    >>> from focalboost import FocalStarLoss
    >>> FocalStarLoss(gamma=2.0, beta=1.0).loss([1, 0], [0.0, 2.0]).round(6)
    array([0.156631, 1.524294])
    """

    gamma: float = real(2.0, "> 0", lambda v: v > 0)
    beta: float = real(1.0, "", math.isfinite)
    alpha: float | None = weight()

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        return _log_loss_elsewhere(margin, self.gamma, self.beta)[0] / self.gamma

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        _, p, q, _ = _log_loss_elsewhere(margin, self.gamma, self.beta)
        return q, self.gamma * (p * q)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        return margin.neg_log_q - _log_loss_elsewhere(margin, self.gamma, self.beta)[3]


@dataclass(frozen=True)
class PolyLoss(MarginLoss):
    r"""Focal loss with another weight on its first polynomial term.

    With :math:`p_t` the probability of the true class, the loss of a sample is

    .. math:: \alpha_t \bigl(-(1 - p_t)^\gamma \log p_t
              + \epsilon\, (1 - p_t)^{\gamma + 1}\bigr)

    Log loss is a series in the powers of :math:`1 - p_t`; this loss changes the weight of the first
    term.

    Parameters
    ----------
    epsilon : float, default=1.0
        Added weight of the first term, > -1. 0 gives `FocalLoss`.
    gamma : float, default=0.0
        Focusing parameter, >= 0.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    References
    ----------
    .. [1] Z. Leng, M. Tan, C. Liu, E. D. Cubuk, X. Shi, S. Cheng, D. Anguelov, "PolyLoss: A
       Polynomial Expansion Perspective of Classification Loss Functions", ICLR 2022,
       `arXiv:2204.12511 <https://arxiv.org/abs/2204.12511>`_.

    Examples
    --------
    >>> from focalboost import PolyLoss
    >>> PolyLoss(epsilon=2.0).loss([1, 0], [0.0, 0.0]).round(6)  # log 2 + 2 * 0.5
    array([1.693147, 1.693147])
    """

    epsilon: float = real(1.0, "> -1", lambda v: v > -1)
    gamma: float = real(0.0, ">= 0", lambda v: v >= 0)
    alpha: float | None = weight()

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        factor = _formulas.power(margin.q, self.gamma, margin.neg_log_q)
        return factor * (margin.neg_log_p + self.epsilon * margin.q)

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        p, q, order = margin.p, margin.q, self.gamma + 1.0
        factor = _formulas.power(q, self.gamma, margin.neg_log_q)
        slope, bend = _formulas.slope_and_bend_given(factor, self.gamma, p, q, margin.neg_log_p)
        more = self.epsilon * order * (p * (factor * q))
        return slope + more, bend + more * (order * p - q)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        p, order = margin.p, self.gamma + 1.0
        ratio = _formulas.ratio(margin.neg_log_p, margin.q)
        # p first: gamma times the ratio may overflow where p is 0
        tilt = np.log1p(self.gamma * (p * ratio) + self.epsilon * order * p)
        return tilt - self.gamma * margin.neg_log_q


@dataclass(frozen=True)
class VectorScalingLoss(MarginLoss):
    r"""Log loss with a scale and a shift of the margin for each class.

    With the margin :math:`m` (z for a positive, -z for a negative sample), the loss of a sample of
    label y is

    .. math:: \alpha_y \log\bigl(1 + \exp(-(\text{scale}_y\, m - \text{shift}_y))\bigr)

    A larger shift for the rare class asks for a wider margin there: the margins of [2]_ have scale
    1 and shifts proportional to :math:`n_y^{-1/4}`, with :math:`n_y` the number of samples of label
    y. Shifts of opposite sign (logit adjustment) move the raw scores of trees and change no tree.

    Parameters
    ----------
    scale : sequence of two floats, default=(1.0, 1.0)
        Scales of label 0 and of label 1, each > 0.
    shift : sequence of two floats, default=(0.0, 0.0)
        Shifts of label 0 and of label 1, in units of raw score.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.

    References
    ----------
    .. [1] G. R. Kini, O. Paraskevas, S. Oymak, C. Thrampoulidis, "Label-Imbalanced and
       Group-Sensitive Classification under Overparameterization", NeurIPS 2021,
       `arXiv:2103.01550 <https://arxiv.org/abs/2103.01550>`_.
    .. [2] K. Cao, C. Wei, A. Gaidon, N. Arechiga, T. Ma, "Learning Imbalanced Datasets with
       Label-Distribution-Aware Margin Loss", NeurIPS 2019,
       `arXiv:1906.07413 <https://arxiv.org/abs/1906.07413>`_.

    Examples
    --------
    >>> from focalboost import VectorScalingLoss
    >>> loss = VectorScalingLoss(scale=(1.0, 0.5), shift=(0.0, 1.0))
    >>> loss.loss([1, 0], [2.0, 2.0]).round(6)  # log(1 + exp(0)), log(1 + exp(2))
    array([0.693147, 2.126928])
    """

    scale: Sequence[float] = (1.0, 1.0)
    shift: Sequence[float] = (0.0, 0.0)
    alpha: float | None = weight()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, rule, holds in (
            ("scale", "> 0", lambda v: v > 0),
            ("shift", "", math.isfinite),
        ):
            values = getattr(self, name)
            # dtype object, since numpy makes no array of parts of different lengths
            if np.shape(np.asarray(values, dtype=object)) != (2,):
                raise ValueError(
                    f"{name} must have two values, of label 0 and of label 1, got {values!r}."
                )
            pair = (check_real(f"{name}[{y}]", values[y], rule, holds) for y in (0, 1))
            object.__setattr__(self, name, tuple(pair))

    def value(self, margin: Margin, positive: bool) -> Values:
        """Return the loss of a sample of weight 1."""
        return self._elsewhere(margin, positive)[0]

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        """Return minus the first derivative of `value` in m, and the second derivative."""
        scale = self.scale[positive]
        _, p, q, _ = self._elsewhere(margin, positive)
        return scale * q, scale * scale * (p * q)

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        """Return the logarithm of slope / q."""
        log_scale = math.log(self.scale[positive])
        return log_scale + margin.neg_log_q - self._elsewhere(margin, positive)[3]

    def _elsewhere(self, margin: Margin, positive: bool) -> Parts:
        return _log_loss_elsewhere(margin, self.scale[positive], -self.shift[positive])


def _log_loss_elsewhere(margin: Margin, scale: float, shift: float) -> Parts:
    """Return -log p, p, q and -log q at the margin ``scale*m + shift``."""
    p, q, L, S = _formulas.parts(scale * margin.m + shift)
    return np.where(margin.m == -np.inf, np.inf, L), p, q, S
