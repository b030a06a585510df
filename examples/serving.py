"""A model trained with focal loss, served from its own file and from an ONNX file.

    pip install "focalboost[xgboost,onnx]" onnxruntime
    python examples/serving.py [--folder DIR]

It trains XGBoost, saves the booster's own file and an ONNX file, and scores each in a process of
its own. The first loads the booster's file, in which `focalboost.predict_proba` finds the loss; the
second has only onnxruntime, without focalboost and without a booster. At the end it compares both
with what the booster itself predicts: the sigmoid, which is not a probability here.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xgboost
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

import focalboost.xgboost
from focalboost import FocalLoss
from focalboost.onnx import to_onnx

BY_BOOSTER = """
import numpy, xgboost, focalboost
model = xgboost.Booster(model_file="model.ubj")
print("   ", focalboost.loss_of(model), "in", "model.ubj")
numpy.save("by_booster.npy", focalboost.predict_proba(model, numpy.load("X.npy"))[:, 1])
"""
# Modules that are None in sys.modules cannot be imported.
BY_ONNX = """
import sys
sys.modules |= dict.fromkeys(["focalboost", "xgboost", "sklearn", "onnx"])
import numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
proba, = session.run(["probabilities"], {"X": numpy.load("X.npy")})
numpy.save("by_onnx.npy", proba[:, 1])
"""


def train_and_save(folder):
    X, y = make_classification(20_000, 20, weights=[0.98], class_sep=0.7, random_state=0)
    X = X.astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    params = {"eta": 0.05, "max_depth": 4, "min_child_weight": 0.1}
    data = xgboost.DMatrix(X_train, y_train)
    booster = focalboost.xgboost.train(params, data, 100, loss=FocalLoss(gamma=2.0))
    booster.save_model(folder / "model.ubj")
    (folder / "model.onnx").write_bytes(to_onnx(booster).SerializeToString())
    np.save(folder / "X.npy", X_test)
    return booster.predict(xgboost.DMatrix(X_test)), y_test


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sigmoid, y = train_and_save(folder)
        for name in ("model.ubj", "model.onnx"):
            print(f"{name}: {(folder / name).stat().st_size / 1e3:.0f} kB")
        for script in (BY_BOOSTER, BY_ONNX):
            subprocess.run([sys.executable, "-c", script], cwd=folder, check=True)
        by_booster, by_onnx = (np.load(folder / f"by_{name}.npy") for name in ("booster", "onnx"))
    print(f"rate of positives, held out:           {y.mean():.4f}")
    print(f"mean probability, booster's file:      {by_booster.mean():.4f}")
    print(f"mean probability, ONNX file:           {by_onnx.mean():.4f}")
    print(f"mean of the booster's own predictions: {sigmoid.mean():.4f}")
    difference = np.max(np.abs(by_booster - by_onnx))
    print(f"largest difference between the files:  {difference:.1e}")
    assert difference < 1e-5


if __name__ == "__main__":
    main()
