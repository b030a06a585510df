"""Loops over many samples for softmax focal loss, which numba compiles: class by class, in blocks.

The formulas are those of `_softmax`, in linear space: ``p[c]`` and ``q[c]`` are a class's
exponential and the sum of the others', divided by the sum of all. Nothing cancels, and one
exponential and one logarithm for each class are enough; a sample whose q is below `smallest_q` is
left to `_softmax`, which works with logarithms. The inner loops run over samples, so that the
compiler can vectorise them. It does so where it sees that no arrays overlap: each is allocated by
itself, in the loop that uses it.

Each maker returns a loop for one exponent, or for any exponents where it is NaN. The loop returns
its key, too: see `_compiled.loops`.
"""

from __future__ import annotations

import numpy as np

from focalboost.losses._formulas import exp, log, log1p, power
from focalboost.losses._types import Function, Values

SIZE = 128


def smallest_q(gamma: Values) -> float:
    """Return the least q for which ``q**(gamma + 2)`` is well above the smallest number."""
    return float(10.0 ** (-290.0 / (np.max(gamma) + 2.0)))


def shares_of_block(
    z: Values, start: int, L: Values, p: Values, q: Values, least: Values, run: Values, top: Values
) -> None:
    """Write -log p, p and q of each class of a block, and the least q of each sample."""
    k, m = z.shape[1], min(SIZE, len(z) - start)
    for i in range(m):
        top[i] = -np.inf
        run[i] = 0.0
        least[i] = 0.0
    for c in range(k):
        L_c = L[c]
        for i in range(m):
            L_c[i] = z[start + i, c]
            top[i] = max(top[i], L_c[i])
    # q is the sum of the exponentials before and after a class.
    for c in range(k):
        L_c, p_c, q_c = L[c], p[c], q[c]
        for i in range(m):
            L_c[i] -= top[i]
            p_c[i] = exp(L_c[i])
            q_c[i] = run[i]
            run[i] += p_c[i]
    for i in range(m):
        run[i] = 0.0
    for j in range(k):
        L_c, p_c, q_c = L[k - 1 - j], p[k - 1 - j], q[k - 1 - j]
        for i in range(m):
            q_c[i] += run[i]
            run[i] += p_c[i]
            # the sum of the others' exponentials where the class's own, the largest, is 1
            least[i] = q_c[i] if L_c[i] == 0.0 else least[i]
    for i in range(m):
        run[i] = log1p(least[i])
        top[i] = 1.0 / (1.0 + least[i])
        least[i] = np.inf
    for c in range(k):
        L_c, p_c, q_c = L[c], p[c], q[c]
        for i in range(m):
            L_c[i] = run[i] - L_c[i]
            p_c[i] *= top[i]
            q_c[i] *= top[i]
            least[i] = min(least[i], q_c[i])


def softmax_derivatives(exponent: float, key: int) -> Function:
    def loop(
        a: Values,
        gamma: Values,
        max_step: float,
        y: Values,
        z: Values,
        gradient: Values,
        curvature: Values,
    ) -> tuple[int, int]:
        """Write the derivatives, NaN for samples left to `_softmax`; return their number."""
        k, limit, n_left = len(a), smallest_q(gamma), 0
        L, p, q, t = (
            np.empty((k, SIZE)),
            np.empty((k, SIZE)),
            np.empty((k, SIZE)),
            np.empty((k, SIZE)),
        )
        least, run, top, share = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
        own_L, own_p, own_q = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
        own_a, own_gamma = np.empty(SIZE), np.empty(SIZE)
        slope, per_q = np.empty(SIZE), np.empty(SIZE)
        for start in range(0, len(y), SIZE):
            m = min(SIZE, len(y) - start)
            shares_of_block(z, start, L, p, q, least, run, top)
            for i in range(m):
                own = np.int64(y[start + i])
                own_L[i], own_p[i], own_q[i] = L[own, i], p[own, i], q[own, i]
                own_a[i], own_gamma[i] = a[own], gamma[own]
            for i in range(m):
                bend = exponent if exponent == exponent else own_gamma[i]
                turned_down = power(own_q[i], bend, -log(own_q[i]))
                slope[i] = own_a[i] * (turned_down * (bend * own_p[i] * own_L[i] + own_q[i]))
                per_q[i] = slope[i] / own_q[i]
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
                    expected = share[i] * p_c[i] * (L_c[i] + p_c[i] * (t_c[i] + run[i]))
                    run[i] += q_c[i]
                    p_c[i] = -slope[i] if y[start + i] == c else per_q[i] * p_c[i]
                    q_c[i] = max(expected, abs(p_c[i]) * per_step)
                    least[i] = least[i] if abs(p_c[i]) + q_c[i] < np.inf else 0.0
                for i in range(m):
                    gradient[start + i, c] = p_c[i]
                    curvature[start + i, c] = q_c[i]
            for i in range(m):
                if not least[i] >= limit:
                    gradient[start + i, 0] = np.nan
                    n_left += 1
        return n_left, key

    return loop


def softmax_losses(exponent: float, key: int) -> Function:
    def loop(a: Values, gamma: Values, y: Values, z: Values, losses: Values) -> int:
        """Write the losses."""
        k = len(a)
        top, e, others = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
        own_d, own_a, own_gamma = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
        for start in range(0, len(y), SIZE):
            m = min(SIZE, len(y) - start)
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
                    e[i] = z[start + i, c] - top[i]
                for i in range(m):
                    others[i] += 0.0 if y[start + i] == c else exp(e[i])
            for i in range(m):
                bend = exponent if exponent == exponent else own_gamma[i]
                own_e = exp(own_d[i])
                q = others[i] / (others[i] + own_e)
                # The largest exponential is 1: that of the sample's class, or one of the others.
                L = log1p(others[i] if own_d[i] == 0.0 else others[i] - 1.0 + own_e) - own_d[i]
                losses[start + i] = own_a[i] * (power(q, bend, -log(q)) * L)
        return key

    return loop


def softmax_log_losses(exponent: float, key: int) -> Function:
    def loop(a: Values, gamma: Values, y: Values, z: Values, losses: Values) -> int:
        """Write the log losses of the probabilities, NaN for samples left to `_softmax`."""
        k, limit = len(a), smallest_q(gamma)
        L, p, q = np.empty((k, SIZE)), np.empty((k, SIZE)), np.empty((k, SIZE))
        least, run, top = np.empty(SIZE), np.empty(SIZE), np.empty(SIZE)
        own, others = np.empty(SIZE), np.empty(SIZE)
        for start in range(0, len(y), SIZE):
            m = min(SIZE, len(y) - start)
            shares_of_block(z, start, L, p, q, least, run, top)
            for i in range(m):
                others[i] = 0.0
                own[i] = 0.0
            for c in range(k):
                L_c, p_c, q_c = L[c], p[c], q[c]
                bend, weight = exponent if exponent == exponent else gamma[c], 1.0 / a[c]
                for i in range(m):
                    # the probability but for the sum of all: p / (a * phi), with phi = slope / q
                    A = bend * p_c[i] * L_c[i] + q_c[i]
                    share = weight * p_c[i] * q_c[i] / (A * power(q_c[i], bend, -log(q_c[i])))
                    own[i] += share if y[start + i] == c else 0.0
                    others[i] += 0.0 if y[start + i] == c else share
            for i in range(m):
                ratio = others[i] / own[i]
                is_plain = least[i] >= limit and ratio < np.inf
                losses[start + i] = log1p(ratio) if is_plain else np.nan
        return key

    return loop
