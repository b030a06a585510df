"""The formulas' loops, compiled by numba where it is installed and works."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np

from focalboost.losses import _formulas, _softmax, _softmax_blocks
from focalboost.losses._blocks import in_parts
from focalboost.losses._types import Array, Function, Pairs, Rows, Values

# The exponents that a loop is compiled for, and the mark of a loop for any exponent. With these
# `power` needs no exp and no log; for another exponent a loop of its own would not be faster.
_FIXED = (0.0, 1.0, 2.0)
_ANY = float("nan")

_FEW = 512

_LARGEST = {kind: float(np.finfo(kind).max) for kind in "fd"}

# The number of samples for which a thread repays its start.
_FOR_A_THREAD = 65_536


def is_missing() -> bool:
    """Return whether numba is not installed, which the user can change."""
    return find_spec("numba") is None


def digest() -> int:
    """Return a number that changes with the text of any formula."""
    hashed = hashlib.sha256()
    folder = Path(__file__).parent
    for name in ("_formulas", "_softmax", "_softmax_blocks", "_compiled"):
        hashed.update((folder / f"{name}.py").read_bytes())
    return int.from_bytes(hashed.digest()[:7], "big")


def _derive(
    a1: float,
    a0: float,
    gamma: float,
    max_step: float,
    largest: float,
    start: float,
    y: Values,
    z: Values,
    w: Values,
    is_weighted: bool,
    gradient: Values,
    curvature: Values,
) -> int:
    """Write the derivatives at the scores plus ``start``; return how many samples are wrong.

    A sample is wrong if its score is not finite, or if a derivative exceeds the largest number.
    """
    n_wrong = 0
    for i in range(z.size):
        score = np.float64(z[i]) + start
        g, h = _formulas.gradient_curvature(a1, a0, gamma, max_step, np.float64(y[i]), score)
        if is_weighted:
            g *= w[i]
            h *= w[i]
        n_wrong += not (abs(g) + h <= largest and abs(score) < np.inf)
        gradient[i] = g
        curvature[i] = h
    return n_wrong


def loops(key: int) -> dict[str, Callable[..., Function]]:
    """Return the makers of the functions that are compiled.

    A loop over samples is made for one exponent, or for any exponent where it is NaN, and with or
    without weights, so that the compiler can treat both as constants.

    numba's cache on disk compares the date of a function's file and the values that the function
    closes over. With ``key`` among them, it also depends on the text of the formulas.
    """

    def derivatives(exponent: float, is_weighted: bool) -> Function:
        def loop(
            a1: float,
            a0: float,
            gamma: float,
            max_step: float,
            largest: float,
            y: Values,
            z: Values,
            w: Values,
            gradient: Values,
            curvature: Values,
        ) -> tuple[int, int]:
            gamma = exponent if exponent == exponent else gamma
            n_wrong = _derive(
                a1, a0, gamma, max_step, largest, 0.0, y, z, w, is_weighted, gradient, curvature
            )
            return n_wrong, key

        return loop

    def negative_pairs(exponent: float, is_weighted: bool) -> Function:
        def loop(
            a1: float,
            a0: float,
            gamma: float,
            max_step: float,
            start: float,
            y: Values,
            z: Values,
            w: Values,
            pairs: Values,
        ) -> tuple[int, int]:
            gamma = exponent if exponent == exponent else gamma
            # Pairs are written afterwards: with them, the compiler would not vectorise the loop.
            gradient, curvature = np.empty(z.size), np.empty(z.size)
            n_wrong = _derive(
                a1, a0, gamma, max_step, _formulas.LARGEST, start,
                y, z, w, is_weighted, gradient, curvature,
            )  # fmt: skip
            for i in range(z.size):
                pairs[i, 0] = -gradient[i]
                pairs[i, 1] = -curvature[i]
            return n_wrong, key

        return loop

    def sums(exponent: float, is_weighted: bool, is_log_loss: bool) -> Function:
        def loop(
            a1: float, a0: float, gamma: float, y: Values, z: Values, w: Values
        ) -> tuple[float, int]:
            gamma = exponent if exponent == exponent else gamma
            log_weights = np.log(a1 / a0)
            total = 0.0
            # Sums over few samples at a time keep the rounding error small.
            for start in range(0, z.size, _FEW):
                of_few = 0.0
                for i in range(start, min(start + _FEW, z.size)):
                    label, score = np.float64(y[i]), np.float64(z[i])
                    if is_log_loss:
                        loss = _formulas.log_loss(log_weights, gamma, label, score)
                    else:
                        loss = _formulas.loss(a1, a0, gamma, label, score)
                    # of NaN and infinity the polynomials make a number
                    loss = loss if abs(score) < np.inf else np.nan
                    of_few += loss * w[i] if is_weighted else loss
                total += of_few
            return total, key

        return loop

    def negative_rows() -> Function:
        def of_sample(
            parameters: Values, y: float, z: Values, w: float, rows: Values
        ) -> tuple[bool, int]:
            a, log_a, gamma, max_step = parameters
            gradient, matrix = _softmax.gradient_matrix(a, log_a, gamma, max_step[0], y, z)
            n_classes, total = len(z), 0.0
            for j in range(n_classes):
                total += z[j]
                rows[0, j] = -w * gradient[j]
                for i in range(n_classes):
                    rows[i + 1, j] = -w * matrix[i, j]
            return abs(total) < np.inf, key

        return of_sample

    found = {make.__name__: make for make in (derivatives, negative_pairs, sums, negative_rows)}
    for make in (
        _softmax_blocks.softmax_derivatives,
        _softmax_blocks.softmax_losses,
        _softmax_blocks.softmax_log_losses,
    ):
        found[make.__name__] = partial(make, key=key)
    return found


def _of_numbers() -> dict[Function, Function]:
    """Return the functions that the loops use instead of numpy's, and can vectorise.

    exp, log and log1p are within an ulp or two in the range that the formulas need. Their
    coefficients minimise the relative error on this range.
    """
    from numba import njit, types
    from numba.extending import intrinsic

    def float_of_bits(_: Values, bits: Values) -> Values:  # noqa: ARG001
        def codegen(context: Values, builder: Values, signature: Values, args: Values) -> Values:
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return types.float64(types.int64), codegen

    def bits_of_float(_: Values, number: Values) -> Values:  # noqa: ARG001
        def codegen(context: Values, builder: Values, signature: Values, args: Values) -> Values:
            return builder.bitcast(args[0], context.get_value_type(signature.return_type))

        return types.int64(types.float64), codegen

    as_float: Values = intrinsic(float_of_bits)
    as_bits: Values = intrinsic(bits_of_float)
    largest, log_2 = _formulas.LARGEST, 0.6931471805599453
    # Adding this rounds a number to a whole number, which the last bits then hold: older processors
    # have no such conversion for several numbers at once.
    rounder = 6755399441055744.0  # 1.5 * 2**52
    bits_of_rounder = 0x4338000000000000
    half_up = 0.41421356237309503  # sqrt(2) - 1
    bits_of_sqrt_half = 0x3FE6A09E667F3BCD
    inlined = njit(**_STRAIGHT)

    def exp_polynomial(x):  # type: ignore[no-untyped-def]
        # exp(x) = 2**n * exp(r) with |r| <= log(2) / 2; the two parts of log(2) keep r exact.
        rounded = max(x, -708.0) * 1.4426950408889634 + rounder
        n = rounded - rounder
        r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6
        s = 2.5100472505694996e-08 * r + 2.7620201591031547e-07
        s = (s * r + 2.7557268276905696e-06) * r + 2.4801521057868204e-05
        s = (s * r + 0.00019841269863171557) * r + 0.0013888888917367081
        s = (s * r + 0.008333333333330039) * r + 0.041666666666623824
        s = ((s * r + 0.16666666666666669) * r + 0.5) * (r * r) + r + 1.0
        # Below the range of normal numbers it is 0.
        return s * as_float((as_bits(rounded) + 1023) << 52) if x > -708.0 else 0.0

    @inlined
    def log_of_quotient(s):  # type: ignore[no-untyped-def]
        # log(1 + f) = 2 * atanh(s) with s = f / (2 + f), |s| < 0.172
        t = s * s
        u = (0.0731501568206143 * t + 0.07665308653371652) * t + 0.09091461256757971
        u = (u * t + 0.11111105337119258) * t + 0.14285714314405498
        u = (u * t + 0.1999999999994661) * t + 0.3333333333333335
        return 2.0 * s * (u * t + 1.0)

    @inlined
    def log_of(x, less_one):  # type: ignore[no-untyped-def]
        # x = 2**n * (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); x - 1 may be known to more digits
        bits = as_bits(x)
        shifted = np.uint64(bits - bits_of_sqrt_half + (1024 << 52)) >> np.uint64(52)
        n = np.int64(shifted) - 1024
        f = as_float(bits - (n << 52)) - 1.0
        f = less_one if n == 0 else f
        return log_of_quotient(f / (2.0 + f)) + (as_float(n + bits_of_rounder) - rounder) * log_2

    def log_polynomial(x):  # type: ignore[no-untyped-def]
        return log_of(x, x - 1.0)

    def log1p_polynomial(x):  # type: ignore[no-untyped-def]
        return log_of(1.0 + x, x)

    exp_inlined = inlined(exp_polynomial)

    def pick_of_numbers(condition, x, y):  # type: ignore[no-untyped-def]
        return x if condition else y

    def parts_polynomial(m):  # type: ignore[no-untyped-def]
        # One division for 1 / (1 + e) and f / (2 + f); 1 + e is 1 + f or twice that.
        e = exp_inlined(-m)
        f = (e - 1.0) * 0.5 if e > half_up else e
        inverse = 1.0 / ((1.0 + e) * (2.0 + f))
        r = inverse * (2.0 + f)
        tail = log_of_quotient(f * (inverse * (1.0 + e))) + (log_2 if e > half_up else 0.0)
        return r, e * r, tail, min(tail + m, largest)

    return {
        _formulas.exp: lambda x: exp_polynomial,  # noqa: ARG005
        _formulas.log: lambda x: log_polynomial,  # noqa: ARG005
        _formulas.log1p: lambda x: log1p_polynomial,  # noqa: ARG005
        _formulas.parts_of_size: lambda m: parts_polynomial,  # noqa: ARG005
        _formulas.pick: lambda condition, x, y: pick_of_numbers,  # noqa: ARG005
    }


# Inlined by force, so that the loop becomes one straight line; contract allows fused multiply-add,
# nsz ignores the sign of 0.
_STRAIGHT: Values = {
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
    "forceinline": True,
}
# For a loop, which is not part of another function.
_LOOP = {key: value for key, value in _STRAIGHT.items() if key != "forceinline"}
_EXACT: Values = {"error_model": "numpy"}


def _register() -> None:
    """Teach numba our formulas, with our own exp and log1p."""
    from numba.extending import overload, register_jitable

    for formula, of_numbers in _of_numbers().items():
        overload(formula, jit_options=_STRAIGHT)(of_numbers)
    inlined: list[Values] = [
        _formulas.parts,
        _formulas.power,
        _formulas.slope_and_bend_given,
        _formulas.slope_and_bend,
        _formulas.bounded_expectation,
        _formulas.gradient_curvature,
        _formulas.value,
        _formulas.loss,
        _formulas.ratio,
        _formulas.log_tilt,
        _formulas.log_odds,
        _formulas.log_loss,
        _derive,
        _softmax_blocks.smallest_q,
        _softmax_blocks.shares_of_block,
    ]
    # Small functions of many scalars: forced inlining would only lengthen the compilation.
    called: list[Values] = [
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
        register_jitable(**_STRAIGHT)(formula)
    for formula in called:
        register_jitable(error_model="numpy")(formula)


@cache
def is_ready() -> bool:
    """Return whether numba can be used; if so, it has learnt our formulas."""
    if is_missing():
        return False
    try:
        import numba

        # With NUMBA_DISABLE_JIT the loops would run in Python, a hundred times slower than numpy.
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return False
        _register()
    except Exception as error:
        _warn(error)
        return False
    return True


def _warn(error: Exception) -> None:
    warnings.warn(
        f"numba is installed but does not work here ({type(error).__name__}: {error}). focalboost "
        "computes the same with numpy, more slowly.",
        RuntimeWarning,
        stacklevel=2,
    )


@cache
def _function(
    name: str,
    constants: tuple[Values, ...],
    labels: Values = np.float64,
    scores: Values = np.float64,
    results: Values = np.float64,
) -> Values:
    """Return a function of `loops`, compiled for arrays of these types, or None without numba."""
    if not is_ready():
        return None
    # The cache may have no folder, a full disk or a file that was cut off.
    for is_cached in (True, False):
        try:
            return _compile(name, constants, (labels, scores, results), is_cached)
        except Exception as error:
            if not is_cached:
                _warn(error)
    return None


def _compile(name: str, constants: Values, kinds: Values, is_cached: bool) -> Values:
    from numba import from_dtype, njit, types

    def array(dtype: Values, n_dim: int = 1, is_read: bool = True) -> Values:
        # An argument that is declared read-only takes a writable array, too.
        kind: Values = from_dtype(np.dtype(dtype))
        return types.Array(kind, n_dim, "C", readonly=is_read)

    labels, scores, results = kinds
    number = types.float64
    y = w = array(labels)
    z = array(scores)
    column = array(np.float64)
    matrix, pairs = array(np.float64, 2), array(np.float64, 2, is_read=False)
    losses = [column, column, column, matrix, array(np.float64, is_read=False)]
    signature = {
        "derivatives": [*5 * [number], y, z, w, *2 * [array(results, is_read=False)]],
        "negative_pairs": [*5 * [number], y, z, w, pairs],
        "sums": [*3 * [number], y, z, w],
        "softmax_derivatives": [column, column, number, column, matrix, pairs, pairs],
        "softmax_losses": losses,
        "softmax_log_losses": losses,
        "negative_rows": [matrix, number, column, number, pairs],
    }
    # The compiler may choose the order of a sum.
    sums = {"reassoc"} if name.endswith("sums") else set()
    options = {**_LOOP, "fastmath": _LOOP["fastmath"] | sums} if name != "negative_rows" else _EXACT
    # CatBoost's threads call these for few samples: releasing Python's lock would cost them more
    # than the others gain.
    keeps_lock = name in ("negative_pairs", "negative_rows")
    make = njit(tuple(signature[name]), cache=is_cached, nogil=not keeps_lock, **options)
    return make(loops(digest())[name](*constants))


def _fixed(gamma: float) -> float:
    return gamma if gamma in _FIXED else _ANY


def _as_read(y: Array, z: Array, w: Array | None) -> tuple[Array, Array, Array]:
    """Return labels, scores and weights as the loops read them.

    Labels and weights have one precision; without weights, the labels take their place.
    """
    z = np.ascontiguousarray(z, dtype=_precision(z))
    is_single = y.dtype == np.float32 and (w is None or w.dtype == np.float32)
    dtype = np.float32 if is_single else np.float64
    y = np.ascontiguousarray(y, dtype=dtype)
    return y, z, y if w is None else np.ascontiguousarray(w, dtype=dtype)


def _precision(z: Array) -> type[np.float32] | type[np.float64]:
    return np.float32 if z.dtype == np.float32 else np.float64


def fill(
    a1: float,
    a0: float,
    gamma: float,
    max_step: float,
    y: Array,
    z: Array,
    w: Array | None,
    out: Sequence[Array],
    n_threads: int,
) -> int | None:
    """Write gradient and curvature of focal loss, times the weights.

    Return how many scores or results are not finite, or None where numba cannot be used.
    """
    is_weighted = w is not None
    y, z, w = _as_read(y, z, w)
    constants = _fixed(gamma), is_weighted
    loop = _function("derivatives", constants, y.dtype, z.dtype, out[0].dtype)
    if loop is None:
        return None
    largest = _LARGEST[out[0].dtype.char]

    def fill_part(first: int, end: int) -> int:
        arrays = [y, z, w, *out]
        if end - first < len(z):
            arrays = [array[first:end] for array in arrays]
        return loop(a1, a0, gamma, max_step, largest, *arrays)[0]  # type: ignore[no-any-return]

    return sum(in_parts(fill_part, len(z), n_threads, _FOR_A_THREAD))


def softmax(
    a: Array, gamma: Array, max_step: float
) -> Callable[[Array, Array], tuple[Array, Array, int]] | None:
    """Return gradient and curvature of softmax focal loss as a function of labels and scores.

    The function also returns how many samples are left to `_softmax`, whose gradient is NaN. Return
    None where numba cannot be used.
    """
    loop = _function("softmax_derivatives", (_fixed_of_all(gamma),))
    if loop is None:
        return None

    def derivatives(y: Array, z: Array) -> tuple[Array, Array, int]:
        y, z = np.ascontiguousarray(y), np.ascontiguousarray(z)
        gradient, curvature = np.empty_like(z), np.empty_like(z)
        n_left, _ = loop(a, gamma, max_step, y, z, gradient, curvature)
        return gradient, curvature, n_left

    return derivatives


def softmax_loss(
    a: Array, gamma: Array, is_log_loss: bool
) -> Callable[[Array, Array], Array] | None:
    """Return softmax focal loss, or the log loss of its probabilities, or None without numba.

    It is a function of labels and scores, NaN for samples that are left to `_softmax`.
    """
    name = "softmax_log_losses" if is_log_loss else "softmax_losses"
    loop = _function(name, (_fixed_of_all(gamma),))
    if loop is None:
        return None

    def losses(y: Array, z: Array) -> Array:
        found = np.empty(len(y))
        loop(a, gamma, np.ascontiguousarray(y), np.ascontiguousarray(z), found)
        return found

    return losses


def negative_pairs(
    a1: float, a0: float, gamma: float, max_step: float, start: float
) -> Pairs | None:
    """Return a function of labels, scores and weights, or None where numba cannot be used.

    The function returns minus gradient and curvature as the columns of a new array, and whether all
    values are finite.
    """
    plain, weighted = (_function("negative_pairs", (_fixed(gamma), w)) for w in (False, True))
    if plain is None or weighted is None:
        return None

    def pairs(y: Array, z: Array, w: Array | None) -> tuple[Array, bool]:
        found = np.empty((len(z), 2))
        y, z = np.ascontiguousarray(y, np.float64), np.ascontiguousarray(z, np.float64)
        if w is None:
            n_wrong, _ = plain(a1, a0, gamma, max_step, start, y, z, y, found)
        else:
            w = np.ascontiguousarray(w, np.float64)
            n_wrong, _ = weighted(a1, a0, gamma, max_step, start, y, z, w, found)
        return found, n_wrong == 0

    return pairs


def sum_of_losses(
    a1: float,
    a0: float,
    gamma: float,
    is_log_loss: bool,
    y: Array,
    z: Array,
    w: Array | None,
    n_threads: int,
) -> float | None:
    """Return the weighted sum of focal loss, or of the log loss of its probabilities."""
    is_weighted = w is not None
    y, z, w = _as_read(y, z, w)
    constants = _fixed(gamma), is_weighted, is_log_loss
    loop = _function("sums", constants, y.dtype, z.dtype)
    if loop is None:
        return None

    # Sums over so many samples at a time, so that the total does not depend on the threads.
    def sums_of(first: int, end: int) -> list[float]:
        parts = (slice(i * _FOR_A_THREAD, (i + 1) * _FOR_A_THREAD) for i in range(first, end))
        return [loop(a1, a0, gamma, y[part], z[part], w[part])[0] for part in parts]

    n_parts = -(-len(z) // _FOR_A_THREAD)
    return sum(chain.from_iterable(in_parts(sums_of, n_parts, n_threads, 1)))


def _fixed_of_all(gamma: Array) -> float:
    return _fixed(gamma[0]) if np.all(gamma == gamma[0]) else _ANY


def negative_rows(a: Array, log_a: Array, gamma: Array, max_step: float) -> Rows | None:
    """Return a function of one sample's label, scores and weight, or None without numba.

    The function returns minus `_softmax.gradient_matrix`, the gradient above the matrix, times the
    weight, and whether all scores are finite.
    """
    of_sample = _function("negative_rows", ())
    if of_sample is None:
        return None
    # To hand over one array takes a third of a microsecond less than three arrays and a number.
    parameters = np.vstack([a, log_a, gamma, np.full(len(a), max_step)])
    shape = len(a) + 1, len(a)

    def rows(y: float, z: Array, w: float) -> tuple[Array, bool]:
        found = np.empty(shape)
        is_finite, _ = of_sample(parameters, y, z, w, found)
        return found, is_finite

    return rows
