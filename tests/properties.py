"""The properties of a loss, each a function that asserts it, for two and for several classes.

`PROPERTIES` says of which losses each is true. Every tolerance has its reason beside it.
"""

import copy
import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import reference
import zoo
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, log_expit, softmax
from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    FocalLoss,
    GeneralizedCrossEntropyLoss,
    MarginLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
)
from focalboost.losses import _blocks, _compiled, _kernels

EPS = np.finfo(np.float64).eps
TINY = np.finfo(np.float64).tiny
LARGEST = np.finfo(np.float64).max
MAX_STEPS = (None, 4.0, 0.5)
# The bound that stays without a max_step: the curvature is a normal number in single precision.
LARGEST_STEP = 1 / float(np.finfo(np.float32).tiny)

METHODS = ("loss", "gradient", "hessian", "curvature")


def accuracy(loss):
    """Return the relative error that a loss and its derivatives are held to."""
    if loss.is_multiclass:
        # A margin has the rounding of scores up to 700, which exp multiplies by gamma + 1.
        return 1e-11
    if isinstance(loss, CalibratedFocalLoss):
        # A score that Newton's method finds has an ulp or two of its own, which exp multiplies.
        return 1e-12
    # exp multiplies the rounding of gamma * S, at most 745 before it underflows, by 745 * eps / 2:
    # 8e-14.
    return 1e-13


def path_accuracy(loss):
    """Return how near the gradients of two methods come, where each may be the compiled one."""
    # The compiled path has an exp of its own, and the same for every method that takes it.
    return {"rtol": 1e-13, "atol": TINY} if has_compiled_loop(loss) else {"rtol": 0.0}


def steepest_gamma(loss):
    """Return the largest exponent, or one that bounds what takes its place in other losses."""
    return np.max(getattr(loss, "gamma", 4.0))


def has_exact_odds(loss, z):
    """Return at which scores the log-odds are exact."""
    # The tilt that MarginLoss computes by default is that of slopes which have not underflowed.
    is_default = isinstance(loss, MarginLoss) and type(loss).log_tilt is MarginLoss.log_tilt
    return np.abs(z) < (690 if is_default else np.inf)


def least_gradient(loss):
    """Return from which gradient on the curvature is a number of single precision, unbounded."""
    # Where the loss is bounded, a sample that is badly wrong has hardly a gradient, and a curvature
    # that is smaller still: the bound of 8.5e37 keeps it for gradients whose quotient is a number.
    is_bounded = greatest_loss(loss) < np.inf or getattr(loss, "margin", 0) > 0
    return 1e-45 * LARGEST_STEP if is_bounded else 1e-43


# Against the oracle.


def equals_mpmath(loss):
    y, z = zoo.extreme(loss)
    value, gradient, hessian = reference.derivatives(loss, y, z)
    # Below the smallest normal number there are fewer digits.
    tolerance = {"rtol": accuracy(loss), "atol": TINY}
    assert_allclose(loss.loss(y, z), value, **tolerance)
    assert_allclose(loss.gradient(y, z), gradient, **tolerance)
    # The Hessian is a difference of terms, which is as exact as they are.
    error = np.abs(loss.hessian(y, z) - hessian)
    assert np.all(error <= accuracy(loss) * reference.size_of_hessian(loss, y, z) + TINY)


def equals_mpmath_in_single_precision(loss):
    y, z = zoo.extreme(loss)
    single = z.astype(np.float32)
    value, gradient, hessian = reference.derivatives(loss, y, z)
    for got, expected, scale in (
        (loss.loss(y, single), value, 0.0),
        (loss.gradient(y, single), gradient, 0.0),
        # the Hessian is the difference of terms of the gradient's size
        (loss.hessian(y, single), hessian, np.abs(gradient)),
    ):
        assert got.dtype == np.float32
        assert np.all(np.isfinite(got))
        # Computed in double precision and rounded once: half an ulp, or half the smallest number.
        error = np.abs(got - expected)
        assert np.all(error <= 6e-8 * np.abs(expected) + accuracy(loss) * scale + 1e-45)


def probability_equals_mpmath(loss):
    if loss.is_multiclass:
        # Those far apart have probabilities below 1e-300, which no equation in 50 digits gives.
        z = zoo.extreme(loss)[1][:-3]
    else:
        z = zoo.SCORES[has_exact_odds(loss, zoo.SCORES)]
    odds = reference.log_odds(loss, z)
    assert_allclose(loss.log_odds(z), odds, rtol=1e-12, atol=1e-12)
    # expit multiplies the rounding of log-odds of 745, beyond which it is 0 or 1, by 745 * eps.
    proba, log_proba = reference.proba(loss, z), reference.log_proba(loss, z)
    assert_allclose(loss.predict_proba(z), proba, rtol=1e-12, atol=TINY)
    log_proba = np.maximum(log_proba, -LARGEST)
    assert_allclose(loss.log_proba(z), log_proba, rtol=1e-12, atol=TINY)


