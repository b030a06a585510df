"""The protocol of arXiv:2407.14381, on those of its sets that can be read here.

A quarter of the samples is for testing. Optuna's TPE tunes by the mean AUC over five folds of the
other samples, with early stopping on the AUC of the fold. The five models of the best trial are
scored on the test samples by AUC, and by F1 at a threshold of 0.5. The search space is that of the
paper's example, but with fewer than its 100 trials and 1,000 rounds.
"""

import warnings

import lightgbm
import numpy as np
import optuna
from datasets import load
from scipy.special import expit
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split

import focalboost.lightgbm
from focalboost import FocalLoss

ROUNDS, PATIENCE = 300, 50
SEED = 42  # the paper's
ARMS = {
    "own": (None, {}),
    "gbdtCBL, weighted cross entropy": ("WCELoss", {"r1": (1.0, 10.0)}),
    "gbdtCBL, focal": ("FLLoss", {"r1": (0.1, 5.0)}),
    "gbdtCBL, asymmetric": ("ASLLoss", {"r1": (0.1, 5.0), "r2": (0.1, 5.0), "m": (0.05, 0.2)}),
    "gbdtCBL, asymmetric cross entropy": ("ACELoss", {"m": (0.05, 0.2)}),
    "focal": (FocalLoss, {"gamma": (0.0, 5.0)}),
    "focal, balanced": (FocalLoss, {"gamma": (0.0, 5.0)}),
}
SPACE = {"learning_rate": (0.01, 1.0), "reg_alpha": (1e-4, 2.0), "reg_lambda": (1e-4, 2.0)}


def one_task(key, trials, folder):
    """Tune and score an arm; return a row for each of the five models."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table = load(key["set"], folder)
    X, X_test, y, y_test = train_test_split(table.X, table.y, stratify=table.y, random_state=SEED)
    folds = list(StratifiedKFold(5, random_state=SEED, shuffle=True).split(X, y))
    kind, own_space = ARMS[key["arm"]]

    def models(suggest_int, suggest):
        tree = {name: suggest(name, *limits) for name, limits in SPACE.items()}
        tree["num_leaves"] = suggest_int("num_leaves", 8, 32)
        own = {name: suggest(name, *limits) for name, limits in own_space.items()}
        for train, valid in folds:
            yield _fit(kind, tree, own, key["arm"], X[train], y[train], X[valid], y[valid]), valid

    def value(trial):
        found = models(trial.suggest_int, trial.suggest_float)
        return np.mean([roc_auc_score(y[valid], p(X[valid])) for p, valid in found])

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
    study.optimize(value, n_trials=trials)
    best = optuna.trial.FixedTrial(study.best_params)
    rows = []
    for fold, (predict, _) in enumerate(models(best.suggest_int, best.suggest_float)):
        p = predict(X_test)
        scores = {
            "roc_auc": roc_auc_score(y_test, p),
            "f1": f1_score(y_test, p >= 0.5, zero_division=0),
        }
        rows.append({**key, "fold": fold, "error": "", **scores})
    return rows


def _fit(kind, tree, own, arm, X, y, X_valid, y_valid):
    """Return the function from samples to probabilities."""
    if kind is FocalLoss:
        share_of_negatives = float(1 - np.mean(y))
        loss = FocalLoss(**own, alpha=share_of_negatives if arm.endswith("balanced") else None)
        stop = {"metric": "auc", "early_stopping_round": PATIENCE, "first_metric_only": True}
        samples = lightgbm.Dataset(X, y)
        model = focalboost.lightgbm.train(
            {**tree, **stop, "num_threads": 1, "verbose": -1, "seed": SEED},
            samples,
            ROUNDS,
            [lightgbm.Dataset(X_valid, y_valid, reference=samples)],
            loss=loss,
        )
        return lambda rows: loss.inverse_link(model.predict(rows, raw_score=True))
    model = lightgbm.LGBMClassifier(
        n_estimators=ROUNDS, n_jobs=1, verbose=-1, random_state=SEED, metric="auc", **tree
    )
    if kind is not None:
        from gbdtCBL import binary

        model.set_params(objective=getattr(binary, kind)(**own))
    stop = lightgbm.early_stopping(PATIENCE, first_metric_only=True, verbose=False)
    model.fit(X, y, eval_set=[(X_valid, y_valid)], callbacks=[stop])
    return lambda rows: expit(model.predict(rows, raw_score=True))
