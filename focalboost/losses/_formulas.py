"""Focal loss of one sample: the formulas, once, for numpy's arrays and for numba's loop.

p is the sigmoid of the raw score z, before the loss turns z into a probability, and q = 1 - p. A
sample with label y is the mixture of a positive sample, with share y and weight a1, and a negative
sample, with share 1 - y and weight a0. A negative sample is a positive sample at the margin -z,
with p and q exchanged.
"""

from __future__ import annotations

import numpy as np

from focalboost.losses._types import Pair, Parts, Values

LARGEST = float(np.finfo(np.float64).max)
# Within a factor of 4, the smallest number whose inverse is finite.
SMALLEST = float(np.finfo(np.float64).tiny)


def exp(x: Values) -> Values:
    """Return ``np.exp(x)``, for x <= 0; the compiled loop uses a polynomial instead."""
    return np.exp(x)


def log1p(x: Values) -> Values:
    """Return ``np.log1p(x)``, for x >= 0; the compiled loop uses a polynomial instead."""
    return np.log1p(x)


def log(x: Values) -> Values:
    """Return ``np.log(x)``; the compiled loop uses a polynomial instead."""
    return np.log(x)


def pick(condition: Values, x: Values, y: Values) -> Values:
    """Return ``np.where(condition, x, y)``; the compiled loop has a version for numbers."""
    return np.where(condition, x, y)


def parts(z: Values) -> Parts:
    """Return p, q, L = -log p and S = -log q, without cancellation.

    The textbook formulas ``q = 1 - p`` and ``L = -log(p)`` lose the digits of q as z grows, all of
    them from 37 on, and need a clip against log(0), which stops the decay of the loss and gives NaN
    in single precision. Here only ``exp(-|z|)`` is computed, which cannot overflow. Only infinities
    are clipped, so that the products of gamma = 0 and S, and of p = 0 and L, are 0.
    """
    p, q, L, S = parts_of_size(np.abs(z))
    is_positive = z >= 0
    return (
        pick(is_positive, p, q),
        pick(is_positive, q, p),
        pick(is_positive, L, S),
        pick(is_positive, S, L),
    )


def parts_of_size(m: Values) -> Parts:
    """Return `parts` of a score m >= 0; the compiled loop needs one division instead of two."""
    e = exp(-m)
    r = 1.0 / (1.0 + e)
    tail = log1p(e)
    return r, e * r, tail, np.minimum(tail + m, LARGEST)


def power(q: Values, gamma: float, S: Values) -> Values:
    """Return ``q**gamma`` from S = -log q; the usual exponents need no exp."""
    if gamma == 2.0:
        return q * q
    if gamma == 1.0:
        return q
    if gamma == 0.0:
        return 1.0
    return exp(-gamma * S)


def value(gamma: float, q: Values, L: Values, S: Values) -> Values:
    """Return the loss of a positive sample, ``-q**gamma * log(p)``."""
    return power(q, gamma, S) * L


def loss(a1: float, a0: float, gamma: float, y: Values, z: Values) -> Values:
    """Return focal loss; numba compiles a loop over it."""
    p, q, L, S = parts(z)
    # `parts` clips -log p at the largest number; at an infinite score the loss is infinite. A share
    # of 0 stays 0 even where the other label's loss is infinite.
    positive = a1 * value(gamma, q, pick(z == -np.inf, np.inf, L), S)
    negative = a0 * value(gamma, p, pick(z == np.inf, np.inf, S), L)
    return pick(y > 0, y * positive, 0.0) + pick(y < 1, (1.0 - y) * negative, 0.0)


def slope_and_bend(gamma: float, p: Values, q: Values, L: Values, S: Values) -> Pair:
    """Return minus the first derivative of a positive sample's loss, >= 0, and the second.

    ::

        slope = q**gamma * (gamma*p*L + q)
        bend  = q**gamma * p * (gamma**2*p*L + (2*gamma + 1)*q - gamma*q*L)
    """
    if gamma == 0.0:  # log loss needs no logarithm
        return q, p * q
    return slope_and_bend_given(power(q, gamma, S), gamma, p, q, L)


def slope_and_bend_given(factor: Values, gamma: Values, p: Values, q: Values, L: Values) -> Pair:
    """Return `slope_and_bend`, given ``q**gamma``.

    The factors are grouped so that none overflows, even where gamma**2 would.
    """
    u, pq = gamma * p, p * q
    slope = factor * (u * L + q)
    return slope, (factor * u) * (u * L) + factor * (pq + gamma * (pq * (2.0 - L)))