def curvature_is_the_bounded_expected_hessian(loss):
    y, z = zoo.extreme(loss)
    if loss.is_multiclass:
        y, z = y[:-3], z[:-3]  # as above
    expected = reference.expected_hessian(loss, z)
    if loss.is_multiclass:
        expected = np.diagonal(expected, axis1=1, axis2=2)
    slope = np.abs(reference.derivatives(loss, y, z)[1])
    # The ratio of products of values that are each within 1e-13, or within 1e-11.
    tolerance = {"rtol": 1e-10 if loss.is_multiclass else 1e-12, "atol": 10 * TINY}
    for max_step in MAX_STEPS:
        bounded = np.maximum(expected, slope / (max_step or LARGEST_STEP))
        got = loss.curvature(y, z, max_step=max_step)
        assert_allclose(got, bounded, **tolerance)
        for scores in (z, z.astype(np.float32)):
            g, h = loss.gradient_curvature(y, scores, max_step=max_step)
            # a quarter of the smallest numbers of single precision is 0
            smallest = 1e-43 if max_step else least_gradient(loss)
            assert np.all(h[np.abs(g) > smallest] > 0)
            # each is rounded once in single precision
            bound = (max_step or 2 * LARGEST_STEP) * (1 + 1e-6)
            assert np.all(np.abs(g) <= bound * h.astype(float) + smallest)


def gradient_matrix_is_the_expected_hessian(loss):
    y, z = zoo.extreme(loss)
    y, z = y[:-3], z[:-3]
    expected, gradient = reference.expected_hessian(loss, z), loss.gradient(y, z)
    for max_step in MAX_STEPS:
        derivatives = loss.gradient_matrix(max_step=max_step)
        for i, label in enumerate(y):
            got, matrix = derivatives(int(label), z[i])[:2]
            # the compiled exp may differ by an ulp
            assert_allclose(got, gradient[i], rtol=1e-12)
            want, least = expected[i], np.abs(gradient[i]) / (max_step or LARGEST_STEP)
            want = np.where(np.eye(len(want)) > 0, np.maximum(want, least), want)
            # A sum of terms of both signs, each within 1e-10.
            assert_allclose(matrix, want, rtol=1e-9, atol=1e-16)
            assert_array_equal(matrix, matrix.T)


# Calculus.


def derivatives_are_derivatives(loss):
    # Central differences with step 1e-5: error h**2 f''' / 6 + eps / h, about 1e-10 of the scale,
    # which is the third derivative's.
    step, scale = 1e-5, (1 + steepest_gamma(loss)) ** 3
    tolerance = {"rtol": 1e-7, "atol": 1e-10 * scale}
    z = zoo.mild(loss, 40)[1] if loss.is_multiclass else zoo.MILD
    for label in range(zoo.n_classes(loss)) if loss.is_multiclass else (0.0, 1.0, 0.3):
        y = np.full(len(z), label)
        gradient, hessian = loss.gradient_hessian(y, z)
        for j in zoo.coordinates(loss):
            up, down = (zoo.moved(loss, z, j, h) for h in (step, -step))
            rise = (loss.loss(y, up) - loss.loss(y, down)) / (2 * step)
            assert_allclose(zoo.component(gradient, j), rise, **tolerance)
            bend = (loss.gradient(y, up) - loss.gradient(y, down)) / (2 * step)
            assert_allclose(zoo.component(hessian, j), zoo.component(bend, j), **tolerance)


# The methods among themselves.


def methods_agree(loss):
    y, z = zoo.extreme(loss)
    w = np.linspace(0.5, 2, len(y))
    gradient, hessian = loss.gradient_hessian(y, z, w)
    assert_array_equal(loss.hessian(y, z, w), hessian)
    assert_array_equal(loss.gradient(y, z, w), gradient)
    for max_step in MAX_STEPS:
        again, curvature = loss.gradient_curvature(y, z, w, max_step=max_step)
        assert_allclose(again, gradient, **path_accuracy(loss))
        assert_array_equal(loss.curvature(y, z, w, max_step=max_step), curvature)
    assert_array_equal(loss.curvature(y, z, w), loss.curvature(y, z, w, max_step=None))
    # a mean of 50 terms
    values = loss.loss(y, z)
    assert_allclose(loss(y, z, w), np.average(values, weights=w), rtol=1e-14)
    assert_allclose(loss(y, z), np.mean(values), rtol=1e-14)
    assert loss.at(3) is loss


def probabilities_agree(loss):
    z = zoo.extreme(loss)[1] if loss.is_multiclass else zoo.SCORES
    odds, proba = loss.log_odds(z), loss.predict_proba(z)
    assert odds.shape == z.shape
    assert proba.shape == (len(z), zoo.n_classes(loss))
    assert_array_equal(loss.inverse_link(z), proba if loss.is_multiclass else proba[:, 1])
    # expit of log-odds within an ulp or two: up to 745 ulps of a small probability
    assert_allclose(loss.inverse_link(z), expit(odds), rtol=1e-15)
    assert_allclose(loss.log_proba(z), log_expit(odds), rtol=1e-15)
    # With several classes each is a quotient of its own, by log-odds of 700 and an exp.
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12 if loss.is_multiclass else 2 * EPS)


