"""Every property of every loss, and for each property a broken loss that fails it."""

import copy
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal
from registry import GRID, LOSSES, SCORES, loss_id
from scipy.special import expit
from sklearn._loss import HalfBinomialLoss

from focalboost import (
    AsymmetricLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    ModulatedLoss,
)

EPS = np.finfo(np.float64).eps
TINY = np.finfo(np.float64).tiny
LABELS = np.repeat([0.0, 1.0], len(SCORES))
TWICE = np.tile(SCORES, 2)
# Where the differences of finite differences are not lost in rounding.
MILD = np.linspace(-6, 6, 41)


def mpmath_values(loss):
    rows = [reference.derivatives(loss, y, z) for y, z in zip(LABELS, TWICE, strict=True)]
    return [np.array([float(v) for v in column]) for column in zip(*rows, strict=True)]


def equals_mpmath(loss):
    # exp multiplies the rounding of gamma * S, at most 745 before it underflows, by 745 * eps / 2:
    # 8e-14. Below the smallest normal number there are fewer digits. A score that Newton's method
    # finds has an ulp or two of its own, which exp multiplies once more.
    value, gradient, hessian = mpmath_values(loss)
    tolerance = {"rtol": 1e-12 if isinstance(loss, CalibratedFocalLoss) else 1e-13, "atol": TINY}
    assert_allclose(loss.loss(LABELS, TWICE), value, **tolerance)
    assert_allclose(loss.gradient(LABELS, TWICE), gradient, **tolerance)
    scale = [float(reference.hessian_scale(loss, y, z)) for y, z in zip(LABELS, TWICE, strict=True)]
    error = np.abs(loss.hessian(LABELS, TWICE) - hessian)
    assert np.all(error <= tolerance["rtol"] * np.array(scale) + TINY)


def equals_mpmath_in_single_precision(loss):
    single = TWICE.astype(np.float32)
    value, gradient, hessian = mpmath_values(loss)
    for got, expected, scale in (
        (loss.loss(LABELS, single), value, 0.0),
        (loss.gradient(LABELS, single), gradient, 0.0),
        # the calibrated loss's Hessian is the difference of terms of the gradient's size
        (loss.hessian(LABELS, single), hessian, np.abs(gradient)),
    ):
        assert got.dtype == np.float32
        assert np.all(np.isfinite(got))
        # Computed in double precision and rounded once: half an ulp, or half the smallest number.
        assert np.all(np.abs(got - expected) <= 6e-8 * np.abs(expected) + 1e-12 * scale + 1e-45)


def posterior_equals_mpmath(loss):
    expected = np.array([float(reference.log_odds(loss, z)) for z in SCORES])
    # where no probability above 0 is optimal, the log-odds end at the smallest finite number
    expected = np.maximum(expected, -np.finfo(np.float64).max)
    assert_allclose(loss.log_odds(SCORES), expected, rtol=1e-12, atol=1e-12)


def derivatives_are_derivatives(loss):
    # Central differences with step 1e-5: error h**2 f''' / 6 + eps / h, about 1e-10 of the scale.
    step = 1e-5
    for y in (0.0, 1.0, 0.3):
        labels = np.full(MILD.shape, y)
        up, down = (loss.gradient_hessian(labels, MILD + h)[0] for h in (step, -step))
        values = (loss.loss(labels, MILD + step) - loss.loss(labels, MILD - step)) / (2 * step)
        # the third derivative
        scale = (1 + getattr(loss, "gamma", 4.0)) ** 3
        assert_allclose(loss.gradient(labels, MILD), values, rtol=1e-7, atol=1e-10 * scale)
        slopes = (up - down) / (2 * step)
        assert_allclose(loss.hessian(labels, MILD), slopes, rtol=1e-7, atol=1e-10 * scale)


def gamma_0_is_log_loss(loss):
    ours, theirs = replace(loss, gamma=0.0, alpha=None, max_step=None), HalfBinomialLoss()
    # scikit-learn takes log1p(exp(z)) - y * z and p - y, which cancel where the row is nearly
    # right: there they have an absolute error of a few eps.
    assert_allclose(
        ours.loss(LABELS, TWICE), theirs.loss(LABELS, TWICE), rtol=4 * EPS, atol=8 * EPS
    )
    gradient, hessian = theirs.gradient_hessian(LABELS, TWICE)
    assert_allclose(ours.gradient(LABELS, TWICE), gradient, rtol=4 * EPS, atol=EPS)
    assert_allclose(ours.hessian(LABELS, TWICE), hessian, rtol=4 * EPS, atol=EPS)
    assert_allclose(ours.curvature(LABELS, TWICE), hessian, rtol=4 * EPS, atol=EPS)
    assert_array_equal(ours.log_odds(SCORES), SCORES)
    assert_allclose(ours.inverse_link(SCORES), expit(SCORES), rtol=EPS)


