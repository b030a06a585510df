"""Binary losses of one row: the formulas, once, for numpy's arrays and for numba's loop.

p is the probability that the raw score z stands for before the loss bends it, ``sigmoid(z)``, and
q = 1 - p. A row with label y is y of a positive row, of weight a1, and 1 - y of a negative one, of
weight a0; a negative row is a positive one at the margin -z, with p and q changed over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

LARGEST = float(np.finfo(np.float64).max)
SMALLEST = 5e-324


def exp(x: Any) -> Any:
    """Return ``np.exp(x)``, for x <= 0; the compiled loop has a polynomial in its place."""
    return np.exp(x)


def log1p(x: Any) -> Any:
    """Return ``np.log1p(x)``, for x in [0, 1]; the compiled loop has a polynomial in its place."""
    return np.log1p(x)


def parts(z: Any) -> tuple[Any, Any, Any, Any]:
    """Return p, q, L = -log p and S = -log q, without cancellation.

    Textbook: ``q = 1 - p``, ``L = -log(p)``. That loses q to rounding at |z| = 20 and needs a clip
    to survive log(0), which stops the decay of the loss and turns into NaN in single precision.
    Here only ``exp(-|z|)`` is taken, which cannot overflow. Nothing is clipped but infinities, so
    that gamma = 0 times S, and p = 0 times L, are 0 there.
    """
    low, high = np.minimum(z, 0.0), np.maximum(z, 0.0)
    e = exp(low - high)
    r = 1.0 / (1.0 + e)
    tail = log1p(e)
    # e is at most 1: where z >= 0, p is r and not e * r
    p, q = np.maximum(e, z >= 0) * r, np.maximum(e, z <= 0) * r
    return p, q, np.minimum(tail - low, LARGEST), np.minimum(tail + high, LARGEST)


def power(q: Any, gamma: float, S: Any) -> Any:
    """Return ``q**gamma`` from S = -log q; the usual exponents need no exp."""
    if gamma == 2.0:
        return q * q
    if gamma == 1.0:
        return q
    if gamma == 0.0:
        return 1.0
    return exp(-gamma * S)


def slope_and_bend(gamma: float, p: Any, q: Any, L: Any, S: Any) -> tuple[Any, Any]:
    """Return minus the first derivative of a positive row, which is >= 0, and the second.

    ::

        slope = q**gamma * (gamma*p*L + q)
        bend  = q**gamma * p * (gamma**2*p*L + (2*gamma + 1)*q - gamma*q*L)

    The factors are grouped so that none overflows, also where gamma**2 would.
    """
    factor = power(q, gamma, S)
    u, pq = gamma * p, p * q
    slope = factor * (u * L + q)
    return slope, (factor * u) * (u * L) + factor * (pq + gamma * (pq * (2.0 - L)))


def bounded_expectation(
    max_step: float, y: Any, slope1: Any, bend1: Any, slope0: Any, bend0: Any
) -> tuple[Any, Any]:
    """Return the gradient and the expected Hessian, bounded for each label.

    The posterior of the positive label is ``slope0 / (slope0 + slope1)``, so that the expected
    Hessian is ``(slope0 * bend1 + slope1 * bend0) / (slope0 + slope1)``.
    """
    # Divided before multiplied, since the products underflow where gamma is large.
    total = np.maximum(slope0 + slope1, SMALLEST)
    expected = (slope0 / total) * bend1 + (slope1 / total) * bend0
    curvature1 = np.maximum(expected, slope1 / max_step)
    curvature0 = np.maximum(expected, slope0 / max_step)
    return (1.0 - y) * slope0 - y * slope1, y * curvature1 + (1.0 - y) * curvature0


def gradient_curvature(
    a1: float, a0: float, gamma: float, max_step: float, y: Any, z: Any
) -> tuple[Any, Any]:
    """Return the gradient and the curvature of focal loss, of which numba compiles the loop."""
    p, q, L, S = parts(z)
    slope1, bend1 = slope_and_bend(gamma, p, q, L, S)
    slope0, bend0 = slope_and_bend(gamma, q, p, S, L)
    return bounded_expectation(max_step, y, a1 * slope1, a1 * bend1, a0 * slope0, a0 * bend0)


def log_tilt(gamma: float, margin: Any) -> Any:
    """Return the logarithm of slope / q, which is ``-gamma*S + log1p(gamma*p*L/q)``.

    The ratio p * L / q lies in (0, 1]; taken from exp(-|margin|) it needs no denormal numbers.
    """
    size = np.minimum(np.abs(margin), LARGEST)
    e = np.exp(-size)
    tail = np.log1p(e)
    ratio = np.where(
        margin >= 0,
        np.divide(tail, e, out=np.ones_like(e), where=e > 0),
        e * (size + tail),
    )
    return np.log1p(gamma * ratio) - gamma * (tail + np.clip(margin, 0.0, LARGEST))


def slope_and_bend_beyond_margin(
    gamma: float, p: Any, q: Any, left: Any, log_right: Any
) -> tuple[Any, Any]:
    """Return the derivatives of ``left**gamma * -log(1 - left)``, left = max(q - margin, 0).

    With V that value as a function of left, ``slope = p*q*V'`` and
    ``bend = p*q*((p - q)*V' + p*q*V'')``.
    """
    right, is_left = 1.0 - left, left > 0
    power_below = left ** (gamma - 1.0)
    # -log(1 - left) / left, which is 1 at 0
    ratio = np.divide(-log_right, left, out=np.ones_like(left), where=is_left)
    first = power_below * left * (gamma * ratio + 1.0 / right)
    second = power_below * (gamma * (gamma - 1.0) * ratio + 2.0 * gamma / right + left / right**2)
    pq = p * q
    return pq * first, np.where(is_left, pq * ((p - q) * first + pq * second), 0.0)


def relative_derivatives(gamma: float, p: Any, q: Any, L: Any) -> tuple[Any, Any]:
    """Return focal loss's second and third derivative in the margin, divided by its slope.

    With ``A = gamma*p*L + q``, so that slope is q**gamma * A, and A', A'' its derivatives::

        bend  / slope = gamma*p - A'/A
        twist / slope = gamma*p*q - gamma*p*(bend/slope - A'/A) - A''/A
    """
    A = gamma * p * L + q
    pq = p * q
    first = pq * (gamma * L - gamma - 1.0) / A
    second = pq * ((q - p) * (gamma * L - gamma - 1.0) - gamma * q) / A
    bend = gamma * p - first
    return bend, gamma * pq - gamma * p * (bend - first) - second


def fill_rows(
    a1: float,
    a0: float,
    gamma: float,
    max_step: float,
    y: Any,
    z: Any,
    gradient: Any,
    curvature: Any,
) -> None:
    """Write `gradient_curvature` row by row: the loop that numba compiles."""
    for i in range(z.size):
        gradient[i], curvature[i] = gradient_curvature(a1, a0, gamma, max_step, y[i], z[i])


def fill_rows_fast(
    a1: float,
    a0: float,
    gamma: float,
    max_step: float,
    y: Any,
    z: Any,
    gradient: Any,
    curvature: Any,
) -> None:
    """Call `fill_rows` with the usual exponents as constants, which the compiler works out."""
    if gamma == 2.0:
        fill_rows(a1, a0, 2.0, max_step, y, z, gradient, curvature)
    elif gamma == 0.0:
        fill_rows(a1, a0, 0.0, max_step, y, z, gradient, curvature)
    else:
        fill_rows(a1, a0, gamma, max_step, y, z, gradient, curvature)


@cache
def compiled_gradient_curvature() -> Callable[..., tuple[Any, Any]] | None:
    """Return `gradient_curvature` compiled for float64 arrays, or None where numba is missing.

    The compiler turns the loop into vector instructions, since exp and log1p are straight-line
    code here. Both are within an ulp or two in the range that the formulas ask for.
    """
    try:
        from numba import njit, types
        from numba.extending import intrinsic, overload, register_jitable
    except ImportError:
        return None

    def float_of_bits(_: Any, bits: Any) -> Any:  # noqa: ARG001
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return types.float64(types.int64), codegen

    as_float: Any = intrinsic(float_of_bits)

    def exp_polynomial(x):  # type: ignore[no-untyped-def]
        # exp(x) = 2**n * exp(r) with |r| <= log(2) / 2; the two parts of log(2) keep r exact.
        # Adding and subtracting 1.5 * 2**52 rounds to a whole number.
        x = max(x, -746.0)  # exp is 0 there
        n = (x * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0
        r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6
        s = 1 / 6227020800 * r + 1 / 479001600
        s = ((s * r + 1 / 39916800) * r + 1 / 3628800) * r + 1 / 362880
        s = ((s * r + 1 / 40320) * r + 1 / 5040) * r + 1 / 720
        s = (((s * r + 1 / 120) * r + 1 / 24) * r + 1 / 6) * r + 1 / 2
        s = (s * r + 1.0) * r + 1.0
        # 2**n in two factors, of which neither is denormal
        half = np.int64(n) >> 1
        rest = np.int64(n) - half
        return s * as_float((half + 1023) << 52) * as_float((rest + 1023) << 52)

    def log1p_polynomial(x):  # type: ignore[no-untyped-def]
        # log(1 + x) = 2 * atanh(s) with s = x / (2 + x) <= 1/3
        s = x / (2.0 + x)
        t = s * s
        u = ((1 / 35 * t + 1 / 33) * t + 1 / 31) * t + 1 / 29
        u = (((u * t + 1 / 27) * t + 1 / 25) * t + 1 / 23) * t + 1 / 21
        u = (((u * t + 1 / 19) * t + 1 / 17) * t + 1 / 15) * t + 1 / 13
        u = (((u * t + 1 / 11) * t + 1 / 9) * t + 1 / 7) * t + 1 / 5
        return 2.0 * s * ((u * t + 1 / 3) * t + 1.0)

    # Inlined by force, so that the loop becomes one straight line; contract allows fused
    # multiply-add, nsz forgets the sign of 0.
    options: Any = {"error_model": "numpy", "fastmath": {"contract", "nsz"}, "forceinline": True}
    overload(exp, jit_options=options)(lambda x: exp_polynomial)  # noqa: ARG005
    overload(log1p, jit_options=options)(lambda x: log1p_polynomial)  # noqa: ARG005
    formulas = (parts, power, slope_and_bend, bounded_expectation, gradient_curvature, fill_rows)
    for formula in formulas:
        register_jitable(**options)(formula)
    try:
        compiled = njit(cache=True, nogil=True, **options)(fill_rows_fast)
    except RuntimeError:  # no folder to write the cache to
        compiled = njit(nogil=True, **options)(fill_rows_fast)

    def filled(
        a1: float, a0: float, gamma: float, max_step: float, y: Any, z: Any
    ) -> tuple[Any, Any]:
        gradient, curvature = np.empty(z.shape), np.empty(z.shape)
        compiled(
            a1, a0, gamma, max_step, np.require(y, requirements=["C", "W"]),
            np.require(z, requirements=["C", "W"]), gradient, curvature,
        )  # fmt: skip
        return gradient, curvature

    return filled
