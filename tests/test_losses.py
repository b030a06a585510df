"""Every property of every loss, for each property broken losses that fail it, and single cases."""

import os
import re
import subprocess
import sys
from ast import literal_eval
from dataclasses import fields, replace
from inspect import isabstract

import broken
import numpy as np
import properties
import pytest
import reference
import zoo
from numpy.testing import assert_allclose, assert_array_equal
from properties import EPS, PROPERTIES, TINY
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, log_loss

import focalboost.losses
from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    Loss,
    MarginLoss,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
)
from focalboost.losses import _blocks, _compiled, _kernels, _softmax


@pytest.fixture
def path(request, monkeypatch):
    """Send every size of array through numpy, or through the compiled loop."""
    if request.param == "compiled":
        pytest.importorskip("numba")
        monkeypatch.setattr(_kernels, "use_compiled", lambda _: True)
    else:
        monkeypatch.setattr(_kernels, "use_compiled", lambda _: False)
        monkeypatch.setattr(_compiled, "negative_rows", lambda *_: None)


def paths(holds, loss):
    if holds is properties.gradient_matrix_is_the_expected_hessian:
        return "numpy", "compiled"
    is_compiled = properties.has_compiled_loop(loss) and holds in properties.OF_BOTH_PATHS
    return ("numpy", "compiled") if is_compiled else ("numpy",)


def cases():
    """Return every property of every loss of which it is true, on each path that has it."""
    for loss in zoo.LOSSES:
        for holds, is_true_of in PROPERTIES.items():
            for path in paths(holds, loss) if is_true_of(loss) else ():
                name = f"{holds.__name__}-{zoo.loss_id(loss)}-{path}"
                marks = () if loss in zoo.QUICK else pytest.mark.slow
                yield pytest.param(holds, loss, path, id=name, marks=marks)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("holds", "loss", "path"), [*cases()], indirect=["path"])
def test_property(holds, loss):
    holds(loss)


@pytest.mark.slow
@pytest.mark.parametrize("holds", [properties.equals_mpmath, properties.probability_equals_mpmath])
@pytest.mark.parametrize("loss", zoo.GRID, ids=zoo.loss_id)
def test_accuracy(holds, loss):
    holds(loss)


@pytest.mark.parametrize(
    ("holds", "loss"),
    [
        pytest.param(holds, loss, id=f"{holds.__name__}-{type(loss).__name__}-{i}")
        for holds, losses in broken.BROKEN.items()
        for i, loss in enumerate(losses)
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_broken_loss_fails(holds, loss):
    if holds is properties.compiled_loop_is_the_same:
        pytest.importorskip("numba")
    # FloatingPointError: what finite_everywhere makes of a warning; and an error that is not raised
    with pytest.raises((AssertionError, FloatingPointError, pytest.fail.Exception)):
        holds(loss)


def test_catalogue_is_complete():
    """Every property has a broken loss of each kind that it is true of, made from a sound one."""
    assert broken.BROKEN.keys() == PROPERTIES.keys()
    for holds, losses in broken.BROKEN.items():
        sound = {loss.is_multiclass for loss in zoo.LOSSES if PROPERTIES[holds](loss)}
        assert {loss.is_multiclass for loss in losses} == sound, holds.__name__
    assert set(broken.SOUND) <= set(zoo.QUICK) <= set(zoo.LOSSES)


def test_zoo_is_complete():
    public = {getattr(focalboost.losses, name) for name in focalboost.losses.__all__}
    losses = {cls for cls in public if issubclass(cls, Loss) and not isabstract(cls)}
    assert {SymmetricCrossEntropyLoss, *losses} == {type(loss) for loss in zoo.LOSSES}
    assert {type(loss) for loss in zoo.QUICK} == {type(loss) for loss in zoo.LOSSES}


SymmetricCrossEntropyLoss = zoo.SymmetricCrossEntropyLoss


@pytest.mark.slow
def test_losses_and_their_tests_need_no_booster():
    absent = ["lightgbm", "xgboost", "catboost", "shap", "numba", "pandas", "matplotlib"]
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"
        "import conftest, test_losses, focalboost\n"
        "from focalboost import FocalLoss\n"
        "FocalLoss().gradient_curvature([1, 0], [0.0, 1.0])\n"
    )
    here = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *sys.path])}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)


# Accuracy where it is hardest.