def weights_multiply(loss):
    y, z = zoo.extreme(loss)
    w = np.arange(1.0, 1 + len(y))
    for name in METHODS:
        method = getattr(loss, name)
        assert_array_equal(method(y, z, w), zoo.weighted(w, method(y, z)))
    for max_step in MAX_STEPS:
        g, h = loss.gradient_curvature(y, z, max_step=max_step)
        weighted_g, weighted_h = loss.gradient_curvature(y, z, w, max_step=max_step)
        assert_array_equal(weighted_g, zoo.weighted(w, g))
        assert_array_equal(weighted_h, zoo.weighted(w, h))


def integer_weights_are_repeated_samples(loss):
    y, z, _ = zoo.mild(loss)
    w = np.random.default_rng(0).integers(0, 4, len(y))
    many_y, many_z = np.repeat(y, w), np.repeat(z, w, axis=0)
    # sums of 90 terms of one sign or of size 1
    assert_allclose(loss(y, z, w), loss(many_y, many_z), rtol=1e-14)
    for name, rtol, atol in (("gradient", 0, 1e-12), ("curvature", 1e-13, 0)):
        method = getattr(loss, name)
        few, many = method(y, z, w).sum(axis=0), method(many_y, many_z).sum(axis=0)
        assert_allclose(few, many, rtol=rtol, atol=atol)
    # scores near 0 are the differences of larger ones
    assert_allclose(loss.init_score(y, w), loss.init_score(many_y), rtol=1e-12, atol=1e-12)


def soft_labels_are_mixtures(loss):
    z = zoo.SCORES
    share, ones = np.linspace(0, 1, len(z)), np.ones(len(z))
    for name in METHODS:
        method = getattr(loss, name)
        mixture = share * method(ones, z) + (1 - share) * method(0 * ones, z)
        # the two terms have either sign; each is exact to an ulp of the larger
        assert_allclose(method(share, z), mixture, rtol=1e-12, atol=TINY)
    assert_allclose(loss.init_score([0.1, 0.3]), loss.init_score([1, 0, 0, 0, 0]), rtol=1e-10)


# Probabilities and scores.


def probability_minimises_the_expected_loss(loss):
    z = zoo.mild(loss)[1] if loss.is_multiclass else np.linspace(-4, 4, 33)
    eta = loss.predict_proba(z)
    # Below a margin no probability above 0 is optimal.
    is_optimal = eta.min(axis=1) > 0
    z, eta = z[is_optimal], eta[is_optimal]
    assert len(z) > 8
    if not loss.is_multiclass:
        assert np.all(np.diff(eta[:, 1]) > 0)
    labels = [np.full(len(z), c) for c in range(zoo.n_classes(loss))]

    def expected(method, scores):
        terms = [zoo.weighted(eta[:, c], method(labels[c], scores)) for c in range(len(labels))]
        return sum(terms), sum(map(np.abs, terms))

    # eta has a few ulps, which the gradients multiply; with several classes it has those of an
    # equation for each
    gradient, size = expected(loss.gradient, z)
    assert np.all(np.abs(gradient) <= (1e-12 if loss.is_multiclass else 16 * EPS) * size)
    best = expected(loss.loss, z)[0]
    for j in zoo.coordinates(loss):
        for step in (-0.05, 0.05):
            assert np.all(expected(loss.loss, zoo.moved(loss, z, j, step))[0] > best)


def link_inverts(loss):
    if loss.is_multiclass:
        z = zoo.extreme(loss)[1][:-3]
        z = z - z.mean(axis=1, keepdims=True)
        rng = np.random.default_rng(1)
        logs = rng.uniform(-300.0, 0.0, size=(5, zoo.n_classes(loss)))
        proba = np.vstack([rng.dirichlet(np.ones(logs.shape[1]), 5), softmax(logs, axis=1)])
        # exp multiplies the rounding of a log-probability of 300 by its size, and gamma does so too
        tolerance = 1e-11
    else:
        z = zoo.SCORES[np.abs(loss.log_odds(zoo.SCORES)) <= 15]
        # A margin is subtracted from p, which leaves no room for smaller probabilities.
        smallest = 1e-9 if getattr(loss, "margin", 0) else 1e-300
        proba = np.array([smallest, 1e-7, 0.001, 0.5, 0.9, 1 - 1e-9])
        # expit multiplies the rounding of a log-odds of 690 by its size
        tolerance = 1e-9 if getattr(loss, "margin", 0) else 1e-12
        assert_array_equal(loss.link([0.0, 1.0]), [-np.inf, np.inf])
    # 1 - eta has exp(15) ulps of its size there, 4e-10; with several classes probabilities down to
    # 1e-20 have a sum that is 1 to an ulp
    assert_allclose(loss.link(loss.inverse_link(z)), z, rtol=0, atol=1e-8)
    assert_allclose(loss.inverse_link(loss.link(proba)), proba, rtol=tolerance)


