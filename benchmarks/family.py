"""The other losses of the package beside focal loss and log loss, and several classes.

    python benchmarks/family.py binary --data DIR [--sets NAME ...] [--losses PART ...]
    python benchmarks/family.py multiclass --data DIR

binary: LightGBM with 15 leaves and a learning rate of 0.05, stopped early on the log loss of the
probabilities on a quarter of the training samples; five folds of each set. --sets and --losses
select some of them; a loss is selected by a part of its name. multiclass: shuttle with its seven
classes, of which the rarest has ten samples; 200 trees at a learning rate of 0.05, the mean of
three splits with a fifth of the samples held out, and the time beside that of the booster's own
loss. CatBoost trains on all samples of rare classes and 1,000 others. DIR holds the data sets as
<name>.csv.gz.
"""

import argparse
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from catboost import CatBoostClassifier
from curvature import REAL, load
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import (
    StratifiedKFold,
    StratifiedShuffleSplit,
    train_test_split,
)
from xgboost import XGBClassifier

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    EffectiveNumber,
    FocalClassifier,
    FocalLoss,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
)

BINARY = {
    "log loss, LightGBM's own": {"loss": FocalLoss(0.0), "max_step": None},
    "log loss with the bound": {"loss": FocalLoss(0.0)},
    "focal, gamma 2": {"loss": FocalLoss(2.0)},
    "focal, gamma 2, calibrated coordinates": {"loss": CalibratedFocalLoss(2.0)},
    "focal, gamma 5": {"loss": FocalLoss(5.0)},
    "focal, gamma 5, calibrated coordinates": {"loss": CalibratedFocalLoss(5.0)},
    "focal, gamma 2, balanced": {"loss": FocalLoss(2.0), "alpha": "balanced"},
    "focal, gamma 2, effective number": {"loss": FocalLoss(2.0), "alpha": EffectiveNumber(0.999)},
    "asymmetric, 1 and 4": {"loss": AsymmetricLoss(1.0, 4.0)},
    "asymmetric, 1 and 4, margin 0.05": {"loss": AsymmetricLoss(1.0, 4.0, 0.05)},
    "factor cos(p)": {"loss": ModulatedLoss("cos")},
    "factor exp(-p)": {"loss": ModulatedLoss("exp")},
    "factor exp(-p^2)": {"loss": ModulatedLoss("exp_square")},
    "FL*, gamma 2, beta 1": {"loss": FocalStarLoss(2.0, 1.0)},
    "poly, epsilon 1": {"loss": PolyLoss(1.0)},
    "poly, epsilon -0.5": {"loss": PolyLoss(-0.5)},
    "poly, epsilon 1, gamma 2": {"loss": PolyLoss(1.0, gamma=2.0)},
    # the margins of Cao et al. at 1 positive in 40; the larger margin is 0.5
    "vector scaling, shifts 0.2 and 0.5": {"loss": VectorScalingLoss(shift=(0.2, 0.5))},
    "vector scaling, scales 1 and 0.5": {"loss": VectorScalingLoss(scale=(1.0, 0.5))},
    "generalized cross entropy, k 0.5": {"loss": GeneralizedCrossEntropyLoss(0.5)},
    "robust focal, r 0.5, k 0.5": {"loss": RobustFocalLoss(0.5, 0.5)},
    "Brier": {"loss": BrierLoss()},
}


def one_set(name, arm, folder):
    warnings.simplefilter("ignore")
    X, y = load(name, folder)
    booster = LGBMClassifier(
        n_estimators=1000, learning_rate=0.05, num_leaves=15, n_jobs=1, verbose=-1
    )
    scores = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        fit, valid = train_test_split(train, test_size=0.25, stratify=y[train], random_state=0)
        model = FocalClassifier(booster, **BINARY[arm])
        model.fit(X[fit], y[fit], X_val=X[valid], y_val=y[valid])
        proba = np.clip(model.predict_proba(X[test])[:, 1], 1e-15, 1 - 1e-15)
        scores.append((average_precision_score(y[test], proba), log_loss(y[test], proba)))
    return {
        "loss": arm,
        "set": name,
        **dict(zip(("AP", "log loss"), np.mean(scores, axis=0), strict=True)),
    }


