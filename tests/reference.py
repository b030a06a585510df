"""The losses in mpmath, written from the papers' formulas: the oracle of every value."""

from functools import cache

import mpmath as mp

from focalboost import (
    AsymmetricLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    ModulatedLoss,
)

# log(p_t) cancels some 330 digits at |z| = 745.
DIGITS = 50 + 330

FACTORS = {
    "cos": mp.cos,
    "exp": lambda p: mp.exp(-p),
    "exp_square": lambda p: mp.exp(-p * p),
}


def value(loss, y, z):
    """Return the loss of a row at the working precision."""
    weight = 1 if loss.alpha is None else (mp.mpf(loss.alpha) if y == 1 else 1 - mp.mpf(loss.alpha))
    margin = z if y == 1 else -z
    p_t, one_minus_p_t = 1 / (1 + mp.exp(-margin)), 1 / (1 + mp.exp(margin))
    if isinstance(loss, FocalLoss):
        # FL(p_t) = -alpha_t (1 - p_t)**gamma log(p_t)
        return -weight * one_minus_p_t ** mp.mpf(loss.gamma) * mp.log(p_t)
    if isinstance(loss, AsymmetricLoss):
        gamma = mp.mpf(loss.gamma_positive if y == 1 else loss.gamma_negative)
        if y == 1 or loss.margin == 0:
            return -weight * one_minus_p_t**gamma * mp.log(p_t)
        shifted = max(one_minus_p_t - mp.mpf(loss.margin), mp.mpf(0))
        return -weight * shifted**gamma * mp.log(1 - shifted)
    if isinstance(loss, ModulatedLoss):
        factor = FACTORS[loss.factor] if isinstance(loss.factor, str) else loss.factor[0]
        return -weight * factor(p_t) * mp.log(p_t)
    if isinstance(loss, FocalStarLoss):
        steeper = mp.mpf(loss.gamma) * margin + mp.mpf(loss.beta)
        return weight * mp.log1p(mp.exp(-steeper)) / mp.mpf(loss.gamma)
    raise TypeError(loss)


@cache
def derivatives(loss, y, z):
    """Loss, first and second derivative by mpmath's own differentiation, at 50 digits."""
    with mp.workdps(DIGITS):
        z = mp.mpf(z)
        if not isinstance(loss, CalibratedFocalLoss):
            return tuple(mp.diff(lambda t: value(loss, y, t), z, n) for n in (0, 1, 2))
        # The chain rule, at the score of focal loss that has these log-odds.
        focal = FocalLoss(loss.gamma, loss.alpha)
        score = _score(focal, z)
        f, f1, f2 = (mp.diff(lambda t: value(focal, y, t), score, n) for n in (0, 1, 2))
        v1, v2 = (mp.diff(lambda t: _log_odds(focal, t), score, n) for n in (1, 2))
        return f, f1 / v1, (f2 - f1 / v1 * v2) / v1**2


def _log_odds(loss, z):
    g1, g0 = (mp.diff(lambda t, y=y: value(loss, y, t), z) for y in (1, 0))
    return mp.log(g0) - mp.log(-g1) if g0 else -mp.inf


@cache
def _score(focal, v):
    guess = v / (focal.gamma + 1)
    return mp.findroot(lambda z: _log_odds(focal, z) - v, (guess, guess + 0.01), tol=1e-90)


@cache
def log_odds(loss, z):
    """Logit of eta = g0 / (g0 - g1), the probability at which the raw score is optimal."""
    with mp.workdps(DIGITS):
        (_, g1, _), (_, g0, _) = (derivatives(loss, y, z) for y in (1, 0))
        return mp.log(g0) - mp.log(-g1) if g0 else -mp.inf


@cache
def softmax_derivatives(loss, y, z):
    """Loss, gradient and Hessian of a row, by mpmath's own differentiation."""
    # log(p) cancels less than one digit for each unit that scores are apart.
    with mp.workdps(50 + int(max(z) - min(z))):
        z = [mp.mpf(v) for v in z]
        classes = range(len(z))

        def value(*scores):
            p = mp.exp(scores[y]) / mp.fsum(map(mp.exp, scores))
            weight = 1 if loss.alpha is None else mp.mpf(loss.alpha[y])
            return -weight * (1 - p) ** mp.mpf(loss.gamma) * mp.log(p)

        def order(*which):
            return tuple(which.count(j) for j in classes)

        return (
            value(*z),
            [mp.diff(value, z, order(j)) for j in classes],
            [[mp.diff(value, z, order(i, j)) for j in classes] for i in classes],
        )


@cache
def softmax_posterior(loss, z):
    """Probabilities at which the expected gradient is 0, by linear algebra."""
    with mp.workdps(50):
        gradients = [softmax_derivatives(loss, y, z)[1] for y in range(len(z))]
        # the gradients of the labels sum to 0, weighted by the posterior; and it sums to 1
        rows = [[g[j] for g in gradients] for j in range(len(z) - 1)] + [[1] * len(z)]
        return [*mp.lu_solve(mp.matrix(rows), mp.matrix([0] * (len(z) - 1) + [1]))]


def expected_hessian(loss, z):
    """Average of the Hessians over the label, with the posterior eta = g0 / (g0 - g1)."""
    _, g1, h1 = derivatives(loss, 1, z)
    _, g0, h0 = derivatives(loss, 0, z)
    with mp.workdps(DIGITS):
        return (g0 * h1 - g1 * h0) / (g0 - g1)


def hessian_scale(loss, y, z):
    """Sum of the absolute values of a Hessian's terms: its size before they cancel."""
    _, gradient, hessian = derivatives(loss, y, z)
    if not isinstance(loss, FocalLoss):
        return abs(gradient) + abs(hessian)
    with mp.workdps(50):
        g, m = mp.mpf(loss.gamma), mp.mpf(z if y == 1 else -z)
        weight = 1 if loss.alpha is None else mp.mpf(loss.alpha)
        weight = weight if loss.alpha is None or y == 1 else 1 - weight
        p, q = 1 / (1 + mp.exp(-m)), 1 / (1 + mp.exp(m))
        cross_entropy = mp.log1p(mp.exp(-m))
        terms = (g * g * p * cross_entropy, (2 * g + 1) * q, g * q * cross_entropy)
        return weight * q**g * p * sum(terms)
