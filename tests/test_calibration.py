"""What FocalClassifier does to the log-odds of the booster: calibration and prior."""

import pickle

import numpy as np
import pytest
from backends import make_data
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from focalboost import FocalClassifier, FocalLoss
from focalboost.boosters.port import Samples
from focalboost.estimator.calibration import Calibration, fit_calibration
from focalboost.losses import SoftmaxFocalLoss

X, Y, W = make_data(600)
CLASSES = Y + (X[:, 2] > 0.8)
LIBRARIES = ["lightgbm", "xgboost"]
LABELS = pytest.mark.parametrize("y", [Y, CLASSES], ids=["two", "three"])
IDENTITY = Calibration(1.0, (0.0, 0.0))


def booster_of(library):
    if library == "lightgbm":
        kind = pytest.importorskip("lightgbm").LGBMClassifier
        return kind(n_estimators=30, n_jobs=1, verbose=-1)
    return pytest.importorskip("xgboost").XGBClassifier(n_estimators=30, n_jobs=1, max_depth=3)


@pytest.fixture(params=LIBRARIES)
def model(request):
    made = FocalClassifier(booster_of(request.param))
    is_several = request.node.callspec.params.get("y") is CLASSES or "three" in request.node.name
    if is_several and not made.__sklearn_tags__().classifier_tags.multi_class:
        pytest.skip("needs XGBoost 3.1")
    return made


def halves(y):
    return {"X": X[:300], "y": y[:300], "X_val": X[300:], "y_val": y[300:]}


def fit_scores(method, scores, y, weight=None):
    """Return what a method fits to raw scores of log loss, which are log-odds."""
    loss = FocalLoss(0.0) if scores.ndim == 1 else SoftmaxFocalLoss(scores.shape[1], 0.0)
    samples = Samples(scores, np.asarray(y, dtype=float), weight)
    return fit_calibration(method, loss, lambda X: X, samples, samples)


@LABELS
@pytest.mark.parametrize("alpha", [None, "balanced"])
@pytest.mark.parametrize("weight", [None, W], ids=["unweighted", "weighted"])
def test_balance(model, y, alpha, weight):
    model.set_params(alpha=alpha).fit(X, y, weight)
    shares = np.bincount(y, weight) / np.bincount(y, weight).sum()
    means = np.average(model.predict_proba(X), axis=0, weights=weight)
    assert_allclose(means, shares, rtol=0, atol=1e-9)
    # without it they are off by far more
    before = clone(model).set_params(calibration=None).fit(X, y, weight).predict_proba(X)
    assert np.max(np.abs(np.average(before, axis=0, weights=weight) - shares)) > 1e-4


@pytest.mark.parametrize("method", ["balance", "temperature", "platt"])
def test_only_the_probabilities_change(model, method):
    plain = clone(model).set_params(calibration=None).fit(**halves(Y))
    model.set_params(calibration=method).fit(**halves(Y))
    assert_array_equal(model.raw_prediction(X), plain.raw_prediction(X))
    assert model.evals_result_ == plain.evals_result_
    assert plain.calibration_ == IDENTITY != model.calibration_
    odds = plain.decision_function(X)
    assert_array_equal(odds, plain.loss_.log_odds(plain.raw_prediction(X)))
    factor, shift = model.calibration_.factor, model.calibration_.shift[1]
    assert_allclose(model.decision_function(X), factor * odds + shift, rtol=1e-12, atol=1e-12)
    assert_array_equal(model.predict_proba(X)[:, 1], expit(model.decision_function(X)))
    assert_array_equal(model.predict(X), model.predict_proba(X)[:, 1] > 0.5)
    assert pickle.loads(pickle.dumps(model)).calibration_ == model.calibration_


def test_platt_is_logistic_regression_of_the_log_odds(model):
    model.set_params(calibration="platt").fit(**halves(Y), sample_weight_val=W[300:])
    plain = clone(model).set_params(calibration=None)
    odds = plain.fit(**halves(Y), sample_weight_val=W[300:]).decision_function(X)[:, np.newaxis]
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    theirs.fit(odds[300:], Y[300:], W[300:])
    # L-BFGS stops where the loss has no more digits, which leaves half of those of a parameter
    assert_allclose(model.predict_proba(X), theirs.predict_proba(odds), rtol=0, atol=1e-6)


