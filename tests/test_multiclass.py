"""Every property of the softmax loss, and of the adapters with it."""

import copy
import pickle
import sys
import warnings
from dataclasses import replace

import catboost
import lightgbm
import numpy as np
import pytest
import reference
import xgboost
from numpy.testing import assert_allclose, assert_array_equal
from registry import SOFTMAX_LOSSES, loss_id, release
from scipy.special import softmax
from sklearn._loss import HalfMultinomialLoss

import focalboost.catboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss

EPS = np.finfo(np.float64).eps


def rows_of(loss, n=12, scale=3.0):
    """Return labels and scores, of which the last rows are far apart."""
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, loss.n_classes, n), rng.normal(size=(n, loss.n_classes)) * scale
    z[-3:] *= [[10.0], [30.0], [100.0]]
    # single precision, so that float32 gets the same scores
    return y, z.astype(np.float32).astype(np.float64)


def mpmath_values(loss):
    y, z = rows_of(loss)
    rows = [
        reference.softmax_derivatives(loss, int(c), tuple(v)) for c, v in zip(y, z, strict=True)
    ]
    return [np.array(column, dtype=float) for column in zip(*rows, strict=True)]


def equals_mpmath(loss):
    y, z = rows_of(loss)
    value, gradient, hessian = mpmath_values(loss)
    # A margin has the rounding of scores up to 700, which exp multiplies by gamma + 1.
    tolerance = {"rtol": 1e-11, "atol": np.finfo(float).tiny}
    assert_allclose(loss.loss(y, z), value, **tolerance)
    assert_allclose(loss.gradient(y, z), gradient, **tolerance)
    diagonal = np.array([np.diag(h) for h in hessian])
    error = np.abs(loss.hessian(y, z) - diagonal)
    assert np.all(error <= 1e-11 * (np.abs(diagonal) + np.abs(gradient)) + np.finfo(float).tiny)
    single = loss.gradient_hessian(y, z.astype(np.float32))
    for got, want in zip(single, (gradient, diagonal), strict=True):
        assert got.dtype == np.float32
        error = np.abs(got - want)
        assert np.all(error <= 6e-8 * np.abs(want) + 1e-11 * np.abs(gradient) + 1e-45)


def posterior_equals_mpmath(loss):
    _, z = rows_of(loss)
    z = z[:-3]
    expected = [[float(v) for v in reference.softmax_posterior(loss, tuple(row))] for row in z]
    assert_allclose(loss.predict_proba(z), expected, rtol=1e-12)
    assert_allclose(loss.log_proba(z), np.log(expected), rtol=1e-12, atol=1e-13)
    assert_array_equal(loss.inverse_link(z), loss.predict_proba(z))


def curvature_is_the_bounded_expected_hessian(loss):
    y, z = rows_of(loss)
    y, z = y[:-3], z[:-3]
    gradient, curvature = loss.gradient_curvature(y, z)
    assert_array_equal(gradient, loss.gradient(y, z))
    largest = loss.max_step or 1 / np.finfo(np.float32).tiny
    for i, scores in enumerate(map(tuple, z)):
        eta = reference.softmax_posterior(loss, scores)
        labels = range(loss.n_classes)
        hessians = [np.array(reference.softmax_derivatives(loss, c, scores)[2]) for c in labels]
        expected = sum(p * h for p, h in zip(eta, hessians, strict=True)).astype(float)
        bounded = np.maximum(np.diag(expected), np.abs(gradient[i]) / largest)
        assert_allclose(curvature[i], bounded, rtol=1e-10)
        row_gradient, matrix = loss.gradient_matrix()(int(y[i]), z[i])
        # the compiled exp may differ by an ulp
        assert_allclose(row_gradient, gradient[i], rtol=1e-12)
        np.fill_diagonal(expected, bounded)
        assert_allclose(matrix, expected, rtol=1e-9, atol=1e-16)


def two_classes_are_focal_loss(loss):
    weights = None if loss.alpha is None else loss.alpha[:2]
    two = replace(loss, n_classes=2, alpha=weights)
    z = np.linspace(-30, 30, 41)
    scores, y = np.stack([-z / 2, z / 2], axis=1), np.arange(41) % 2
    binary = FocalLoss(loss.gamma, max_step=loss.max_step)
    w = 1.0 if weights is None else np.asarray(weights)[y]
    assert_allclose(two.loss(y, scores), w * binary.loss(y, z), rtol=1e-13)
    assert_allclose(two.gradient(y, scores)[:, 1], w * binary.gradient(y, z), rtol=1e-13)
    assert_allclose(two.hessian(y, scores)[:, 1], w * binary.hessian(y, z), rtol=1e-12, atol=1e-15)
    if weights is None:
        assert_allclose(two.curvature(y, scores)[:, 1], binary.curvature(y, z), rtol=1e-12)
        assert_allclose(two.predict_proba(scores), binary.predict_proba(z), rtol=1e-12)
        assert_allclose(two.init_score([0, 0, 1])[1], binary.init_score([0, 0, 1]) / 2, rtol=1e-9)