def init_score_is_the_best_constant(loss):
    k = zoo.n_classes(loss)
    y = np.repeat(np.arange(k), 5 * np.arange(1, k + 1)[::-1])
    w = np.random.default_rng(1).uniform(0.5, 2, len(y))
    score = loss.init_score(y, w)
    assert np.shape(score) == ((k,) if loss.is_multiclass else ())
    assert_array_equal(loss.init_score(y, 2 * w), score)
    assert_allclose(np.mean(score) if loss.is_multiclass else 0, 0, atol=1e-12)

    sums = np.array([np.sum(w[y == c]) for c in range(k)])
    of_sums = loss.init_score_from_sums(sums if loss.is_multiclass else sums[1], sums.sum())
    # sums in another order
    assert_allclose(score, of_sums, rtol=1e-12, atol=1e-12)
    many = zoo.constant(loss, score, len(y))
    gradient = loss.gradient(y, many, w)
    size = np.abs(gradient).sum(axis=0)
    # with several classes an equation in the sum of all
    tolerance = 1e-9 if loss.is_multiclass else 1e-12
    assert np.all(np.abs(gradient.sum(axis=0)) <= tolerance * size)
    best = loss(y, many, w)
    for j in zoo.coordinates(loss):
        for step in (-0.01, 0.01):
            assert loss(y, zoo.moved(loss, many, j, step), w) > best


def one_class_has_no_init_score(loss):
    if not loss.is_multiclass:
        for labels in (np.zeros(3), np.ones(3)):
            with pytest.raises(ValueError, match="y_true must hold both classes"):
                loss.init_score(labels)
    elif loss.n_classes > 2:  # a class without a sample
        score = loss.init_score(np.arange(loss.n_classes - 1))
        assert np.all(np.isfinite(score))
        # 1e-15 of samples less a few ulps of 1
        assert_allclose(loss.predict_proba(score[np.newaxis])[0, -1], 1e-15, rtol=1e-6)


def alpha_weights_the_classes(loss):
    y, z = zoo.extreme(loss)
    if loss.is_multiclass:
        weights = np.asarray(loss.alpha)[y]
    else:
        weights = np.where(y == 1, loss.alpha, 1 - loss.alpha)
    bare = replace(loss, alpha=None)
    for name in ("loss", "gradient", "hessian"):
        ours, theirs = getattr(loss, name)(y, z), getattr(bare, name)(y, z)
        # two products in another order, and a sum of them
        assert_allclose(ours, zoo.weighted(weights, theirs), rtol=4 * EPS, atol=TINY)


# Relations to other losses.


def gamma_0_is_scikit_learn_s(loss):
    y, z = zoo.extreme(loss)
    ours = replace(loss, gamma=0.0, alpha=None)
    theirs = HalfMultinomialLoss(n_classes=loss.n_classes) if loss.is_multiclass else None
    theirs = theirs or HalfBinomialLoss()
    arrays = {"y_true": y.astype(float), "raw_prediction": np.array(z)}
    # scikit-learn takes log1p(exp(z)) - y * z and p - y, which cancel where the sample is nearly
    # right: there they have an absolute error of a few eps, with several classes of a few ulps of
    # scores of 700.
    rtol, atol = (1e-12, 1e-12) if loss.is_multiclass else (4 * EPS, 8 * EPS)
    assert_allclose(ours.loss(y, z), theirs.loss(**arrays), rtol=rtol, atol=atol)
    gradient, hessian = theirs.gradient_hessian(**arrays)
    tolerance = {"rtol": rtol, "atol": 1e-15 if loss.is_multiclass else EPS}
    assert_allclose(ours.gradient(y, z), gradient, **tolerance)
    assert_allclose(ours.hessian(y, z), hessian, **tolerance)
    assert_allclose(ours.curvature(y, z), hessian, **tolerance)
    if loss.is_multiclass:
        assert_allclose(ours.predict_proba(z), softmax(z, axis=1), rtol=1e-12)
    else:
        assert_array_equal(ours.log_odds(z), z)
        assert_allclose(ours.inverse_link(z), expit(z), rtol=EPS)


def is_cross_entropy_turned_down(loss):
    y, z, _ = zoo.mild(loss)
    z = np.clip(z, -6, 6)
    cross_entropy = replace(loss, gamma=0.0)
    proba = softmax(z, axis=1) if loss.is_multiclass else np.stack([expit(-z), expit(z)], axis=1)
    p_true = proba[np.arange(len(y)), y]
    gamma = np.asarray(loss.gamma)[y] if np.ndim(loss.gamma) else loss.gamma
    ratio = loss.loss(y, z) / cross_entropy.loss(y, z)
    # 1 - p_true loses exp(6) ulps of its size, with several classes exp(12).
    rtol = (1 + np.max(gamma)) * (1e-10 if loss.is_multiclass else 1e-12)
    assert_allclose(ratio, (1 - p_true) ** gamma, rtol=rtol)
    more = replace(loss, gamma=tuple(g + 1e-9 for g in loss.gamma) if np.ndim(gamma)
                   and isinstance(loss.gamma, tuple) else loss.gamma + 1e-9)  # fmt: skip
    # continuous in gamma: d loss / d gamma is at most S * loss, with S under 13 here
    assert_allclose(more.loss(y, z), loss.loss(y, z), rtol=2e-8)
    # and decreasing, also where it is extreme; exp multiplies the rounding of gamma * S, at most
    # 745 * gamma, and powers 1 and 2 need no exp
    y, z = zoo.extreme(loss)
    assert np.all(more.loss(y, z) <= loss.loss(y, z) * (1 + accuracy(loss) * 10))


