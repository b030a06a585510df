"""New leaves for old trees: LightGBM's refit, XGBoost's refresh, by the loss of the model."""

import numpy as np
import pytest
from backends import QUIET, TRAINERS, needs
from numpy.testing import assert_allclose

from focalboost import FocalLoss, SoftmaxFocalLoss, loss_of, predict_proba

ROUNDS = 20


def data(seed, shift, n_classes=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 4)).round(2)
    signal = 1.5 * X[:, 0] - X[:, 1] + shift + rng.normal(size=2000)
    return X, (signal > 2).astype(int) + (n_classes == 3) * (signal > 3.5)


def lightgbm_model(loss, X, y, max_step=4.0, rounds=ROUNDS, **params):
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import train

    params = {**QUIET["lightgbm"], "num_leaves": 8, **params}
    return train(params, lightgbm.Dataset(X, y), rounds, loss=loss, max_step=max_step)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("decay_rate", [0.9, 0.5, 0.0, 1.0])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"lambda_l1": 0.5, "lambda_l2": 3.0},
        {"max_delta_step": 0.3},
        {"boosting": "dart"},
    ],
    ids=str,
)
def test_log_loss_is_that_of_lightgbm(n_classes, decay_rate, params):
    X, y = data(0, 0.0, n_classes)
    loss = FocalLoss(0.0) if n_classes == 2 else SoftmaxFocalLoss(3, gamma=0.0)
    booster = lightgbm_model(loss, X, y, max_step=None, **params)
    from focalboost.lightgbm import refit

    X, y = data(1, 0.8, n_classes)
    weight = np.random.default_rng(2).integers(1, 4, size=len(y))
    for w in (None, weight):
        theirs = booster.refit(X, y, decay_rate=decay_rate, weight=w)
        ours = refit(booster, X, y, decay_rate, weight=w, max_step=None)
        # LightGBM sums single precision gradients in another order.
        assert_allclose(
            ours.predict(X, raw_score=True), theirs.predict(X, raw_score=True), rtol=0, atol=1e-6
        )
        assert loss_of(ours) == loss


@pytest.mark.parametrize("gamma", [0.0, 2.0, 5.0])
def test_mean_probability_follows_the_rate(gamma):
    from focalboost.lightgbm import refit

    X, y = data(0, 0.0)
    booster = lightgbm_model(FocalLoss(gamma), X, y, rounds=100)
    X, y = data(1, 0.8)
    assert predict_proba(booster, X)[:, 1].mean() < 0.7 * y.mean()
    refitted = refit(booster, X, y, 0.5)
    # Trees that fit the samples have the rate as their mean; LightGBM's own refit takes the raw
    # scores for log-odds, and is off by 10 % at gamma 2.
    assert_allclose(predict_proba(refitted, X)[:, 1].mean(), y.mean(), rtol=0.03)
    if gamma:
        own = booster.refit(X, y, decay_rate=0.5)
        proba = FocalLoss(gamma).inverse_link(own.predict(X, raw_score=True))
        assert proba.mean() < 0.95 * y.mean()
    # The old booster is as before, and without decay the new one is the old.
    again = refit(booster, X, y, 1.0)
    assert_allclose(again.predict(X), booster.predict(X), rtol=0, atol=1e-15)


def test_refit_refuses_what_it_cannot_do():
    from focalboost.lightgbm import refit

    X, y = data(0, 0.0)
    booster = lightgbm_model(FocalLoss(2.0), X, y)
    with pytest.raises(ValueError, match=r"loss must be that of booster, FocalLoss\(gamma=2"):
        refit(booster, X, y, loss=FocalLoss(1.0))
    with pytest.raises(ValueError, match=r"decay_rate must be in \[0, 1\], got 1.5"):
        refit(booster, X, y, 1.5)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2"):
        refit(booster, X, 2 * y)
    with pytest.raises(ValueError, match="label must have one value for each of the 2000 samples"):
        refit(booster, X, y[1:])
    with pytest.raises(ValueError, match="booster must have no linear trees"):
        refit(lightgbm_model(FocalLoss(2.0), X, y, linear_tree=True), X, y)
    lightgbm = pytest.importorskip("lightgbm")
    plain = lightgbm.train({**QUIET["lightgbm"], "objective": "binary"}, lightgbm.Dataset(X, y), 2)
    with pytest.raises(ValueError, match="loss must be given if the booster does not hold it"):
        refit(plain, X, y)


def test_refit_records_the_loss_of_a_model_that_holds_none():
    lightgbm = pytest.importorskip("lightgbm")
    from focalboost.lightgbm import objective, refit

    X, y = data(0, 0.0)
    loss = FocalLoss(2.0)
    params = {**QUIET["lightgbm"], "objective": objective(loss)}
    booster = lightgbm.train(params, lightgbm.Dataset(X, y), 2)
    assert loss_of(refit(booster, X, y, loss=loss)) == loss


@pytest.mark.parametrize("gamma", [0.0, 2.0, 5.0])
def test_refresh_of_xgboost(gamma):
    xgboost = pytest.importorskip("xgboost")
    from focalboost.xgboost import train

    X, y = data(0, 0.0)
    params = {**QUIET["xgboost"], "max_depth": 3, "min_child_weight": 0.0}
    booster = train(params, xgboost.DMatrix(X, y), ROUNDS, loss=FocalLoss(gamma))
    X, y = data(1, 0.8)
    update = {"process_type": "update", "updater": "refresh", "verbosity": 0}
    later = train({**params, **update}, xgboost.DMatrix(X, y), ROUNDS, xgb_model=booster)
    assert later.num_boosted_rounds() == ROUNDS
    assert loss_of(later) == FocalLoss(gamma)
    assert predict_proba(booster, X)[:, 1].mean() < 0.7 * y.mean()
    assert_allclose(predict_proba(later, X)[:, 1].mean(), y.mean(), rtol=0.03)


def test_catboost_goes_on_where_others_refit():
    catboost = pytest.importorskip("catboost")
    from focalboost.catboost import train

    needs(next(b for b in TRAINERS if b.library == "catboost"))
    X, y = data(0, 0.0)
    params = {**QUIET["catboost"], "learning_rate": 0.3, "depth": 3, "iterations": ROUNDS}
    model = train(catboost.Pool(X, y), params, loss=FocalLoss(2.0))
    X, y = data(1, 0.8)
    later = train(catboost.Pool(X, y), params, init_model=model)
    assert later.tree_count_ == 2 * ROUNDS
    assert predict_proba(model, X)[:, 1].mean() < 0.7 * y.mean()
    assert_allclose(predict_proba(later, X)[:, 1].mean(), y.mean(), rtol=0.03)