@pytest.mark.parametrize("margin", [1e-17, 1e-12, 1e-9, 1e-6])
def test_small_margin(margin):
    # 1 - max(p - margin, 0) is q + margin, and not 1 less a number near 1.
    loss = AsymmetricLoss(1.0, 4.0, margin)
    z = np.array([-45.0, -37.0, -20.0, 20.0, 36.0, 37.0, 40.0, 45.0])
    zeros = np.zeros(len(z))
    value, gradient, hessian = reference.derivatives(loss, zeros, z)
    assert_allclose(loss.loss(zeros, z), value, rtol=1e-13, atol=TINY)
    assert_allclose(loss.gradient(zeros, z), gradient, rtol=1e-13, atol=TINY)
    error = np.abs(loss.hessian(zeros, z) - hessian)
    assert np.all(error <= 1e-13 * (np.abs(gradient) + np.abs(hessian)) + TINY)
    expected = reference.expected_hessian(loss, z)
    least = np.abs(gradient) / properties.LARGEST_STEP
    # as for every loss; below the margin no positive is expected
    assert_allclose(loss.curvature(zeros, z), np.maximum(expected, least), rtol=1e-12, atol=TINY)


@pytest.mark.parametrize("gamma", [50.0, 500.0, 1100.0, 1e5, 1e308])
def test_any_gamma(gamma):
    loss, z = FocalLoss(gamma), np.linspace(-1, 1, 9)
    properties.finite_everywhere(loss)
    if gamma <= 1e5:
        properties.finite_everywhere(PolyLoss(1.0, gamma))
        properties.finite_everywhere(SoftmaxFocalLoss(3, gamma))
    if gamma <= 500:
        gradient, curvature = loss.gradient_curvature(np.ones(9), z)
        least = np.abs(gradient) / properties.LARGEST_STEP
        expected = np.maximum(reference.expected_hessian(loss, z), least)
        # exp multiplies the rounding of gamma * S
        assert_allclose(curvature, expected, rtol=1e-12, atol=TINY)


@pytest.mark.parametrize("k", [2, 10, 100])
def test_many_classes_at_0(k):
    # By symmetry: p = 1 / K, and the gradient of focal loss with gamma 2 by hand.
    p = 1 / k
    slope = (1 - p) ** 2 * (2 * p * np.log(k) + 1 - p)
    gradient = SoftmaxFocalLoss(k).gradient([0], np.zeros((1, k)))[0]
    # sums of up to 100 terms
    assert_allclose(gradient, [-slope, *[slope / (k - 1)] * (k - 1)], rtol=1e-13)


class CountsItems(np.ndarray):
    """An array that counts how often a program asks for one of its items or sets one."""

    n_asked = 0

    def __getitem__(self, key):
        CountsItems.n_asked += 1
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        CountsItems.n_asked += 1
        super().__setitem__(key, value)


def test_gradient_matrix_takes_a_time_that_is_quadratic_in_the_classes():
    def operations(k):
        weights, scores = np.ones(k), np.linspace(-1, 1, k)
        arrays = (weights, np.log(weights), 2 * weights)
        CountsItems.n_asked = 0
        _softmax.gradient_matrix(*arrays, 4.0, 0, scores.view(CountsItems))
        return CountsItems.n_asked

    # K**2 items of a matrix, each of a fixed number of operations: twice the classes are 4 times as
    # many, and 8 times for a sum over the classes for each item.
    assert operations(40) > 40 * 39 / 2
    assert operations(80) / operations(40) < 4.5


# The family among itself.


def same(*pairs):
    return pytest.mark.parametrize(("loss", "other"), pairs, ids=zoo.loss_id)


@same(
    (AsymmetricLoss(2.0, 2.0, 0.0, 0.25), FocalLoss(2.0, 0.25)),
    (FocalStarLoss(1.0, 0.0, 0.25), FocalLoss(0.0, 0.25)),
    (CalibratedFocalLoss(0.0), FocalLoss(0.0)),
    (
        ModulatedLoss((lambda p: (1 - p) ** 2, lambda p: 2 * p - 2, lambda p: 0 * p + 2)),
        FocalLoss(2.0),
    ),
    (PolyLoss(0.0, 2.0, 0.25), FocalLoss(2.0, 0.25)),
    (PolyLoss(3.0, 0.0, 0.25), SymmetricCrossEntropyLoss(3.0, 0.25)),
    (VectorScalingLoss(alpha=0.25), FocalLoss(0.0, 0.25)),
    (RobustFocalLoss(0.0, 0.7, 0.25), GeneralizedCrossEntropyLoss(0.7, 0.25)),
)
def test_loss_meets_another(loss, other):
    y, z = np.repeat([0.0, 1.0, 0.3], len(zoo.MILD)), np.tile(zoo.MILD, 3)
    # 1 - p loses exp(6) ulps of its size
    tolerance = {"rtol": 1e-12, "atol": 1e-15}
    for method in properties.METHODS:
        assert_allclose(getattr(loss, method)(y, z), getattr(other, method)(y, z), **tolerance)
    assert_allclose(loss.log_odds(z), other.log_odds(z), rtol=1e-12, atol=1e-13)


