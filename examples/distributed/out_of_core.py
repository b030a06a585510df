"""Samples that do not fit into memory, or come in parts: XGBoost's DataIter, LightGBM's Sequence.

    pip install "focalboost[xgboost,lightgbm]"
    python examples/distributed/out_of_core.py

Labels and weights are in memory, one or two numbers for each sample; the features are read part by
part, here from files. The models are the same as with all samples in memory.
"""

import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import xgboost
from sklearn.datasets import make_classification

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss

LOSS = FocalLoss(gamma=2.0)
N_PARTS = 4


class Parts(xgboost.DataIter):
    """The parts one after another, which XGBoost caches on disk if a prefix is given."""

    def __init__(self, folder, cache_prefix=None):
        self._folder, self._next = folder, 0
        super().__init__(cache_prefix=cache_prefix)

    def reset(self):
        self._next = 0

    def next(self, input_data):
        if self._next == N_PARTS:
            return False
        X, y = (np.load(self._folder / f"{name}{self._next}.npy") for name in "Xy")
        input_data(data=X, label=y)
        self._next += 1
        return True


class Part(lightgbm.Sequence):
    """A part, from whose file LightGBM reads a batch of samples at a time."""

    batch_size = 1_000

    def __init__(self, path):
        self._rows = np.load(path, mmap_mode="r")

    def __getitem__(self, rows):
        return self._rows[rows]

    def __len__(self):
        return len(self._rows)


def by_xgboost(folder, X, y):
    params = {"max_depth": 4, "min_child_weight": 0.1, "tree_method": "hist"}
    # ExtMemQuantileDMatrix, of XGBoost 3.0 and newer, is faster for the "hist" method.
    external = xgboost.DMatrix(Parts(folder, cache_prefix=str(folder / "cache")))
    boosters = [
        focalboost.xgboost.train(params, data, 20, loss=LOSS)
        for data in (external, xgboost.DMatrix(X, y))
    ]
    return [focalboost.predict_proba(booster, X)[:, 1] for booster in boosters]


def by_lightgbm(folder, X, y):
    params = {"num_leaves": 15, "verbose": -1}
    parts = [Part(folder / f"X{i}.npy") for i in range(N_PARTS)]
    boosters = [
        focalboost.lightgbm.train(params, lightgbm.Dataset(data, y), 20, loss=LOSS)
        for data in (parts, X)
    ]
    return [focalboost.predict_proba(booster, X)[:, 1] for booster in boosters]


def main():
    X, y = make_classification(20_000, 10, weights=[0.97], random_state=0)
    X = X.round(1)  # few values, so that the bins of the parts are those of all samples
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for i, (X_part, y_part) in enumerate(
            zip(np.array_split(X, N_PARTS), np.array_split(y, N_PARTS), strict=True)
        ):
            np.save(folder / f"X{i}.npy", X_part)
            np.save(folder / f"y{i}.npy", y_part)
        for name, by in (("XGBoost", by_xgboost), ("LightGBM", by_lightgbm)):
            in_parts, in_memory = by(folder, X, y)
            difference = np.max(np.abs(in_parts - in_memory))
            print(f"{name}: mean probability {in_parts.mean():.4f}, rate {y.mean():.4f}, ", end="")
            print(f"largest difference from samples in memory {difference:.1e}")
            assert difference < 1e-6


if __name__ == "__main__":
    main()
