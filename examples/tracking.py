"""A focal model in MLflow: the loss among the run's parameters, and a pyfunc of probabilities.

    pip install "focalboost[xgboost,onnx]" mlflow onnxruntime
    python examples/tracking.py [--uri URI]

With MLflow's autologging a run holds the class and the parameters of the loss. A pyfunc of the
booster's own flavour returns the booster's `predict`: the sigmoid, which is not a probability here.
The pyfunc of the ONNX flavour returns label, probabilities and raw score, even where focalboost and
the booster are not installed. A booster that MLflow loads holds its loss, so that
`focalboost.predict_proba` works.
"""

import argparse
import os
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import xgboost
from sklearn.datasets import load_breast_cancer

import focalboost.xgboost
from focalboost import FocalLoss
from focalboost.onnx import to_onnx

os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow-skinny has no other store


def log_run(X, y):
    """Train under autologging, and log the model in two flavours; return the run and their URIs."""
    mlflow.xgboost.autolog(log_models=False)
    with mlflow.start_run() as run:
        data = xgboost.DMatrix(X, y)
        params = {"eta": 0.1, "max_depth": 3, "min_child_weight": 0.1}
        booster = focalboost.xgboost.train(params, data, 50, loss=FocalLoss(gamma=2.0))
        # Without pip_requirements MLflow loads each model once more, in another process.
        onnx = mlflow.onnx.log_model(
            to_onnx(booster),
            name="onnx",
            onnx_execution_providers=["CPUExecutionProvider"],
            pip_requirements=["onnx", "onnxruntime"],
        )
        own = mlflow.xgboost.log_model(
            booster, name="booster", pip_requirements=["focalboost[xgboost]"]
        )
    return run.info.run_id, onnx.model_uri, own.model_uri


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri", help="tracking server; by default a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        mlflow.set_tracking_uri(options.uri or Path(temporary).as_uri())
        mlflow.set_experiment("focal loss")
        X, y = load_breast_cancer(return_X_y=True)
        X = X.astype(np.float32)
        run, onnx, own = log_run(X, y)
        noted = mlflow.get_run(run).data.params
        print({name: value for name, value in noted.items() if name.startswith("loss")})
        served = mlflow.pyfunc.load_model(onnx).predict(X)["probabilities"]
        loaded = focalboost.predict_proba(mlflow.xgboost.load_model(own), X)
        sigmoid = mlflow.pyfunc.load_model(own).predict(X)
    print(f"rate of positives:                             {y.mean():.3f}")
    print(f"mean probability, pyfunc of the ONNX flavour:  {served[:, 1].mean():.3f}")
    print(f"mean probability, predict_proba of focalboost: {loaded[:, 1].mean():.3f}")
    print(f"mean of the pyfunc of the booster's flavour:   {sigmoid.mean():.3f}")
    assert noted["loss_gamma"] == "2.0"
    assert np.max(np.abs(served - loaded)) < 1e-5


if __name__ == "__main__":
    main()
