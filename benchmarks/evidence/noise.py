"""Label noise: training and validation labels are noisy; scores are computed on clean labels."""

import numpy as np
import protocol

SETS = ["ADA", "KC1", "SATIMAGE", "churn", "page_blocks0"]
LEVELS = (0.1, 0.3, 0.5)


def symmetric(y, level, rng):
    """Return the labels with a share of them replaced by coin tosses."""
    is_drawn = rng.uniform(size=len(y)) < level
    return np.where(is_drawn, rng.integers(0, 2, size=len(y)), y)


def swapped(y, level, rng):
    """Return the labels with a share of the positives swapped with as many negatives."""
    noisy, n = y.copy(), round(level * np.sum(y))
    noisy[rng.choice(np.flatnonzero(y == 1), n, replace=False)] = 0
    noisy[rng.choice(np.flatnonzero(y == 0), n, replace=False)] = 1
    return noisy


def hidden(y, level, rng):
    """Return the labels with a share of the positives labelled negative."""
    noisy = y.copy()
    noisy[rng.choice(np.flatnonzero(y == 1), round(level * np.sum(y)), replace=False)] = 0
    return noisy


KINDS = {"symmetric": symmetric, "swapped": swapped, "hidden": hidden}


def one_task(key, arm, booster, trials, n_splits, folder):
    kind, level = key["noise"], key["level"]

    def spoil(y, seed):
        return KINDS[kind](y, level, np.random.default_rng(seed)) if kind != "none" else y

    return protocol.one_task(key, arm, booster, trials, n_splits, folder, spoil)
