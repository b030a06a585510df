"""What the losses cost per sample, beside numpy's exp, scikit-learn, a textbook and packages.

All contestants but one use one thread. Every contestant runs once per repetition, in turn, so that
all see the same machine; the figures are medians over the repetitions.

    python benchmarks/kernel.py [--largest 10000000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from functools import partial
from importlib import import_module
from statistics import median
from types import SimpleNamespace

import numpy as np
from sklearn._loss.loss import HalfBinomialLoss

from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost.losses import _kernels

ALPHA = 0.25
EVER, NEVER = True, False


def ours(gamma, is_compiled, n_threads=1):
    loss = FocalLoss(gamma, ALPHA)

    def run(y, z):
        _kernels.use_compiled = lambda _: is_compiled
        return loss.gradient_curvature(y, z, max_step=4.0, n_threads=n_threads)

    return run


HALF_BINOMIAL = HalfBinomialLoss()


def scikit_learns(y, z):
    return HALF_BINOMIAL.gradient_hessian(y, z)


def textbook(y, z, gamma=2.0):
    """The formulas of the paper's appendix, with the usual clipping."""
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
        "numba, gamma 2, 2 threads": ours(2.0, EVER, n_threads=2),
        "numpy, gamma 2": ours(2.0, NEVER),
        "numpy, gamma 1.7": ours(1.7, NEVER),
        "scikit-learn's log loss": scikit_learns,
        "textbook": textbook,
        "bokbokbok": package("bokbokbok.loss_functions.classification", bokbokbok),
        "gbdtCBL": package("gbdtCBL.binary", lambda module: module.FLLoss(2.0)),
        "imlightgbm": package(
            "imlightgbm.objective",
            lambda module: lambda y, z: module.binary_focal_objective(y, z, 2.0),
        ),
    }
    return {name: run for name, run in found.items() if run is not None}


def nanoseconds(run, n):
    times = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times[1:]) / n * 1e9


def more_bars(n):
    """Return the cost of softmax and of the mean loss, and the time to compile."""
    rng = np.random.default_rng(1)
    _kernels.use_compiled = lambda _: True
    found = []
    for k in (3, 7):
        kernel = SoftmaxFocalLoss(k, 2.0).kernel
        y, z = rng.integers(0, k, n).astype(float), rng.normal(size=(n, k)) * 3
        kept = [np.empty_like(z) for _ in range(2)]  # as in a training
        run = partial(kernel.weighted_derivatives, y, z, None, 4.0, 1, kept)
        found.append(
            (f"softmax of {k} classes, ns a sample and class", nanoseconds(run, n * k), 15)
        )
        run = partial(kernel.compiled_mean, y, z, None, is_log_loss=True)
        cost = nanoseconds(run, n * k)
        found.append((f"log loss of {k} classes, ns a sample and class", cost, 15))
    loss, y, z = FocalLoss(2.0, ALPHA), (rng.random(n) < 0.02).astype(float), rng.normal(size=n)
    cost = nanoseconds(lambda: loss.kernel.mean(y, z, None), n)
    found.append(("mean loss, ns a sample", cost, 3))
    cost = nanoseconds(lambda: loss.kernel.compiled_mean(y, z, None, is_log_loss=True), n)
    found.append(("log loss of the probabilities, ns a sample", cost, 9))
    script = (
        "import numba, time, numpy as np; from focalboost import FocalLoss; y = np.zeros(10); "
        "start = time.perf_counter(); FocalLoss(2.0).gradient_curvature(y, y); "
        "print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for name, bar in (("compiled anew", 1.5), ("from numba's cache", 0.25)):
            command = [sys.executable, "-c", script]
            done = subprocess.run(command, env=environment, capture_output=True)
            found.append((f"first call, {name}, s", float(done.stdout), bar))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=10_000_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    runs = contestants()
    rows = {}
    for n in (10**k for k in range(8) if 10**k <= options.largest):
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
        print(f"{n:.0e} samples: " + ", ".join(f"{k} {v:.1f} ns" for k, v in rows[n].items()))

    print("\nratio to np.exp\n\n| samples | " + " | ".join(runs) + " |")
    print("|---" * (len(runs) + 1) + "|")
    for n, row in rows.items():
        print(f"| {n:.0e} | " + " | ".join(f"{v / row['np.exp']:.1f}" for v in row.values()) + " |")

    bars = []
    n = min(max(rows), 10**6)
    y, z = (rng.random(n) < 0.02).astype(np.float32), rng.normal(size=n)
    for path, start in (("numba", EVER), ("numpy", NEVER)):
        run = ours(2.0, start)
        peaks = []
        for rows_now in rows:
            labels, scores = np.resize(y, rows_now), np.resize(z, rows_now)
            run(labels, scores)
            tracemalloc.start()
            result = run(labels, scores)
            peak = tracemalloc.get_traced_memory()[1] - sum(part.nbytes for part in result)
            tracemalloc.stop()
            peaks.append(peak / 1e6)
        bars.append((f"{path}, MB of temporaries at any number of samples", max(peaks), 4.0))

    last = rows[n]
    for size, pair in ((10**5, (5, 6.5)), (10**6, (7, 9))):
        for name, bar in zip(("numba, gamma 2", "numba, gamma 1.7"), pair, strict=True):
            if size in rows:
                ratio = rows[size][name] / rows[size]["np.exp"]
                bars.append((f"{name}, {size:.0e} samples, to np.exp", ratio, bar))
    worst = max(row["numba, gamma 2"] / row["textbook"] for row in rows.values())
    bars.append(("numba, gamma 2, to the textbook, at the worst number of samples", worst, 1))
    bars += more_bars(n)
    packages = [last[name] for name in ("bokbokbok", "gbdtCBL", "imlightgbm") if name in last]
    for name, bar in (("numba, gamma 2", 0.1), ("numpy, gamma 2", 0.4)) if packages else ():
        bars.append((f"{name}, to the fastest package", last[name] / min(packages), bar))
    if max(rows) > 10**5:
        for name in ("numba, gamma 2", "numpy, gamma 2"):
            change = abs(rows[max(rows)][name] / rows[10**5][name] - 1)
            bars.append(
                (f"{name}, cost of a sample at {max(rows):.0e} and 1e+05 differs by", change, 0.15)
            )

    times = []
    for _ in range(9):
        start = time.perf_counter()
        FocalLoss(2.0).init_score(y)
        times.append(time.perf_counter() - start)
    bars.append((f"init_score of {n:.0e} labels, ms", median(times) * 1e3, 5.0))

    script = (
        "import time, scipy.special, scipy.optimize; t = time.perf_counter(); import focalboost; "
    )
    script += "print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", script], capture_output=True).stdout)
        for _ in range(5)
    ]
    bars.append(("import focalboost after scipy, s", median(times), 0.1))
    print()
    for name, value, bar in bars:
        print(f"{'holds' if value <= bar else 'MISSED'}: {name} {value:.3g}, bar {bar}")


if __name__ == "__main__":
    main()