@same(
    (GeneralizedCrossEntropyLoss(1e-9), FocalLoss(0.0)),
    (RobustFocalLoss(2.0, 1e-9, 0.25), FocalLoss(2.0, 0.25)),
    (FocalLoss(1e-9), FocalLoss(0.0)),
    (CalibratedFocalLoss(1e-9), FocalLoss(0.0)),
    (AsymmetricLoss(2.0, 2.0, 1e-9), FocalLoss(2.0)),
    (PolyLoss(1e-9, 2.0), FocalLoss(2.0)),
)
def test_loss_goes_to_its_limit(loss, other):
    y, z = np.repeat([0.0, 1.0], len(zoo.MILD)), np.tile(zoo.MILD, 2)
    # 1e-9 times the derivative in the parameter: at most L**2 / 2 = 18, or 1 / p = 403 in a margin
    for method in properties.METHODS:
        ours, theirs = getattr(loss, method)(y, z), getattr(other, method)(y, z)
        assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    # a margin of 1e-9 is a millionth of the smallest p, of which the log-odds have the logarithm
    assert_allclose(loss.log_odds(z), other.log_odds(z), rtol=0, atol=1e-5)


def test_scikit_learn_s_metrics():
    y, z, w = zoo.mild(FocalLoss())
    proba = expit(z)
    for loss, metric in ((BrierLoss(), brier_score_loss), (FocalLoss(0.0), log_loss)):
        # p - y and log(1 - p) lose a few hundred ulps at scores of 8
        assert_allclose(loss(y, z), metric(y, proba), rtol=1e-12)
        assert_allclose(loss(y, z, w), metric(y, proba, sample_weight=w), rtol=1e-12)
        assert_allclose(loss.inverse_link(z), proba, rtol=2 * EPS)


@pytest.mark.parametrize("loss", [FocalLoss(2.0, 0.25), SoftmaxFocalLoss(3)], ids=zoo.loss_id)
def test_log_loss_of_the_probabilities(loss):
    # What early stopping asks for: of each sample, from log-odds.
    y, z, w = zoo.mild(loss)
    classes, odds = loss.kernel.classes, loss.log_odds(z)
    ours = np.average(classes.log_loss(y, odds), weights=w)
    # scikit-learn takes the logarithm of probabilities that are rounded near 1
    assert_allclose(ours, log_loss(y, loss.predict_proba(z), sample_weight=w), rtol=1e-9)
    assert_array_equal(classes.codes(odds), loss.predict_proba(z).argmax(axis=1))
    if not loss.is_multiclass:
        both = classes.log_loss(1 - y, odds) + classes.log_loss(y, odds)
        assert_allclose(classes.log_loss(np.full(len(y), 0.5), odds), both / 2, rtol=1e-12)


def test_log_odds_of_the_margin_losses():
    z = zoo.SCORES
    # sigmoid(m)**k * sigmoid(-m) are the slopes of generalised cross entropy
    assert_allclose(GeneralizedCrossEntropyLoss(0.75).log_odds(z), 0.25 * z, rtol=1e-14)
    # p q**2 and q p**2 those of the Brier score
    assert_array_equal(BrierLoss().log_odds(z), z)
    # Logit adjustment: opposite shifts are a shift of the log-odds, and equal ones a wider margin.
    # The shift is the difference of scores that are larger by far.
    shifted = VectorScalingLoss(shift=(-1.5, 1.5)).log_odds(z)
    assert_allclose(shifted, z - 1.5, rtol=1e-13, atol=1e-13)
    # FL*: sigmoid(-(gamma m + beta)) at m and at -m
    expected = np.logaddexp(0, 4 * z + 1) - np.logaddexp(0, -4 * z + 1)
    assert_allclose(FocalStarLoss(4.0, 1.0).log_odds(z), expected, rtol=1e-13, atol=1e-15)