def gamma_0_is_scikit_learn_s(loss):
    y, z = rows_of(loss)
    ours = replace(loss, gamma=0.0, alpha=None, max_step=None)
    theirs = HalfMultinomialLoss(n_classes=loss.n_classes)
    # scikit-learn's difference of a logarithm and a score, and p - y, cancel
    args = {"y_true": y.astype(float), "raw_prediction": z}
    assert_allclose(ours.loss(y, z), theirs.loss(**args), rtol=1e-12, atol=1e-12)
    gradient, hessian = theirs.gradient_hessian(**args)
    assert_allclose(ours.gradient(y, z), gradient, rtol=1e-12, atol=1e-15)
    assert_allclose(ours.hessian(y, z), hessian, rtol=1e-12, atol=1e-15)
    assert_allclose(ours.curvature(y, z), hessian, rtol=1e-12, atol=1e-15)
    assert_allclose(ours.predict_proba(z), softmax(z, axis=1), rtol=1e-12)


def does_not_see_a_shift(loss):
    y, z = rows_of(loss)
    for shift in (1024.0, -(2.0**40)):
        # exact in binary, so that the scores' differences are the same
        z = np.round(z * 256) / 256
        for method in (loss.loss, loss.gradient, loss.hessian, loss.curvature):
            assert_allclose(method(y, z + shift), method(y, z), rtol=1e-9, atol=1e-300)
        assert_allclose(loss.predict_proba(z + shift), loss.predict_proba(z), rtol=1e-9)
    size = np.abs(loss.gradient(y, z)).sum(axis=1)
    assert np.all(np.abs(loss.gradient(y, z).sum(axis=1)) <= 1e-13 * size)


def classes_are_alike(loss):
    y, z = rows_of(loss)
    order = np.roll(np.arange(loss.n_classes), 1)
    alpha = None if loss.alpha is None else np.asarray(loss.alpha)[order]
    other, place = replace(loss, alpha=alpha), np.argsort(order)
    assert_allclose(other.loss(place[y], z[:, order]), loss.loss(y, z), rtol=1e-12)
    for method in ("gradient", "hessian", "curvature"):
        ours, theirs = getattr(loss, method)(y, z), getattr(other, method)(place[y], z[:, order])
        assert_allclose(theirs, ours[:, order], rtol=1e-10, atol=1e-300)


def weights_multiply(loss):
    y, z = rows_of(loss)
    w = np.arange(1.0, 1 + len(y))
    assert_array_equal(loss.loss(y, z, w), w * loss.loss(y, z))
    for method in (loss.gradient, loss.hessian, loss.curvature):
        assert_array_equal(method(y, z, w), w[:, np.newaxis] * method(y, z))
    assert_allclose(loss(y, z, w), np.average(loss.loss(y, z), weights=w), rtol=1e-14)
    repeated = np.repeat(y, w.astype(int))
    assert_allclose(loss.init_score(y, w), loss.init_score(repeated), rtol=1e-9, atol=1e-12)


def link_inverts(loss):
    _, z = rows_of(loss)
    z = z[:-3] - z[:-3].mean(axis=1, keepdims=True)
    # of probabilities down to 1e-20, whose sum is 1 to an ulp
    assert_allclose(loss.link(loss.predict_proba(z)), z, rtol=0, atol=1e-8)
    proba = np.random.default_rng(1).dirichlet(np.ones(loss.n_classes), 5)
    assert_allclose(loss.predict_proba(loss.link(proba)), proba, rtol=1e-9)


