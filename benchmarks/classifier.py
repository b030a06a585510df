"""Log loss and average precision of FocalClassifier and of the booster that it wraps.

Five stratified folds, 200 trees at a learning rate of 0.05, otherwise each booster's defaults. The
sigmoid of the raw score is what a user gets without the closed form of the probability.

    python benchmarks/classifier.py --data DIR [--gamma 2.0] [--sets NAME ...]

DIR holds the data sets as <name>.csv.gz with a column ``target``.
"""

import argparse
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from curvature import REAL, load
from lightgbm import LGBMClassifier
from scipy import special
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

from focalboost import FocalClassifier

BOOSTERS = {
    "lightgbm": LGBMClassifier(n_estimators=200, learning_rate=0.05, n_jobs=1, verbose=-1),
    "xgboost": XGBClassifier(n_estimators=200, learning_rate=0.05, n_jobs=1),
    "catboost": CatBoostClassifier(
        n_estimators=200, learning_rate=0.05, thread_count=1, verbose=0, allow_writing_files=False
    ),
}


def one_setting(name, booster, gamma, folder):
    warnings.simplefilter("ignore")
    X, y = load(name, folder)
    folds = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        own = clone(BOOSTERS[booster]).fit(X[train], y[train]).predict_proba(X[test])[:, 1]
        model = FocalClassifier(BOOSTERS[booster], gamma=gamma).fit(X[train], y[train])
        posterior = model.predict_proba(X[test])[:, 1]
        sigmoid = special.expit(model.raw_prediction(X[test]))
        folds.append(
            {
                "log loss, own": log_loss(y[test], own),
                "log loss, focal": log_loss(y[test], posterior),
                "log loss, sigmoid": log_loss(y[test], sigmoid),
                "average precision, own": average_precision_score(y[test], own),
                "average precision, focal": average_precision_score(y[test], posterior),
            }
        )
    return {"booster": booster, "set": name, **pd.DataFrame(folds).mean()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--gamma", type=float, default=2.0)
    parser.add_argument("--sets", nargs="+", choices=REAL, default=[*REAL])
    options = parser.parse_args()
    rows = joblib.Parallel(n_jobs=joblib.cpu_count())(
        joblib.delayed(one_setting)(name, booster, options.gamma, options.data)
        for booster in BOOSTERS
        for name in options.sets
    )
    table = pd.DataFrame(rows).set_index(["booster", "set"])
    ratio = table["log loss, focal"] / table["log loss, own"]
    table.insert(2, "ratio", ratio)
    print(table.round(4).to_markdown())
    worst = ratio.idxmax()
    print(f"\nworst ratio to the booster's own log loss: {ratio[worst]:.3f} ({' on '.join(worst)})")
    means = table[["log loss, focal", "log loss, sigmoid"]].mean()
    print("means: " + ", ".join(f"{name} {value:.4f}" for name, value in means.items()))
    assert np.all(np.isfinite(table))


if __name__ == "__main__":
    main()
