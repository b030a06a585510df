"""The ways to train with a booster: the one list that every property of the adapters runs over.

A booster is imported where a row is used, so that the other rows run without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from focalboost.losses.foreign import as_loss

QUIET = {
    "lightgbm": {"verbose": -1, "num_threads": 1},
    "xgboost": {"nthread": 1},
    "catboost": {
        "verbose": 0, "thread_count": 1, "allow_writing_files": False, "random_seed": 0,
        "bootstrap_type": "No", "random_strength": 0, "leaf_estimation_iterations": 1,
        "leaf_estimation_method": "Newton", "boosting_type": "Plain",
    },
}  # fmt: skip


def make_data(n: int = 300, seed: int = 0, n_classes: int = 2) -> tuple[Any, Any, Any]:
    """Return X, y and weights: 4 features, learnable but not separable; one in five positive."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4)).round(1)  # few values: weights do not move the bins
    y = (X[:, 0] + X[:, 1] ** 2 + rng.normal(size=n) > 2.2).astype(int)
    if n_classes > 2:
        y = y + (X[:, 2] + 0.5 * rng.normal(size=n) > 0.8)
    return X, y, rng.integers(1, 4, size=n).astype(float)


def noisy_data() -> tuple[Any, Any, Any, Any]:
    """Return data on which training should stop early, and as many to stop on."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(600, 5))
    y = (X[:, 0] + 2 * rng.normal(size=600) > 2.5).astype(int)
    return X[:300], y[:300], X[300:], y[300:]


def init_score_of(loss: Any, y: Any, w: Any = None) -> Any:
    """Return the init score by the loss's own method, whoever wrote it."""
    best = getattr(loss, "init_score", None) or loss.fit_intercept_only
    return best(y_true=np.asarray(y, dtype=float), sample_weight=w)


def scores(loss: Any, init_score: Any, n: int) -> Any:
    return as_loss(loss).kernel.classes.repeat(init_score, n)


@dataclass(frozen=True)
class Fitted:
    """A trained model behind the same names for every backend."""

    model: Any
    raw: Callable[[Any], Any]
    predict: Callable[[Any], Any]
    contributions: Callable[[Any], Any]
    history: list[float]


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
    # of a raw score that the booster computes: its rounding, times the samples of a leaf
    atol: float
    # of raw scores against the built-in loss, from the same init score: of two and of more classes
    parity: tuple[float, float]
    # the names of the learning rate and of a model to continue
    rate: str = "learning_rate"
    init_model: str = "init_model"

    @property
    def library(self) -> str:
        return self.name.partition("-")[0]

    @property
    def is_train(self) -> bool:
        return self.name.endswith("-train")


def _lightgbm(booster, history):
    def contributions(X):
        found = booster.predict(X, pred_contrib=True)
        k = booster.num_model_per_iteration()
        return found if k == 1 else found.reshape(len(X), k, -1)

    raw = lambda X: booster.predict(X, raw_score=True)  # noqa: E731
    return Fitted(booster, raw, booster.predict, contributions, history)


def _lightgbm_train(loss, X, y, w=None, rounds=3, params=None, **kwargs):
    import lightgbm

    import focalboost.lightgbm

    evals: dict = {}
    data = lightgbm.Dataset(X, y, weight=w)
    booster = focalboost.lightgbm.train(
        params, data, rounds, [data], ["data"], loss=loss,
        callbacks=[lightgbm.record_evaluation(evals)], **kwargs,
    )  # fmt: skip
    return _lightgbm(booster, *evals["data"].values())


def _lightgbm_sklearn(loss, X, y, w=None, rounds=3, params=None, **kwargs):
    import lightgbm

    import focalboost.lightgbm

    init_score = init_score_of(loss, y, w)
    model = lightgbm.LGBMClassifier(
        n_estimators=rounds,
        objective=focalboost.lightgbm.objective(loss, **kwargs),
        **{"metric": "None", "feature_pre_filter": False, **params},
    )
    inits = scores(loss, init_score, len(y))
    model.fit(
        X, y, sample_weight=w, init_score=inits, eval_set=[(X, y)], eval_names=["data"],
        eval_sample_weight=[w], eval_init_score=[inits],
        eval_metric=focalboost.lightgbm.metric(loss),
    )  # fmt: skip
    booster = focalboost.lightgbm.seal(model.booster_, init_score)
    return _lightgbm(booster, *model.evals_result_["data"].values())


