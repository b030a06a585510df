"""What a row costs as the rows grow, on one worker and on two, and what follows for 1e9 rows.

    python benchmarks/scale.py [--largest 20000000] [--rounds 10] [--repetitions 3]

Each measurement runs in a process of its own on one thread, or in two processes that train together
with XGBoost's tracker. The data have 10 columns of few values, the trees a depth of 6, and
validation data, where used, a quarter as many rows. CPU time is that of the rounds alone, divided
by rows and rounds; memory is the peak during training, less what the data sets took before it. The
last table fits ``seconds per round = fixed + slope * rows`` to the sizes, and predicts the time on
16 machines of 16 cores, with the assumptions that are printed.
"""

import argparse
import multiprocessing
import resource
import time
from itertools import product
from statistics import median

import numpy as np
import pandas as pd

SIZES = (100_000, 1_000_000, 5_000_000, 20_000_000)
N_COLUMNS, DEPTH, N_BINS = 10, 6, 64
CORES, BANDWIDTH = 16 * 16, 1e9  # bytes a second between two machines


def make_data(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, N_BINS, size=(n_rows, N_COLUMNS), dtype=np.uint8).astype(np.float32)
    score = X[:, 0] / 16 - X[:, 1] / 32 + rng.logistic(size=n_rows).astype(np.float32)
    return X, (score > 4.0).astype(np.float32)


def by_xgboost(is_focal, training, validation, rounds):
    import xgboost

    import focalboost.xgboost

    params = {"max_depth": DEPTH, "min_child_weight": 0.1, "nthread": 1, "tree_method": "hist"}
    data = xgboost.QuantileDMatrix(*training, nthread=1)
    how = {"verbose_eval": False}
    if validation:
        how["evals"] = [(xgboost.QuantileDMatrix(*validation, ref=data, nthread=1), "val")]
    if is_focal:
        loss = focalboost.FocalLoss(2.0)
        return lambda: focalboost.xgboost.train(params, data, rounds, loss=loss, **how)
    params["objective"] = "binary:logistic"
    return lambda: xgboost.train(params, data, rounds, **how)


def by_lightgbm(is_focal, training, validation, rounds):
    import lightgbm

    import focalboost.lightgbm

    params = {"max_depth": DEPTH, "num_leaves": 2**DEPTH, "num_threads": 1, "verbose": -1}
    data = lightgbm.Dataset(*training, params=params).construct()
    sets = []
    if validation:
        sets = [lightgbm.Dataset(*validation, reference=data, params=params).construct()]
    if is_focal:
        loss = focalboost.FocalLoss(2.0)
        return lambda: focalboost.lightgbm.train(params, data, rounds, sets, loss=loss)
    params["objective"] = "binary"
    return lambda: lightgbm.train(params, data, rounds, sets)


def measure(library, is_focal, n_rows, has_validation, rounds, rank, found, arguments):
    """Put CPU seconds, wall seconds and peak bytes of a training into the queue."""
    from contextlib import nullcontext

    import xgboost

    # Compile the loops before the clock runs; they are used from 200,000 samples on.
    small = make_data(200_000, 2)
    make = {"XGBoost": by_xgboost, "LightGBM": by_lightgbm}[library]
    make(is_focal, small, small if has_validation else None, 2)()
    training = make_data(n_rows, rank)
    validation = make_data(n_rows // 4, 10 + rank) if has_validation else None
    together = xgboost.collective.CommunicatorContext(**arguments) if arguments else nullcontext()
    with together:
        train = make(is_focal, training, validation, rounds)
        del training, validation
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin, cpu = time.perf_counter(), time.process_time()
        train()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found.put((cpu, wall, 1024 * peak))


def run(library, is_focal, n_rows, has_validation, rounds, n_workers):
    """Return CPU ns per row and round, seconds per round, and peak bytes per row."""
    from xgboost.tracker import RabitTracker

    context, arguments, tracker = multiprocessing.get_context("spawn"), {}, None
    if n_workers > 1:
        tracker = RabitTracker(n_workers=n_workers, host_ip="127.0.0.1")
        tracker.start()
        arguments = tracker.worker_args()
    found = context.Queue()
    share = n_rows // n_workers
    processes = [
        context.Process(
            target=measure,
            args=(library, is_focal, share, has_validation, rounds, rank, found, arguments),
        )
        for rank in range(n_workers)
    ]
    for process in processes:
        process.start()
    results = [found.get() for _ in processes]
    for process in processes:
        process.join()
    cpu, wall, peak = zip(*results, strict=True)
    return 1e9 * sum(cpu) / n_rows / rounds, max(wall) / rounds, sum(peak) / n_rows


def table_of(sizes, rounds, repetitions):
    rows = []
    cases = [
        *product(["XGBoost"], [1, 2], [False, True]),
        *product(["LightGBM"], [1], [False, True]),
    ]
    for n_rows, (library, n_workers, has_validation) in product(sizes, cases):
        results = {}
        for _ in range(repetitions):
            for is_focal in (False, True):
                result = run(library, is_focal, n_rows, has_validation, rounds, n_workers)
                results.setdefault(is_focal, []).append(result)
        own, focal = (np.median(results[is_focal], axis=0) for is_focal in (False, True))
        ratio = median(
            f[0] / o[0] for o, f in zip(results[False], results[True], strict=True)
        )  # fmt: skip
        rows.append(
            {
                "library": library,
                "workers": n_workers,
                "validation": has_validation,
                "rows": n_rows,
                "own ns": own[0],
                "focal ns": focal[0],
                "ratio": ratio,
                "own bytes": own[2],
                "focal bytes": focal[2],
                "own seconds": own[1],
                "focal seconds": focal[1],
            }
        )
        print(pd.DataFrame(rows[-1:]).round(3).to_string(header=len(rows) == 1, index=False))
    return pd.DataFrame(rows)


def predictions(table):
    """Fit the seconds per round on one worker, and predict those of 1e9 rows on 256 cores."""
    # Histograms hold two sums of 8 bytes for each bin and column. They are sent for half of the
    # nodes of each level, as the others are differences, and about twice: in and out.
    nodes = sum(2 ** max(level - 1, 0) for level in range(DEPTH))
    wire = 2 * nodes * N_COLUMNS * N_BINS * 16 / BANDWIDTH
    one = table[(table.workers == 1) & (table.rows >= 1_000_000)]
    found = []
    for (library, has_validation), part in one.groupby(["library", "validation"]):
        if len(part) < 2:
            continue
        for name in ("own", "focal"):
            # with these weights relative errors count alike
            slope, fixed = np.polyfit(part.rows, part[f"{name} seconds"], 1, w=1 / part.rows)
            compute = fixed + slope * 1e9 / CORES
            found.append(
                {
                    "library": library,
                    "validation": has_validation,
                    "loss": name,
                    "ns a row": 1e9 * slope,
                    "fixed ms": 1e3 * fixed,
                    "seconds a round at 1e9 rows": compute + wire,
                }
            )
    return pd.DataFrame(found), wire


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("largest", SIZES[-1]), ("rounds", 10), ("repetitions", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    sizes = [size for size in SIZES if size <= options.largest]
    table = table_of(sizes, options.rounds, options.repetitions)
    print(table.round(3).to_markdown(index=False))
    fitted, wire = predictions(table)
    print(f"\n1e9 rows on {CORES} cores of 16 machines, if the time scales with the cores and each")
    print(f"round sends data for {wire:.3f} s over a network of {BANDWIDTH / 1e9:g} GB per second:")
    print(fitted.round(3).to_markdown(index=False))


if __name__ == "__main__":
    main()