def test_gamma_by_class():
    y, z, w = zoo.mild(SoftmaxFocalLoss(3))
    alike, one = SoftmaxFocalLoss(3, (2.0, 2.0, 2.0)), SoftmaxFocalLoss(3, 2.0)
    for method in properties.METHODS:
        assert_array_equal(getattr(alike, method)(y, z, w), getattr(one, method)(y, z, w))
    assert_array_equal(alike.predict_proba(z), one.predict_proba(z))
    # A sample's loss has the gamma of its own class.
    each = SoftmaxFocalLoss(3, (0.0, 0.5, 4.0))
    for c, gamma in enumerate(each.gamma):
        of_class = np.full(len(z), c)
        for method in ("loss", "gradient", "hessian"):
            got = getattr(each, method)(of_class, z)
            # powers 0, 1 and 2 need no exp
            expected = getattr(SoftmaxFocalLoss(3, gamma), method)(of_class, z)
            assert_allclose(got, expected, rtol=1e-13, atol=TINY)
    assert each == SoftmaxFocalLoss(3, [0, 0.5, 4]) == SoftmaxFocalLoss(3, np.array([0, 0.5, 4]))
    assert hash(each) == hash(SoftmaxFocalLoss(3, [0, 0.5, 4]))


@pytest.mark.parametrize("gamma", [(0.0, 2.0), (0.0, 0.0, 3.0), (1e-6, 2.0, 0.0)])
def test_link_where_a_class_has_no_gamma(gamma):
    # log(p / phi) of a class with gamma 0 ends at 0, where the search for a score has to end too.
    loss = SoftmaxFocalLoss(len(gamma), gamma)
    proba = np.random.default_rng(0).dirichlet(np.ones(len(gamma)), 20)
    # some ten operations, and a last Newton step that is below rounding
    assert_allclose(loss.predict_proba(loss.link(proba)), proba, rtol=1e-13)


def test_link_of_extreme_weights_and_gammas(monkeypatch):
    # The class of the largest softmax is not the most probable one.
    loss = SoftmaxFocalLoss(3, (2.0, 200.0, 0.5), (1e-10, 1e-10, 1e10))
    proba = np.array([[0.0018304, 0.9568956, 0.041274]])
    with np.errstate(all="raise", under="ignore"):
        scores = loss.link(proba)
    assert_allclose(loss.predict_proba(scores), proba, rtol=1e-12)
    monkeypatch.setattr(_kernels, "_LINK_STEPS", 3)
    with pytest.raises(ValueError, match=r"gamma and alpha must be less extreme for raw scores"):
        loss.link(proba)


def test_calibrated_loss_is_focal_loss_elsewhere():
    y, z = zoo.extreme(FocalLoss())
    for gamma, alpha in ((2.0, None), (0.5, 0.25), (5.0, 0.9)):
        focal, calibrated = FocalLoss(gamma, alpha), CalibratedFocalLoss(gamma, alpha)
        v = focal.log_odds(z)
        # a score that Newton's method finds has an ulp or two, which exp multiplies
        assert_allclose(calibrated.loss(y, v), focal.loss(y, z), rtol=1e-12)
        assert_array_equal(calibrated.log_odds(v), v)


def test_asymmetric_loss_beyond_its_range():
    # With gamma_positive = 0 and a margin, the negatives' slope vanishes as fast as the positives'.
    loss = AsymmetricLoss(0.0, 4.0, 0.05)
    largest = expit(np.log(4 * 0.95**3 * -np.log(0.05) + 0.95**4 / 0.05))
    assert_allclose(loss.inverse_link(50.0), largest, rtol=1e-12)
    assert loss.link(largest + 1e-6) == np.inf
    assert np.isfinite(loss.link(largest - 1e-6))
    # Below the margin a negative sample costs nothing.
    below = np.log(0.04) - np.log(0.96)
    for values in (loss.loss(0, below), *loss.gradient_hessian(0, below)):
        assert values == 0


def test_odds_that_a_margin_loss_computes_do_not_fall():
    # The slope ends at the smallest number, and -log q goes on.
    for loss in (SymmetricCrossEntropyLoss(), SymmetricCrossEntropyLoss(4.0, 0.25)):
        z = np.concatenate([np.linspace(600, 800, 201), 10.0 ** np.arange(3, 308)])
        odds = loss.log_odds(z)
        assert np.all(np.diff(odds) >= 0)
        assert np.all(np.diff(loss.log_odds(-z)) <= 0)
        # log(1 + 4) and logit(1/4) from the raw score
        assert np.all(odds > 597)
        assert np.all(loss.log_odds(-z) < -597)


# Numbers of others.


