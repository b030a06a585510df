"""Schedules of gamma, against boosters that are trained round by round by hand."""

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from backends import make_data
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import (
    FocalClassifier,
    FocalLoss,
    LinearGamma,
    ScheduledLoss,
    SoftmaxFocalLoss,
)

X, Y, W = make_data()
PARAMS = {
    focalboost.lightgbm: {"verbose": -1, "num_threads": 1},
    focalboost.xgboost: {"nthread": 1, "max_depth": 3, "min_child_weight": 0.0},
}
SCHEDULE = ScheduledLoss(FocalLoss(alpha=0.25), LinearGamma(5.0, 0.5, n_rounds=6))


def halves(i):
    return 4.0 / 2**i


@pytest.fixture(params=PARAMS, ids=lambda module: module.__name__.rpartition(".")[2])
def module(request):
    return request.param


def fit(module, loss, rounds, model=None, y=Y, evals=None, **kwargs):
    """Return a booster, and its raw scores."""
    if module is focalboost.lightgbm:
        data = lightgbm.Dataset(X, y, weight=W)
        booster = module.train(PARAMS[module], data, rounds, init_model=model, loss=loss, **kwargs)
        return booster, booster.predict(X, raw_score=True)
    data = xgboost.DMatrix(X, y, weight=W)
    booster = module.train(PARAMS[module], data, rounds, xgb_model=model, loss=loss, **kwargs)
    return booster, booster.predict(data, output_margin=True)


def by_hand(module, rounds):
    start = SCHEDULE.at(0).init_score(Y, W)
    if module is focalboost.lightgbm:
        data = lightgbm.Dataset(X, Y, weight=W, init_score=np.full(len(Y), start))
        booster = lightgbm.Booster({**PARAMS[module], "objective": "none"}, data)
        for i in range(rounds):
            booster.update(fobj=module.objective(SCHEDULE.at(i)))
        return booster.predict(X) + start
    data = xgboost.DMatrix(X, Y, weight=W)
    own = {"objective": "binary:logistic", "base_score": float(expit(start))}
    booster = xgboost.Booster({**PARAMS[module], **own}, [data])
    for i in range(rounds):
        booster.update(data, i, fobj=module.objective(SCHEDULE.at(i)))
    return booster.predict(data, output_margin=True)


def test_each_round_has_its_gamma(module):
    ours = fit(module, SCHEDULE, 8)[1]
    # LightGBM's sealed leaves hold the start score, in another order of summation
    assert_allclose(ours, by_hand(module, 8), rtol=0, atol=1e-6)
    assert np.ptp(ours - fit(module, SCHEDULE.at(5), 8)[1]) > 0.01


def test_constant_schedule_is_the_loss(module):
    loss = FocalLoss(2.0, 0.25)
    constant = ScheduledLoss(FocalLoss(9.0, 0.25), LinearGamma(2.0, 2.0, n_rounds=3))
    assert_array_equal(fit(module, constant, 5)[1], fit(module, loss, 5)[1])


def test_training_goes_on_in_its_round(module, tmp_path):
    whole = fit(module, SCHEDULE, 8)[1]
    part = fit(module, SCHEDULE, 3)[0]
    part.save_model(tmp_path / "part.json")
    for model in (part, str(tmp_path / "part.json")):
        assert_allclose(fit(module, SCHEDULE, 5, model)[1], whole, rtol=0, atol=1e-5)
    # from the first gamma on it would be another model
    again = ScheduledLoss(SCHEDULE.loss, lambda i: SCHEDULE.gamma(i - 3 if i >= 3 else 0))
    assert np.ptp(fit(module, again, 5, part)[1] - whole) > 0.01


def test_early_stopping_is_on_one_loss():
    rng = np.random.default_rng(5)
    y = (X[:, 0] + 2 * rng.normal(size=len(X)) > 2).astype(int)
    history = {}
    data = lightgbm.Dataset(X[:150], y[:150])
    booster = focalboost.lightgbm.train(
        {**PARAMS[focalboost.lightgbm], "early_stopping_round": 5},
        data,
        100,
        [lightgbm.Dataset(X[150:], y[150:], reference=data)],
        ["valid"],
        callbacks=[lightgbm.record_evaluation(history)],
        loss=SCHEDULE,
    )
    losses = history["valid"]["focal_loss"]
    assert booster.best_iteration == np.argmin(losses) + 1 < len(losses) < 100
    raw = booster.predict(X[150:], raw_score=True)
    assert_allclose(SCHEDULE.at(99)(y[150:], raw), min(losses), rtol=1e-12)


def test_several_classes(module):
    if module is focalboost.xgboost and not focalboost.xgboost.options.TAKES_SEVERAL_CLASSES:
        pytest.skip("needs XGBoost 3.1")
    classes = Y + (X[:, 0] > 1)
    schedule = ScheduledLoss(SoftmaxFocalLoss(3), halves)
    raw = fit(module, schedule, 6, y=classes)[1]
    assert raw.shape == (len(Y), 3)
    assert np.all(np.isfinite(schedule.at(5).predict_proba(raw)))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: fit(focalboost.lightgbm, ScheduledLoss(FocalLoss(), lambda i: -i), 3),
            ValueError,
            "gamma must be >= 0",
        ),
        (
            lambda: focalboost.catboost.train(catboost.Pool(X, Y), loss=SCHEDULE),
            TypeError,
            "A ScheduledLoss can only be used with",
        ),
        (
            lambda: focalboost.lightgbm.objective(SCHEDULE),
            TypeError,
            r"lightgbm and focalboost\.xgboost, which keep track",
        ),
        (lambda: FocalClassifier(loss=SCHEDULE).fit(X, Y), TypeError, "A ScheduledLoss can only"),
    ],
)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
