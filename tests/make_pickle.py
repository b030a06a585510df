"""Make the pickle that later releases must load; run it with the oldest releases installed."""

import pickle
from pathlib import Path

from backends import make_data
from lightgbm import LGBMClassifier

import focalboost
from focalboost import FocalClassifier

if __name__ == "__main__":
    X, y, _ = make_data(100)
    booster = LGBMClassifier(n_estimators=5, num_leaves=4, n_jobs=1, verbose=-1)
    model = FocalClassifier(booster, gamma=2.0, alpha=0.75).fit(X, y)
    path = Path(__file__).parent / "data" / "focal_classifier_0.1.0.pickle"
    path.write_bytes(pickle.dumps((model, X[:10], model.predict_proba(X[:10])), protocol=4))
    print(path, focalboost)
