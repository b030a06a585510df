"""The three boosters: the space of their tree parameters, and training with their own objectives.

Every fit is on one thread, stops early on the validation samples, and predicts with its best round.
"""

from functools import partial

import numpy as np
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier, early_stopping
from scipy.special import logit
from xgboost import XGBClassifier

ROUNDS = 200
PATIENCE = 20

# Name, kind, smallest and largest value, and the value of the first trial. That is the default of
# the booster, except for the learning rates of XGBoost, 0.3, and of CatBoost, which adapts it to
# the data only for its own losses, and for LightGBM's reg_lambda, 0.
SPACES = {
    "lightgbm": [
        ("learning_rate", "log", 0.03, 0.3, 0.1),
        ("num_leaves", "log int", 4, 31, 31),
        ("min_child_samples", "log int", 3, 50, 20),
        ("reg_lambda", "log", 1e-3, 10.0, 1e-3),
        ("colsample_bytree", "float", 0.5, 1.0, 1.0),
    ],
    "xgboost": [
        ("learning_rate", "log", 0.03, 0.3, 0.1),
        ("max_depth", "log int", 2, 8, 6),
        ("min_child_weight", "log", 1e-2, 10.0, 1.0),
        ("reg_lambda", "log", 1e-2, 10.0, 1.0),
        ("colsample_bytree", "float", 0.5, 1.0, 1.0),
    ],
    "catboost": [
        ("learning_rate", "log", 0.03, 0.3, 0.1),
        ("depth", "log int", 2, 6, 6),
        ("l2_leaf_reg", "log", 1.0, 10.0, 3.0),
        ("random_strength", "log", 0.1, 10.0, 1.0),
        ("rsm", "float", 0.5, 1.0, 1.0),
    ],
}
# The booster's own parameters that bound a leaf, moved to values at which they do.
LEAF_BOUND = {
    "lightgbm": {
        "min_child_weight": [1.0, 1e-3],
        "reg_lambda": [1.0, 10.0, 1e-3],
        "max_delta_step": [1.0, 0.0],
    },
    "xgboost": {
        "min_child_weight": [1.0, 10.0],
        "reg_lambda": [1.0, 10.0],
        "max_delta_step": [1.0, 0.0],
    },
}
_MAKE = {
    "lightgbm": partial(LGBMClassifier, n_estimators=ROUNDS, n_jobs=1, verbose=-1),
    "xgboost": partial(XGBClassifier, n_estimators=ROUNDS, n_jobs=1, verbosity=0),
    "catboost": partial(
        CatBoostClassifier, n_estimators=ROUNDS, thread_count=1, verbose=0,
        allow_writing_files=False,
    ),
}  # fmt: skip


def first_tree(booster):
    return {name: first for name, *_, first in SPACES[booster]}


def suggest_tree(booster, trial):
    """Return the tree parameters of an Optuna trial."""
    params = {}
    for name, kind, low, high, _ in SPACES[booster]:
        log = kind.startswith("log")
        suggest = trial.suggest_int if kind.endswith("int") else trial.suggest_float
        params[name] = suggest(name, low, high, log=log)
    return params


def make(booster, params, seed):
    return _MAKE[booster](random_state=seed, **params)


def fit_own(booster, params, data, seed, shift=0.0):
    """Train with the booster's own objective; return the function from samples to raw scores.

    Early stopping watches log loss; with a shift, the log loss of the log-odds minus the shift.
    """
    several = data.n_classes > 2
    model = make(booster, params, seed)

    def shifted(y_true, proba):
        margin = np.where(y_true > 0.5, 1.0, -1.0) * (logit(proba) - shift)
        return float(np.mean(np.logaddexp(0.0, -margin)))

    if booster == "lightgbm":
        metric = "multi_logloss" if several else "binary_logloss"
        if shift:
            model.set_params(metric="None")
            metric = lambda y, proba: ("shifted", shifted(y, proba), False)  # noqa: E731
        model.fit(
            data.X, data.y, eval_set=[(data.X_valid, data.y_valid)], eval_metric=metric,
            callbacks=[early_stopping(PATIENCE, verbose=False)],
        )  # fmt: skip
        return lambda X: model.predict(X, raw_score=True)
    if booster == "xgboost":
        model.set_params(
            early_stopping_rounds=PATIENCE, eval_metric=shifted if shift else "logloss"
        )
        model.fit(data.X, data.y, eval_set=[(data.X_valid, data.y_valid)], verbose=False)
        return lambda X: model.predict(X, output_margin=True)
    model.set_params(early_stopping_rounds=PATIENCE, eval_metric="Logloss")
    model.fit(data.X, data.y, eval_set=(data.X_valid, data.y_valid))
    return lambda X: model.predict(X, prediction_type="RawFormulaVal")


def bound_leaves(booster, trial, params):
    """Return the parameters, with those that bound a leaf replaced by tuned values."""
    bounds = {
        name: trial.suggest_categorical(f"bound: {name}", values)
        for name, values in LEAF_BOUND[booster].items()
    }
    return {**params, **bounds}


def largest_weight(y):
    """Return the weight of the positives at which both classes have the same total weight."""
    return float(np.sum(y == 0) / np.sum(y == 1))