def classes_are_alike(loss):
    """With the classes changed over the loss is the same, and its derivatives change over."""
    y, z = zoo.extreme(loss)
    if loss.is_multiclass:
        order = np.roll(np.arange(loss.n_classes), 1)
        by_class = {name: getattr(loss, name) for name in ("alpha", "gamma")}
        other = replace(
            loss, **{n: tuple(np.asarray(v)[order]) for n, v in by_class.items() if np.ndim(v)}
        )
        labels, scores, sign = np.argsort(order)[y], z[:, order], 1
    else:
        order, other, labels, scores, sign = [1, 0], mirrored(loss), 1 - y, -z, -1

    def change_over(values):
        return values[:, order] if values.ndim == 2 else values

    # 1 - (1 - alpha) may be an ulp from alpha. A table of scores is not symmetric to 40 ulps, and
    # the sums over classes run in another order, of which exp makes as much as of the scores.
    rtol = 64 * EPS if isinstance(loss, CalibratedFocalLoss) else 4 * EPS
    rtol = 1e-12 if loss.is_multiclass else rtol
    assert_allclose(other.loss(labels, scores), loss.loss(y, z), rtol=rtol, atol=TINY)
    gradient = change_over(loss.gradient(y, z))
    assert_allclose(sign * other.gradient(labels, scores), gradient, rtol=rtol, atol=TINY)
    for name in ("hessian", "curvature"):
        ours = change_over(getattr(loss, name)(y, z))
        # a difference of terms of the gradient's size, which round as the processor has it
        is_difference = loss.is_multiclass or isinstance(loss, CalibratedFocalLoss)
        size = np.abs(ours) + (np.abs(gradient) if is_difference else 0.0)
        assert np.all(np.abs(getattr(other, name)(labels, scores) - ours) <= rtol * size + TINY)
    # log-odds of 745 or a few thousand have an ulp of 1e-13 or more, which exp multiplies
    ours, theirs = change_over(loss.predict_proba(z)), other.predict_proba(scores)
    assert_allclose(theirs, ours, rtol=1e-11, atol=TINY)


def mirrored(loss):
    """Return the binary loss with the parameters of the two classes changed over."""
    changed = {}
    if loss.alpha is not None:
        changed["alpha"] = 1 - loss.alpha
    if isinstance(loss, VectorScalingLoss):
        changed |= {"scale": loss.scale[::-1], "shift": loss.shift[::-1]}
    if isinstance(loss, AsymmetricLoss):
        changed |= {"gamma_positive": loss.gamma_negative, "gamma_negative": loss.gamma_positive}
    return replace(loss, **changed)


def does_not_see_a_shift(loss):
    y, z = zoo.extreme(loss)
    # exact in binary, so that the scores' differences are the same
    z = np.round(z * 256) / 256
    for shift in (1024.0, -(2.0**40)):
        for name in METHODS:
            method = getattr(loss, name)
            assert_array_equal(method(y, z + shift), method(y, z))
        assert_array_equal(loss.predict_proba(z + shift), loss.predict_proba(z))
    gradient = loss.gradient(y, z)
    # K terms with a few ulps each
    size = np.abs(gradient).sum(axis=1)
    assert np.all(np.abs(gradient.sum(axis=1)) <= 1e-13 * size)


def two_classes_are_focal_loss(loss):
    weights = (1.0, 1.0) if loss.alpha is None else loss.alpha[:2]
    gamma = loss.gamma if isinstance(loss.gamma, float) else loss.gamma[1]
    two = replace(loss, n_classes=2, gamma=gamma, alpha=weights)
    binary = FocalLoss(gamma, alpha=weights[1] / sum(weights))
    z = np.linspace(-30, 30, 41)
    scores, y = np.stack([-z / 2, z / 2], axis=1), np.arange(41) % 2
    total = 1.0 if loss.alpha is None else sum(weights)
    binary = FocalLoss(gamma) if loss.alpha is None else binary
    assert_allclose(two.loss(y, scores), total * binary.loss(y, z), rtol=1e-13)
    # a step of z is a step of either score by half of it
    gradient, hessian = two.gradient_hessian(y, scores)
    assert_allclose(gradient[:, 1], total * binary.gradient(y, z), rtol=1e-13)
    assert_allclose(hessian[:, 1], total * binary.hessian(y, z), rtol=1e-12, atol=1e-15)
    for max_step in MAX_STEPS:
        ours, theirs = (
            two.curvature(y, scores, max_step=max_step)[:, 1],
            total * binary.curvature(y, z, max_step=max_step),
        )
        assert_allclose(ours, theirs, rtol=1e-12)
    assert_allclose(two.predict_proba(scores), binary.predict_proba(z), rtol=1e-12)
    score = two.init_score([0, 0, 1])
    # the root of an equation in a sum that is 1
    assert_allclose(score[1] - score[0], binary.init_score([0, 0, 1]), rtol=1e-9, atol=1e-12)


# Arrays.