def start_is_the_best_constant(loss):
    rng = np.random.default_rng(1)
    y = rng.permutation(np.repeat(np.arange(loss.n_classes), np.arange(1, loss.n_classes + 1) * 5))
    w = rng.uniform(0.5, 2, len(y))
    start = np.tile(loss.init_score(y, w), (len(y), 1))
    gradient = loss.gradient(y, start, w)
    assert np.all(np.abs(gradient.sum(axis=0)) <= 1e-9 * np.abs(gradient).sum(axis=0))
    assert abs(start[0].sum()) <= 1e-12
    best = loss(y, start, w)
    for step in np.eye(loss.n_classes) * 0.01:
        assert loss(y, start + step, w) > best
        assert loss(y, start - step, w) > best
    if loss.n_classes > 2:  # a class without a row
        absent = loss.init_score(np.arange(loss.n_classes - 1))
        assert np.all(np.isfinite(absent))
        assert_allclose(loss.predict_proba(absent[np.newaxis])[0, -1], 1e-15, rtol=1e-6)


def finite_everywhere(loss):
    k = loss.n_classes
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for size in (1e4, 1e100, 1e300):
            z = np.concatenate([size * np.eye(k), -size * np.eye(k), np.full((1, k), size)])
            for c in range(k):
                for method in (loss.loss, loss.gradient, loss.hessian, loss.curvature):
                    assert np.all(np.isfinite(method(np.full(len(z), c), z)))
            assert np.all(np.isfinite(loss.log_proba(z)))
            assert_allclose(loss.predict_proba(z).sum(axis=1), 1, rtol=1e-12)
    gradient, curvature = loss.gradient_curvature([0], [[-1e4] + [0.0] * (k - 1)])
    assert np.all(curvature[gradient != 0] > 0)
    assert loss.max_step is None or np.all(np.abs(gradient) <= loss.max_step * curvature)


def rows_are_alone(loss):
    rng = np.random.default_rng(2)
    n, k = 40_000, loss.n_classes
    y, z, w = rng.integers(0, k, n), rng.normal(size=(n, k)), rng.uniform(size=n)
    copies = y.copy(), z.copy(), w.copy()
    expected = loss.gradient_curvature(y, z, w)
    for other in (
        loss.gradient_curvature(y, np.asfortranarray(z), w),
        replace(loss, n_threads=3).gradient_curvature(y, z, w),
        loss.gradient_curvature(y.astype(float), np.repeat(z, 2, axis=0)[::2], w),
    ):
        for got, want in zip(other, expected, strict=True):
            assert_array_equal(got, want)
    for before, after in zip(copies, (y, z, w), strict=True):
        assert_array_equal(before, after)
    for got, want in zip(loss.gradient_curvature(y[7:], z[7:], w[7:]), expected, strict=True):
        assert_array_equal(got, want[7:])
    assert loss.loss(np.zeros(0), np.zeros((0, k))).shape == (0,)


def is_a_value(loss):
    for other in (
        eval(repr(loss), {type(loss).__name__: type(loss)}),
        pickle.loads(pickle.dumps(loss)),
        copy.deepcopy(loss),
        replace(loss, alpha=None if loss.alpha is None else [*loss.alpha]),
    ):
        assert other == loss
        assert hash(other) == hash(loss)
    assert replace(loss, gamma=loss.gamma + 1) != loss


class PlainSoftmax(SoftmaxFocalLoss):
    def log_proba(self, raw_prediction):
        return np.log(softmax(raw_prediction, axis=1))


class ForgetsAlpha(SoftmaxFocalLoss):
    def log_proba(self, raw_prediction):
        return SoftmaxFocalLoss(self.n_classes, self.gamma).log_proba(raw_prediction)


class StartsAtThePrior(SoftmaxFocalLoss):
    def link(self, proba):
        return np.log(proba) - np.log(proba).mean(axis=1, keepdims=True)