@LABELS
def test_temperature_is_the_best_factor(model, y):
    model.set_params(calibration="temperature").fit(**halves(y))
    plain = clone(model).set_params(calibration=None).fit(**halves(y))
    logs = np.log(plain.predict_proba(X))

    def proba(factor):
        return softmax(factor * logs, axis=1)

    best = minimize_scalar(
        lambda factor: log_loss(y[300:], proba(factor)[300:]), (0.5, 1.0), tol=1e-10
    )
    # a minimum is known to half the digits of the loss
    assert_allclose(model.predict_proba(X), proba(best.x), rtol=0, atol=1e-6)


def test_platt_of_three_classes_is_the_least_log_loss():
    rng = np.random.default_rng(0)
    scores = 3 * rng.normal(size=(2000, 3)) + [2.0, 0.0, -1.0]
    truth = softmax(0.4 * scores + [0.0, 1.0, -0.5], axis=1)
    y = (rng.random(2000)[:, np.newaxis] > truth.cumsum(axis=1)).sum(axis=1)
    found = fit_scores("platt", scores, y)
    # those that made the labels, to 5 standard errors of 2,000 samples
    assert_allclose(found.factor, 0.4, atol=0.1)
    assert_allclose(found.shift, [0.0, 1.0, -0.5], atol=0.5)
    proba = softmax(found.factor * scores + found.shift, axis=1)
    assert_allclose(proba.mean(axis=0), np.bincount(y) / 2000, rtol=0, atol=1e-9)
    for factor in (0.99, 1.01):
        other = softmax(factor * found.factor * scores + found.shift, axis=1)
        assert log_loss(y, other) > log_loss(y, proba)


@pytest.mark.parametrize("method", ["balance", "temperature", "platt"])
@pytest.mark.parametrize("size", [1e-300, 1e3, 1e300])
@pytest.mark.parametrize("y", [Y, CLASSES], ids=["two", "three"])
def test_log_odds_of_any_size(method, size, y):
    k = y.max() + 1
    scores = size * np.where(np.arange(600) % 10 == 0, -1.0, 1.0) * (2.0 * (y > 0) - 1)
    if k == 3:
        scores = np.stack([-scores, scores, 0 * scores], axis=1)
    found = fit_scores(method, scores, y)
    assert np.isfinite(found.factor)
    assert found.factor > 0
    assert np.all(np.isfinite(found(scores)))


def test_identity_where_nothing_finite_is_the_best():
    separated = np.where(Y == 1, 3.0, -2.0)
    # both labels on the right side, one label only, the wrong way round
    for method in ("temperature", "platt"):
        assert fit_scores(method, separated, Y) == IDENTITY
        assert fit_scores(method, -2 * separated + 0.1 * X[:, 0], Y) == IDENTITY
    assert fit_scores("temperature", separated[Y == 1], Y[Y == 1]) == IDENTITY
    # so sure that a shift of hundreds would be needed
    saturated = np.where(np.arange(600) < 30, -1e3, 1e3) * (2.0 * Y - 1)
    assert fit_scores("balance", saturated, np.arange(600) % 2) == IDENTITY
    assert_array_equal(IDENTITY(saturated), saturated)


@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_prior_is_bayes(model, rate):
    plain = clone(model).fit(X, Y, W).decision_function(X)
    share = np.average(Y, weights=W)
    by_number = model.set_params(prior=rate).fit(X, Y, W).decision_function(X)
    assert_allclose(by_number - plain, logit(rate) - logit(share), rtol=1e-12)
    words = np.where(Y == 1, "a", "b")
    for prior, pos_label in (({"a": rate, "b": 1 - rate}, None), (rate, "a"), (1 - rate, "b")):
        other = clone(model).set_params(prior=prior, pos_label=pos_label).fit(X, words, W)
        shift = np.array(other.calibration_.shift)
        base = clone(model).set_params(prior=None).fit(X, words, W).calibration_.shift
        assert_allclose(shift[1] - base[1], logit(1 - rate) - logit(1 - share), rtol=1e-12)