def test_worked_numbers():
    # The numbers that public explanations of focal loss work out, at gamma 2.
    balanced = FocalLoss(2.0, 0.25)
    assert_allclose(balanced.loss([1], [logit(0.95)]), 3.2058e-05, rtol=1e-4)
    assert_allclose(balanced.loss([1], [logit(0.05)]), 0.675912, rtol=1e-6)
    focal, cross_entropy = FocalLoss(2.0), FocalLoss(0.0)
    easy = logit(np.array([0.9, 0.968]))
    ratio = cross_entropy.loss([1, 1], easy) / focal.loss([1, 1], easy)
    assert_allclose(ratio, [100, 1000], rtol=0.03)  # "about 1000": 976.6
    assert_allclose(ratio[0], 100, rtol=1e-12)


def test_one_weight_for_all():
    assert FocalLoss().init_score([0, 0, 1], 2.0) == FocalLoss().init_score([0, 0, 1])
    several = SoftmaxFocalLoss(3, 0.0)
    assert_array_equal(several.init_score([0, 1, 2, 2], 2.0), several.init_score([0, 1, 2, 2]))


def test_start_of_the_paper():
    # Lin et al. start at the prior pi = .01 by logit(pi); for log loss that is the best constant.
    assert_allclose(FocalLoss(0.0).link(0.01), -np.log(99), rtol=1e-15)


def test_bounds_of_the_papers():
    # Zhang and Sabuncu: a sample costs at most 1 / k. Over all K labels a score costs from
    # (K - K**(1 - k)) / k, where no class is preferred, to (K - 1) / k: here with K = 2.
    for k in (0.1, 0.5, 0.9):
        loss = GeneralizedCrossEntropyLoss(k)
        both = loss.loss(0, zoo.SCORES) + loss.loss(1, zoo.SCORES)
        lower, upper = (2 - 2 ** (1 - k)) / k, 1 / k
        assert np.all((both >= lower * (1 - 4 * EPS)) & (both <= upper * (1 + 4 * EPS)))
        assert_allclose(both[zoo.SCORES == 0], lower, rtol=4 * EPS)


def test_names():
    assert FocalLoss().name == "focal_loss"
    assert SoftmaxFocalLoss(3).name == "softmax_focal_loss"
    assert SymmetricCrossEntropyLoss().name == "symmetric_cross_entropy_loss"


# Many samples.


@pytest.mark.parametrize(
    "loss", [FocalLoss(2.0, 0.25), AsymmetricLoss(), SoftmaxFocalLoss(3)], ids=zoo.loss_id
)
def test_real_blocks_and_threads(loss, monkeypatch):
    for module in (_blocks, _compiled):
        monkeypatch.setattr(module, "_FOR_A_THREAD", 20_000)
    y, z, w = zoo.mild(loss, 70_000)
    expected = loss.gradient_curvature(y, z, w)
    for got, want in zip(loss.gradient_curvature(y, z, w, n_threads=3), expected, strict=True):
        assert_array_equal(got, want)
    for got, want in zip(loss.gradient_curvature(y[7:], z[7:], w[7:]), expected, strict=True):
        assert_array_equal(got, want[7:])
    mean = loss.kernel.mean
    assert mean(y, z, w, n_threads=3) == mean(y, z, w)
    # at the joints of the parts no sample is lost or counted twice
    parts = [slice(first, first + 10_000) for first in range(0, 70_000, 10_000)]
    means = [mean(y[part], z[part], w[part]) for part in parts]
    weights = [w[part].sum() for part in parts]
    assert_allclose(mean(y, z, w), np.average(means, weights=weights), rtol=1e-13)


@pytest.mark.parametrize("loss", [FocalLoss(2.0, 0.25), FocalLoss(0.5)], ids=zoo.loss_id)
def test_many_samples_are_like_few(loss, monkeypatch):
    y, z, w = zoo.mild(loss, 1000)
    for scores in (z, z.astype(np.float32)):
        found = []
        for is_compiled in (False, True):
            with monkeypatch.context() as patch:
                patch.setattr(_kernels, "use_compiled", lambda _, chosen=is_compiled: chosen)
                found.append(loss.gradient_curvature(y, scores, w, max_step=4.0))
        few, many = found
        # the compiler's exp may differ by an ulp or two, or by one of single precision
        tolerance = 2e-7 if scores.dtype == np.float32 else 1e-13
        for one, other in zip(few, many, strict=True):
            assert one.dtype == other.dtype == scores.dtype
            assert_allclose(other, one, rtol=tolerance)