def binary(folder, sets, losses):
    arms = [arm for arm in BINARY if any(part in arm for part in losses)]
    rows = joblib.Parallel(n_jobs=joblib.cpu_count())(
        joblib.delayed(one_set)(name, arm, folder) for name in sets for arm in arms
    )
    table = pd.DataFrame(rows).pivot(index="loss", columns="set", values=["AP", "log loss"])
    means = {value: table[value].mean(axis=1) for value in ("AP", "log loss")}
    text = table["AP"].round(3).astype(str) + ", " + table["log loss"].round(4).astype(str)
    text["mean"] = means["AP"].round(3).astype(str) + ", " + means["log loss"].round(4).astype(str)
    print(text.loc[arms].to_markdown())


def multiclass(folder):
    warnings.simplefilter("ignore")
    table = pd.read_csv(folder / "shuttle7.csv.gz")
    X, y = table.drop(columns="target").to_numpy(dtype=float), table["target"].to_numpy()
    k = len(np.unique(y))
    common = {"n_estimators": 200, "learning_rate": 0.05}
    lightgbm = LGBMClassifier(**common, n_jobs=2, verbose=-1)
    boosters = {
        "LightGBM": lightgbm,
        "LightGBM, min_sum_hessian_in_leaf 1": clone(lightgbm).set_params(min_child_weight=1.0),
        "XGBoost": XGBClassifier(**common, n_jobs=2),
        "CatBoost": CatBoostClassifier(
            **common, thread_count=2, verbose=0, allow_writing_files=False
        ),
    }
    losses = {
        "its own": None,
        "gamma 0, no bound": {"loss": SoftmaxFocalLoss(k, 0.0), "max_step": None},
        "gamma 0": {"loss": SoftmaxFocalLoss(k, 0.0)},
        "gamma 2": {"loss": SoftmaxFocalLoss(k, 2.0)},
    }
    splits = StratifiedShuffleSplit(3, test_size=0.2, random_state=0)
    print(
        "| booster | loss | macro AP | log loss | that of the softmax | largest score | seconds |"
    )
    print("|---|---|---|---|---|---|---|")
    for booster, estimator in boosters.items():
        for name, loss in losses.items():
            rows = []
            for train, test in splits.split(X, y):
                if booster == "CatBoost":  # its callback takes minutes; a part has every class
                    is_rare = np.bincount(y)[y[train]] < 200
                    train = np.concatenate([train[is_rare], train[~is_rare][:1_000]])
                model = clone(estimator) if loss is None else FocalClassifier(estimator, **loss)
                start = time.perf_counter()
                model.fit(X[train], y[train])
                seconds = time.perf_counter() - start
                proba, plain, largest = model.predict_proba(X[test]), np.nan, np.nan
                if loss is not None:
                    plain = log_loss(y[test], model.estimator_.predict_proba(X[test]))
                    largest = np.abs(model.raw_prediction(X[test])).max()
                one_hot = y[test][:, np.newaxis] == np.arange(k)
                ap = average_precision_score(one_hot, proba, average="macro")
                loss_ = log_loss(y[test], np.clip(proba, 1e-15, 1))
                rows.append((ap, loss_, plain, largest, seconds))
            ap, loss_, plain, largest, seconds = np.mean(rows, axis=0)
            print(
                f"| {booster} | {name} | {ap:.3f} | {loss_:.6f} | {plain:.6f} | {largest:.3g} "
                f"| {seconds:.1f} |",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=["binary", "multiclass"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=REAL, default=[*REAL])
    parser.add_argument("--losses", nargs="+", default=[""], metavar="PART")
    options = parser.parse_args()
    if options.which == "binary":
        binary(options.data, options.sets, options.losses)
    else:
        multiclass(options.data)


if __name__ == "__main__":
    main()
