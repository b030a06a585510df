"""The formulas' loops, compiled by numba where it is installed and works."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from focalboost.losses import _formulas, _softmax
from focalboost.losses._types import Function, Pair, Values


def is_missing() -> bool:
    """Return whether numba is not installed, which is for the user to change."""
    return find_spec("numba") is None


def digest() -> int:
    """Return a number that changes with the text of any formula."""
    hashed = hashlib.sha256()
    for file in (_formulas.__file__, _softmax.__file__, __file__):
        hashed.update(Path(file).read_bytes())
    return int.from_bytes(hashed.digest()[:7], "big")


def _fill(
    a1: float,
    a0: float,
    gamma: float,
    max_step: float,
    y: Values,
    z: Values,
    gradient: Values,
    curvature: Values,
) -> None:
    """Write `_formulas.gradient_curvature` sample by sample: the loop that numba compiles."""
    for i in range(z.size):
        gradient[i], curvature[i] = _formulas.gradient_curvature(
            a1, a0, gamma, max_step, y[i], z[i]
        )


def _fill_losses(a1: float, a0: float, gamma: float, y: Values, z: Values, losses: Values) -> None:
    """Write `_formulas.loss` sample by sample."""
    for i in range(z.size):
        losses[i] = _formulas.loss(a1, a0, gamma, y[i], z[i])


def loops(key: int) -> tuple[Function, Function, Function]:
    """Return the functions that are compiled: two over arrays, and that of one softmax sample.

    numba's cache on disk asks for the date of this file and for the values that a function closes
    over: the key makes it ask for the text of the formulas, too.
    """

    def fill(
        a1: float,
        a0: float,
        gamma: float,
        max_step: float,
        y: Values,
        z: Values,
        gradient: Values,
        curvature: Values,
    ) -> int:
        # The usual exponents as constants, which the compiler works out.
        if gamma == 2.0:
            _fill(a1, a0, 2.0, max_step, y, z, gradient, curvature)
        elif gamma == 0.0:
            _fill(a1, a0, 0.0, max_step, y, z, gradient, curvature)
        else:
            _fill(a1, a0, gamma, max_step, y, z, gradient, curvature)
        return key

    def gradient_matrix(
        a: Values, log_a: Values, gamma: Values, max_step: float, y: Values, z: Values
    ) -> tuple[Values, Values, int]:
        gradient, matrix = _softmax.gradient_matrix(a, log_a, gamma, max_step, y, z)
        return gradient, matrix, key

    def fill_losses(
        a1: float, a0: float, gamma: float, y: Values, z: Values, losses: Values
    ) -> int:
        if gamma == 2.0:
            _fill_losses(a1, a0, 2.0, y, z, losses)
        elif gamma == 0.0:
            _fill_losses(a1, a0, 0.0, y, z, losses)
        else:
            _fill_losses(a1, a0, gamma, y, z, losses)
        return key

    return fill, gradient_matrix, fill_losses


def _polynomials() -> tuple[Function, Function]:
    """Return exp and log1p as straight-line code, which a loop over samples makes vectors of.

    Both are within an ulp or two in the range that the formulas ask for.
    """
    from numba import types
    from numba.extending import intrinsic

    def float_of_bits(_: Values, bits: Values) -> Values:  # noqa: ARG001
        def codegen(context: Values, builder: Values, signature: Values, args: Values) -> Values:
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return types.float64(types.int64), codegen

    as_float: Values = intrinsic(float_of_bits)

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

    return exp_polynomial, log1p_polynomial


def _register() -> dict[str, Values]:
    """Teach numba our formulas with our own exp and log1p; return the options of the loop."""
    from numba.extending import overload, register_jitable

    exp_polynomial, log1p_polynomial = _polynomials()
    # Inlined by force, so that the loop becomes one straight line; contract allows fused
    # multiply-add, nsz forgets the sign of 0.
    options: Values = {
        "error_model": "numpy",
        "fastmath": {"contract", "nsz"},
        "forceinline": True,
    }
    overload(_formulas.exp, jit_options=options)(lambda x: exp_polynomial)  # noqa: ARG005
    overload(_formulas.log1p, jit_options=options)(lambda x: log1p_polynomial)  # noqa: ARG005
    overload(_formulas.pick, jit_options=options)(
        lambda condition, x, y: lambda condition, x, y: x if condition else y  # noqa: ARG005
    )
    inlined: list[Values] = [
        _formulas.parts,
        _formulas.power,
        _formulas.slope_and_bend_given,
        _formulas.slope_and_bend,
        _formulas.bounded_expectation,
        _formulas.gradient_curvature,
        _formulas.value,
        _formulas.loss,
        _fill,
        _fill_losses,
    ]
    # Small functions of many scalars: forced inlining would only lengthen the compilation.
    called: list[Values] = [
        _formulas.ratio,
        _formulas.log_tilt,
        _formulas.relative_derivatives,
        _softmax.log_add,
        _softmax.from_the_largest,
        _softmax.logsumexp_of_others,
        _softmax.log_share,
        _softmax.gradient_hessian_given,
        _softmax.expectation,
        _softmax.sums_around,
        _softmax.gradient_matrix,
    ]
    for formula in inlined:
        register_jitable(**options)(formula)
    for formula in called:
        register_jitable(error_model="numpy")(formula)
    return dict(options)


def _compile(function: Function, options: dict[str, Values], example: Values) -> Values:
    """Return the function compiled for arguments like those of the example, which it is run on."""
    from numba import njit

    # The cache may have no folder, a full disk or a file that was cut off.
    for cached in (True, False):
        try:
            compiled = njit(cache=cached, nogil=True, **options)(function)
            compiled(*example)
            break
        except Exception:
            if not cached:
                raise
    return compiled


@cache
def _options() -> dict[str, Values] | None:
    """Return the options of the compiled loops, or None where numba cannot be used."""
    if is_missing():
        return None
    try:
        import numba

        # With NUMBA_DISABLE_JIT the loops would be Python's, a hundred times as slow as numpy.
        return None if numba.config.DISABLE_JIT else _register()  # type: ignore[attr-defined]
    except Exception as error:
        _warn(error)
        return None


def _warn(error: Exception) -> None:
    warnings.warn(
        f"numba is installed but does not work here ({type(error).__name__}: {error}). focalboost "
        "computes the same with numpy, more slowly.",
        RuntimeWarning,
        stacklevel=2,
    )


def _compiled(which: int, example: Values, more: dict[str, Values] | None = None) -> Values:
    options = _options()
    if options is None:
        return None
    try:
        return _compile(loops(digest())[which], options if more is None else more, example)
    except Exception as error:
        _warn(error)
        return None


@cache
def gradient_curvature() -> Callable[..., Pair] | None:
    """Return `_formulas.gradient_curvature` of float64 arrays, or None without numba."""
    compiled = _compiled(0, (1.0, 1.0, 2.0, 4.0, *np.zeros((4, 1))))
    if compiled is None:
        return None

    def filled(a1: float, a0: float, gamma: float, max_step: float, y: Values, z: Values) -> Pair:
        gradient, curvature = np.empty(z.shape), np.empty(z.shape)
        compiled(
            a1, a0, gamma, max_step, np.require(y, requirements=["C", "W"]),
            np.require(z, requirements=["C", "W"]), gradient, curvature,
        )  # fmt: skip
        return gradient, curvature

    return filled


@cache
def loss() -> Callable[..., Values] | None:
    """Return `_formulas.loss` of float64 arrays, or None without numba."""
    compiled = _compiled(2, (1.0, 1.0, 2.0, *np.zeros((3, 1))))
    if compiled is None:
        return None

    def filled(a1: float, a0: float, gamma: float, y: Values, z: Values) -> Values:
        losses = np.empty(z.shape)
        compiled(
            a1, a0, gamma, np.require(y, requirements=["C", "W"]),
            np.require(z, requirements=["C", "W"]), losses,
        )  # fmt: skip
        return losses

    return filled


@cache
def gradient_matrix() -> Callable[..., tuple[Values, Values, int]] | None:
    """Return `_softmax.gradient_matrix` of one sample, or None without numba."""
    example = (np.ones(2), np.zeros(2), np.ones(2), 4.0, 0, np.zeros(2))
    compiled: Callable[..., tuple[Values, Values, int]] | None = _compiled(
        1, example, {"error_model": "numpy"}
    )
    return compiled