def test_an_error_in_a_thread_is_an_error(monkeypatch):
    monkeypatch.setattr(_blocks, "_FOR_A_THREAD", 20_000)

    def fails(_, y, z, max_step):
        raise ArithmeticError("in a thread")

    loss = broken.in_kernel(AsymmetricLoss(), "Fails", gradient_curvature=fails)
    y, z, _ = zoo.mild(loss, 70_000)
    with pytest.raises(ArithmeticError, match="in a thread"):
        loss.gradient_curvature(y, z, n_threads=2)


def test_sample_of_no_weight_does_not_count():
    assert FocalLoss()([0, 1], [np.inf, 0.0], [0, 1]) == FocalLoss()([1], [0.0])
    several = SoftmaxFocalLoss(2)
    assert several([0, 1], [[-np.inf, 0.0], [0.0, 0.0]], [0, 1]) == several([1], [[0.0, 0.0]])


def test_soft_label_of_no_share_does_not_count():
    # 0 * inf of the label that the sample is not
    assert_array_equal(FocalLoss().loss([0, 1], [-np.inf, np.inf]), [0, 0])


# What is refused.


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FocalLoss(-1), ValueError, r"gamma must be >= 0, got -1\."),
        (lambda: FocalLoss(np.nan), ValueError, r"gamma must be a finite number >= 0, got nan\."),
        (lambda: FocalLoss(np.inf), ValueError, r"gamma must be a finite number >= 0, got inf\."),
        (lambda: FocalLoss("2"), TypeError, r"gamma must be a real number >= 0, got '2'\."),
        (lambda: FocalLoss(True), TypeError, r"gamma must be a real number >= 0, got True\."),
        (lambda: FocalLoss(None), TypeError, r"gamma must be a real number >= 0, got None\."),
        (lambda: FocalLoss(alpha=0), ValueError, r"alpha must be None or in \(0, 1\), got 0\."),
        (lambda: FocalLoss(alpha=1.0), ValueError, r"alpha must be None or in \(0, 1\), got 1\.0"),
        (lambda: FocalLoss(alpha="balanced"), TypeError, r"None or a real number .* got 'ba"),
        (lambda: AsymmetricLoss(-1.0), ValueError, r"gamma_positive must be >= 0, got -1\.0\."),
        (lambda: AsymmetricLoss(margin=1.0), ValueError, r"margin must be in \[0, 1\), got 1\.0\."),
        (lambda: AsymmetricLoss(1.0, 0.5, 0.1), ValueError, "gamma_negative must be >= 1 where ma"),
        (lambda: FocalStarLoss(0.0), ValueError, r"gamma must be > 0, got 0\.0\."),
        (lambda: FocalStarLoss(beta=np.inf), ValueError, "beta must be a finite number, got inf"),
        (lambda: CalibratedFocalLoss(-2.0), ValueError, r"gamma must be >= 0, got -2\.0\."),
        (lambda: PolyLoss(-1.0), ValueError, r"epsilon must be > -1, got -1\.0\."),
        (lambda: PolyLoss(1.0, -1.0), ValueError, r"gamma must be >= 0, got -1\.0\."),
        (lambda: GeneralizedCrossEntropyLoss(0), ValueError, r"k must be in \(0, 1\), got 0\."),
        (lambda: GeneralizedCrossEntropyLoss(1), ValueError, r"k must be in \(0, 1\), got 1\."),
        (lambda: RobustFocalLoss(-0.5), ValueError, r"r must be >= 0, got -0\.5\."),
        (lambda: RobustFocalLoss(0.5, 1.0), ValueError, r"k must be in \(0, 1\), got 1\.0\."),
        (lambda: BrierLoss(2.0), ValueError, r"alpha must be None or in \(0, 1\), got 2\.0\."),
        (lambda: VectorScalingLoss(2.0), ValueError, r"scale must have two values, .*, got 2\.0\."),
        (lambda: VectorScalingLoss((1, 0)), ValueError, r"scale\[1\] must be > 0, got 0\."),
        (lambda: VectorScalingLoss(shift=(1, 2, 3)), ValueError, "shift must have two values, of"),
        (lambda: VectorScalingLoss(shift=(np.inf, 0)), ValueError, r"shift\[0\] must be a finite"),
        (lambda: ModulatedLoss("sin"), ValueError, r"factor must be one of .* got 'sin'\."),
        (lambda: ModulatedLoss((np.cos, np.sin)), ValueError, "factor must be one of .* deriv"),
        (lambda: ModulatedLoss(("f", "g", "h")), ValueError, "factor must be one of .* deriv"),
        (
            lambda: ModulatedLoss((lambda p: np.exp(9 * p), lambda p: 9 * np.exp(9 * p), np.exp)),
            ValueError,
            r"factor must be positive and give log-odds that increase .* raw score -?\d",
        ),
        (lambda: SoftmaxFocalLoss(1), ValueError, "n_classes must be a whole number >= 2, got 1"),
        (lambda: SoftmaxFocalLoss(2.5), ValueError, r"n_classes must be a whole .* >= 2, got 2\.5"),
        (lambda: SoftmaxFocalLoss(3, -1), ValueError, r"gamma must be >= 0, got -1\."),
        (lambda: SoftmaxFocalLoss(3, (1, 2)), ValueError, "gamma must have 3 values, one for"),
        (lambda: SoftmaxFocalLoss(2, (1, -1)), ValueError, r"gamma\[1\] must be >= 0, got -1\."),
        (lambda: SoftmaxFocalLoss(3, 2, (1, 1)), ValueError, "alpha must have 3 values, one for e"),
        (lambda: SoftmaxFocalLoss(2, 2, (1, 0)), ValueError, r"alpha\[1\] must be > 0, got 0\."),
        (lambda: SoftmaxFocalLoss(2, 2, "ab"), ValueError, "alpha must have 2 values, one for"),
        (lambda: SoftmaxFocalLoss(2, "2"), TypeError, "gamma must be a real number >= 0, got '2'"),
    ],
)  # fmt: skip
def test_bad_parameter(make, error, message):
    with pytest.raises(error, match=message):
        make()


