"""Over-confidence: log loss over the rounds, without early stopping."""

import warnings

import lightgbm
import measures
from arms import AS_IS
from datasets import load, seed_of
from protocol import inner_split, outer_fold

import focalboost.lightgbm
from focalboost import FocalLoss

SETS = ["KC1", "SATIMAGE", "hmda", "page_blocks0", "winequality_red_4", "yeast6"]
ROUNDS = (50, 100, 200, 300, 400)
PARAMS = {"learning_rate": 0.1, "num_threads": 1, "verbose": -1}
ARMS = {"own": None, "gamma 0": FocalLoss(0.0), "focal, gamma 2": FocalLoss(2.0)}


def one_task(key, n_splits, folder):
    """Train an arm once; return one row for each number of rounds and view."""
    warnings.simplefilter("ignore")
    table, loss = load(key["set"], folder), ARMS[key["arm"]]
    train, test = outer_fold(table, key["fold"], n_splits)
    data = inner_split(table.X[train], table.y[train], seed_of(key["set"], key["fold"]))
    samples = lightgbm.Dataset(data.X, data.y)
    if loss is None:
        model = lightgbm.train({**PARAMS, "objective": "binary"}, samples, max(ROUNDS))
    else:
        model = focalboost.lightgbm.train(PARAMS, samples, max(ROUNDS), loss=loss)
    y, rows = table.y[test], []
    for rounds in ROUNDS:
        raw, valid = (
            model.predict(X, raw_score=True, num_iteration=rounds)
            for X in (table.X[test], data.X_valid)
        )
        z, z_valid = (raw, valid) if loss is None else (loss.log_odds(raw), loss.log_odds(valid))
        views = {
            "sigmoid": raw,
            AS_IS: z,
            **{
                method: measures.calibrated(method, z_valid, data.y_valid, z)
                for method in ("temperature", "platt")
            },
        }
        for view, log_odds in views.items():
            values = measures.of_binary(y, log_odds, z_valid, data.y_valid)
            about = {"test_share": len(test) / len(train), "error": ""}
            rows.append({**key, "rounds": rounds, "view": view, **about, **values})
    return rows
