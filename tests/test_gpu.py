"""XGBoost on a GPU, where there is one: as on the CPU, but for single precision."""

import subprocess

import numpy as np
import pytest
import workers
from numpy.testing import assert_allclose
from workers import SOFTMAX, Case, data_of

import focalboost
from focalboost import FocalClassifier, FocalLoss

xgboost = pytest.importorskip("xgboost")
import focalboost.xgboost  # noqa: E402


def has_gpu():
    if not xgboost.build_info().get("USE_CUDA"):
        return False
    try:
        return (
            subprocess.run(["nvidia-smi", "-L"], check=False, capture_output=True).returncode == 0
        )
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not has_gpu(), reason="no GPU, or an XGBoost without CUDA")

CASES = [
    Case("binary", is_sorted=False),
    Case("weights", FocalLoss(2.0, 0.25), has_weights=True),
    Case("three classes", SOFTMAX),
    Case("stopped", options={"early_stopping_rounds": 5, "num_boost_round": 200}),
    Case("quantiles", quantiles=True),
    Case("metrics", options={"params": {"eval_metric": ["auc", "logloss"]}}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_gpu_is_a_cpu(case, monkeypatch):
    raw, history, n_rounds = workers.train(case)
    monkeypatch.setitem(workers.PARAMS, "device", "cuda")
    its_raw, its_history, its_rounds = workers.train(case)
    # Histograms are sums in fixed point there.
    assert_allclose(its_raw, raw, rtol=0, atol=1e-4)
    assert its_rounds == n_rounds
    for name, values in history.items():
        assert_allclose(its_history[name], values, rtol=1e-4, err_msg=name)


@pytest.mark.filterwarnings("ignore:.*mismatched devices:UserWarning")
def test_classifier(monkeypatch):
    (X, y, _), (X_val, y_val, _) = data_of(CASES[0])
    models = [
        FocalClassifier(
            xgboost.XGBClassifier(n_estimators=50, max_depth=3, min_child_weight=0, device=device),
            early_stopping_rounds=5,
        ).fit(X, y, X_val=X_val, y_val=y_val)
        for device in ("cpu", "cuda")
    ]
    assert models[0].best_iteration_ == models[1].best_iteration_
    assert_allclose(*(model.predict_proba(X_val) for model in models), rtol=0, atol=1e-4)


def test_samples_on_the_gpu():
    cupy = pytest.importorskip("cupy")
    (X, y, _), _ = data_of(CASES[0])
    params = {**workers.PARAMS, "device": "cuda"}
    raw = []
    for as_array in (np.asarray, cupy.asarray):
        data = xgboost.QuantileDMatrix(as_array(X), as_array(y))
        booster = focalboost.xgboost.train(params, data, 20, loss=FocalLoss())
        raw.append(booster.predict(xgboost.DMatrix(X), output_margin=True))
    assert_allclose(*raw, rtol=0, atol=1e-6)