TWO, THREE = FocalLoss(), SoftmaxFocalLoss(3)
Z3 = np.zeros((1, 3))


@pytest.mark.parametrize("loss", [TWO, THREE], ids=zoo.loss_id)
@pytest.mark.parametrize("method", [*properties.METHODS, "gradient_hessian", "gradient_curvature",
                                    "__call__"])  # fmt: skip
def test_what_is_no_number_is_refused(loss, method):
    z = zoo.mild(loss, 2)[1]
    f = getattr(loss, method)
    for labels in (["a", "b"], ["0", "1"], [None, None], [0j, 1j], np.array([0, 1], "M8[s]")):
        with pytest.raises(ValueError, match="y_true must be numeric, got dtype "):
            f(labels, z)
    for kind in (str, complex, object, "M8[s]"):
        with pytest.raises(ValueError, match="raw_prediction must be numeric, got dtype "):
            f([0, 1], np.zeros(z.shape).astype(int).astype(kind))
    with pytest.raises(ValueError, match="sample_weight must be numeric, got dtype "):
        f([0, 1], z, ["1", "2"])
    with pytest.raises(ValueError, match="sample_weight must have the shape of raw_prediction"):
        f([0, 1], z, [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="y_true must have the shape of raw_prediction"):
        f([0, 1, 1], z)


@pytest.mark.parametrize("loss", [TWO, THREE], ids=zoo.loss_id)
def test_scores_that_are_no_numbers_are_refused(loss):
    for name in ("log_odds", "inverse_link", "predict_proba", "log_proba"):
        with pytest.raises(ValueError, match="raw_prediction must be numeric, got dtype object"):
            getattr(loss, name)([None])
    with pytest.raises(ValueError, match="proba must be numeric, got dtype <U1"):
        loss.link(["a"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TWO.loss([2], [0.0]), r"y_true must lie in \[0, 1\], got 2\."),
        (lambda: TWO.loss([-1, 1], [0.0, 0.0]), r"y_true must lie in \[0, 1\], got -1\."),
        (lambda: TWO.gradient([np.nan], [0.0]), r"y_true must lie in \[0, 1\], got nan\."),
        (lambda: TWO.loss([1], [[0.0, 1.0]]), r"raw_prediction must have shape .* got \(1, 2\)\."),
        (lambda: TWO([1], [0.0], [-1]), r"sample_weight must be finite and >= 0, got -1\."),
        (lambda: TWO([1], [0.0], [np.nan]), r"sample_weight must be finite and >= 0, got nan\."),
        (lambda: TWO([1], [0.0], [0]), r"sample_weight must have a positive sum, got 0\."),
        (lambda: TWO([], []), r"y_true must hold at least one sample, got 0\."),
        (lambda: TWO.init_score([1, 0], [1, np.inf]), "sample_weight must be finite .* got inf"),
        (lambda: TWO.init_score([1, 0], [1]), "sample_weight must have the shape of y_true"),
        (lambda: TWO.init_score([1, 3]), r"y_true must lie in \[0, 1\], got 3\."),
        (lambda: TWO.init_score(["a"]), r"y_true must be numeric, got dtype <U1\."),
        (lambda: TWO.init_score([]), "y_true must hold both classes"),
        (lambda: TWO.link(1.5), r"proba must lie in \[0, 1\], got 1\.5\."),
        (lambda: TWO.link([np.nan]), r"proba must lie in \[0, 1\], got nan\."),
        (lambda: TWO.init_score_from_sums(3, 2), "0 < label_sum < weight_sum, got 3 and 2"),
        (lambda: TWO.curvature([1], [0.0], max_step=0), r"max_step must be None or > 0, got 0\."),
        (lambda: THREE.curvature([1], Z3, max_step=-1), r"max_step must be None or > 0, got -1\."),
        (
            lambda: TWO.gradient_curvature([1], [0.0], n_threads=0),
            r"n_threads must be a whole number >= 1, got 0\.",
        ),
        (lambda: THREE.loss([3], Z3), r"y_true must hold whole numbers from 0 to 2, got 3\."),
        (lambda: THREE.loss([0.5], Z3), r"y_true must hold whole numbers from 0 to 2, got 0\.5\."),
        (lambda: THREE.loss([np.nan], Z3), "y_true must hold whole numbers from 0 to 2, got nan"),
        (lambda: THREE.loss([-1], Z3), "y_true must hold whole numbers from 0 to 2, got -1"),
        (lambda: THREE.loss([0], np.zeros((1, 2))), r"have shape \(n, 3\), got \(1, 2\)\."),
        (lambda: THREE.loss([0], np.zeros(3)), r"raw_prediction must have shape .* got \(3,\)\."),
        (lambda: THREE([0], Z3, [-1]), r"sample_weight must be finite and >= 0, got -1\."),
        (lambda: THREE([], np.zeros((0, 3))), r"y_true must hold at least one sample, got 0\."),
        (
            lambda: THREE.link([[0.3, 0.3, 0.4], [0.5, 0.5, 0.0]]),
            r"proba must be positive and sum to 1 for each sample, got \[0\.5, 0\.5, 0\.0\]\.",
        ),
        (
            lambda: THREE.link([[0.3, 0.3, 0.4], [0.5, 0.6, 0.1]]),
            r"proba must be positive and sum to 1 for each sample, got \[0\.5, 0\.6, 0\.1\]\.",
        ),
        (lambda: THREE.link([[0.5, 1.5, -1.0]]), r"proba must lie in \[0, 1\], got 1\.5\."),
        (lambda: THREE.init_score([]), "y_true must hold at least one sample of positive weight"),
        (lambda: THREE.init_score([0, 1], [1, -1]), "sample_weight must be finite and >= 0"),
        (lambda: THREE.init_score([0, 3]), r"y_true must hold whole numbers from 0 to 2, got 3\."),
    ],
)
def test_bad_samples(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def documented_defaults():
    """Yield each class with a parameter and the default that its docstring gives."""
    for loss in zoo.QUICK:
        cls = type(loss)
        for name, default in re.findall(
            r"^    (\w+) : .*, default=(.+)$", cls.__doc__, re.MULTILINE
        ):
            yield pytest.param(cls, name, default, id=f"{cls.__name__}-{name}")


@pytest.mark.parametrize(("cls", "name", "default"), [*documented_defaults()])
def test_default_is_the_documented_one(cls, name, default):
    defaults = {field.name: field.default for field in fields(cls)}
    assert defaults[name] == literal_eval(default)


def test_margin_is_what_asks_for_a_gamma():
    assert AsymmetricLoss(0.5, 0.5).gamma_negative == 0.5


def test_max_step_is_a_number():
    with pytest.raises(TypeError, match="max_step must be None or a real number > 0, got '4'"):
        TWO.curvature([1], [0.0], max_step="4")


def test_a_loss_says_what_it_is():
    for removed in ("max_step", "n_threads"):
        with pytest.raises(TypeError, match=removed):
            FocalLoss(**{removed: 1})
    with pytest.raises(TypeError, match="abstract"):
        MarginLoss()
    with pytest.raises(TypeError, match="abstract"):
        Loss()
    assert replace(FocalLoss(), gamma=1) == FocalLoss(1.0) != CalibratedFocalLoss(1.0)
