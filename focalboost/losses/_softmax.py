"""Softmax focal loss of one sample: the formulas, once, for numpy's arrays and for numba's loop.

Everything is class-major: ``z[c]`` is the raw score of class c, an array over samples, or a number
in the compiled loop, and ``gamma[c]`` is the exponent of class c. With
``m = z[c] - logsumexp(z of the other classes)`` the softmax of class c is ``p = sigmoid(m)``,
and the loss of a sample of class c is the binary loss at the margin m. The derivative of m is 1 in
z[c] and -r[j] in z[j], with r the softmax of the other classes, so that::

    gradient[c] = -slope(m)        gradient[j]   = slope(m) * r[j]
    hessian[c,c] = bend(m)         hessian[j,j] = bend(m) * r[j]**2 + slope(m) * r[j] * (1 - r[j])
"""

from __future__ import annotations

import numpy as np

from focalboost.losses._formulas import (
    LARGEST,
    exp,
    log1p,
    log_tilt,
    parts,
    pick,
    power,
    relative_derivatives,
    slope_and_bend_given,
)
from focalboost.losses._types import Pair, Parts, Values


def log_add(a: Values, b: Values) -> Values:
    """Return ``log(exp(a) + exp(b))``."""
    return np.maximum(a, b) + log1p(exp(-np.abs(a - b)))


def from_the_largest(z: Values) -> Values:
    """Return the scores minus the largest score of a sample, which only changes the rounding.

    A score of inf becomes 0, and not NaN.
    """
    largest = z[0]
    for c in range(1, len(z)):
        largest = np.maximum(largest, z[c])
    shifted = np.empty_like(z)
    for c in range(len(z)):
        shifted[c] = pick(z[c] == largest, 0.0, np.maximum(z[c] - largest, -LARGEST))
    return shifted


def logsumexp_of_others(z: Values) -> Values:
    """Return for each class ``log(sum(exp(z)))`` over the other classes, without cancellation.

    The textbook formula takes 1 - p. Here the sums over the classes before and after it are added.
    """
    n_classes = len(z)
    before, after = np.empty_like(z), np.empty_like(z)
    before[0] = -np.inf
    after[n_classes - 1] = -np.inf
    for c in range(1, n_classes):
        before[c] = log_add(before[c - 1], z[c - 1])
        after[n_classes - 1 - c] = log_add(after[n_classes - c], z[n_classes - c])
    for c in range(n_classes):
        before[c] = log_add(before[c], after[c])
    return before


def log_share(log_a: float, gamma: float, p: Values, q: Values, L: Values, S: Values) -> Values:
    """Return the logarithm of p / (a * phi), with phi = slope / q."""
    log = -L - log_a - log_tilt(gamma, p, q, L, S)
    # without this bound, the difference of two infinities would be NaN
    return np.minimum(np.maximum(log, -LARGEST / 4), LARGEST / 4)


def log_posterior(log_a: Values, gamma: Values, margins: Values) -> Values:
    """Return the logarithms of the probabilities.

    The expected gradient is 0 at the probabilities N * p / (a * phi), where N makes the sum 1.
    """
    logs = np.empty_like(margins)
    total = -np.inf + 0.0 * margins[0]
    for c in range(len(margins)):
        p, q, L, S = parts(margins[c])
        logs[c] = log_share(log_a[c], gamma[c], p, q, L, S)
        total = log_add(total, logs[c])
    return logs - total


def loss(a: Values, gamma: Values, y: Values, z: Values) -> Values:
    """Return ``a[c] * q**gamma[c] * L`` of the sample's class c."""
    others = logsumexp_of_others(z)
    value = 0.0 * others[0]
    for c in range(len(z)):
        _, q, L, S = parts(z[c] - others[c])
        value = pick(y == c, a[c] * power(q, gamma[c], S) * L, value)
    return value


def gradient_hessian(a: Values, gamma: Values, y: Values, z: Values) -> Pair:
    return gradient_hessian_given(logsumexp_of_others(z), a, gamma, y, z)