def finite_everywhere(loss):
    k = zoo.n_classes(loss)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for z in _far_scores(loss, np.float64):
            for label in range(k) if loss.is_multiclass else (0.0, 1.0, 0.3):
                y = np.full(len(z), label)
                for name in METHODS:
                    assert np.all(np.isfinite(getattr(loss, name)(y, z)))
                for max_step in MAX_STEPS:
                    g, h = loss.gradient_curvature(y, z, max_step=max_step)
                    assert np.all(h >= 0)
                    with np.errstate(under="ignore"):
                        least = np.abs(g) / (max_step or LARGEST_STEP)
                        assert np.all(h >= least * (1 - 4 * EPS) - TINY)
            assert np.all(np.isfinite(loss.log_odds(z)))
            assert np.all(np.isfinite(loss.log_proba(z)))
            proba = loss.predict_proba(z)
            assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
            if z.ndim == 1:
                # the odds do not fall, however far the score
                assert np.all(np.diff(loss.log_odds(np.sort(z))) >= 0)
        for single in _far_scores(loss, np.float32):
            for name in METHODS:
                assert np.all(np.isfinite(getattr(loss, name)(np.zeros(len(z)), single)))
            assert np.all(np.isfinite(loss.log_odds(single)))


def _far_scores(loss, dtype):
    """Yield arrays of scores that are as far from 0, or from each other, as numbers go."""
    info = np.finfo(dtype)
    sizes = [1e3, 1e5, 1e30, info.max ** (1 / 3), info.max / 1e6]
    if not loss.is_multiclass:
        sizes = np.array([*sizes, info.max], dtype)
        near_0 = np.array([-info.smallest_subnormal, -0.0, 0.0, info.smallest_subnormal])
        yield np.concatenate([-sizes, near_0, sizes])
        return
    # The difference of two scores, times a class weight over 1, is to be a number too.
    k = zoo.n_classes(loss)
    for size in np.array(sizes, dtype):
        far = np.eye(k, dtype=dtype) * size
        yield np.concatenate([far, -far, np.full((1, k), size)])


def has_its_limits_at_infinity(loss):
    inf = np.inf
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        if loss.is_multiclass:
            k = loss.n_classes
            z = np.zeros((3, k))
            z[0, 0], z[1, 1], z[2, :2] = inf, -inf, inf
            expected = np.zeros((3, k))
            expected[0, 0], expected[2, :2] = 1, 0.5
            proba = loss.predict_proba(z)
            assert np.all(np.isfinite(proba))
            assert_array_equal(proba[0], expected[0])
            assert proba[1, 1] == 0
            assert_array_equal(loss.loss([0, 1], z[:2]), [0, inf])
            assert_array_equal(loss.loss([1, 0], z[:2])[0], inf)
            for name in ("gradient", "hessian", "curvature"):
                assert np.all(np.isfinite(getattr(loss, name)([0, 1, 0], z)))
            return
        ends = np.array([-inf, inf])
        positive, negative = (1, 1) if loss.alpha is None else (loss.alpha, 1 - loss.alpha)
        highest = greatest_loss(loss)
        assert_allclose(loss.loss([1, 1], ends), [positive * highest, 0], rtol=2 * EPS)
        assert_allclose(loss.hessian([1, 1], ends), [0, 0], atol=1e-297)
        assert np.all(ends * loss.log_odds(ends) == inf)
        assert_array_equal(loss.inverse_link(ends), [0, 1])
        assert_array_equal(loss.predict_proba(ends), [[1, 0], [0, 1]])
        if isinstance(loss, FocalLoss):
            assert_array_equal(loss.gradient([1, 1], ends), [-positive, 0])
            assert_allclose(loss.gradient([0, 0], ends), [0, negative], rtol=EPS)


def greatest_loss(loss):
    """Return what a positive sample of weight 1 costs at most."""
    if isinstance(loss, GeneralizedCrossEntropyLoss | RobustFocalLoss):
        return 1 / loss.k
    return 1.0 if isinstance(loss, BrierLoss) else np.inf


def keeps_dtype(loss):
    y, z, w = zoo.mild(loss)
    single = z.astype(np.float32)
    for name in METHODS:
        method = getattr(loss, name)
        assert method(y, z, w).dtype == np.float64
        assert method(y, single, w).dtype == np.float32
        # of the raw scores alone
        assert method(y.astype(np.float32), z, w.astype(np.float32)).dtype == np.float64
        for other in (np.float16, np.int64):
            assert method(y, z.astype(other)).dtype == np.float64
        assert_array_equal(method(y.astype(np.int8), z), method(y.astype(float), z))
    for name in ("log_odds", "inverse_link", "log_proba", "predict_proba"):
        method = getattr(loss, name)
        assert method(z).dtype == method(z.astype(np.float16)).dtype == np.float64
        assert method(single).dtype == np.float32
    assert loss.link(loss.inverse_link(single[:3])).dtype == np.float32


