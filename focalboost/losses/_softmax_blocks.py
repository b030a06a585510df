"""Softmax focal loss of many samples, as numba compiles it: blocks of samples, class by class.

The formulas are those of `_softmax`, in linear space: ``p[c]`` and ``q[c]`` are a class's
exponential and the sum of the others', divided by the sum of all. Nothing cancels, and one
exponential and one logarithm for each class are enough; a sample whose q is below `limit` is left
to `_softmax`, which works with logarithms. The inner loops run over samples, so that the compiler
can vectorise them, and each has few arrays, so that the compiler can tell that the arrays do not
overlap.
"""

from __future__ import annotations

import numpy as np

from focalboost.losses._formulas import exp, log, log1p, power
from focalboost.losses._types import Array, Values

SIZE = 128


def limit(gamma: Array) -> float:
    """Return the least q for which ``q**(gamma + 2)`` is well above the smallest number."""
    return float(10.0 ** (-290.0 / (np.max(gamma) + 2.0)))


def rows_of_room(n_classes: int) -> int:
    """Return how many numbers `fill_block` needs room for, for each sample of a block."""
    return 4 * n_classes + 7


def fill_block(
    a: Values,
    gamma: Values,
    exponent: float,
    max_step: float,
    least: float,
    y: Values,
    z: Values,
    gradient: Values,
    curvature: Values,
    start: int,
    room: Values,
) -> int:
    """Write the derivatives of a block, NaN for samples left to `_softmax`; return their number."""
    k, m = z.shape[1], min(SIZE, len(y) - start)
    L, p, q, t = room[:k], room[k : 2 * k], room[2 * k : 3 * k], room[3 * k : 4 * k]
    top, run, share, own_p, own_q, own_a, own_gamma = room[4 * k :]
    for i in range(m):
        top[i] = -np.inf
        run[i] = 0.0
    for c in range(k):
        L_c = L[c]
        for i in range(m):
            L_c[i] = z[start + i, c]
        for i in range(m):
            top[i] = max(top[i], L_c[i])
    # q is the sum of the exponentials before and after a class.
    for c in range(k):
        L_c, p_c, q_c = L[c], p[c], q[c]
        for i in range(m):
            L_c[i] -= top[i]
        for i in range(m):
            p_c[i] = exp(L_c[i])
        for i in range(m):
            q_c[i] = run[i]
            run[i] += p_c[i]
    for i in range(m):
        run[i] = 0.0
    for j in range(k):
        L_c, p_c, q_c = L[k - 1 - j], p[k - 1 - j], q[k - 1 - j]
        for i in range(m):
            q_c[i] += run[i]
            run[i] += p_c[i]
        for i in range(m):  # q of the largest class, whose exponential is 1
            share[i] = q_c[i] if L_c[i] == 0.0 else share[i]
    for i in range(m):
        run[i] = log1p(share[i])
        top[i] = 1.0 / (1.0 + share[i])
        share[i] = np.inf
    for c in range(k):
        L_c, p_c, q_c = L[c], p[c], q[c]
        for i in range(m):
            p_c[i] *= top[i]
            q_c[i] *= top[i]
        for i in range(m):
            L_c[i] = run[i] - L_c[i]
        for i in range(m):
            share[i] = min(share[i], q_c[i])
    for i in range(m):
        run[i] = share[i]  # the least q
    for i in range(m):
        own = np.int64(y[start + i])
        top[i], own_p[i], own_q[i] = L[own, i], p[own, i], q[own, i]
        own_a[i], own_gamma[i] = a[own], gamma[own]
    for i in range(m):
        bend = exponent if exponent == exponent else own_gamma[i]
        slope = power(own_q[i], bend, -log(own_q[i])) * (bend * own_p[i] * top[i] + own_q[i])
        own_p[i] = own_a[i] * slope
    for i in range(m):
        own_q[i] = own_p[i] / own_q[i]
    for i in range(m):
        top[i] = run[i]
        share[i] = 0.0
        run[i] = 0.0
    for c in range(k):
        L_c, p_c, q_c, t_c = L[c], p[c], q[c], t[c]
        bend, weight = exponent if exponent == exponent else gamma[c], 1.0 / a[c]
        for i in range(m):
            p_i, q_i, L_i = p_c[i], q_c[i], L_c[i]
            turned_down = power(q_i, bend, -log(q_i))
            A = bend * p_i * L_i + q_i
            inverse = 1.0 / (q_i * A * turned_down)
            ratio = bend * p_i - (p_i * q_i) * (bend * L_i - bend - 1.0) * (
                inverse * (q_i * turned_down)
            )
            share[i] += weight * p_i * (q_i * q_i) * inverse
            L_c[i] = q_i * (1.0 + ratio)
            q_c[i] = p_i * (ratio - 1.0) * (inverse * (A * turned_down))
        for i in range(m):
            t_c[i] = run[i]
            run[i] += q_c[i]
    for i in range(m):
        share[i] = 1.0 / share[i]
        run[i] = 0.0
    per_step = 1.0 / max_step
    for j in range(k):
        c = k - 1 - j
        L_c, p_c, q_c, t_c = L[c], p[c], q[c], t[c]
        for i in range(m):
            t_c[i] += run[i]
            run[i] += q_c[i]
        for i in range(m):
            q_c[i] = share[i] * p_c[i] * (L_c[i] + p_c[i] * t_c[i])
        for i in range(m):
            p_c[i] = -own_p[i] if y[start + i] == c else own_q[i] * p_c[i]
        for i in range(m):
            q_c[i] = max(q_c[i], abs(p_c[i]) * per_step)
        for i in range(m):
            top[i] = top[i] if abs(p_c[i]) + q_c[i] < np.inf else 0.0
        for i in range(m):
            gradient[start + i, c] = p_c[i]
        for i in range(m):
            curvature[start + i, c] = q_c[i]
    n_left = 0
    for i in range(m):
        n_left += not top[i] >= least
    if n_left:
        for i in range(m):
            if not top[i] >= least:
                gradient[start + i, 0] = np.nan
    return n_left


def losses_of_block(
    a: Values,
    gamma: Values,
    exponent: float,
    y: Values,
    z: Values,
    losses: Values,
    start: int,
    room: Values,
) -> None:
    """Write the losses of a block."""
    k, m = z.shape[1], min(SIZE, len(y) - start)
    top, e, own_d, own_a, own_gamma, others = room
    for i in range(m):
        top[i] = -np.inf
        others[i] = 0.0
    for c in range(k):
        for i in range(m):
            top[i] = max(top[i], np.float64(z[start + i, c]))
    for i in range(m):
        own = np.int64(y[start + i])
        own_d[i] = z[start + i, own] - top[i]
        own_a[i], own_gamma[i] = a[own], gamma[own]
    for c in range(k):
        for i in range(m):
            e[i] = exp(z[start + i, c] - top[i])
        for i in range(m):
            others[i] += 0.0 if y[start + i] == c else e[i]
    for i in range(m):
        bend = exponent if exponent == exponent else own_gamma[i]
        own_e = exp(own_d[i])
        q = others[i] / (others[i] + own_e)
        # The largest exponential is 1: that of the sample's class, or one of the others.
        L = log1p(others[i] if own_d[i] == 0.0 else others[i] - 1.0 + own_e) - own_d[i]
        losses[start + i] = own_a[i] * (power(q, bend, -log(q)) * L)
