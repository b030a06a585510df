"""The only lists: the losses and the backends that every property runs over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import shap
import xgboost
from scipy.special import expit
from sklearn._loss import HalfBinomialLoss

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import (
    AsymmetricLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    ModulatedLoss,
    SoftmaxFocalLoss,
)


def half(p: Any) -> Any:
    """Return a factor of our own, 1 - p / 2, for numpy and mpmath."""
    return 1 - p / 2


def half_1(p: Any) -> Any:
    return 0 * p - 0.5


def half_2(p: Any) -> Any:
    return 0 * p


LOSSES = [
    *(FocalLoss(gamma, alpha) for gamma in (0, 0.5, 1, 2, 5) for alpha in (None, 0.25, 0.9)),
    FocalLoss(2.0, 0.25, max_step=None),
    FocalLoss(0.0, max_step=None),
    FocalLoss(1.5, max_step=0.5),
    AsymmetricLoss(1.0, 4.0),
    AsymmetricLoss(0.5, 3.0, alpha=0.25),
    AsymmetricLoss(1.0, 4.0, 0.05),
    AsymmetricLoss(2.0, 1.0, 0.2, 0.9),
    ModulatedLoss("cos"),
    ModulatedLoss("exp", 0.25),
    ModulatedLoss("exp_square", max_step=None),
    ModulatedLoss((half, half_1, half_2)),
    FocalStarLoss(2.0, 1.0),
    FocalStarLoss(4.0, 0.0, 0.25),
    CalibratedFocalLoss(0.0),
    CalibratedFocalLoss(2.0),
    CalibratedFocalLoss(0.5, 0.25),
    CalibratedFocalLoss(5.0, 0.9),
]

# The grid of the accuracy bars.
GRID = [
    FocalLoss(gamma, alpha)
    for gamma in (0, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10)
    for alpha in (None, 0.1, 0.25, 0.9)
]
SCORES = np.array([0.0, 1e-8, 0.3, 1.0, 5.0, 20.0, 37.5, 40.0, 71.7, 111.9, 300.0, 709.5, 745.0])
# Numbers of single precision, so that float32 gets the same scores.
SCORES = np.concatenate([-SCORES[:0:-1], SCORES]).astype(np.float32).astype(np.float64)

# Losses that we did not write go through the adapters too.
ADAPTER_LOSSES = [
    FocalLoss(0.0, max_step=None),
    FocalLoss(0.5),
    FocalLoss(2.0, 0.25),
    FocalLoss(5.0, 0.9),
    FocalLoss(2.0, max_step=None),
    AsymmetricLoss(1.0, 4.0, 0.05),
    ModulatedLoss("exp", 0.25),
    FocalStarLoss(2.0, 1.0),
    CalibratedFocalLoss(2.0),
    HalfBinomialLoss(),
]

SOFTMAX_LOSSES = [
    SoftmaxFocalLoss(2),
    SoftmaxFocalLoss(3, 0.0, max_step=None),
    SoftmaxFocalLoss(3, 2.0),
    SoftmaxFocalLoss(4, 0.5, (1.0, 0.5, 2.0, 0.1)),
    SoftmaxFocalLoss(5, 5.0, max_step=1.0),
]


def release(library: Any) -> tuple[int, ...]:
    return tuple(map(int, library.__version__.split(".")[:2]))


# Python 3.10 has no shap 0.50.
SHAP_READS_XGBOOST = release(shap) >= (0, 50) or release(xgboost) < (3, 1)


def loss_id(loss: Any) -> str:
    return type(loss).__name__ if " at 0x" in repr(loss) else repr(loss)


def start_of(loss: Any, y: Any, w: Any = None) -> float:
    best = getattr(loss, "init_score", None) or loss.fit_intercept_only
    return float(best(y_true=np.asarray(y, dtype=float), sample_weight=w))


def make_data(n: int = 300, seed: int = 0) -> tuple[Any, Any, Any]:
    """Return X, y and weights: 4 features, one in five positive, learnable but not separable."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).round(1)  # few values: weights do not move the bins
    y = (X[:, 0] + X[:, 1] ** 2 + rng.normal(size=n) > 2.2).astype(int)
    return X, y, rng.integers(1, 4, size=n).astype(float)


def shap_total(model: Any, X: Any) -> Any:
    """Return the sum of a model's SHAP values and its expected value, as shap computes them."""
    if isinstance(model, xgboost.Booster | xgboost.XGBModel) and not SHAP_READS_XGBOOST:
        with pytest.raises(ValueError, match="could not convert string to float"):
            shap.TreeExplainer(model)
        pytest.skip("XGBoost 3.1 and newer write start scores that shap reads from 0.50 on")
    explanation = shap.TreeExplainer(model)(X)
    total = explanation.base_values + explanation.values.sum(axis=1)
    # shap gives both classes of a LightGBM model with the binary objective
    return total[:, 1] if total.ndim == 2 else total


