"""Means of four models: four gammas, or four seeds of one loss."""

import warnings

import boosters
import measures
import numpy as np
from arms import AS_IS, focal
from datasets import load, seed_of
from protocol import inner_split, outer_fold
from scipy.special import expit, logit

# With samples and columns drawn at random, so that seeds differ.
TREE = {
    **boosters.first_tree("lightgbm"), "subsample": 0.8, "subsample_freq": 1,
    "colsample_bytree": 0.7,
}  # fmt: skip
OWN = None
# The gamma of each of the four models; their seeds differ too.
ARMS = {
    "own": 4 * (OWN,),
    "gamma 0": 4 * (0.0,),
    "gamma 2": 4 * (2.0,),
    "gammas 0, 1, 2 and 5": (0.0, 1.0, 2.0, 5.0),
}


def one_task(key, n_splits, folder):
    """Train the four models and return the measures of their mean probability."""
    warnings.simplefilter("ignore")
    table = load(key["set"], folder)
    train, test = outer_fold(table, key["fold"], n_splits)
    data = inner_split(table.X[train], table.y[train], seed_of(key["set"], key["fold"]))
    models = [_log_odds(gamma, data, seed) for seed, gamma in enumerate(ARMS[key["arm"]])]
    z, z_valid = (
        logit(np.mean([expit(measures.bounded(model(X))) for model in models], axis=0))
        for X in (table.X[test], data.X_valid)
    )
    values = measures.of_binary(table.y[test], z, z_valid, data.y_valid)
    return [{**key, "view": AS_IS, "test_share": len(test) / len(train), "error": "", **values}]


def _log_odds(gamma, data, seed):
    """Train one model, and return its function from samples to log-odds."""
    if gamma is OWN:
        return boosters.fit_own("lightgbm", TREE, data, seed)
    scores = focal()("lightgbm", TREE, {"gamma": gamma}, data, seed)
    return lambda X: scores(X)[AS_IS]