def is_cross_entropy_turned_down(loss):
    cross_entropy = replace(loss, gamma=0.0)
    p_true = expit(np.where(LABELS == 1, TWICE, -TWICE))
    mild = np.abs(TWICE) < 6
    ratio = loss.loss(LABELS, TWICE)[mild] / cross_entropy.loss(LABELS, TWICE)[mild]
    # 1 - p_true loses exp(6) ulps of its size.
    assert_allclose(ratio, (1 - p_true[mild]) ** loss.gamma, rtol=(1 + loss.gamma) * 1e-12)
    more = replace(loss, gamma=loss.gamma + 1e-9)
    # exp multiplies the rounding of gamma * S, at most 745 * gamma; powers 1 and 2 need no exp
    assert np.all(more.loss(LABELS, TWICE) <= loss.loss(LABELS, TWICE) * (1 + 1e-12))
    # continuous in gamma: d loss / d gamma is at most S * loss, with S under 6.1 here
    assert_allclose(more.loss(LABELS, TWICE)[mild], loss.loss(LABELS, TWICE)[mild], rtol=1e-8)


def is_symmetric(loss):
    mirrored = loss if loss.alpha is None else replace(loss, alpha=1 - loss.alpha)
    # 1 - (1 - alpha) may be an ulp from alpha
    # and 40 in a table of scores
    rounding = 64 if isinstance(loss, CalibratedFocalLoss) else 4
    tolerance = {"rtol": rounding * EPS, "atol": TINY}
    assert_allclose(loss.loss(LABELS, TWICE), mirrored.loss(1 - LABELS, -TWICE), **tolerance)
    gradient, hessian = loss.gradient_hessian(LABELS, TWICE)
    mirrored_gradient, mirrored_hessian = mirrored.gradient_hessian(1 - LABELS, -TWICE)
    assert_allclose(gradient, -mirrored_gradient, **tolerance)
    if isinstance(loss, CalibratedFocalLoss):
        # the difference of terms of the gradient's size; how they round, depends on the processor
        error = np.abs(hessian - mirrored_hessian)
        assert np.all(error <= tolerance["rtol"] * np.abs(gradient) + TINY)
    else:
        assert_allclose(hessian, mirrored_hessian, **tolerance)
    curvature, mirrored_curvature = (
        loss.curvature(LABELS, TWICE),
        mirrored.curvature(1 - LABELS, -TWICE),
    )
    assert_allclose(curvature, mirrored_curvature, **tolerance)


def methods_agree(loss):
    weight = np.linspace(0.5, 2, len(TWICE))
    gradient, hessian = loss.gradient_hessian(LABELS, TWICE, weight)
    # the compiled path has its own exp
    assert_allclose(
        loss.gradient_curvature(LABELS, TWICE, weight)[0], gradient, rtol=1e-13, atol=TINY
    )
    assert_array_equal(loss.hessian(LABELS, TWICE, weight), hessian)
    assert_array_equal(
        loss.curvature(LABELS, TWICE, weight), loss.gradient_curvature(LABELS, TWICE, weight)[1]
    )
    assert_array_equal(
        loss.gradient(LABELS, TWICE, weight), loss.gradient_curvature(LABELS, TWICE, weight)[0]
    )
    proba = loss.predict_proba(SCORES)
    assert_array_equal(proba[:, 1], loss.inverse_link(SCORES))
    assert_allclose(proba.sum(axis=1), 1, rtol=2 * EPS)
    assert_allclose(
        loss(LABELS, TWICE, weight),
        np.average(loss.loss(LABELS, TWICE), weights=weight),
        rtol=1e-14,  # of a sum of 50 terms
    )
    assert_allclose(loss(LABELS, TWICE), np.mean(loss.loss(LABELS, TWICE)), rtol=1e-14)


def weights_multiply(loss):
    weight = np.arange(1.0, 1 + len(TWICE))
    for method in (loss.loss, loss.gradient, loss.hessian, loss.curvature):
        assert_array_equal(method(LABELS, TWICE, weight), weight * method(LABELS, TWICE))


