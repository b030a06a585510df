"""The binary losses on raw scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from scipy.special import logit

from focalboost import _compiled, _formulas
from focalboost._binary import Array, BinaryLoss, MarginLoss, Parts, largest_step

__all__ = [
    "AsymmetricLoss",
    "CalibratedFocalLoss",
    "FocalLoss",
    "FocalStarLoss",
    "ModulatedLoss",
]


# A modulating factor and its first two derivatives.
_FACTORS: dict[Any, tuple[Callable[[Any], Any], ...]] = {
    "cos": (np.cos, lambda p: -np.sin(p), lambda p: -np.cos(p)),
    "exp": (lambda p: np.exp(-p), lambda p: -np.exp(-p), lambda p: np.exp(-p)),
    "exp_square": (
        lambda p: np.exp(-(p**2)),
        lambda p: -2.0 * p * np.exp(-(p**2)),
        lambda p: (4.0 * p**2 - 2.0) * np.exp(-(p**2)),
    ),
}


@dataclass(frozen=True)
class FocalLoss(MarginLoss):
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
    n_threads : int, default=1
        Threads for arrays of 65,536 rows or more. The results do not depend on it, and neither does
        equality.

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
        self._check(gamma=(">= 0", lambda v: v >= 0))

    def _value(self, positive: bool, margin: Any, parts: Parts) -> Any:
        _, q, L, S = parts
        return _formulas.power(q, self.gamma, S) * L

    def _slope_and_bend(self, positive: bool, margin: Any, parts: Parts) -> tuple[Any, Any]:
        return _formulas.slope_and_bend(self.gamma, *parts)

    def _log_tilt(self, positive: bool, margin: Any, parts: Parts) -> Any:
        return _formulas.log_tilt(self.gamma, *parts)

    def _compiled_formula(self) -> Callable[..., tuple[Array, Array]] | None:
        # A subclass that has another curvature is not what was compiled.
        is_own = type(self).gradient_curvature is BinaryLoss.gradient_curvature
        compiled = _compiled.gradient_curvature() if is_own else None
        if compiled is None:
            return None
        return partial(compiled, *self._class_weights(), self.gamma, largest_step(self.max_step))


@dataclass(frozen=True)
class AsymmetricLoss(MarginLoss):
    r"""Focal loss with a gamma for each class and a margin for easy negatives.

    With :math:`p_m = \max(p - m, 0)` the loss of a row is

    .. math:: -\alpha\, y\, (1 - p)^{\gamma_+} \log p
              - (1 - \alpha)(1 - y)\, p_m^{\gamma_-} \log(1 - p_m)

    A negative row below the margin costs nothing. Without a margin this is asymmetric focal loss,
    and with equal gammas `FocalLoss`.

    Parameters
    ----------
    gamma_positive : float, default=1.0
        Focusing parameter of the positive class, >= 0. At 0 with a margin no raw score stands for
        a probability near 1: `link` gives inf there.
    gamma_negative : float, default=4.0
        Focusing parameter of the negative class, >= 0, and >= 1 where there is a margin, since the
        gradient would jump at the margin else.
    margin : float, default=0.0
        Probability in [0, 1) below which a negative row is done with; the paper has 0.05.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.
    max_step : float or None, default=4.0
        Bound on a row's own Newton step; see `FocalLoss`.
    n_threads : int, default=1
        Threads for arrays of 65,536 rows or more.

    Notes
    -----
    At and below the score of the margin, ``logit(margin)``, a model does not expect any positive:
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
    >>> loss.loss([1, 0, 0], [0.0, 0.0, -4.0]).round(6)  # the last: p = .018
    array([0.346574, 0.024515, 0.      ])
    >>> print(loss.inverse_link(loss.init_score([0, 0, 0, 1])).round(6))
    0.25
    """

    gamma_positive: float = 1.0
    gamma_negative: float = 4.0
    margin: float = 0.0
    alpha: float | None = None
    _: KW_ONLY
    max_step: float | None = 4.0
    n_threads: int = field(default=1, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check(
            gamma_positive=(">= 0", lambda v: v >= 0),
            gamma_negative=(">= 0", lambda v: v >= 0),
            margin=("in [0, 1)", lambda v: 0 <= v < 1),
        )
        if self.margin > 0 and self.gamma_negative < 1:
            raise ValueError(
                f"gamma_negative must be >= 1 where margin is > 0, got {self.gamma_negative}: the "
                "gradient would jump at the margin."
            )

    def _value(self, positive: bool, margin: Any, parts: Parts) -> Any:
        _, q, L, S = parts
        if positive or self.margin == 0:
            return _formulas.power(q, self._gamma(positive), S) * L
        left, log_right = self._beyond_margin(q)
        return left**self.gamma_negative * -log_right

    def _slope_and_bend(self, positive: bool, margin: Any, parts: Parts) -> tuple[Any, Any]:
        if positive or self.margin == 0:
            return _formulas.slope_and_bend(self._gamma(positive), *parts)
        p, q, _, _ = parts
        left, log_right = self._beyond_margin(q)
        return _formulas.slope_and_bend_beyond_margin(self.gamma_negative, p, q, left, log_right)

    def _log_tilt(self, positive: bool, margin: Any, parts: Parts) -> Any:
        return _formulas.log_tilt(self._gamma(positive), *parts)

    def _log_odds(self, z: Array) -> Array:
        if self.margin == 0:
            return super()._log_odds(z)
        # A negative row's slope is p * q * left**(gamma - 1) * (...), of which q is a positive's.
        p, q, L, S = _formulas.parts(z)
        left, log_right = self._beyond_margin(p)
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = (self.gamma_negative - 1.0) * np.log(left) + np.log(
                left / (1.0 - left) - self.gamma_negative * log_right
            )
        odds = np.where(left > 0, odds, -np.inf) - L - self._log_tilt(True, z, (p, q, L, S))
        return np.asarray(odds if self.alpha is None else odds - logit(self.alpha))

    def _gamma(self, positive: bool) -> float:
        return self.gamma_positive if positive else self.gamma_negative

    def _beyond_margin(self, q: Any) -> tuple[Any, Any]:
        """Return what is left of q beyond the margin, and the logarithm of 1 - that."""
        left = np.maximum(q - self.margin, 0.0)
        return left, np.log1p(-left)


@dataclass(frozen=True)
class ModulatedLoss(MarginLoss):
    r"""Log loss times a factor of the probability of the true class, of your own or by name.

    With :math:`p_t = p` for a positive and :math:`1 - p` for a negative row the loss is

    .. math:: -\alpha_t\, f(p_t) \log p_t

    which is `FocalLoss` for :math:`f(p) = (1 - p)^\gamma`.

    Parameters
    ----------
    factor : {"cos", "exp", "exp_square"} or tuple of three callables, default="cos"
        :math:`\cos p`, :math:`e^{-p}`, :math:`e^{-p^2}` [1]_, or f with its first and second
        derivative, each a function of an array of probabilities. f must be positive below 1. To
        pickle the loss, use functions of a module.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.
    max_step : float or None, default=4.0
        Bound on a row's own Newton step; see `FocalLoss`.
    n_threads : int, default=1
        Threads for arrays of 65,536 rows or more.

    Notes
    -----
    The closed-form posterior needs :math:`f(p) - p f'(p) \log(1/p)` > 0 and log-odds that increase
    with the raw score, which the constructor checks on a grid. Where f vanishes at 1 the log-odds
    end at the largest finite number.

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

    factor: str | tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]] = "cos"
    alpha: float | None = None
    _: KW_ONLY
    max_step: float | None = 4.0
    n_threads: int = field(default=1, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        is_triple = isinstance(self.factor, tuple) and len(self.factor) == 3
        if not (is_triple and all(map(callable, self.factor))) and self.factor not in _FACTORS:
            raise ValueError(
                f"factor must be one of {[*_FACTORS]} or a tuple of a function and its first two "
                f"derivatives, got {self.factor!r}."
            )
        z = np.linspace(-30.0, 30.0, 601)
        with np.errstate(all="ignore"):
            rises = np.diff(self._log_odds(z)) > 0
        if not np.all(rises):
            worst = z[int(np.argmin(rises))]
            raise ValueError(
                "factor must be positive and give log-odds that increase with the raw score, got "
                f"others at the raw score {worst:.1f}."
            )

    def _functions(self) -> tuple[Callable[[Any], Any], ...]:
        return _FACTORS[self.factor] if isinstance(self.factor, str) else self.factor

    def _value(self, positive: bool, margin: Any, parts: Parts) -> Any:
        p, _, L, _ = parts
        return self._functions()[0](p) * L

    def _slope_and_bend(self, positive: bool, margin: Any, parts: Parts) -> tuple[Any, Any]:
        p, q, L, _ = parts
        f, first, second = (function(p) for function in self._functions())
        bend = (q - p) * first * (p * L) + q * p * second * (p * L) - 2.0 * p * q * first + p * f
        return q * (f - first * (p * L)), q * bend

    def _log_tilt(self, positive: bool, margin: Any, parts: Parts) -> Any:
        f, first, _ = self._functions()
        p, _, L, _ = parts
        with np.errstate(divide="ignore"):
            return np.log(f(p) - first(p) * (p * L))


@dataclass(frozen=True)
class FocalStarLoss(MarginLoss):
    r"""Convex variant of focal loss, FL* of the paper's appendix.

    The loss of a row with margin :math:`m` (z for a positive, -z for a negative row) is

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
    max_step : float or None, default=4.0
        Bound on a row's own Newton step; see `FocalLoss`.
    n_threads : int, default=1
        Threads for arrays of 65,536 rows or more.

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

    gamma: float = 2.0
    beta: float = 1.0
    alpha: float | None = None
    _: KW_ONLY
    max_step: float | None = 4.0
    n_threads: int = field(default=1, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check(gamma=("> 0", lambda v: v > 0), beta=("a finite number", math.isfinite))

    def _value(self, positive: bool, margin: Any, parts: Parts) -> Any:
        L = _formulas.parts(self._steeper(margin))[2]
        return np.where(margin == -np.inf, np.inf, L / self.gamma)

    def _slope_and_bend(self, positive: bool, margin: Any, parts: Parts) -> tuple[Any, Any]:
        p, q, _, _ = _formulas.parts(self._steeper(margin))
        return q, self.gamma * (p * q)

    def _log_tilt(self, positive: bool, margin: Any, parts: Parts) -> Any:
        # log q of the steeper margin less log q
        return parts[3] - _formulas.parts(self._steeper(margin))[3]

    def _steeper(self, margin: Any) -> Any:
        return self.gamma * margin + self.beta


@dataclass(frozen=True)
class CalibratedFocalLoss(BinaryLoss):
    r"""Focal loss whose raw scores are log-odds.

    It is `FocalLoss` as a function of :math:`v = \operatorname{logit} \eta(z)`, the log-odds that a
    raw score z of focal loss stands for. So the plain sigmoid of a raw score *is* the probability,
    SHAP values are in log-odds, a saved model's own ``predict`` is calibrated, and training starts
    at the logit of the share of positives. With the gradients :math:`g_y` of focal loss,

    .. math::
        \text{gradient} = \omega(v)\, (\sigma(v) - y), \qquad
        \omega(v) = (g_0 - g_1)\, \frac{dz}{dv}

    so that in these coordinates focal loss is log loss with the uncertain rows turned down; its
    expected Hessian is :math:`\omega(v) \sigma(v) (1 - \sigma(v))`.

    Parameters
    ----------
    gamma : float, default=2.0
        Focusing parameter, >= 0. 0 gives log loss.
    alpha : float or None, default=None
        Weight of the positive class; see `FocalLoss`.
    max_step : float or None, default=4.0
        Bound on a row's own Newton step; see `FocalLoss`.
    n_threads : int, default=1
        Threads for arrays of 65,536 rows or more.

    References
    ----------
    .. [1] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_, has the link.

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

    gamma: float = 2.0
    alpha: float | None = None
    _: KW_ONLY
    max_step: float | None = 4.0
    n_threads: int = field(default=1, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check(gamma=(">= 0", lambda v: v >= 0))

    def _values(self, z: Array) -> tuple[Array, Array]:
        return self._focal()._values(self._focal_score(z))

    def _slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        score = self._focal_score(z)
        slope1, bend1, slope0, bend0 = self._focal()._slopes_and_bends(score)
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

    def _log_odds(self, z: Array) -> Array:
        return z

    def _score_at(self, log_odds: Array) -> Array:
        return log_odds

    def _focal(self) -> FocalLoss:
        return FocalLoss(self.gamma, self.alpha, max_step=self.max_step)

    def _focal_score(self, v: Array) -> Array:
        """Return the raw score of focal loss with these log-odds, by Newton steps from a table."""
        if self.alpha is not None:
            v = v + logit(self.alpha)
        if self.gamma == 0:
            return v
        focal, (odds, scores) = FocalLoss(self.gamma), _table(self.gamma)
        beyond = v - np.clip(v, odds[0], odds[-1])
        z = np.interp(v, odds, scores) + beyond / (self.gamma + 1.0)
        # From within 1e-4, beyond the table from within exp(-40).
        for _ in range(3):
            p, q, L, S = _formulas.parts(z)
            speed = (
                _formulas.relative_derivatives(self.gamma, p, q, L)[0]
                + _formulas.relative_derivatives(self.gamma, q, p, S)[0]
            )
            # beyond 700 the line is exact, and an infinite score has no step
            z = np.where(np.abs(z) < 700.0, z - (focal._log_odds(z) - v) / speed, z)
        return np.asarray(z)


@lru_cache(maxsize=16)
def _table(gamma: float) -> tuple[Array, Array]:
    scores = np.linspace(-40.0, 40.0, 4001)
    return FocalLoss(gamma)._log_odds(scores), scores