@dataclass(frozen=True)
class Fitted:
    """A trained model behind the same names for every backend."""

    model: Any
    raw: Callable[[Any], Any]
    predict: Callable[[Any], Any]
    contributions: Callable[[Any], Any]
    history: list[float]


def _lightgbm_fitted(booster: Any, history: Any) -> Fitted:
    return Fitted(
        booster,
        lambda X: booster.predict(X, raw_score=True),
        booster.predict,
        lambda X: booster.predict(X, pred_contrib=True),
        history,
    )


def _xgboost_fitted(booster: Any, history: Any) -> Fitted:
    return Fitted(
        booster,
        lambda X: booster.predict(xgboost.DMatrix(X), output_margin=True),
        lambda X: booster.predict(xgboost.DMatrix(X)),
        lambda X: booster.predict(xgboost.DMatrix(X), pred_contribs=True),
        history,
    )


def _catboost_fitted(model: Any, history: Any) -> Fitted:
    return Fitted(
        model,
        lambda X: model.predict(X, prediction_type="RawFormulaVal"),
        lambda X: model.predict(X, prediction_type="Probability")[:, 1],
        lambda X: model.get_feature_importance(catboost.Pool(X), type="ShapValues"),
        history,
    )


def _lightgbm_train(loss, X, y, w=None, rounds=3, params=None):
    evals: dict = {}
    data = lightgbm.Dataset(X, y, weight=w)
    booster = focalboost.lightgbm.train(
        params, data, rounds, [data], ["data"], loss=loss,
        callbacks=[lightgbm.record_evaluation(evals)],
    )  # fmt: skip
    return _lightgbm_fitted(booster, *evals["data"].values())


def _lightgbm_sklearn(loss, X, y, w=None, rounds=3, params=None):
    start = start_of(loss, y, w)
    model = lightgbm.LGBMClassifier(
        n_estimators=rounds,
        objective=focalboost.lightgbm.objective(loss),
        **{"metric": "None", "feature_pre_filter": False, **params},
    )
    starts = np.full(len(y), start)
    model.fit(
        X, y, sample_weight=w, init_score=starts, eval_set=[(X, y)], eval_names=["data"],
        eval_sample_weight=[w], eval_init_score=[starts],
        eval_metric=focalboost.lightgbm.metric(loss),
    )  # fmt: skip
    booster = focalboost.lightgbm.seal(model.booster_, start)
    return _lightgbm_fitted(booster, *model.evals_result_["data"].values())


def _lightgbm_builtin(start, X, y, w=None, rounds=3, params=None):
    data = lightgbm.Dataset(X, y, weight=w, init_score=np.full(len(y), start))
    booster = lightgbm.train({"objective": "binary", **params}, data, rounds)
    return lambda rows: booster.predict(rows, raw_score=True) + start


def _xgboost_train(loss, X, y, w=None, rounds=3, params=None):
    evals: dict = {}
    data = xgboost.DMatrix(X, y, weight=w)
    booster = focalboost.xgboost.train(
        params, data, rounds, evals=[(data, "data")], evals_result=evals, verbose_eval=False,
        loss=loss,
    )  # fmt: skip
    return _xgboost_fitted(booster, *evals["data"].values())


def _xgboost_sklearn(loss, X, y, w=None, rounds=3, params=None):
    model = xgboost.XGBClassifier(
        n_estimators=rounds,
        objective=focalboost.xgboost.objective(loss),
        eval_metric=focalboost.xgboost.metric(loss),
        base_score=float(expit(start_of(loss, y, w))),
        disable_default_eval_metric=True,
        **{{"eta": "learning_rate", "lambda": "reg_lambda"}.get(k, k): params[k] for k in params},
    )
    evals = {"eval_set": [(X, y)], "sample_weight_eval_set": None if w is None else [w]}
    model.fit(X, y, sample_weight=w, verbose=False, **evals)
    booster = model.get_booster()
    return _xgboost_fitted(booster, *model.evals_result()["validation_0"].values())


def _xgboost_builtin(start, X, y, w=None, rounds=3, params=None):
    params = {"objective": "binary:logistic", "base_score": float(expit(start)), **params}
    booster = xgboost.train(params, xgboost.DMatrix(X, y, weight=w), rounds)
    return lambda rows: booster.predict(xgboost.DMatrix(rows), output_margin=True)