def takes_any_layout(loss):
    y, z, w = zoo.mild(loss)
    expected = loss.gradient_curvature(y, z, w)
    backwards = z[::-1].copy()[::-1]
    others = [np.asfortranarray(z), np.repeat(z, 2, axis=0)[::2], backwards, z.tolist()]
    if not loss.is_multiclass:
        others.append(z[:, np.newaxis])
    for scores in others:
        for labels in (y, y.tolist(), y[:, np.newaxis]):
            for got, want in zip(
                loss.gradient_curvature(labels, scores, w.tolist()), expected, strict=True
            ):
                assert_array_equal(got, want)
    empty = z[:0]
    assert loss.loss(y[:0], empty).shape == (0,)
    for name in ("gradient", "hessian", "curvature"):
        assert getattr(loss, name)(y[:0], empty).shape == empty.shape
    assert loss.predict_proba(empty).shape == (0, zoo.n_classes(loss))
    assert loss.loss(y[:1], z[:1]).shape == (1,)
    # one label and one weight for all
    assert_array_equal(loss.loss(1, z), loss.loss(np.ones(len(z)), z))
    assert_array_equal(loss.gradient(y, z, 2.0), 2.0 * loss.gradient(y, z))


def takes_one_number(loss):
    assert loss.predict_proba(0.5).shape == (2,)
    for name in METHODS:
        method = getattr(loss, name)
        assert np.shape(method(1, 0.5)) == ()
        assert method(1, 0.5, 2.0) == method([1], [0.5], [2.0])[0]
    assert_array_equal(loss.predict_proba(0.5), loss.predict_proba([0.5])[0])
    assert loss.link(0.25) == loss.link([0.25])[0]
    assert loss(1, 0.5) == loss.loss(1, 0.5)
    assert_allclose(loss.init_score(0.25), loss.link(0.25), rtol=1e-12)


def leaves_its_arguments_alone(loss):
    arrays = [np.array(array) for array in zoo.mild(loss)]
    copies = [array.copy() for array in arrays]
    for name in (*METHODS, "gradient_hessian", "gradient_curvature", "__call__"):
        getattr(loss, name)(*arrays)
    y, z, w = arrays
    for result in (loss.log_odds(z), loss.predict_proba(z), loss.gradient(y, z)):
        assert not np.shares_memory(result, z)
        result += 1
    loss.init_score(y, w)
    for before, after in zip(copies, arrays, strict=True):
        assert_array_equal(before, after)
    proba = loss.inverse_link(z[:3])
    copy_of_proba = proba.copy()
    loss.link(proba)
    assert_array_equal(proba, copy_of_proba)


def samples_are_independent(loss):
    """The results of a sample depend neither on the others, nor on the block, nor on the thread."""
    y, z, w = zoo.mild(loss, 200)
    expected = loss.gradient_curvature(y, z, w, max_step=4.0)
    for n_threads in (1, 3):
        small = mock.patch.multiple(_blocks, _BLOCK=17, _FOR_A_THREAD=40)
        with small, mock.patch.object(_compiled, "_FOR_A_THREAD", 40):
            blocks = loss.gradient_curvature(y, z, w, max_step=4.0, n_threads=n_threads)
        for got, want in zip(blocks, expected, strict=True):
            assert_array_equal(got, want)
    some = slice(7, None, 3)
    others = loss.gradient_curvature(y[some], z[some], w[some], max_step=4.0)
    for got, want in zip(others, expected, strict=True):
        assert_array_equal(got, want[some])
    for name in METHODS:
        method = getattr(loss, name)
        alone = [method(y[[i]], z[[i]], w[[i]])[0] for i in range(5)]
        assert_array_equal(method(y, z, w)[:5], alone)


def is_a_value(loss):
    y, z, _ = zoo.mild(loss)
    others = [pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), replace(loss)]
    if " at 0x" not in repr(loss):  # a function has no name to evaluate
        others.append(eval(repr(loss), {type(loss).__name__: type(loss)}))
    for other in others:
        assert other == loss
        assert hash(other) == hash(loss)
        assert_array_equal(other.loss(y, z), loss.loss(y, z))
    alpha = np.linspace(0.1, 0.2, loss.n_classes) if loss.is_multiclass else 0.123
    changed = replace(loss, alpha=alpha)
    assert changed != loss
    assert hash(changed) == hash(replace(changed))
    with pytest.raises(AttributeError):
        loss.alpha = 0.5


def assert_compiled_losses_at_the_ends(kernel, is_log_loss):
    """Scores far behind two leading classes, and scores that are no finite numbers."""
    if kernel.classes.n_scores == 1:
        for end in (np.nan, np.inf, -np.inf):
            for label in (np.zeros(1), np.ones(1)):
                left = kernel.sum_of_losses(label, np.full(1, end), None, is_log_loss, 1)
                assert not np.isfinite(left)
        return
    k = kernel.classes.n_classes
    ends = np.array([-690.0, -710.0, -800.0, -1e5, -np.inf, np.inf, np.nan])
    z = np.zeros((2 * len(ends), k))
    z[:, 0] = np.repeat(ends, 2)
    labels = np.tile([0.0, k - 1.0], len(ends))
    with np.errstate(all="ignore"):
        by_numpy = kernel.loss(labels, z)
        if is_log_loss:
            by_numpy = kernel.classes.log_loss(labels, kernel.log_odds(z))
        found = kernel.compiled_loss(is_log_loss)(labels, z)
    assert_allclose(found, by_numpy, rtol=1e-12, atol=TINY)


