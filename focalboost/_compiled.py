"""The formulas' loops, compiled by numba where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np

from focalboost import _formulas, _softmax


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
    """Write `_formulas.gradient_curvature` row by row: the loop that numba compiles."""
    for i in range(z.size):
        gradient[i], curvature[i] = _formulas.gradient_curvature(
            a1, a0, gamma, max_step, y[i], z[i]
        )


def fill_rows_by_gamma(
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
def _options() -> dict[str, Any] | None:
    """Teach numba our exp and log1p; return the options of every compiled function, or None.

    The compiler turns a loop over rows into vector instructions, since exp and log1p are
    straight-line code here. Both are within an ulp or two in the range that the formulas ask for.
    """
    try:
        from numba import types
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
    options: Any = {
        "error_model": "numpy",
        "fastmath": {"contract", "nsz"},
        "forceinline": True,
    }
    overload(_formulas.exp, jit_options=options)(lambda x: exp_polynomial)  # noqa: ARG005
    overload(_formulas.log1p, jit_options=options)(lambda x: log1p_polynomial)  # noqa: ARG005
    overload(_softmax.pick, jit_options=options)(
        lambda condition, x, y: lambda condition, x, y: x if condition else y  # noqa: ARG005
    )
    for formula in (
        _formulas.parts,
        _formulas.power,
        _formulas.slope_and_bend,
        _formulas.bounded_expectation,
        _formulas.gradient_curvature,
        fill_rows,
    ):
        register_jitable(**options)(formula)
    return cast(dict[str, Any], options)


def _compile(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    from numba import njit

    # numba's cache goes by the date of the function's own file. An installation dates every file
    # anew; who edits a formula in place empties __pycache__.
    try:
        return njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # no folder to write the cache to
        return njit(nogil=True, **options)(function)


@cache
def gradient_curvature() -> Callable[..., tuple[Any, Any]] | None:
    """Return `_formulas.gradient_curvature` of float64 arrays, or None where numba is missing."""
    options = _options()
    if options is None:
        return None
    compiled = _compile(fill_rows_by_gamma, options)

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


@cache
def softmax_gradient_matrix() -> Callable[..., tuple[Any, Any]] | None:
    """Return `_softmax.gradient_matrix` of one row, or None where numba is missing."""
    if _options() is None:
        return None
    from numba.extending import register_jitable

    # Small functions of many scalars: forced inlining would only lengthen the compilation.
    options = {"error_model": "numpy"}
    for formula in (
        _formulas.log_tilt,
        _formulas.relative_derivatives,
        _softmax.log_add,
        _softmax.from_the_largest,
        _softmax.logsumexp_of_others,
        _softmax.log_share,
        _softmax.gradient_hessian_given,
        _softmax.expectation,
        _softmax.bounded_diagonal,
    ):
        register_jitable(**options)(formula)
    compiled: Callable[..., tuple[Any, Any]] = _compile(_softmax.gradient_matrix, options)
    return compiled