def test_prior_of_three_classes(model):
    prior = {0: 0.2, 1: 0.5, 2: 0.3}
    before = clone(model).fit(X, CLASSES).predict_proba(X)
    after = model.set_params(prior=prior).fit(X, CLASSES).predict_proba(X)
    wanted = before * [*prior.values()] / np.bincount(CLASSES)
    assert_allclose(after, wanted / wanted.sum(axis=1, keepdims=True), rtol=1e-10)


def weak_signal(n, seed):
    """Return samples of which 1 in 70 is positive, and two columns say a little about it."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 4))
    proba = expit(-4.55 + 0.6 * rows[:, 0] + 0.4 * rows[:, 1])
    return rows, (rng.random(n) < proba).astype(int), proba


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("alpha", [None, "balanced"])
def test_mean_of_held_out_probabilities(library, gamma, alpha):
    rows, y, _ = weak_signal(60_000, 1)
    held_out, _, proba = weak_signal(100_000, 2)
    model = FocalClassifier(booster_of(library), gamma=gamma, alpha=alpha)
    model.set_params(estimator__learning_rate=0.05).fit(rows, y)
    # The rate is that of the training samples, whose own error (3.4 % of 860 positives) is not the
    # model's, times what the held-out columns change, which the true probabilities say.
    rate = y.mean() * proba.mean() / weak_signal(60_000, 1)[2].mean()
    assert_allclose(model.predict_proba(held_out)[:, 1].mean(), rate, rtol=0.03)


def test_undersampled_negatives():
    rows, y, _ = weak_signal(100_000, 3)
    held_out, _, proba = weak_signal(100_000, 4)
    kept = (y == 1) | (np.random.default_rng(0).random(len(y)) < 0.1)
    model = FocalClassifier(booster_of("lightgbm"), prior=y.mean())
    model.set_params(estimator__learning_rate=0.05, estimator__num_leaves=7)
    mean = model.fit(rows[kept], y[kept]).predict_proba(held_out)[:, 1].mean()
    # of 10 % of the negatives: without the prior it is about 8 times the rate
    assert_allclose(mean, proba.mean(), rtol=0.1)


@pytest.mark.parametrize(
    ("params", "y", "message"),
    [
        ({"calibration": "isotonic"}, Y, "calibration must be 'balance', .* got 'isotonic'"),
        ({"calibration": "temperature"}, Y, "X_val is not given, got 'temperature'.*'balance'"),
        ({"calibration": "platt"}, Y, "X_val is not given, got 'platt'"),
        ({"prior": 0.0}, Y, r"prior must be None or in \(0, 1\), got 0.0"),
        ({"prior": {0: 0.5}}, Y, "prior must have a share for each label"),
        ({"prior": {0: 0.5, 1: 0.6}}, Y, r"prior must have shares that sum to 1.* of sum 1\.1"),
        ({"prior": {0: 1.5, 1: -0.5}}, Y, r"prior\[.*0.*\] must be in \(0, 1\), got 1.5"),
        ({"prior": 0.5}, CLASSES, "prior must be a dict or None with 3 classes, got 0.5"),
        ({"prior": 0.5}, np.where(Y, "a", "b"), "pos_label must be given where prior is a number"),
    ],
)
def test_bad_parameters(params, y, message):
    with pytest.raises(ValueError, match=message):
        FocalClassifier(booster_of("lightgbm"), **params).fit(X, y)


def test_platt_without_a_class_in_validation():
    model = FocalClassifier(booster_of("lightgbm"), calibration="platt")
    with pytest.raises(ValueError, match=r"y_val must hold every label of y .* no sample of 1"):
        model.fit(X, Y, X_val=X[Y == 0], y_val=Y[Y == 0])