def integer_weights_are_repeated_rows(loss):
    rng = np.random.default_rng(0)
    y, z, w = rng.integers(0, 2, 50), rng.normal(size=50), rng.integers(0, 4, 50)
    many_y, many_z = np.repeat(y, w), np.repeat(z, w)
    # sums of 75 terms of one sign or of size 1
    assert_allclose(loss(y, z, w), loss(many_y, many_z), rtol=1e-14)
    assert_allclose(loss.init_score(y, w), loss.init_score(many_y), rtol=1e-12)
    assert_allclose(
        np.sum(loss.gradient(y, z, w)), np.sum(loss.gradient(many_y, many_z)), atol=1e-13
    )
    assert_allclose(
        np.sum(loss.curvature(y, z, w)), np.sum(loss.curvature(many_y, many_z)), rtol=1e-13
    )


def soft_labels_are_mixtures(loss):
    share = np.linspace(0, 1, len(SCORES))
    ones = np.ones_like(SCORES)
    for method in (loss.loss, loss.gradient, loss.hessian, loss.curvature):
        mixture = share * method(ones, SCORES) + (1 - share) * method(0 * ones, SCORES)
        # the two terms have either sign; each is exact to an ulp of the larger
        assert_allclose(method(share, SCORES), mixture, rtol=1e-12, atol=TINY)
    assert_allclose(loss.init_score([0.1, 0.3]), loss.init_score([1, 0, 0, 0, 0]), rtol=1e-10)


def posterior_minimises_the_expected_loss(loss):
    scores = np.linspace(-4, 4, 33)
    eta = loss.inverse_link(scores)
    # Below a margin no probability above 0 is optimal.
    scores, eta = scores[eta > 0], eta[eta > 0]
    assert len(scores) > 8
    assert np.all(np.diff(eta) > 0)
    expected_gradient = loss.gradient(eta, scores)
    # eta and 1 - eta have a few ulps of 1, which the two gradients multiply
    size = np.abs(loss.gradient(1.0, scores)) + np.abs(loss.gradient(0.0, scores))
    assert np.all(np.abs(expected_gradient) <= 16 * EPS * size)
    best = loss.loss(eta, scores)
    for step in (-0.05, 0.05):
        assert np.all(loss.loss(eta, scores + step) > best)


def link_inverts(loss):
    odds = loss.log_odds(SCORES)
    within = np.abs(odds) <= 15
    # 1 - eta has exp(15) ulps of its size there, 4e-10
    assert_allclose(loss.link(loss.inverse_link(SCORES[within])), SCORES[within], rtol=0, atol=1e-8)
    # A margin is subtracted from p, which leaves no room for smaller probabilities.
    smallest = 1e-9 if getattr(loss, "margin", 0) else 1e-300
    proba = np.array([smallest, 1e-7, 0.001, 0.5, 0.9, 1 - 1e-9])
    # expit multiplies the rounding of a log-odds of 690 by its size
    tolerance = 1e-9 if getattr(loss, "margin", 0) else 1e-12
    assert_allclose(loss.inverse_link(loss.link(proba)), proba, rtol=tolerance)
    assert_array_equal(loss.link([0.0, 1.0]), [-np.inf, np.inf])


def start_is_the_best_constant(loss):
    assert loss.init_score([0, 0, 1], 2.0) == loss.init_score([0, 0, 1])
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.integers(0, 2, 40), np.zeros(60)])
    w = rng.uniform(0.5, 2, 100)
    start = loss.init_score(y, w)
    assert start == loss.init_score_from_sums(np.sum(w * y), np.sum(w))
    gradient = loss.gradient(y, np.full(100, start), w)
    assert abs(np.sum(gradient)) <= 1e-12 * np.sum(np.abs(gradient))
    best = loss(y, np.full(100, start), w)
    for step in (-0.01, 0.01):
        assert loss(y, np.full(100, start + step), w) > best
    for one_class in (np.zeros(3), np.ones(3)):
        with pytest.raises(ValueError, match="y_true must hold both classes"):
            loss.init_score(one_class)


