"""SHAP values of the log-odds and of the probability of a focal model.

    pip install "focalboost[xgboost]" shap
    python examples/explaining.py

`shap.TreeExplainer(booster)` explains the raw score, which is correct. With
`model_output="probability"` it explains the sigmoid of the raw score, which is not a probability
with focal loss. The two quantities worth explaining are functions of the loss: the log-odds, in
which evidence adds up, and the probability. SHAP's explainers for functions take both.
"""

import numpy as np
import pandas as pd
import shap
import xgboost
from sklearn.datasets import load_breast_cancer

import focalboost.xgboost
from focalboost import FocalLoss


def explain(booster, rows, background):
    """Return exact explanations of log-odds and probability, for up to about 12 columns."""
    loss = focalboost.loss_of(booster)

    def log_odds(X):
        raw_prediction = booster.predict(xgboost.DMatrix(X), output_margin=True)
        return loss.log_odds(raw_prediction.astype(np.float64))

    def probability(X):
        return focalboost.predict_proba(booster, X)[:, 1]

    # Use all samples of the background; the default is 100 of them.
    masker = shap.maskers.Independent(background, max_samples=len(background))
    return [shap.explainers.Exact(f, masker)(rows) for f in (log_odds, probability)]


def main():
    data = load_breast_cancer(as_frame=True)
    X, y = data.data.iloc[:, :8], 1 - data.target  # malignant is the positive class
    params = {"eta": 0.1, "max_depth": 3, "min_child_weight": 0.1}
    matrix = xgboost.DMatrix(X.to_numpy(), y)
    row, background = X.to_numpy()[[20]], X.to_numpy()[::12]
    booster = focalboost.xgboost.train(params, matrix, 30, loss=FocalLoss(gamma=2.0))
    found = dict(zip(["log-odds", "probability"], explain(booster, row, background), strict=True))
    columns = {name: [f.base_values[0], *f.values[0]] for name, f in found.items()}
    table = pd.DataFrame(columns, index=["on average", *X.columns])
    table.loc["this row"] = table.sum()
    print(table.round(3).to_string())
    sigmoid = booster.predict(xgboost.DMatrix(row))[0]
    print(f"the sigmoid of the raw score, which is not a probability: {sigmoid:.3f}")
    probability = focalboost.predict_proba(booster, row)[0, 1]
    assert abs(table.loc["this row", "probability"] - probability) < 1e-9

    # With log loss the raw score is the log-odds, which TreeExplainer explains.
    plain = focalboost.xgboost.train(params, matrix, 30, loss=FocalLoss(gamma=0.0))
    by_trees = shap.TreeExplainer(plain, background).shap_values(row)
    assert np.allclose(explain(plain, row, background)[0].values, by_trees, atol=1e-4)


if __name__ == "__main__":
    main()