def compiled_loop_is_the_same(loss):
    pytest.importorskip("numba")
    kernel = loss.kernel
    y, z = zoo.extreme(loss)
    for is_log_loss in (False, True):
        assert_compiled_losses_at_the_ends(kernel, is_log_loss)
    labels_of_both = [y.astype(np.float64)]
    if not loss.is_multiclass:
        labels_of_both.append(np.random.default_rng(3).uniform(size=len(z)))
    for labels in labels_of_both:
        with np.errstate(all="ignore"):
            pairs = [
                (False, kernel.loss(labels, z)),
                (True, kernel.classes.log_loss(labels, loss.log_odds(z))),
            ]
        for is_log_loss, by_numpy in pairs:
            if loss.is_multiclass:
                of_each = kernel.compiled_loss(is_log_loss)(labels, z)
            else:
                of_each = [
                    kernel.sum_of_losses(labels[[i]], z[[i]], None, is_log_loss, 1)
                    for i in range(len(z))
                ]
            # what is not finite is left to numpy
            found = np.where(np.isfinite(of_each), of_each, by_numpy)
            assert np.isfinite(of_each).sum() > len(z) / 2
            assert_allclose(found, by_numpy, rtol=1e-12, atol=TINY)
        for max_step in MAX_STEPS:
            if loss.is_multiclass:
                assert kernel.compiled_formula(max_step) is not None
                with mock.patch.object(_kernels, "use_compiled", return_value=True):
                    found = kernel.weighted_derivatives(labels, z, None, max_step, 1)
                out = found[:2]
                assert found.are_finite == np.isfinite(z).all()
            else:
                out = [np.empty_like(z) for _ in range(2)]
                assert kernel.fill(labels, z, None, max_step, out, 1) == np.isfinite(z).all()
            with np.errstate(all="ignore"):
                by_numpy = kernel.gradient_curvature(labels, z, max_step)
            for compiled, numpy in zip(out, by_numpy, strict=True):
                # the compiler's exp may differ by an ulp, which gamma * S multiplies
                assert_allclose(compiled, numpy, rtol=1e-12, atol=TINY)
            if not loss.is_multiclass:
                pairs, are_finite = kernel.negative_pairs(max_step, 0.0)(labels, z, None)
                assert are_finite == np.isfinite(z).all()
                assert_allclose(pairs, -np.column_stack(out), rtol=1e-13, atol=TINY)


Predicate = Callable[[Any], bool]


def _of_any(_: Any) -> bool:
    return True


def _of_two_classes(loss: Any) -> bool:
    return not loss.is_multiclass


def _of_several_classes(loss: Any) -> bool:
    return bool(loss.is_multiclass)


def _is_focal(loss: Any) -> bool:
    return isinstance(loss, FocalLoss | SoftmaxFocalLoss)


def _is_weighted(loss: Any) -> bool:
    # An alpha bends the coordinates of the calibrated loss too.
    return loss.alpha is not None and not isinstance(loss, CalibratedFocalLoss)


# A margin is for negatives alone.
def _has_no_margin(loss: Any) -> bool:
    return not getattr(loss, "margin", 0)


def has_compiled_loop(loss: Any) -> bool:
    return bool(loss.kernel.has_compiled())


PROPERTIES: dict[Callable[[Any], None], Predicate] = {
    equals_mpmath: _of_any,
    equals_mpmath_in_single_precision: _of_any,
    probability_equals_mpmath: _of_any,
    curvature_is_the_bounded_expected_hessian: _of_any,
    gradient_matrix_is_the_expected_hessian: _of_several_classes,
    derivatives_are_derivatives: _of_any,
    methods_agree: _of_any,
    probabilities_agree: _of_any,
    weights_multiply: _of_any,
    integer_weights_are_repeated_samples: _of_any,
    soft_labels_are_mixtures: _of_two_classes,
    probability_minimises_the_expected_loss: _of_any,
    link_inverts: _of_any,
    init_score_is_the_best_constant: _of_any,
    one_class_has_no_init_score: _of_any,
    alpha_weights_the_classes: _is_weighted,
    gamma_0_is_scikit_learn_s: _is_focal,
    is_cross_entropy_turned_down: _is_focal,
    classes_are_alike: _has_no_margin,
    does_not_see_a_shift: _of_several_classes,
    two_classes_are_focal_loss: _of_several_classes,
    finite_everywhere: _of_any,
    has_its_limits_at_infinity: _of_any,
    keeps_dtype: _of_any,
    takes_any_layout: _of_any,
    takes_one_number: _of_two_classes,
    leaves_its_arguments_alone: _of_any,
    samples_are_independent: _of_any,
    is_a_value: _of_any,
    compiled_loop_is_the_same: has_compiled_loop,
}

# Properties of what the compiled path computes too.
OF_BOTH_PATHS = {
    curvature_is_the_bounded_expected_hessian,
    gradient_matrix_is_the_expected_hessian,
    methods_agree,
    weights_multiply,
    integer_weights_are_repeated_samples,
    soft_labels_are_mixtures,
    gamma_0_is_scikit_learn_s,
    classes_are_alike,
    finite_everywhere,
    has_its_limits_at_infinity,
    keeps_dtype,
    takes_any_layout,
    leaves_its_arguments_alone,
    samples_are_independent,
}
