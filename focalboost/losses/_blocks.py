"""Formulas on many samples: block by block, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from focalboost.losses._checks import in_range
from focalboost.losses._types import Array

# Samples per block: a block's temporaries stay in a core's cache, take under 2 MB at any n, and are
# each (64 kB) small enough for the allocator to keep, which goes to the system for 128 kB.
_BLOCK = 8_192

# Half a million samples: below, threads wait for each other and for their start.
_BLOCKS_FOR_THREADS = 64


def result_dtype(raw: Array) -> type[np.float32] | type[np.float64]:
    return np.float32 if raw.dtype == np.float32 else np.float64


def by_blocks(
    formula: Callable[[Array, Array], Sequence[Array]],
    shapes: Sequence[tuple[int, ...]],
    y: Array,
    z: Array,
    w: Array | None,
    n_threads: int = 1,
    dtype: type[np.float64] | None = None,
) -> list[Array]:
    """Return a formula's results, times the weights, as new arrays of these shapes."""
    out = [np.empty(shape, dtype=dtype or result_dtype(z)) for shape in shapes]

    def fill(start: int) -> None:
        block = slice(start, start + _BLOCK)
        # Beyond the range of exp and of the products the limits are reached.
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            parts = formula(
                y[block].astype(np.float64, copy=False), z[block].astype(np.float64, copy=False)
            )
            for whole, part in zip(out, parts, strict=True):
                if w is not None:
                    part = part * w[block].reshape(-1, *(1,) * (part.ndim - 1))
                whole[block] = part

    def fill_all(starts: range) -> None:
        for start in starts:
            fill(start)

    starts = range(0, len(z), _BLOCK)
    if n_threads == 1 or len(starts) < _BLOCKS_FOR_THREADS:
        fill_all(starts)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            # A list, so that an error in a thread is an error here.
            list(pool.map(fill_all, (starts[i::n_threads] for i in range(n_threads))))
    return out


def weighted_mean(values: Array, w: Array | None) -> float:
    """Return the mean of the samples' losses."""
    if w is None:
        return float(np.mean(values, dtype=np.float64))
    w = in_range(w)
    total = float(np.sum(w))
    if total == 0:
        raise ValueError("sample_weight must have a positive sum, got 0.")
    with np.errstate(invalid="ignore"):
        weighted = values * w
    found = float(np.sum(weighted))
    if not np.isfinite(found):
        # A sample of weight 0 does not count, even where its loss is infinite.
        found = float(np.sum(np.where(w > 0, weighted, 0.0)))
    return found / total
