"""Which positive stand-in for the Hessian, and which bound on a sample's step, should boosters get?

Trains every candidate on real and synthetic imbalanced data, beside the booster's own log loss, and
writes one line per fit. ``summary`` turns the lines into the tables of RESULTS.md.

    python benchmarks/curvature.py run --data DIR --out fits.csv --grid forms
    python benchmarks/curvature.py summary fits.csv

The grids are forms, stopped, bounds and default. DIR holds the data sets as <name>.csv.gz with a
column ``target``; without it only the synthetic sets are used.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from scipy import special
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss

ROUNDS = 50
REAL = {
    "mammography": lambda target: target,
    "thyroid_dis": lambda target: target,
    "ozone_onehr": lambda target: target,
    "abalone_19": lambda target: target,
    "wine_white_quality": lambda target: target <= 4,
    "shuttle7": lambda target: target.isin([1, 2, 5, 6]),
}
SYNTHETIC = {"synthetic 1:100": (20_000, 0.01), "synthetic 1:1000": (100_000, 0.001)}
WEAK = "weak signal 1:70"
LOOSE = {
    "lightgbm": {"min_sum_hessian_in_leaf": 0.0, "min_data_in_leaf": 5},
    "xgboost": {"min_child_weight": 0.0, "lambda": 0.0},
    "catboost": {"l2_leaf_reg": 1e-3},
}
FORMS = (
    "exact",
    "clipped",
    "abs",
    "abs or gradient*p",
    "positive part",
    "positive terms",
    "expected",
    "expected, weighted",
)


@dataclass(frozen=True)
class Candidate:
    """Focal loss with another curvature, as an object with the contract of a loss."""

    focal: FocalLoss
    form: str

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return self.focal(y_true, raw_prediction, sample_weight)

    def init_score(self, y_true, sample_weight=None):
        return self.focal.init_score(y_true, sample_weight)

    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        z = np.asarray(raw_prediction, dtype=np.float64)
        gradient, hessian = self.focal.gradient_hessian(y_true, z)
        if self.form == "exact":
            curvature = hessian
        elif self.form == "clipped":
            curvature = np.maximum(hessian, 1e-16)
        elif self.form == "abs":
            curvature = np.abs(hessian)
        elif self.form == "abs or gradient*p":
            p_true = special.expit(np.where(y_true > 0.5, z, -z))
            curvature = np.maximum(np.abs(hessian), np.abs(gradient) * p_true)
        elif self.form == "positive part":
            # the one term of the Hessian that is positive and has no logarithm
            margin = np.where(y_true > 0.5, z, -z)
            power = self.focal.gamma + 1
            curvature = (2 * power - 1) * special.expit(margin) * special.expit(-margin) ** power
            if self.focal.alpha is not None:
                curvature *= np.where(y_true > 0.5, self.focal.alpha, 1 - self.focal.alpha)
        elif self.form == "positive terms":
            # the Hessian without its one negative term, -gamma * q**(gamma + 1) * p * L
            log_p = -FocalLoss(0.0).loss(y_true, z)
            p = np.exp(log_p)
            negative = self.focal.gamma * p * self.focal.loss(y_true, z) * (1 - p)
            curvature = hessian + negative
        else:
            # averaged over the label with the model's own probability
            focal = self.focal if self.form == "expected" else FocalLoss(self.focal.gamma)
            eta, ones = focal.inverse_link(z), np.ones_like(z)
            curvature = eta * focal.hessian(ones, z) + (1 - eta) * focal.hessian(ones - 1, z)
            if self.form == "expected, weighted" and self.focal.alpha is not None:
                curvature *= np.where(y_true > 0.5, self.focal.alpha, 1 - self.focal.alpha)
        return gradient.astype(raw_prediction.dtype), curvature.astype(raw_prediction.dtype)


def load(name: str, folder: Path | None):
    if name == WEAK:
        # Ten weak features, as for insurance claims and defaults: the best AUC is 0.68.
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60_000, 10))
        logit = 0.5 * X[:, 0] + 0.3 * X[:, 1] * X[:, 2] + 0.3 * X[:, 3] - 4.5
        return X, (rng.uniform(size=len(X)) < special.expit(logit)).astype(int)
    if name in SYNTHETIC:
        n, share = SYNTHETIC[name]
        return make_classification(
            n, 20, n_informative=8, weights=[1 - share], flip_y=0, class_sep=1.8, random_state=0
        )
    table = pd.read_csv(folder / f"{name}.csv.gz")
    y = REAL[name](table.pop("target")).to_numpy(dtype=int)
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            table[column] = table[column].astype("category").cat.codes
    return table.to_numpy(dtype=float), y


def fit(backend: str, params: dict, X, y, loss, bound: float | None, stopped: bool = False):
    """Train one booster on one thread; ``loss=None`` means its own log loss, without a bound.

    Early stopping, in LightGBM and XGBoost, watches the loss on a quarter of the samples.
    """
    rounds, valid = ROUNDS, []
    if stopped:
        X, X_valid, y, y_valid = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
        params = {"learning_rate": 0.05, **params}
        rounds, valid = 1000, [(X_valid, y_valid)]
    if backend == "lightgbm":
        params = {"verbose": -1, "num_threads": 1, **params}
        if stopped:
            params["early_stopping_round"] = 30
        data = lightgbm.Dataset(X, y)
        valid = [lightgbm.Dataset(*rows, reference=data) for rows in valid]
        if loss is None:
            model = lightgbm.train({"objective": "binary", **params}, data, rounds, valid)
        else:
            model = focalboost.lightgbm.train(
                params, data, rounds, valid, loss=loss, max_step=bound
            )
        splits = sum(tree["num_leaves"] - 1 for tree in model.dump_model()["tree_info"])
        return lambda rows: model.predict(rows, raw_score=True), splits
    if backend == "xgboost":
        params = {"nthread": 1, "verbosity": 0, **params}
        data = xgboost.DMatrix(X, y)
        how = {"verbose_eval": False, "evals": [(xgboost.DMatrix(*v), "valid") for v in valid]}
        if stopped:
            how["early_stopping_rounds"] = 30
        if loss is None:
            model = xgboost.train({"objective": "binary:logistic", **params}, data, rounds, **how)
        else:
            model = focalboost.xgboost.train(params, data, rounds, loss=loss, max_step=bound, **how)
        if stopped:
            model = model[: model.best_iteration + 1]
        splits = int((model.trees_to_dataframe()["Feature"] != "Leaf").sum())
        return lambda rows: model.predict(xgboost.DMatrix(rows), output_margin=True), splits
    params = {
        "iterations": ROUNDS,
        "learning_rate": 0.1,
        "thread_count": 1,
        "verbose": 0,
        "allow_writing_files": False,
        **params,
    }
    data = catboost.Pool(X, y)
    if loss is None:
        model = catboost.train(data, {"loss_function": "Logloss", **params})
    else:
        model = focalboost.catboost.train(data, params, loss=loss, max_step=bound)
    splits = int(sum(np.log2(model.get_tree_leaf_counts())))
    return lambda rows: model.predict(rows, prediction_type="RawFormulaVal"), splits


def one_setting(name, backend, reg, seed, grid, folder):
    """Train the built-in loss and every candidate on one split; return one dict per fit."""
    warnings.simplefilter("ignore")
    X, y = load(name, folder)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
    params = LOOSE[backend] if reg == "loose" else {}
    jobs = [(None, None, "built-in", None, None, None)]
    for gamma, alpha in itertools.product(grid["gammas"], grid["alphas"]):
        value = float(1 - y.mean()) if alpha == "balanced" else alpha
        focal = FocalLoss(gamma, value)
        for form, bound in grid["candidates"]:
            loss = focal if form == "default" else Candidate(focal, form)
            jobs.append((gamma, alpha, form, bound, focal, loss))
    lines = []
    for gamma, alpha, form, bound, focal, loss in jobs:
        line = {
            "set": name, "backend": backend, "regularisation": reg, "seed": seed,
            "gamma": gamma, "alpha": alpha, "form": form, "bound": bound,
            "ap": np.nan, "log_loss": np.nan, "mean_over_rate": np.nan, "largest": np.nan,
            "splits": np.nan, "error": "",
        }  # fmt: skip
        try:
            predict, splits = fit(backend, params, X, y, loss, bound, grid.get("stopped", False))
            raw = predict(X_test).astype(float)
            largest = max(np.abs(raw).max(), np.abs(predict(X)).max())
            proba = special.expit(raw) if loss is None else focal.inverse_link(raw)
            line |= {
                "ap": average_precision_score(y_test, raw),
                "log_loss": log_loss(y_test, proba),
                "mean_over_rate": float(np.mean(proba) / np.mean(y_test)),
                "largest": float(largest),
                "splits": splits,
            }
        except Exception as error:  # a crash is a result here
            line["error"] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        lines.append(line)
    return lines


GRIDS = {
    # every form and bound, in the fastest booster
    "forms": {
        "backends": ["lightgbm"],
        "gammas": [0.5, 2.0, 5.0],
        "alphas": [None, 0.25, "balanced"],
        "seeds": [0, 1],
        "candidates": [
            *((form, None) for form in FORMS),
            *((form, 4.0) for form in ("abs", "abs or gradient*p", "expected, weighted")),
            *(
                (form, bound)
                for form in ("positive part", "positive terms", "expected")
                for bound in (2.0, 4.0, 8.0)
            ),
        ],
    },
    # the forms that do best there, with early stopping
    "stopped": {
        "backends": ["lightgbm"],
        "gammas": [0.5, 2.0, 5.0],
        "alphas": [None, 0.25, "balanced"],
        "regularisations": ["default"],
        "seeds": [0, 1],
        "stopped": True,
        "candidates": [
            (form, 4.0)
            for form in ("positive part", "positive terms", "expected", "expected, weighted")
        ],
    },
    # the bound, with the mean of the probabilities in view
    "bounds": {
        "backends": ["lightgbm", "xgboost"],
        "gammas": [0.0, 2.0],
        "alphas": [None, "balanced"],
        "regularisations": ["default"],
        "seeds": [0, 1],
        "stopped": True,
        "sets": [*REAL, "synthetic 1:100", WEAK],
        "candidates": [("default", bound) for bound in (4.0, 8.0, 16.0, 32.0, None)],
    },
    # what the library does by default, in every booster and over the whole range of parameters
    "default": {
        "backends": ["lightgbm", "xgboost", "catboost"],
        "gammas": [0.5, 1.0, 2.0, 5.0],
        "alphas": [None, 0.25, 0.75, "balanced"],
        "seeds": [0, 1, 2],
        "candidates": [("default", 4.0)],
    },
    # to check that the script runs
    "smoke": {
        "backends": ["lightgbm", "xgboost", "catboost"],
        "gammas": [2.0],
        "alphas": ["balanced"],
        "seeds": [0],
        "sets": ["synthetic 1:100"],
        "candidates": [("default", 4.0), ("expected", 4.0)],
    },
}


def run(grid: dict, folder: Path | None, out: Path) -> None:
    sets = grid.get("sets", [*REAL, *SYNTHETIC])
    sets = [name for name in sets if folder or name not in REAL]
    regularisations = grid.get("regularisations", ["default", "loose"])
    settings = itertools.product(sets, grid["backends"], regularisations, grid["seeds"])
    results = joblib.Parallel(n_jobs=os.cpu_count(), return_as="generator_unordered")(
        joblib.delayed(one_setting)(*setting, grid, folder) for setting in settings
    )
    with out.open("w", newline="") as file:
        writer = None
        for lines in results:
            if writer is None:
                writer = csv.DictWriter(file, lines[0].keys())
                writer.writeheader()
            writer.writerows(lines)
            file.flush()


def summary(path: Path) -> None:
    fits = pd.read_csv(path, keep_default_na=False, na_values=["nan"])
    fits[["gamma", "bound"]] = fits[["gamma", "bound"]].replace("", "none")
    key = ["set", "backend", "regularisation", "seed"]
    built_in = fits[fits["form"] == "built-in"].set_index(key)
    focal = fits[fits["form"] != "built-in"].join(built_in.add_suffix("_built_in"), on=key)
    focal["ap_difference"] = focal["ap"] - focal["ap_built_in"]
    focal["times"] = focal["largest"] / focal["largest_built_in"]
    focal["failed"] = focal["error"] != ""
    focal["no_split"] = (focal["splits"] == 0) & (focal["splits_built_in"] > 0)
    focal["over_3_times"] = focal["times"] > 3
    table = focal.groupby(["backend", "form", "bound"]).agg(
        fits=("ap", "size"),
        ap=("ap", "mean"),
        ap_difference=("ap_difference", "mean"),
        worst_ap_difference=("ap_difference", "min"),
        log_loss=("log_loss", "mean"),
        log_loss_built_in=("log_loss_built_in", "mean"),
        mean_over_rate=("mean_over_rate", "median"),
        largest_times=("times", "max"),
        failed=("failed", "sum"),
        no_split=("no_split", "sum"),
        over_3_times=("over_3_times", "sum"),
    )
    print(table.round(3).to_markdown())
    print()
    by_set = focal.pivot_table(
        index=["form", "bound"], columns=["regularisation", "set"], values="ap", aggfunc="mean"
    )
    print(by_set.round(3).to_markdown())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--data", type=Path)
    runs.add_argument("--out", type=Path, required=True)
    runs.add_argument("--grid", choices=GRIDS, default="forms")
    commands.add_parser("summary").add_argument("fits", type=Path)
    options = parser.parse_args()
    if options.command == "run":
        run(GRIDS[options.grid], options.data, options.out)
    else:
        summary(options.fits)


if __name__ == "__main__":
    main()