def _lightgbm_builtin(loss, init_score, X, y, w=None, rounds=3, params=None):
    import lightgbm

    k = as_loss(loss).kernel.classes.n_scores
    own = {"objective": "binary"} if k == 1 else {"objective": "multiclass", "num_class": k}
    data = lightgbm.Dataset(X, y, weight=w, init_score=scores(loss, init_score, len(y)))
    booster = lightgbm.train({**own, **params}, data, rounds)
    return lambda rows: booster.predict(rows, raw_score=True) + init_score


def _xgboost(booster, history):
    import xgboost

    return Fitted(
        booster,
        lambda X: booster.predict(xgboost.DMatrix(X), output_margin=True),
        lambda X: booster.predict(xgboost.DMatrix(X)),
        lambda X: booster.predict(xgboost.DMatrix(X), pred_contribs=True),
        history,
    )


def _xgboost_train(loss, X, y, w=None, rounds=3, params=None, **kwargs):
    import xgboost

    import focalboost.xgboost

    evals: dict = {}
    data = xgboost.DMatrix(X, y, weight=w)
    booster = focalboost.xgboost.train(
        params, data, rounds, evals=[(data, "data")], evals_result=evals, verbose_eval=False,
        loss=loss, **kwargs,
    )  # fmt: skip
    return _xgboost(booster, *evals["data"].values())


def _xgboost_sklearn(loss, X, y, w=None, rounds=3, params=None, **kwargs):
    import xgboost

    import focalboost.xgboost

    model = xgboost.XGBClassifier(
        n_estimators=rounds,
        objective=focalboost.xgboost.objective(loss, **kwargs),
        eval_metric=focalboost.xgboost.metric(loss),
        base_score=float(expit(init_score_of(loss, y, w))),
        disable_default_eval_metric=True,
        **{{"eta": "learning_rate", "lambda": "reg_lambda"}.get(k, k): params[k] for k in params},
    )
    evals = {"eval_set": [(X, y)], "sample_weight_eval_set": None if w is None else [w]}
    model.fit(X, y, sample_weight=w, verbose=False, **evals)
    return _xgboost(model.get_booster(), *model.evals_result()["validation_0"].values())


def _xgboost_builtin(loss, init_score, X, y, w=None, rounds=3, params=None):
    import xgboost

    k = as_loss(loss).kernel.classes.n_scores
    own = {"objective": "binary:logistic", "base_score": float(expit(np.ravel(init_score)[0]))}
    if k > 1:
        own = {"objective": "multi:softprob", "num_class": k, "base_score": init_score.tolist()}
    booster = xgboost.train({**own, **params}, xgboost.DMatrix(X, y, weight=w), rounds)
    return lambda rows: booster.predict(xgboost.DMatrix(rows), output_margin=True)


def _catboost(model, history):
    import catboost

    def predict(X):
        proba = model.predict(X, prediction_type="Probability")
        return proba[:, 1] if proba.shape[1] == 2 else proba

    return Fitted(
        model,
        lambda X: model.predict(X, prediction_type="RawFormulaVal"),
        predict,
        lambda X: model.get_feature_importance(catboost.Pool(X), type="ShapValues"),
        history,
    )


def _catboost_train(loss, X, y, w=None, rounds=3, params=None, **kwargs):
    import catboost

    import focalboost.catboost

    data = catboost.Pool(X, y, weight=w)
    model = focalboost.catboost.train(
        data, {**params, "use_best_model": False}, iterations=rounds, eval_set=data, loss=loss,
        **kwargs,
    )  # fmt: skip
    return _catboost(model, *model.get_evals_result()["validation"].values())


def _catboost_sklearn(loss, X, y, w=None, rounds=3, params=None, **kwargs):
    import catboost

    import focalboost.catboost

    init_score = np.float32(init_score_of(loss, y, w))
    model = catboost.CatBoostClassifier(
        iterations=rounds,
        loss_function=focalboost.catboost.objective(loss, **kwargs),
        eval_metric=focalboost.catboost.metric(loss),
        class_names=[0, 1],
        **params,
    )
    model.fit(X, y, sample_weight=w, baseline=np.full(len(y), init_score))
    model.set_scale_and_bias(1, float(init_score))
    return _catboost(model, *model.get_evals_result()["learn"].values())