def gradient_hessian_given(others: Values, a: Values, gamma: Values, y: Values, z: Values) -> Pair:
    margin, other, weight, exponent = others[0], others[0], 0.0 * others[0], 0.0 * others[0]
    for c in range(len(z)):
        margin = pick(y == c, z[c] - others[c], margin)
        other = pick(y == c, others[c], other)
        weight = pick(y == c, a[c], weight)
        exponent = pick(y == c, gamma[c], exponent)
    p, q, L, S = parts(margin)
    slope, bend = slope_and_bend_given(exp(-exponent * S), exponent, p, q, L)
    slope, bend = weight * slope, weight * bend
    gradient, hessian = np.empty_like(z), np.empty_like(z)
    for j in range(len(z)):
        r = exp(np.minimum(z[j] - other, 0.0))
        gradient[j] = pick(y == j, -slope, slope * r)
        hessian[j] = pick(y == j, bend, bend * (r * r) + slope * (r * (1.0 - r)))
    return gradient, hessian


def expectation(log_a: Values, gamma: Values, margins: Values) -> Parts:
    """Return p, q and bend / slope of each class, and N, which give the expected Hessian.

    With k = bend / slope, and two classes i and j, the expected Hessian is::

        E[i,i] =  N * p[i] * (q[i] * (1 + k[i]) + p[i] * sum of t[c] over c other than i)
        E[i,j] = -N * p[i] * p[j] * (k[i] + k[j] - sum of t[c] over c other than i and j)
        t[c]   =  p[c] * (k[c] - 1) / q[c]
    """
    p, q, k = np.empty_like(margins), np.empty_like(margins), np.empty_like(margins)
    total = -np.inf + 0.0 * margins[0]
    for c in range(len(margins)):
        p_c, q_c, L, S = parts(margins[c])
        k[c], _ = relative_derivatives(gamma[c], p_c, q_c, L)
        p[c], q[c] = p_c, np.maximum(q_c, 1e-300)
        total = log_add(total, log_share(log_a[c], gamma[c], p_c, q_c, L, S))
    return p, q, k, np.exp(-total)


def sums_around(t: Values) -> Pair:
    """Return, for each class, the sums of t over the classes before it and after it."""
    before, after = np.empty_like(t), np.empty_like(t)
    last = len(t) - 1
    before[0] = 0.0
    after[last] = 0.0
    for c in range(last):
        before[c + 1] = before[c] + t[c]
        after[last - c - 1] = after[last - c] + t[last - c]
    return before, after


def gradient_curvature(
    a: Values, log_a: Values, gamma: Values, max_step: float, y: Values, z: Values
) -> Pair:
    """Return the gradient and the diagonal of the expected Hessian, bounded."""
    others = logsumexp_of_others(z)
    gradient, _ = gradient_hessian_given(others, a, gamma, y, z)
    p, q, k, n = expectation(log_a, gamma, z - others)
    # Sums over the other classes: subtracting from the total would cancel digits.
    before, after = sums_around(p * (k - 1.0) / q)
    curvature = n * p * (q * (1.0 + k) + p * (before + after))
    return gradient, np.maximum(curvature, np.abs(gradient) / max_step)


def gradient_matrix(
    a: Values, log_a: Values, gamma: Values, max_step: float, y: Values, z: Values
) -> Pair:
    """Return the gradient and the whole expected Hessian of one sample, its diagonal bounded."""
    z = from_the_largest(z)
    others = logsumexp_of_others(z)
    gradient, _ = gradient_hessian_given(others, a, gamma, y, z)
    p, q, k, n = expectation(log_a, gamma, z - others)
    t = p * (k - 1.0) / q
    before, after = sums_around(t)
    n_classes = len(z)
    matrix = np.empty((n_classes, n_classes))
    for i in range(n_classes):
        curvature = n * p[i] * (q[i] * (1.0 + k[i]) + p[i] * (before[i] + after[i]))
        matrix[i, i] = max(curvature, abs(gradient[i]) / max_step)
        between = 0.0
        for j in range(i + 1, n_classes):
            rest = k[i] + k[j] - (before[i] + between + after[j])
            matrix[i, j] = matrix[j, i] = -n * p[i] * p[j] * rest
            between += t[j]
    return gradient, matrix