def curvature_is_the_bounded_expected_hessian(loss):
    gradient, curvature = loss.gradient_curvature(LABELS, TWICE)
    expected = [float(reference.expected_hessian(loss, z)) for z in TWICE]
    largest = loss.max_step or 1 / np.finfo(np.float32).tiny
    steps = [
        abs(float(reference.derivatives(loss, y, z)[1])) / largest
        for y, z in zip(LABELS, TWICE, strict=True)
    ]
    # the ratio of products of values that are each within 1e-13
    assert_allclose(curvature, np.maximum(expected, steps), rtol=1e-12, atol=10 * TINY)
    single = loss.gradient_curvature(LABELS, TWICE.astype(np.float32))
    for g, h in ((gradient, curvature), single):
        # g / 4 of the smallest numbers of its precision is 0
        assert np.all(h[np.abs(g) > 1e-43] > 0)
        assert loss.max_step is None or np.all(np.abs(g) <= loss.max_step * h * (1 + 1e-6) + 1e-43)


def alpha_weighs_the_classes(loss):
    # An alpha bends the coordinates of the calibrated loss too.
    if loss.alpha is not None and not isinstance(loss, CalibratedFocalLoss):
        bare = replace(loss, alpha=None)
        share = np.where(LABELS == 1, loss.alpha, 1 - loss.alpha)
        for method in ("loss", "gradient", "hessian"):
            ours, theirs = getattr(loss, method), getattr(bare, method)
            assert_allclose(
                ours(LABELS, TWICE), share * theirs(LABELS, TWICE), rtol=4 * EPS, atol=TINY
            )


def finite_everywhere(loss):
    largest = np.finfo(np.float64).max
    extreme = np.array([1e3, 1e5, 1e100, 1e300, largest])
    extreme = np.concatenate([-extreme, [-5e-324, -0.0, 0.0, 5e-324], extreme])
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for y in (0.0, 1.0, 0.3):
            labels = np.full(extreme.shape, y)
            for method in (loss.loss, loss.gradient, loss.hessian, loss.curvature):
                assert np.all(np.isfinite(method(labels, extreme)))
        assert np.all(np.isfinite(loss.log_odds(extreme)))
        assert np.all(np.isfinite(loss.predict_proba(extreme)))
        single = np.array([-np.finfo(np.float32).max, np.finfo(np.float32).max], np.float32)
        for method in (loss.loss, loss.gradient, loss.hessian, loss.curvature):
            assert np.all(np.isfinite(method(np.array([0, 0]), single)))
        assert np.all(np.isfinite(loss.log_odds(single)))
        # at infinity the limits
        ends = np.array([-np.inf, np.inf])
        positive, negative = (1, 1) if loss.alpha is None else (loss.alpha, 1 - loss.alpha)
        assert_array_equal(loss.loss([1, 1], ends), [np.inf, 0])
        assert_allclose(loss.hessian([1, 1], ends), [0, 0], atol=1e-297)
        assert np.all(ends * loss.log_odds(ends) == np.inf)
        assert_array_equal(loss.inverse_link(ends), [0, 1])
        if isinstance(loss, FocalLoss):
            assert_array_equal(loss.gradient([1, 1], ends), [-positive, 0])
            assert_allclose(loss.gradient([0, 0], ends), [0, negative], rtol=EPS)


def keeps_dtype_and_layout(loss):
    rng = np.random.default_rng(2)
    n = 70_000
    y, z, w = rng.integers(0, 2, n), rng.normal(size=n) * 3, rng.uniform(size=n)
    copies = y.copy(), z.copy(), w.copy()
    expected = loss.gradient_curvature(y, z, w)
    read_only = z.copy()
    read_only.setflags(write=False)
    strided = np.repeat(z, 2)[::2]
    for scores in (read_only, strided, z[:, np.newaxis], np.asfortranarray(z), list(z[:3])):
        some = slice(len(scores))
        for got, want in zip(
            loss.gradient_curvature(y[some], scores, w[some]), expected, strict=True
        ):
            assert got.shape == (len(scores),)
            assert_array_equal(got, want[some])
    for before, after in zip(copies, (y, z, w), strict=True):
        assert_array_equal(before, after)
    # rows do not depend on each other, whatever the block and the thread
    for got, want in zip(
        replace(loss, n_threads=3).gradient_curvature(y, z, w), expected, strict=True
    ):
        assert_array_equal(got, want)
    for got, want in zip(loss.gradient_curvature(y[7:], z[7:], w[7:]), expected, strict=True):
        assert_array_equal(got, want[7:])
    assert loss.loss(np.zeros(0), np.zeros(0)).shape == (0,)
    assert loss.loss(1, 0.5).shape == ()
    assert_array_equal(loss.loss(1, z), loss.loss(np.ones(len(z)), z))
    assert loss.loss(y, z.astype(np.float32)).dtype == np.float32
    assert loss.log_odds(z.astype(np.float32)).dtype == np.float32
    assert loss.loss(y, z.astype(np.float16)).dtype == np.float64
    assert loss.loss(y.astype(bool), np.zeros(n, int)).dtype == np.float64


