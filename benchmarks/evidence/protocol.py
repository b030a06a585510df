"""The protocol of the main tables: outer folds, equal tuning of every arm, and what is written."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import boosters
import measures
import numpy as np
import optuna
from arms import AS_IS
from datasets import load, seed_of
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold, train_test_split

VALID_SHARE = 0.3
POST_HOC = ("balance", "temperature", "platt")


@dataclass(frozen=True)
class Data:
    """Samples for training, and for early stopping, tuning, thresholds and calibration."""

    X: np.ndarray
    y: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray

    @property
    def n_classes(self):
        return int(np.max(self.y)) + 1


class Tuned(NamedTuple):
    """What tuning found: a fit, the parameters of its trees, its own, and the failed trials."""

    scores: Callable
    tree: dict
    own: dict
    n_failed: int


def outer_fold(table, fold, n_splits):
    """Return training and test indices of a fold; folds are numbered on from repeat to repeat."""
    repeat, within = divmod(fold, n_splits)
    folds = RepeatedStratifiedKFold(n_splits=n_splits, n_repeats=repeat + 1, random_state=0)
    return list(folds.split(table.X, table.y))[repeat * n_splits + within]


def inner_split(X, y, seed):
    X, X_valid, y, y_valid = train_test_split(
        X, y, test_size=VALID_SHARE, stratify=y, random_state=seed
    )
    return Data(X, y, X_valid, y_valid)


def log_loss_of(scores, X, y, n_classes):
    """Return the log loss of the probabilities that the arm gives its users, infinity for NaN."""
    z = scores(X)[AS_IS]
    if np.any(np.isnan(z)):
        return np.inf
    several = n_classes > 2
    return (measures.log_loss_of_several if several else measures.log_loss_of_binary)(y, z)


def tuned(arm, booster, data, trials, seed):
    """Return the fit of the best trial by validation log loss.

    Every arm has the same tree parameters in its trials, as they are drawn first and with the same
    seed; the first trial has the booster's defaults. With so few trials no sampler is better than
    random draws. A trial that fails is not replaced; if all fail, the first error is raised.
    """
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kept, errors = {}, []

    def value(trial):
        tree = boosters.suggest_tree(booster, trial)
        own = {**arm.fixed, **arm.suggest(trial, data)}
        try:
            scores = arm.fit(booster, tree, own, data, seed)
            found = log_loss_of(scores, data.X_valid, data.y_valid, data.n_classes)
        except Exception as error:
            errors.append(error)
            raise optuna.TrialPruned from error
        kept[trial.number] = scores, tree, own
        return found

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for tree in trees(booster, trials, seed):
        study.enqueue_trial(tree)
    study.optimize(value, n_trials=trials)
    if not kept:
        raise errors[0]
    return Tuned(*kept[study.best_trial.number], len(errors))


def trees(booster, n, seed):
    """Return the tree parameters of n trials, of which the first is the default."""
    found = [boosters.first_tree(booster)]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    while len(found) < n:
        found.append(boosters.suggest_tree(booster, study.ask()))
    return found


def gamma_by_inner_folds(arm, booster, data, trials, seed):
    """Tune the trees at the arm's fixed gamma, then choose gamma by the log loss of inner folds.

    These fits come on top of the trials; the arm "own, 5 more trials" has additional trials.
    """
    tree = tuned(arm, booster, data, trials, seed).tree
    X, y = np.concatenate([data.X, data.X_valid]), np.concatenate([data.y, data.y_valid])
    losses = {gamma: [] for gamma in arm.gammas}
    for rows, valid in StratifiedKFold(3, shuffle=True, random_state=seed).split(X, y):
        inner = Data(X[rows], y[rows], X[valid], y[valid])
        for gamma, found in losses.items():
            scores = arm.fit(booster, tree, {"gamma": gamma}, inner, seed)
            found.append(log_loss_of(scores, inner.X_valid, inner.y_valid, data.n_classes))
    own = {"gamma": min(losses, key=lambda gamma: np.mean(losses[gamma]))}
    return Tuned(arm.fit(booster, tree, own, data, seed), tree, own, 0)


def one_task(key, arm, booster, trials, n_splits, folder, spoil=None):
    """Tune and score an arm on an outer fold; return one row for each view of its probabilities.

    ``spoil`` adds noise to the labels for training and validation. The key's items come first in
    each row.
    """
    warnings.simplefilter("ignore")
    start = time.process_time()
    try:
        table = load(key["set"], folder)
        train, test = outer_fold(table, key["fold"], n_splits)
        seed = seed_of(key["set"], key["fold"])
        labels = table.y[train] if spoil is None else spoil(table.y[train], seed)
        data = inner_split(table.X[train], labels, seed)
        start = time.process_time()  # other processes share the machine
        how = gamma_by_inner_folds if arm.gammas else tuned
        best = how(arm, booster, data, trials + arm.more_trials, seed)
        seconds = time.process_time() - start
        found = _views(best.scores, data, table.X[test], table.y[test])
    except Exception as error:  # a failure is a result here
        text = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        return [{**key, "view": AS_IS, "seconds": time.process_time() - start, "error": text}]
    about = {
        "seconds": seconds,
        "test_share": len(test) / len(train),
        "gamma": best.own.get("gamma", np.nan),
        "failed_trials": best.n_failed,
        "error": "",
    }
    return [{**key, "view": view, **about, **values} for view, values in found.items()]


def _views(scores, data, X, y):
    here, valid = scores(X), scores(data.X_valid)
    if data.n_classes > 2:
        rows = {view: measures.of_multiclass(y, z) for view, z in here.items()}
        z = measures.tempered(valid[AS_IS], data.y_valid, here[AS_IS])
        return {**rows, "temperature": measures.of_multiclass(y, z)}
    rows = {view: measures.of_binary(y, z, valid[view], data.y_valid) for view, z in here.items()}
    fit, z, z_valid = scores(data.X)[AS_IS], here[AS_IS], valid[AS_IS]
    for method in POST_HOC:
        moved = [
            measures.calibrated(method, z_valid, data.y_valid, values) for values in (z, z_valid)
        ]
        rows[method] = measures.of_binary(y, *moved, data.y_valid)
    # FocalClassifier's default
    moved = [measures.calibrated("balance", fit, data.y, values) for values in (z, z_valid)]
    rows["balance, training"] = measures.of_binary(y, *moved, data.y_valid)
    return rows
