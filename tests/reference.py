"""Focal loss in mpmath, written from the paper's formula: the oracle of every value."""

from functools import cache

import mpmath as mp


def loss(gamma, alpha, y, z):
    """FL(p_t) = -alpha_t (1 - p_t)**gamma log(p_t), at the working precision."""
    margin = z if y == 1 else -z
    weight = 1 if alpha is None else (mp.mpf(alpha) if y == 1 else 1 - mp.mpf(alpha))
    p_t = 1 / (1 + mp.exp(-margin))
    one_minus_p_t = 1 / (1 + mp.exp(margin))
    return -weight * one_minus_p_t ** mp.mpf(gamma) * mp.log(p_t)


@cache
def derivatives(gamma, alpha, y, z):
    """Loss, first and second derivative by mpmath's own differentiation, at 50 digits.

    The working precision is higher by what log(p_t) cancels at |z| = 745, some 330 digits.
    """
    with mp.workdps(50 + 330):
        z = mp.mpf(z)
        return tuple(mp.diff(lambda t: loss(gamma, alpha, y, t), z, n) for n in (0, 1, 2))


def hessian_scale(gamma, alpha, y, z):
    """Sum of the absolute values of the Hessian's terms: its size before they cancel."""
    with mp.workdps(50):
        g, m = mp.mpf(gamma), mp.mpf(z if y == 1 else -z)
        weight = 1 if alpha is None else (mp.mpf(alpha) if y == 1 else 1 - mp.mpf(alpha))
        p, q = 1 / (1 + mp.exp(-m)), 1 / (1 + mp.exp(m))
        cross_entropy = mp.log1p(mp.exp(-m))
        terms = (g * g * p * cross_entropy, (2 * g + 1) * q, g * q * cross_entropy)
        return weight * q**g * p * sum(terms)


@cache
def log_odds(gamma, alpha, z):
    """Logit of eta = g0 / (g0 - g1), the probability at which the raw score is optimal."""
    with mp.workdps(50 + 330):
        z = mp.mpf(z)
        g1 = mp.diff(lambda t: loss(gamma, alpha, 1, t), z)
        g0 = mp.diff(lambda t: loss(gamma, alpha, 0, t), z)
        return mp.log(g0) - mp.log(-g1)


def expected_hessian(gamma, alpha, z):
    """Average of the Hessians over the label, with the posterior eta = g0 / (g0 - g1)."""
    _, g1, h1 = derivatives(gamma, alpha, 1, z)
    _, g0, h0 = derivatives(gamma, alpha, 0, z)
    with mp.workdps(50 + 330):
        return (g0 * h1 - g1 * h0) / (g0 - g1)