def is_a_value(loss):
    others = [pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), replace(loss)]
    if " at 0x" not in repr(loss):  # a function has no name to evaluate
        others.append(eval(repr(loss), {type(loss).__name__: type(loss)}))
    for other in others:
        assert other == loss
        assert hash(other) == hash(loss)
        assert_array_equal(other.loss(LABELS, TWICE), loss.loss(LABELS, TWICE))
    assert replace(loss, alpha=0.123) != loss
    assert replace(loss, max_step=7.25) != loss


def compiled_path_is_the_same(loss):
    pytest.importorskip("numba")
    rng = np.random.default_rng(3)
    derivatives = loss.compiled_gradient_curvature()
    soft = rng.uniform(size=len(TWICE))
    for y in (LABELS, soft):
        for w in (None, rng.uniform(size=len(TWICE))):
            for compiled, numpy in zip(
                derivatives(y, TWICE, w), loss.gradient_curvature(y, TWICE, w), strict=True
            ):
                # the compiler's exp may differ by an ulp, which gamma * S multiplies
                assert_allclose(compiled, numpy, rtol=1e-12, atol=TINY)


# Each broken loss is wrong in one way that a real one was.


class WrongSign(FocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, hessian = super().gradient_hessian(y_true, raw_prediction, sample_weight)
        return -gradient, hessian

    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return -gradient, curvature


class NoWeights(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return super().gradient_curvature(y_true, raw_prediction)


class ClippedTail(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        return super().loss(y_true, np.clip(raw_prediction, -34.5, 34.5), sample_weight)


class TextbookTail(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        p = 1 / (1 + np.exp(-np.asarray(raw_prediction)))
        return -np.where(np.asarray(y_true) == 1, (1 - p) ** self.gamma * np.log(p), 0.0)


class SinglePrecisionOfAnotherKind(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        return super().loss(y_true, np.float64(raw_prediction), sample_weight)


class HessianOfAnotherGamma(FocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        other = FocalLoss(self.gamma + 0.5, self.alpha)
        return (
            super().gradient_hessian(y_true, raw_prediction, sample_weight)[0],
            other.gradient_hessian(y_true, raw_prediction, sample_weight)[1],
        )


class HardLabelsOnly(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        return super().loss(np.round(y_true), raw_prediction, sample_weight)


class SigmoidLink(FocalLoss):
    def log_odds(self, raw_prediction):
        return np.asarray(raw_prediction, dtype=float)


class ForgetsAlpha(FocalLoss):
    def _log_odds(self, z):
        return FocalLoss(self.gamma)._log_odds(z)


class AlphaOnPositivesOnly(FocalLoss):
    def _class_weights(self):
        return (1.0 if self.alpha is None else self.alpha), 1.0


class LogLossNotZeroAtGammaZero(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        return 0.5 * super().loss(y_true, raw_prediction, sample_weight)


class StartsAtThePrior(FocalLoss):
    def init_score_from_sums(self, label_sum, weight_sum):
        return float(np.log(label_sum / (weight_sum - label_sum)))


class ExactHessianAsCurvature(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return super().gradient_hessian(y_true, raw_prediction, sample_weight)


class ConstantFloor(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return gradient, np.maximum(curvature, 1e-3)


class SumNotMean(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return float(np.sum(self.loss(y_true, raw_prediction, sample_weight)))


class MeanOverRows(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return float(np.mean(self.loss(y_true, raw_prediction, sample_weight)))


class TurnsDownTheHardRows(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        z = np.asarray(raw_prediction)
        p_true = expit(np.where(np.asarray(y_true) == 1, z, -z))
        return p_true**self.gamma * FocalLoss(0.0, self.alpha).loss(y_true, z, sample_weight)


class WritesIntoItsInput(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        result = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        if isinstance(raw_prediction, np.ndarray) and raw_prediction.flags.writeable:
            raw_prediction += 1.0
        return result


class EqualByIdentity(FocalLoss):
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class CompiledWithoutBound(FocalLoss):
    def compiled_gradient_curvature(self):
        return FocalLoss(self.gamma, self.alpha, max_step=None).compiled_gradient_curvature()


BROKEN = {
    equals_mpmath: [WrongSign, ClippedTail, HessianOfAnotherGamma, AlphaOnPositivesOnly],
    equals_mpmath_in_single_precision: [SinglePrecisionOfAnotherKind, WrongSign],
    posterior_equals_mpmath: [SigmoidLink, ForgetsAlpha],
    derivatives_are_derivatives: [WrongSign, HessianOfAnotherGamma],
    gamma_0_is_log_loss: [WrongSign, LogLossNotZeroAtGammaZero],
    is_cross_entropy_turned_down: [TurnsDownTheHardRows],
    is_symmetric: [AlphaOnPositivesOnly, TextbookTail],
    methods_agree: [SumNotMean, MeanOverRows, NoWeights],
    weights_multiply: [NoWeights],
    integer_weights_are_repeated_rows: [NoWeights, MeanOverRows],
    soft_labels_are_mixtures: [HardLabelsOnly],
    posterior_minimises_the_expected_loss: [SigmoidLink, ForgetsAlpha],
    link_inverts: [SigmoidLink],
    start_is_the_best_constant: [StartsAtThePrior, ForgetsAlpha],
    curvature_is_the_bounded_expected_hessian: [ExactHessianAsCurvature, ConstantFloor],
    alpha_weighs_the_classes: [AlphaOnPositivesOnly],
    finite_everywhere: [TextbookTail],
    keeps_dtype_and_layout: [WritesIntoItsInput, SinglePrecisionOfAnotherKind],
    is_a_value: [EqualByIdentity],
    compiled_path_is_the_same: [CompiledWithoutBound],
}
# What is true of focal loss alone.
OF_FOCAL_LOSS = {gamma_0_is_log_loss, is_cross_entropy_turned_down, compiled_path_is_the_same}


@pytest.fixture
def path(request, monkeypatch):
    """Send every size of array through one of the two evaluations."""
    if request.param == "compiled":
        pytest.importorskip("numba")
    start = 0 if request.param == "compiled" else np.inf
    monkeypatch.setattr("focalboost._binary._COMPILED_FROM", start)


def cases():
    """Return every property of every loss, on each of its paths."""
    found = []
    for loss in LOSSES:
        is_focal = isinstance(loss, FocalLoss)
        not_said = set() if is_focal else {*OF_FOCAL_LOSS}
        if isinstance(loss, AsymmetricLoss):
            not_said.add(is_symmetric)
        for path in ("numpy", "compiled") if is_focal else ("numpy",):
            for holds in BROKEN:
                name = f"{holds.__name__}-{loss_id(loss)}-{path}"
                if holds not in not_said:
                    found.append(pytest.param(holds, loss, path, id=name))
    return found


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(("holds", "loss", "path"), cases(), indirect=["path"])
def test_property(holds, loss):
    holds(loss)


@pytest.mark.parametrize("holds", [equals_mpmath, posterior_equals_mpmath])
@pytest.mark.parametrize("loss", GRID, ids=loss_id)
def test_accuracy(holds, loss):
    holds(loss)


@pytest.mark.parametrize(
    ("holds", "broken"), [(holds, cls) for holds, all_of in BROKEN.items() for cls in all_of]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_broken_loss_fails(holds, broken):
    # FloatingPointError: what finite_everywhere turns a warning into
    with pytest.raises((AssertionError, FloatingPointError)):
        holds(broken(2.0, 0.25))


SAME = [
    (AsymmetricLoss(2.0, 2.0, 0.0, 0.25), FocalLoss(2.0, 0.25)),
    (FocalStarLoss(1.0, 0.0, 0.25), FocalLoss(0.0, 0.25)),
    (CalibratedFocalLoss(0.0), FocalLoss(0.0)),
    (
        ModulatedLoss((lambda p: (1 - p) ** 2, lambda p: 2 * p - 2, lambda p: 0 * p + 2)),
        FocalLoss(2.0),
    ),
]


@pytest.mark.parametrize(("loss", "other"), SAME, ids=loss_id)
def test_family_meets_focal_loss(loss, other):
    y, z = np.repeat([0.0, 1.0, 0.3], len(MILD)), np.tile(MILD, 3)
    # 1 - p loses exp(6) ulps of its size
    tolerance = {"rtol": 1e-12, "atol": 1e-15}
    for method in ("loss", "gradient", "hessian", "curvature"):
        assert_allclose(getattr(loss, method)(y, z), getattr(other, method)(y, z), **tolerance)
    assert_allclose(loss.log_odds(z), other.log_odds(z), rtol=1e-12, atol=1e-13)


def test_calibrated_loss_is_focal_loss_elsewhere():
    for gamma, alpha in ((2.0, None), (0.5, 0.25), (5.0, 0.9)):
        focal, calibrated = FocalLoss(gamma, alpha), CalibratedFocalLoss(gamma, alpha)
        v = focal.log_odds(TWICE)
        assert_allclose(calibrated.loss(LABELS, v), focal.loss(LABELS, TWICE), rtol=1e-12)
        assert_array_equal(calibrated.log_odds(v), v)


def test_asymmetric_loss_beyond_its_range():
    # With gamma_positive = 0 and a margin, the negatives' slope vanishes as fast as the positives'.
    loss = AsymmetricLoss(0.0, 4.0, 0.05)
    largest = expit(np.log(4 * 0.95**3 * -np.log(0.05) + 0.95**4 / 0.05))
    assert_allclose(loss.inverse_link(50.0), largest, rtol=1e-12)
    assert loss.link(largest + 1e-6) == np.inf
    assert np.isfinite(loss.link(largest - 1e-6))
    # Below the margin a negative row costs nothing.
    below = np.log(0.04) - np.log(0.96)
    for values in (loss.loss(0, below), *loss.gradient_hessian(0, below)):
        assert values == 0


def test_worked_numbers():
    # The numbers that public explanations of focal loss work out, at gamma 2.
    def logit(p):
        return np.log(p) - np.log1p(-p)

    balanced = FocalLoss(2.0, 0.25)
    assert_allclose(balanced.loss([1], [logit(0.95)]), 3.2058e-05, rtol=1e-4)
    assert_allclose(balanced.loss([1], [logit(0.05)]), 0.675912, rtol=1e-6)
    focal, cross_entropy = FocalLoss(2.0), FocalLoss(0.0)
    easy = logit(np.array([0.9, 0.968]))
    ratio = cross_entropy.loss([1, 1], easy) / focal.loss([1, 1], easy)
    assert_allclose(ratio, [100, 1000], rtol=0.03)  # "about 1000": 976.6
    assert_allclose(ratio[0], 100, rtol=1e-12)


@pytest.mark.parametrize("gamma", [50.0, 500.0, 1100.0, 1e5, 1e308])
def test_any_gamma(gamma):
    finite_everywhere(FocalLoss(gamma))
    z = np.linspace(-1, 1, 9)
    gradient, curvature = FocalLoss(gamma, max_step=None).gradient_curvature(np.ones(9), z)
    if gamma <= 500:
        expected = [float(reference.expected_hessian(FocalLoss(gamma), v)) for v in z]
        smallest = np.abs(gradient) * np.finfo(np.float32).tiny
        # exp multiplies the rounding of gamma * S
        assert_allclose(curvature, np.maximum(expected, smallest), rtol=1e-12, atol=TINY)


def test_many_rows_are_like_few(loss, monkeypatch):
    rng = np.random.default_rng(4)
    y, z = rng.integers(0, 2, 1000), rng.normal(size=1000) * 3
    for scores in (z, z.astype(np.float32)):
        few = loss.gradient_curvature(y, scores, y + 1.0)
        monkeypatch.setattr("focalboost._binary._COMPILED_FROM", 1000)
        many = loss.gradient_curvature(y, scores, y + 1.0)
        monkeypatch.undo()
        tolerance = 2e-7 if scores.dtype == np.float32 else 1e-13
        for one, other in zip(few, many, strict=True):
            assert one.dtype == other.dtype == scores.dtype
            assert_allclose(other, one, rtol=tolerance)


def test_row_of_no_weight_does_not_count():
    assert FocalLoss()([0, 1], [np.inf, 0.0], [0, 1]) == FocalLoss()([1], [0.0])


def test_start_of_the_paper():
    # Lin et al. start at the prior pi = .01 by logit(pi); for log loss that is the best constant.
    assert_allclose(FocalLoss(0.0).link(0.01), -np.log(99), rtol=1e-15)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"gamma": -1}, ValueError, r"gamma must be >= 0, got -1\."),
        ({"gamma": np.nan}, ValueError, r"gamma must be >= 0, got nan\."),
        ({"gamma": np.inf}, ValueError, r"gamma must be >= 0, got inf\."),
        ({"gamma": "2"}, TypeError, r"gamma must be a real number >= 0, got '2'\."),
        ({"gamma": True}, TypeError, r"gamma must be a real number >= 0, got True\."),
        ({"alpha": 0}, ValueError, r"alpha must be None or in \(0, 1\), got 0\."),
        ({"alpha": 1.0}, ValueError, r"alpha must be None or in \(0, 1\), got 1\.0\."),
        ({"alpha": "balanced"}, TypeError, r"alpha must be a real number .* got 'balanced'\."),
        ({"max_step": 0}, ValueError, r"max_step must be None or > 0, got 0\."),
        ({"n_threads": 0}, ValueError, r"n_threads must be a whole number >= 1, got 0\."),
    ],
)
def test_bad_parameter(kwargs, error, message):
    with pytest.raises(error, match=message):
        FocalLoss(**kwargs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AsymmetricLoss(-1.0), r"gamma_positive must be >= 0, got -1\.0\."),
        (lambda: AsymmetricLoss(margin=1.0), r"margin must be in \[0, 1\), got 1\.0\."),
        (lambda: AsymmetricLoss(1.0, 0.5, 0.1), r"gamma_negative must be >= 1 where margin"),
        (lambda: FocalStarLoss(0.0), r"gamma must be > 0, got 0\.0\."),
        (lambda: FocalStarLoss(beta=np.inf), r"beta must be a finite number, got inf\."),
        (lambda: CalibratedFocalLoss(-2.0), r"gamma must be >= 0, got -2\.0\."),
        (lambda: ModulatedLoss("sin"), r"factor must be one of .* got 'sin'\."),
        (lambda: ModulatedLoss((np.cos, np.sin)), r"factor must be one of .* derivatives, got"),
        (lambda: ModulatedLoss(("f", "g", "h")), r"factor must be one of .* derivatives, got"),
        (
            lambda: ModulatedLoss((lambda p: np.exp(9 * p), lambda p: 9 * np.exp(9 * p), np.exp)),
            r"factor must be positive and give log-odds that increase .* raw score -?\d",
        ),
    ],
)
def test_bad_parameter_of_the_family(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.loss([2], [0.0]), r"y_true must lie in \[0, 1\], got 2\."),
        (lambda f: f.loss([-1, 1], [0.0, 0.0]), r"y_true must lie in \[0, 1\], got -1\."),
        (lambda f: f.gradient([np.nan], [0.0]), r"y_true must lie in \[0, 1\], got nan\."),
        (lambda f: f.loss([1, 0], [0.0]), r"y_true must have the shape of raw_prediction, \(1,\)"),
        (lambda f: f.loss([1], [[0.0, 1.0]]), r"raw_prediction must have shape .* got \(1, 2\)\."),
        (lambda f: f.loss(["a"], [0.0]), r"y_true must be numeric, got dtype <U1\."),
        (lambda f: f([1], [0.0], [-1]), r"sample_weight must be finite and >= 0, got -1\."),
        (lambda f: f([1], [0.0], [0]), r"sample_weight must have a positive sum, got 0\."),
        (lambda f: f([], []), r"y_true must hold at least one row, got 0\."),
        (lambda f: f.init_score([1, 0], [1, np.inf]), r"sample_weight must be finite .* got inf\."),
        (lambda f: f.init_score([1, 0], [1]), r"sample_weight must have the shape of y_true"),
        (lambda f: f.init_score([1, 3]), r"y_true must lie in \[0, 1\], got 3\."),
        (lambda f: f.init_score([]), r"y_true must hold both classes"),
        (lambda f: f.link(["a"]), r"proba must be numeric, got dtype <U1\."),
        (lambda f: f.log_odds([None]), r"raw_prediction must be numeric, got dtype object\."),
        (lambda f: f.link(1.5), r"proba must lie in \[0, 1\], got 1\.5\."),
        (lambda f: f.init_score_from_sums(3, 2), r"0 < label_sum < weight_sum, got 3 and 2\."),
    ],
)
def test_bad_rows(call, message):
    with pytest.raises(ValueError, match=message):
        call(FocalLoss())


def test_one_row_and_one_label():
    assert_allclose(FocalLoss(2.0).loss(1, 0.0), 0.25 * np.log(2), rtol=2 * EPS)
    assert np.isfinite(FocalLoss(2.0).init_score([0.3]))