def _catboost_builtin(loss, init_score, X, y, w=None, rounds=3, params=None):
    import catboost

    classes = as_loss(loss).kernel.classes
    init_score = np.float32(init_score).astype(float)
    baseline = scores(loss, init_score, len(y)).reshape(len(y), -1)
    data = catboost.Pool(X, y, weight=w, baseline=baseline)
    name = "Logloss" if classes.n_scores == 1 else "MultiClass"
    model = catboost.train(data, {**params, "loss_function": name, "iterations": rounds})
    return lambda rows: model.predict(rows, prediction_type="RawFormulaVal") + init_score


_LIGHTGBM = {
    "params": {**QUIET["lightgbm"], "min_data_in_leaf": 10},
    "stump": {
        **QUIET["lightgbm"], "num_leaves": 2, "learning_rate": 1.0, "lambda_l2": 1.0,
        "min_data_in_leaf": 20, "min_sum_hessian_in_leaf": 0.0,
    },
    "free": {
        **QUIET["lightgbm"], "num_leaves": 4, "min_data_in_leaf": 0, "min_data_in_bin": 1,
        "min_sum_hessian_in_leaf": 1e-9,
    },
    # gradients are summed from single precision
    "atol": 1e-6,
    # the trees are the same to the bit; the init score is added in another order
    "parity": (1e-14, 1e-9),
}  # fmt: skip
_XGBOOST = {
    "params": {**QUIET["xgboost"], "max_depth": 3, "min_child_weight": 0.0},
    "stump": {
        **QUIET["xgboost"], "max_depth": 1, "eta": 1.0, "lambda": 1.0, "min_child_weight": 0.0
    },
    "free": {
        **QUIET["xgboost"], "max_depth": 2, "min_child_weight": 0.0, "tree_method": "exact"
    },
    # scores are in single precision throughout
    "atol": 1e-5,
    "parity": (4e-6, 1e-5),
    "rate": "eta",
    "init_model": "xgb_model",
}  # fmt: skip
_CATBOOST = {
    "params": {**QUIET["catboost"], "depth": 3, "learning_rate": 0.1},
    "stump": {**QUIET["catboost"], "depth": 1, "learning_rate": 1.0, "l2_leaf_reg": 1.0},
    "free": {**QUIET["catboost"], "depth": 2, "learning_rate": 0.3, "l2_leaf_reg": 0.0},
    # double precision, but the init score is a single precision number
    "atol": 1e-6,
    "parity": (1e-6, 1e-6),
}

BACKENDS = [
    Backend("lightgbm-train", _lightgbm_train, _lightgbm_builtin, **_LIGHTGBM),
    Backend("lightgbm-sklearn", _lightgbm_sklearn, _lightgbm_builtin, **_LIGHTGBM),
    Backend("xgboost-train", _xgboost_train, _xgboost_builtin, **_XGBOOST),
    Backend("xgboost-sklearn", _xgboost_sklearn, _xgboost_builtin, **_XGBOOST),
    Backend("catboost-train", _catboost_train, _catboost_builtin, **_CATBOOST),
    Backend("catboost-sklearn", _catboost_sklearn, _catboost_builtin, **_CATBOOST),
]
TRAINERS = [backend for backend in BACKENDS if backend.is_train]


def release(library: Any) -> tuple[int, ...]:
    return tuple(map(int, library.__version__.split(".")[:2]))


def needs(backend: Backend, loss: Any = None) -> None:
    """Skip a case whose booster is not installed, or is too old for a loss of several classes."""
    library = pytest.importorskip(backend.library)
    is_several = loss is not None and as_loss(loss).is_multiclass
    if is_several and backend.library == "xgboost" and release(library) < (3, 1):
        pytest.skip("needs XGBoost 3.1")


def shap_total(model: Any, X: Any) -> Any:
    """Return the sum of a model's SHAP values and its expected value, as shap computes them."""
    shap = pytest.importorskip("shap")
    if "xgboost" in type(model).__module__:
        xgboost = pytest.importorskip("xgboost")
        # Python 3.10 has no shap 0.50.
        if release(shap) < (0, 50) and release(xgboost) >= (3, 1):
            with pytest.raises(ValueError, match="could not convert string to float"):
                shap.TreeExplainer(model)
            pytest.skip("XGBoost 3.1 and newer write init scores that shap reads from 0.50 on")
    explanation = shap.TreeExplainer(model)(X)
    total = explanation.base_values + explanation.values.sum(axis=1)
    # shap gives both classes of a LightGBM model with the binary objective
    return total[:, 1] if total.ndim == 2 else total
