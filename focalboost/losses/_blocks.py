"""Formulas on many samples: block by block, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

from focalboost.losses._checks import in_range
from focalboost.losses._types import Array

Result = TypeVar("Result")

# Samples per block. A block's temporary arrays stay in a core's cache, take under 2 MB at any n,
# and are small enough (64 kB each) for the allocator to keep: it asks the system from 128 kB on.
_BLOCK = 8_192

# The number of samples for which a thread repays its start, and its waiting for others.
_FOR_A_THREAD = 32 * _BLOCK


def result_dtype(raw: Array) -> type[np.float32] | type[np.float64]:
    return np.float32 if raw.dtype == np.float32 else np.float64


def in_parts(
    run: Callable[[int, int], Result], n_samples: int, n_threads: int, least: int
) -> list[Result]:
    """Return the results of ``run(first, end)`` on parts of the samples, one part in each thread.

    A part has at least ``least`` samples.
    """
    n_parts = min(n_threads, max(1, n_samples // least))
    if n_parts == 1:
        return [run(0, n_samples)]
    ends = [n_samples * i // n_parts for i in range(n_parts + 1)]
    with ThreadPoolExecutor(n_parts - 1) as pool:
        others = [pool.submit(run, *part) for part in pairwise(ends[1:])]
        # An error in a thread is raised here.
        return [run(0, ends[1]), *(other.result() for other in others)]


def by_blocks(
    formula: Callable[[Array, Array], Sequence[Array]],
    out: Sequence[Array],
    y: Array,
    z: Array,
    w: Array | None,
    n_threads: int = 1,
) -> None:
    """Write a formula's results, times the weights, into these arrays."""

    def fill(block: slice) -> None:
        # Beyond the range of exp and of the products, the results are the limits.
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            parts = formula(
                y[block].astype(np.float64, copy=False), z[block].astype(np.float64, copy=False)
            )
            for whole, part in zip(out, parts, strict=True):
                if w is not None:
                    part = part * w[block].reshape(-1, *(1,) * (part.ndim - 1))
                whole[block] = part

    def fill_part(first: int, end: int) -> None:
        for start in range(first, end, _BLOCK):
            fill(slice(start, min(start + _BLOCK, end)))

    in_parts(fill_part, len(z), n_threads, _FOR_A_THREAD)


def is_finite(values: Array) -> bool:
    # A sum needs no temporary array; where it overflows, each value is checked.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.sum(values)) or np.all(np.isfinite(values)))


def weighted_mean(values: Array, w: Array | None) -> float:
    """Return the weighted mean of the samples' losses."""
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