class NoWeights(SoftmaxFocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        return super().gradient_hessian(y_true, raw_prediction)


class LastClassIsAnother(SoftmaxFocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, hessian = super().gradient_hessian(y_true, raw_prediction, sample_weight)
        gradient[:, -1] *= 1.01
        return gradient, hessian


class TextbookSoftmax(SoftmaxFocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        p = np.exp(raw_prediction) / np.exp(raw_prediction).sum(axis=1, keepdims=True)
        p = p[np.arange(len(p)), np.asarray(y_true, dtype=int)]
        return -((1 - p) ** self.gamma) * np.log(p)


class ExactHessian(SoftmaxFocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)


class WritesIntoItsInput(SoftmaxFocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        result = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        raw_prediction += 1.0
        return result


class EqualByIdentity(SoftmaxFocalLoss):
    __eq__ = object.__eq__
    __hash__ = object.__hash__


BROKEN = {
    equals_mpmath: [LastClassIsAnother, TextbookSoftmax],
    posterior_equals_mpmath: [PlainSoftmax, ForgetsAlpha],
    curvature_is_the_bounded_expected_hessian: [ExactHessian],
    two_classes_are_focal_loss: [LastClassIsAnother],
    gamma_0_is_scikit_learn_s: [LastClassIsAnother],
    does_not_see_a_shift: [LastClassIsAnother, TextbookSoftmax],
    classes_are_alike: [LastClassIsAnother],
    weights_multiply: [NoWeights],
    link_inverts: [StartsAtThePrior, PlainSoftmax],
    start_is_the_best_constant: [StartsAtThePrior],
    finite_everywhere: [TextbookSoftmax],
    rows_are_alone: [WritesIntoItsInput],
    is_a_value: [EqualByIdentity],
}


@pytest.mark.parametrize("holds", BROKEN, ids=lambda holds: holds.__name__)
@pytest.mark.parametrize("loss", SOFTMAX_LOSSES, ids=loss_id)
def test_property(holds, loss):
    holds(loss)


@pytest.mark.parametrize(
    ("holds", "broken"), [(holds, cls) for holds, all_of in BROKEN.items() for cls in all_of]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_broken_loss_fails(holds, broken):
    with pytest.raises((AssertionError, FloatingPointError)):
        holds(broken(3, 2.0, (0.5, 1.0, 0.25)))


def test_matrix_without_numba(monkeypatch):
    monkeypatch.setattr("focalboost._compiled.softmax_gradient_matrix", lambda: None)
    curvature_is_the_bounded_expected_hessian(SOFTMAX_LOSSES[3])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoftmaxFocalLoss(1), r"n_classes must be a whole number >= 2, got 1\."),
        (lambda: SoftmaxFocalLoss(3, -1), r"gamma must be >= 0, got -1\."),
        (lambda: SoftmaxFocalLoss(3, 2, (1, 1)), r"alpha must have 3 weights, one a class, got"),
        (lambda: SoftmaxFocalLoss(2, 2, (1, 0)), r"alpha\[1\] must be > 0, got 0\."),
        (lambda: SoftmaxFocalLoss(2, max_step=0), r"max_step must be None or > 0, got 0\."),
        (lambda: SoftmaxFocalLoss(3).loss([3], np.zeros((1, 3))), r"from 0 to 2, got 3\."),
        (lambda: SoftmaxFocalLoss(3).loss([0.5], np.zeros((1, 3))), r"from 0 to 2, got 0\.5\."),
        (lambda: SoftmaxFocalLoss(3).loss([np.nan], np.zeros((1, 3))), r"from 0 to 2, got nan\."),
        (lambda: SoftmaxFocalLoss(3).loss([0], np.zeros((1, 2))), r"shape \(n, 3\), got \(1, 2\)"),
        (lambda: SoftmaxFocalLoss(3).loss([0, 1], np.zeros((1, 3))), r"y_true must have the shape"),
        (lambda: SoftmaxFocalLoss(2).link([[0.5, 0.6]]), r"proba must be positive and sum to 1"),
        (lambda: SoftmaxFocalLoss(2).init_score([]), r"at least one row of positive weight"),
        (lambda: SoftmaxFocalLoss(2).init_score([0, 1], [1, -1]), r"sample_weight must be finite"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# The adapters.

K = 3
TAKES_VECTORS = release(xgboost) >= (3, 1)
QUIET_CATBOOST = {
    "verbose": 0, "thread_count": 1, "allow_writing_files": False, "random_seed": 0,
    "bootstrap_type": "No", "random_strength": 0, "learning_rate": 0.1, "depth": 3,
    "leaf_estimation_iterations": 1, "leaf_estimation_method": "Newton",
}  # fmt: skip


def make_data(n=400):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4)).round(1)
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(int) + (X[:, 1] + X[:, 2] ** 2 > 1.5)
    return X, y, rng.integers(1, 4, size=n).astype(float)


X, Y, W = make_data()


def lightgbm_train(loss, w, rounds, **kwargs):
    history = {}
    data = lightgbm.Dataset(X, Y, weight=w)
    params = {"verbose": -1, "num_threads": 1}
    booster = focalboost.lightgbm.train(
        params, data, rounds, [data], ["data"], loss=loss,
        callbacks=[lightgbm.record_evaluation(history)], **kwargs,
    )  # fmt: skip
    raw, proba = booster.predict(X, raw_score=True), booster.predict(X)
    contributions = booster.predict(X, pred_contrib=True).reshape(len(X), K, -1)
    return booster, raw, proba, contributions, *history["data"].values()


def lightgbm_own(start, w, rounds):
    data = lightgbm.Dataset(X, Y, weight=w, init_score=np.tile(start, (len(Y), 1)))
    params = {"objective": "multiclass", "num_class": K, "verbose": -1, "num_threads": 1}
    return lightgbm.train(params, data, rounds).predict(X, raw_score=True) + start


def xgboost_train(loss, w, rounds, **kwargs):
    history, data = {}, xgboost.DMatrix(X, Y, weight=w)
    params = {"nthread": 1, "max_depth": 3, "min_child_weight": 0.0}
    booster = focalboost.xgboost.train(
        params, data, rounds, evals=[(data, "data")], evals_result=history, verbose_eval=False,
        loss=loss, **kwargs,
    )  # fmt: skip
    raw, proba = booster.predict(data, output_margin=True), booster.predict(data)
    contributions = booster.predict(data, pred_contribs=True)
    return booster, raw, proba, contributions, *history["data"].values()


def xgboost_own(start, w, rounds):
    params = {"nthread": 1, "max_depth": 3, "min_child_weight": 0.0}
    params |= {"objective": "multi:softprob", "num_class": K, "base_score": start.tolist()}
    data = xgboost.DMatrix(X, Y, weight=w)
    return xgboost.train(params, data, rounds).predict(data, output_margin=True)


def catboost_train(loss, w, rounds, **kwargs):
    pool = catboost.Pool(X, Y, weight=w)
    params = {**QUIET_CATBOOST, "use_best_model": False}
    model = focalboost.catboost.train(
        pool, params, iterations=rounds, eval_set=pool, loss=loss, **kwargs
    )
    raw = model.predict(X, prediction_type="RawFormulaVal")
    contributions = model.get_feature_importance(catboost.Pool(X), type="ShapValues")
    proba = model.predict(X, prediction_type="Probability")
    return model, raw, proba, contributions, *model.get_evals_result()["validation"].values()


def catboost_own(start, w, rounds):
    start = np.float32(start).astype(float)
    pool = catboost.Pool(X, Y, weight=w, baseline=np.tile(start, (len(Y), 1)))
    model = catboost.train(pool, {**QUIET_CATBOOST, "loss_function": "MultiClass"}, None, None,
                           None, None, rounds)  # fmt: skip
    return model.predict(X, prediction_type="RawFormulaVal") + start


needs_vectors = pytest.mark.skipif(not TAKES_VECTORS, reason="needs XGBoost 3.1")
BOOSTERS = [
    # the same trees; the start score is added in another order
    pytest.param(lightgbm_train, lightgbm_own, 1e-9, id="lightgbm"),
    # single precision
    pytest.param(xgboost_train, xgboost_own, 1e-5, id="xgboost", marks=needs_vectors),
    pytest.param(catboost_train, catboost_own, 1e-6, id="catboost"),
]


@pytest.mark.parametrize("w", [None, W], ids=["", "weights"])
@pytest.mark.parametrize(("train", "own", "atol"), BOOSTERS)
def test_gamma_0_is_the_booster_s_own(train, own, atol, w):
    loss = SoftmaxFocalLoss(K, 0.0, max_step=None)
    raw = train(loss, w, 10)[1]
    assert_allclose(raw, own(loss.init_score(Y, w), w, 10), rtol=0, atol=atol)
    assert np.ptp(raw) > 1
    assert np.ptp(raw - train(replace(loss, gamma=0.1), w, 10)[1]) > 100 * atol


@pytest.mark.parametrize("loss", [SoftmaxFocalLoss(K), SoftmaxFocalLoss(K, 1.0, (1, 0.5, 2))])
@pytest.mark.parametrize(("train", "own", "atol"), BOOSTERS)
def test_trained_model(train, own, atol, loss):
    _, raw, proba, contributions, history = train(loss, W, 10)
    assert_allclose(proba, softmax(raw, axis=1), rtol=0, atol=1e-6)
    assert_allclose(contributions.sum(axis=-1), raw, rtol=0, atol=1e-5)
    assert_allclose(history[-1], loss(Y, raw.astype(float), W), rtol=1e-6)
    assert np.all(np.diff(history) < 0)
    # calibrated on its own rows; the plain softmax is not
    share = np.array([np.average(c == Y, weights=W) for c in range(K)])
    assert_allclose(np.average(loss.predict_proba(raw), axis=0, weights=W), share, atol=0.03)


@pytest.mark.parametrize(("train", "own", "atol"), BOOSTERS)
def test_start_score_is_inside(train, own, atol):
    loss = SoftmaxFocalLoss(K)
    many = train(loss, W, 10)[1]
    start = loss.init_score(Y, W)
    one = train(loss, W, 1)[1]
    # the first round steps by a learning rate of .1 or .3
    assert np.all(np.abs(one.mean(axis=0) - start) < 0.3)
    assert np.all(np.abs(one - start).max() < np.abs(many - start).max())


def test_training_goes_on(tmp_path, monkeypatch):
    loss = SoftmaxFocalLoss(K)
    runs = [(lightgbm_train, "init_model", 1e-6), (catboost_train, "init_model", 1e-9)]
    if TAKES_VECTORS:
        runs.append((xgboost_train, "xgb_model", 1e-5))
    for train, name, atol in runs:
        part = train(loss, None, 5)[0]
        path = str(tmp_path / f"{train.__name__}.{'cbm' if train is catboost_train else 'json'}")
        part.save_model(path)
        more = train(loss, None, 5, **{name: part})[1]
        if train is not lightgbm_train:  # which trains on from the leaves' sums
            assert_allclose(more, train(loss, None, 10)[1], rtol=0, atol=atol)
        if train is catboost_train:
            with pytest.raises(ValueError, match="init_model must be what train returned in this"):
                train(loss, None, 5, **{name: path})
        else:
            assert_allclose(more, train(loss, None, 5, **{name: path})[1], rtol=0, atol=1e-5)
        two = SoftmaxFocalLoss(2)
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules[__name__], "Y", (Y > 0).astype(int))
            with pytest.raises(ValueError, match=f"{name} must be"):
                train(two, None, 1, **{name: part})


def test_scikit_learn_s_loss():
    loss = HalfMultinomialLoss(n_classes=K)
    start = loss.fit_intercept_only(y_true=Y.astype(float))
    assert_allclose(lightgbm_train(loss, None, 5)[1], lightgbm_own(start, None, 5), atol=1e-6)
    with pytest.raises(TypeError, match="loss must have a method gradient_matrix"):
        focalboost.catboost.objective(loss)


def test_refused():
    loss = SoftmaxFocalLoss(K)
    train, data = focalboost.lightgbm.train, lightgbm.Dataset(X, Y)
    with pytest.raises(ValueError, match="num_class must be left out or be 3, got 4"):
        train({"num_class": 4}, data, loss=loss)
    with pytest.raises(ValueError, match="metric must be auc_mu, got 'auc'"):
        train({"metric": "auc"}, data, loss=loss)
    with pytest.raises(ValueError, match="objective must be left out or be 'multiclass'"):
        train({"objective": "binary"}, data, loss=loss)
    with pytest.raises(ValueError, match="y_true must hold whole numbers from 0 to 2, got 3"):
        train({"verbose": -1}, lightgbm.Dataset(X, Y + 1), loss=loss)
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, Y > 0), 1)
    with pytest.raises(ValueError, match="init_score must be one score for each of 1 raw scores"):
        focalboost.lightgbm.seal(booster, [0.0, 1.0])
    with pytest.raises(ValueError, match=r"raw_prediction must have shape \(n, 3\) .*\(2,\)"):
        focalboost.lightgbm.objective(loss)([0, 1], [0.0, 0.0])
    objective = focalboost.catboost.objective(loss)
    with pytest.raises(ValueError, match=r"y_true must be a whole number from 0 to 2, got 0\.5"):
        objective.calc_ders_multi(np.zeros(3), 0.5, 1.0)
    with pytest.raises(ValueError, match="raw_prediction must be 3 finite scores a row"):
        objective.calc_ders_multi(np.array([0.0, np.nan, 0.0]), 0.0, 1.0)
    with pytest.raises(ValueError, match="class_names must be left out"):
        focalboost.catboost.train(catboost.Pool(X, Y), {"class_names": [2, 1, 0]}, loss=loss)


def test_old_xgboost(monkeypatch):
    monkeypatch.setattr("focalboost.xgboost._TAKES_VECTORS", False)
    with pytest.raises(ValueError, match=r"Only binary .* needs XGBoost 3\.1 or newer"):
        xgboost_train(SoftmaxFocalLoss(K), None, 1)


def test_catboost_says_that_numba_is_missing(monkeypatch):
    monkeypatch.setattr("focalboost.catboost.find_spec", lambda name: None)
    with pytest.warns(UserWarning, match="numba is not installed: .* a fiftieth of the time"):
        catboost_train(SoftmaxFocalLoss(K), None, 1)