def bounded_expectation(
    max_step: float, y: Values, slope1: Values, bend1: Values, slope0: Values, bend0: Values
) -> Pair:
    """Return the gradient and the expected Hessian, bounded for each label.

    The probability of the positive label is ``slope0 / (slope0 + slope1)``, so that the expected
    Hessian is ``(slope0 * bend1 + slope1 * bend0) / (slope0 + slope1)``.
    """
    # Divide before multiplying, since the products underflow where gamma is large.
    inverse, per_step = 1.0 / np.maximum(slope0 + slope1, SMALLEST), 1.0 / max_step
    expected = (slope0 * inverse) * bend1 + (slope1 * inverse) * bend0
    curvature1 = np.maximum(expected, slope1 * per_step)
    curvature0 = np.maximum(expected, slope0 * per_step)
    return (1.0 - y) * slope0 - y * slope1, y * curvature1 + (1.0 - y) * curvature0


def gradient_curvature(
    a1: float, a0: float, gamma: float, max_step: float, y: Values, z: Values
) -> Pair:
    """Return the gradient and the curvature of focal loss; numba compiles a loop over them.

    The two labels are taken as the label that the score favours and the other label. A negative
    score is then like a positive score, and p and q need not be exchanged.
    """
    is_positive = z >= 0
    favoured, other = pick(is_positive, a1, a0), pick(is_positive, a0, a1)
    p, q, L, S = parts_of_size(np.abs(z))
    slope1, bend1 = slope_and_bend(gamma, p, q, L, S)
    slope0, bend0 = slope_and_bend(gamma, q, p, S, L)
    gradient, curvature = bounded_expectation(
        max_step,
        pick(is_positive, y, 1.0 - y),
        favoured * slope1,
        favoured * bend1,
        other * slope0,
        other * bend0,
    )
    return pick(is_positive, gradient, -gradient), curvature


def ratio(L: Values, q: Values) -> Values:
    """Return L / q, which tends to 1 as q vanishes; below 1e-300, where digits are lost, it is 1.

    L may be -log p, or another number that vanishes as q does.
    """
    return np.maximum(L, 1e-300) / np.maximum(q, 1e-300)


def log_tilt(gamma: Values, p: Values, q: Values, L: Values, S: Values) -> Values:
    """Return the logarithm of slope / q, which is ``log1p(gamma*p*L/q) - gamma*S``."""
    return log1p(gamma * (p * ratio(L, q))) - gamma * S


def share_rate(gamma: Values, p: Values, q: Values, L: Values) -> Values:
    """Return the derivative in the margin of ``log(p / phi)``, with phi = slope / q.

    It is ``q + gamma*p*((gamma*p - 1)*L + 2*q) / (gamma*p*L + q)``, which is q - p + bend / slope
    without the cancellation at large margins.
    """
    r, u = ratio(L, q), gamma * p
    return q + u / (1.0 + u * r) * ((u - 1.0) * r + 2.0)


def log_odds(log_weights: float, gamma: float, z: Values) -> Values:
    """Return the log-odds of the probability that a raw score stands for.

    The ratio of the slopes is ``p / q * tilt0 / tilt1``, where p / q is exp(z). The ratio of the
    weights, ``a1 / a0``, is given by its logarithm.
    """
    p, q, L, S = parts(z)
    return z + (log_tilt(gamma, q, p, S, L) - log_tilt(gamma, p, q, L, S)) - log_weights


def log_loss(log_weights: float, gamma: float, y: Values, z: Values) -> Values:
    """Return the log loss of the probability that a raw score stands for."""
    odds = log_odds(log_weights, gamma, z)
    _, _, L, S = parts(odds)
    return y * L + (1.0 - y) * S


def relative_derivatives(gamma: float, p: Values, q: Values, L: Values) -> Pair:
    """Return focal loss's second and third derivatives in the margin, divided by its slope.

    With ``A = gamma*p*L + q``, so that slope is q**gamma * A, and A', A'' its derivatives::

        bend  / slope = gamma*p - A'/A
        twist / slope = gamma*p*q - gamma*p*(bend/slope - A'/A) - A''/A

    Where p or q is below 1e-300, the results are at their limits.
    """
    p, q = np.maximum(p, 1e-300), np.maximum(q, 1e-300)
    L = np.minimum(np.maximum(L, 1e-300), 1e3)  # L is 690 where p is 1e-300
    A = gamma * p * L + q
    pq = p * q
    first = pq * (gamma * L - gamma - 1.0) / A
    second = pq * ((q - p) * (gamma * L - gamma - 1.0) - gamma * q) / A
    bend = gamma * p - first
    return bend, gamma * pq - gamma * p * (bend - first) - second