def _catboost_train(loss, X, y, w=None, rounds=3, params=None):
    data = catboost.Pool(X, y, weight=w)
    model = focalboost.catboost.train(
        data, {**params, "use_best_model": False}, iterations=rounds, eval_set=data, loss=loss
    )
    return _catboost_fitted(model, *model.get_evals_result()["validation"].values())


def _catboost_sklearn(loss, X, y, w=None, rounds=3, params=None):
    start = np.float32(start_of(loss, y, w))
    model = catboost.CatBoostClassifier(
        iterations=rounds,
        loss_function=focalboost.catboost.objective(loss),
        eval_metric=focalboost.catboost.metric(loss),
        class_names=[0, 1],
        **params,
    )
    model.fit(X, y, sample_weight=w, baseline=np.full(len(y), start))
    model.set_scale_and_bias(1, float(start))
    return _catboost_fitted(model, *model.get_evals_result()["learn"].values())


def _catboost_builtin(start, X, y, w=None, rounds=3, params=None):
    start = np.float32(start)
    settings = {"leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1, **params}
    data = catboost.Pool(X, y, weight=w, baseline=np.full(len(y), start))
    model = catboost.train(data, {"loss_function": "Logloss", "iterations": rounds, **settings})
    return lambda rows: model.predict(rows, prediction_type="RawFormulaVal") + float(start)


@dataclass(frozen=True)
class Backend:
    """One way to train with one booster, and how near its numbers come to exact."""

    name: str
    fit: Callable[..., Fitted]
    fit_builtin: Callable[..., Any]
    # defaults but for speed and silence; one split with L2 1 and nothing else; no limit on leaves
    params: dict[str, Any]
    stump: dict[str, Any]
    free: dict[str, Any]
    # of a raw score that the booster computes: its rounding, times the rows of a leaf
    atol: float
    # of raw scores against the built-in log loss, same start
    parity: float


_LIGHTGBM = {
    "params": {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 10},
    "stump": {
        "verbose": -1, "num_threads": 1, "num_leaves": 2, "learning_rate": 1.0, "lambda_l2": 1.0,
        "min_data_in_leaf": 20, "min_sum_hessian_in_leaf": 0.0,
    },
    "free": {
        "verbose": -1, "num_threads": 1, "num_leaves": 4, "min_data_in_leaf": 0,
        "min_data_in_bin": 1, "min_sum_hessian_in_leaf": 1e-9,
    },
    # gradients are summed from single precision
    "atol": 1e-6,
    # the trees are the same to the bit; the start score is added in another order
    "parity": 1e-14,
}  # fmt: skip
_XGBOOST = {
    "params": {"nthread": 1, "max_depth": 3, "min_child_weight": 0.0},
    "stump": {"nthread": 1, "max_depth": 1, "eta": 1.0, "lambda": 1.0, "min_child_weight": 0.0},
    "free": {"nthread": 1, "max_depth": 2, "min_child_weight": 0.0, "tree_method": "exact"},
    # scores are in single precision throughout
    "atol": 1e-5,
    "parity": 4e-6,
}
_CATBOOST_QUIET = {
    "verbose": 0, "thread_count": 1, "allow_writing_files": False, "random_seed": 0,
    "bootstrap_type": "No", "random_strength": 0,
}  # fmt: skip
_CATBOOST = {
    "params": {**_CATBOOST_QUIET, "depth": 3, "learning_rate": 0.1},
    "stump": {**_CATBOOST_QUIET, "depth": 1, "learning_rate": 1.0, "l2_leaf_reg": 1.0},
    "free": {**_CATBOOST_QUIET, "depth": 2, "learning_rate": 0.3, "l2_leaf_reg": 0.0},
    # double precision, but the start score is a single precision number
    "atol": 1e-6,
    "parity": 1e-6,
}

BACKENDS = [
    Backend("lightgbm-train", _lightgbm_train, _lightgbm_builtin, **_LIGHTGBM),
    Backend("lightgbm-sklearn", _lightgbm_sklearn, _lightgbm_builtin, **_LIGHTGBM),
    Backend("xgboost-train", _xgboost_train, _xgboost_builtin, **_XGBOOST),
    Backend("xgboost-sklearn", _xgboost_sklearn, _xgboost_builtin, **_XGBOOST),
    Backend("catboost-train", _catboost_train, _catboost_builtin, **_CATBOOST),
    Backend("catboost-sklearn", _catboost_sklearn, _catboost_builtin, **_CATBOOST),
]
