"""Softmax focal loss of one row: the formulas, once, for numpy's arrays and for numba's loop.

Everything is class-major: ``z[c]`` is the raw score of class c, an array over rows, or a number in
the compiled loop. With ``m = z[c] - logsumexp(z of the other classes)`` the probability of class c
is ``p = sigmoid(m)``, and the loss of a row of class c is the binary one at the margin m. As m has
the derivative 1 in z[c] and -r[j] in z[j], r the softmax of the other classes::

    gradient[c] = -slope(m)        gradient[j]   = slope(m) * r[j]
    hessian[c,c] = bend(m)         hessian[j,j] = bend(m) * r[j]**2 + slope(m) * r[j] * (1 - r[j])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from focalboost._formulas import (
    LARGEST,
    exp,
    log1p,
    log_tilt,
    parts,
    power,
    relative_derivatives,
    slope_and_bend,
)


def log_add(a: Any, b: Any) -> Any:
    """Return ``log(exp(a) + exp(b))``."""
    return np.maximum(a, b) + log1p(exp(-np.abs(a - b)))


def from_the_largest(z: Any) -> Any:
    """Return the scores less the largest of a row, which no formula sees but by its rounding."""
    largest = z[0]
    for c in range(1, len(z)):
        largest = np.maximum(largest, z[c])
    return np.maximum(z - largest, -LARGEST)


def logsumexp_of_others(z: Any) -> Any:
    """Return for each class ``log(sum(exp(z)))`` over the other classes, without cancellation.

    Textbook: 1 - p. Here the sums of those before and of those after a class are added.
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


def pick(condition: Any, x: Any, y: Any) -> Any:
    """Return ``np.where(condition, x, y)``, which the compiled loop has for numbers."""
    return np.where(condition, x, y)


def log_share(log_a: float, gamma: float, p: Any, q: Any, L: Any, S: Any) -> Any:
    """Return the logarithm of p / (a * phi), with phi = slope / q."""
    log = -L - log_a - log_tilt(gamma, p, q, L, S)
    # beyond the largest number the difference of two would be NaN
    return np.minimum(np.maximum(log, -LARGEST / 4), LARGEST / 4)


def log_posterior(log_a: Any, gamma: float, margins: Any) -> Any:
    """Return the logarithm of the posterior.

    The expected gradient is 0 where it is N * p / (a * phi), with the N that makes the sum 1.
    """
    logs = np.empty_like(margins)
    total = -np.inf + 0.0 * margins[0]
    for c in range(len(margins)):
        p, q, L, S = parts(margins[c])
        logs[c] = log_share(log_a[c], gamma, p, q, L, S)
        total = log_add(total, logs[c])
    return logs - total


def loss(a: Any, gamma: float, y: Any, z: Any) -> tuple[Any]:
    """Return ``a[c] * q**gamma * L`` of the row's class c."""
    others = logsumexp_of_others(z)
    value = 0.0 * others[0]
    for c in range(len(z)):
        _, q, L, S = parts(z[c] - others[c])
        value = pick(y == c, a[c] * power(q, gamma, S) * L, value)
    return (value,)


def gradient_hessian(a: Any, gamma: float, y: Any, z: Any) -> tuple[Any, Any]:
    return gradient_hessian_given(logsumexp_of_others(z), a, gamma, y, z)


def gradient_hessian_given(others: Any, a: Any, gamma: float, y: Any, z: Any) -> tuple[Any, Any]:
    margin, other, weight = others[0], others[0], 0.0 * others[0]
    for c in range(len(z)):
        margin = pick(y == c, z[c] - others[c], margin)
        other = pick(y == c, others[c], other)
        weight = pick(y == c, a[c], weight)
    slope, bend = slope_and_bend(gamma, *parts(margin))
    slope, bend = weight * slope, weight * bend
    gradient, hessian = np.empty_like(z), np.empty_like(z)
    for j in range(len(z)):
        r = exp(np.minimum(z[j] - other, 0.0))
        gradient[j] = pick(y == j, -slope, slope * r)
        hessian[j] = pick(y == j, bend, bend * (r * r) + slope * (r * (1.0 - r)))
    return gradient, hessian


def expectation(log_a: Any, gamma: float, margins: Any) -> tuple[Any, Any, Any, Any]:
    """Return p, q, bend / slope of each class, and N, of which the expected Hessian is made.

    With k = bend / slope, and i and j two classes, it is::

        E[i,i] =  N * p[i] * (q[i] * (1 + k[i]) + p[i] * sum of t[c] over c other than i)
        E[i,j] = -N * p[i] * p[j] * (k[i] + k[j] - sum of t[c] over c other than i and j)
        t[c]   =  p[c] * (k[c] - 1) / q[c]
    """
    p, q, k = np.empty_like(margins), np.empty_like(margins), np.empty_like(margins)
    total = -np.inf + 0.0 * margins[0]
    for c in range(len(margins)):
        p_c, q_c, L, S = parts(margins[c])
        k[c], _ = relative_derivatives(gamma, p_c, q_c, L)
        p[c], q[c] = p_c, np.maximum(q_c, 1e-300)
        total = log_add(total, log_share(log_a[c], gamma, p_c, q_c, L, S))
    return p, q, k, np.exp(-total)


def bounded_diagonal(gradient: Any, max_step: float, p: Any, q: Any, k: Any, n: Any) -> Any:
    """Return the diagonal of the expected Hessian, or the bound on a row's step."""
    n_classes = len(p)
    # Sums over the classes before and after: subtracting from a whole sum would cancel.
    before, after = np.empty_like(p), np.empty_like(p)
    before[0] = 0.0
    after[n_classes - 1] = 0.0
    for c in range(1, n_classes):
        i, j = c - 1, n_classes - c
        before[c] = before[i] + p[i] * (k[i] - 1.0) / q[i]
        after[j - 1] = after[j] + p[j] * (k[j] - 1.0) / q[j]
    for c in range(n_classes):
        expected = n * p[c] * (q[c] * (1.0 + k[c]) + p[c] * (before[c] + after[c]))
        before[c] = np.maximum(expected, np.abs(gradient[c]) / max_step)
    return before


def gradient_curvature(
    a: Any, log_a: Any, gamma: float, max_step: float, y: Any, z: Any
) -> tuple[Any, Any]:
    """Return the gradient and the diagonal of the expected Hessian, bounded."""
    others = logsumexp_of_others(z)
    gradient, _ = gradient_hessian_given(others, a, gamma, y, z)
    p, q, k, n = expectation(log_a, gamma, z - others)
    return gradient, bounded_diagonal(gradient, max_step, p, q, k, n)


def gradient_matrix(
    a: Any, log_a: Any, gamma: float, max_step: float, y: Any, z: Any
) -> tuple[Any, Any]:
    """Return the gradient and the whole expected Hessian of one row, its diagonal bounded."""
    z = from_the_largest(z)
    others = logsumexp_of_others(z)
    gradient, _ = gradient_hessian_given(others, a, gamma, y, z)
    p, q, k, n = expectation(log_a, gamma, z - others)
    curvature = bounded_diagonal(gradient, max_step, p, q, k, n)
    n_classes = len(z)
    matrix = np.empty((n_classes, n_classes))
    for i in range(n_classes):
        matrix[i, i] = curvature[i]
        for j in range(i):
            rest = k[i] + k[j]
            for c in range(n_classes):
                if c != i and c != j:
                    rest -= p[c] * (k[c] - 1.0) / q[c]
            matrix[i, j] = matrix[j, i] = -n * p[i] * p[j] * rest
    return gradient, matrix
