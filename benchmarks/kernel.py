"""What gradient and curvature cost a row, beside numpy's exp, a textbook and other packages.

One thread. Every contestant runs once a repetition, in turn, so that all see the same machine; the
figures are medians. The packages on the index that compute focal loss for boosters are timed where
they are installed (pip install bokbokbok gbdtCBL imlightgbm), and their errors are shown.

    python benchmarks/kernel.py [--largest 10000000]
"""

import argparse
import time
import tracemalloc
from importlib import import_module
from statistics import median
from types import SimpleNamespace

import numpy as np

from focalboost import FocalLoss, losses

ALPHA = 0.25
EVER, NEVER = 0, float("inf")


def ours(gamma, start):
    loss = FocalLoss(gamma, ALPHA)

    def run(y, z):
        losses._COMPILED_FROM = start
        return loss.gradient_curvature(y, z)

    return run


def textbook(y, z, gamma=2.0):
    """The formulas as they stand in the paper's appendix, with the usual clip."""
    p = np.clip(1 / (1 + np.exp(-z)), 1e-15, 1 - 1e-15)
    pt = np.where(y == 1, p, 1 - p)
    at = np.where(y == 1, ALPHA, 1 - ALPHA)
    sign = np.where(y == 1, 1.0, -1.0)
    log = np.log(pt)
    gradient = at * sign * (1 - pt) ** gamma * (gamma * pt * log + pt - 1)
    hessian = (
        at * pt * (1 - pt) ** gamma
        * ((2 * gamma + 1) * (1 - pt) - gamma * (gamma * pt - (1 - pt)) * log)
    )  # fmt: skip
    return gradient, hessian


def package(name, make):
    try:
        return make(import_module(name))
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
        return None


def contestants():
    def bokbokbok(module):
        run = module.WeightedFocalLoss(alpha=1.0, gamma=2.0)
        return lambda y, z: run(z, SimpleNamespace(get_label=lambda: y))

    found = {
        "np.exp": lambda y, z: np.exp(z),
        "numba, gamma 2": ours(2.0, EVER),
        "numba, gamma 1.7": ours(1.7, EVER),
        "numpy, gamma 2": ours(2.0, NEVER),
        "numpy, gamma 1.7": ours(1.7, NEVER),
        "textbook": textbook,
        "bokbokbok": package("bokbokbok.loss_functions.classification", bokbokbok),
        "gbdtCBL": package("gbdtCBL.binary", lambda module: module.FLLoss(2.0)),
        "imlightgbm": package(
            "imlightgbm.objective",
            lambda module: lambda y, z: module.binary_focal_objective(y, z, 2.0),
        ),
    }
    return {name: run for name, run in found.items() if run is not None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=10_000_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    runs = contestants()
    rows = {}
    for n in (10**k for k in range(3, 8) if 10**k <= options.largest):
        y, z = (rng.random(n) < 0.02).astype(float), rng.normal(size=n) * 3
        seconds = {name: [] for name in runs}
        for run in runs.values():
            run(y, z)  # compiles, or warms the cache
        for _ in range(max(5, min(200, 1_000_000 // n))):
            for name, run in runs.items():
                start = time.perf_counter()
                run(y, z)
                seconds[name].append(time.perf_counter() - start)
        rows[n] = {name: median(times) / n * 1e9 for name, times in seconds.items()}
        print(f"{n:.0e} rows: " + ", ".join(f"{k} {v:.1f} ns" for k, v in rows[n].items()))

    print("\nratio to np.exp\n\n| rows | " + " | ".join(runs) + " |")
    print("|---" * (len(runs) + 1) + "|")
    for n, row in rows.items():
        print(f"| {n:.0e} | " + " | ".join(f"{v / row['np.exp']:.1f}" for v in row.values()) + " |")

    y, z = (rng.random(10**6) < 0.02).astype(np.float32), rng.normal(size=10**6)
    for path, start in (("numba", EVER), ("numpy", NEVER)):
        run = ours(2.0, start)
        run(y, z)
        tracemalloc.start()
        result = run(y, z)
        peak = tracemalloc.get_traced_memory()[1] - sum(part.nbytes for part in result)
        tracemalloc.stop()
        print(f"{path}: temporaries at 1e+06 rows {peak / 1e6:.2f} MB")

    times = []
    for _ in range(9):
        start = time.perf_counter()
        FocalLoss(2.0).init_score(y)
        times.append(time.perf_counter() - start)
    print(f"init_score of 1e+06 labels: {median(times) * 1e3:.2f} ms")

    last = rows[max(rows)] if max(rows) < 10**6 else rows[10**6]
    packages = [last[name] for name in ("bokbokbok", "gbdtCBL", "imlightgbm") if name in last]
    bars = {
        "numba, gamma 2, at most 12 times np.exp": last["numba, gamma 2"] / last["np.exp"] <= 12,
        "numba, any gamma, at most 16": last["numba, gamma 1.7"] / last["np.exp"] <= 16,
        "numpy at most 30": last["numpy, gamma 1.7"] / last["np.exp"] <= 30,
    }
    if packages:
        fastest = min(packages)
        bars["numba 10 times faster than the fastest package"] = (
            fastest / last["numba, gamma 2"] >= 10
        )
        bars["numpy 2.5 times"] = fastest / last["numpy, gamma 2"] >= 2.5
    print()
    for bar, holds in bars.items():
        print(f"{'holds' if holds else 'MISSED'}: {bar}")


if __name__ == "__main__":
    main()
