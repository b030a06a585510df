"""The doctor finds what is wrong with an objective, and nothing wrong with those that are right."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss
from zoo import LOSSES, loss_id

from focalboost import AsymmetricLoss, BrierLoss, FocalLoss, SoftmaxFocalLoss, check_objective
from focalboost.inspection.checks import CHECKS

ARRAYS, MEAN, GRADIENT, NEAREST, HESSIAN, SCALE, PULL, POSITIVE, STEP, FAR, CUT, SINGLE = (
    name for name, _ in CHECKS[:12]
)
WEIGHTS, ALONE, START, POSTERIOR = (name for name, _ in CHECKS[12:])

FOREIGN = [HalfBinomialLoss(), HalfMultinomialLoss(n_classes=4)]


@pytest.mark.parametrize("loss", [*LOSSES, *FOREIGN], ids=loss_id)
def test_right(loss):
    report = check_objective(loss)
    assert report.ok, str(report)
    assert len(report.findings) >= 11
    assert report.causes == ()


# Functions as people write them, right ones first. `value` is the loss of each sample.

GAMMA = 2.0


def value(y, z):
    return FocalLoss(GAMMA).loss(y, z)


def value_with_alpha(y, z):
    return FocalLoss(GAMMA, 0.25).loss(y, z)


def focal(y, z):
    return FocalLoss(GAMMA).gradient_curvature(y, z, max_step=4.0)


def native(preds, data):
    return focal(data.get_label(), preds)


def log_loss(y, z):
    p = expit(z)
    return p - y, p * (1 - p)


def squared_error_of_the_sigmoid(y, z):
    p = expit(z)
    gradient = 2 * (p - y) * p * (1 - p)
    return gradient, np.maximum(2 * (p * (1 - p)) ** 2, np.abs(gradient) / 4)


@pytest.mark.parametrize(
    ("function", "of_loss"),
    [
        (focal, None),
        (focal, value),
        (native, None),
        (native, value),
        (log_loss, None),
        (lambda y, z: FocalLoss(1.3, 0.9).gradient_curvature(y, z, max_step=4.0), None),
        (squared_error_of_the_sigmoid, lambda y, z: (expit(z) - y) ** 2),
        # the mean of a sample is its loss
        (focal, lambda y, z: np.mean(value(y, z))),
    ],
)
def test_right_function(function, of_loss):
    report = check_objective(function, value=of_loss)
    assert report.ok, str(report)


def wrong_sign(y, z):
    gradient, hessian = focal(y, z)
    return -gradient, hessian


def factor_held_constant(y, z):
    p = expit(z)
    factor = np.where(y == 1, 1 - p, p) ** GAMMA
    return factor * (p - y), factor * p * (1 - p)


def derivative_in_the_probability(y, z):
    p = expit(z)
    gradient = FocalLoss(GAMMA).gradient(y, z) / (p * (1 - p))
    return gradient, np.ones_like(z)


def another_gamma(y, z):
    return FocalLoss(3.0).gradient_curvature(y, z)


def alpha_on_the_wrong_class(y, z):
    return FocalLoss(GAMMA, 0.75).gradient_curvature(y, z)


def along_the_samples(y, z):
    values = value(y, z)
    return np.gradient(values, z), np.ones_like(z)


def hessian_of_zero(y, z):
    return FocalLoss(GAMMA).gradient(y, z), np.zeros_like(z)


def hessian_of_another_scale(y, z):
    gradient, _ = log_loss(y, z)
    return gradient, 100 * expit(z) * expit(-z)


def noisy_hessian(y, z):
    def gradient(z):
        return FocalLoss(GAMMA).loss(y, z)

    h = 1e-6
    second = (gradient(z + h) - 2 * gradient(z) + gradient(z - h)) / h**2
    return FocalLoss(GAMMA).gradient(y, z), second


def exact_hessian(y, z):
    return FocalLoss(GAMMA).gradient_hessian(y, z)


def least_hessian(y, z):
    gradient, hessian = FocalLoss(GAMMA).gradient_hessian(y, z)
    return gradient, np.maximum(hessian, 1e-16)


def scores_as_probabilities(y, p):
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return (p - y) / (p * (1 - p)), np.ones_like(p)


def clipped(y, z):
    z_inside = np.clip(z, -34.5, 34.5)
    gradient, hessian = focal(y, z_inside)
    return np.where(np.abs(z) > 34.5, 0.0, gradient), hessian


def clip_for_double_precision(y, z):
    # in single precision 1 - 1e-15 is 1, and its logarithm's argument 0
    p = np.clip(expit(z), 1e-15, 1 - 1e-15)
    negative = p**GAMMA * (p - GAMMA * (1 - p) * np.log(1 - p))
    gradient, hessian = focal(y, z)
    return np.where(y == 0, negative, gradient), hessian


def clipped_value(y, z):
    return value(y, np.clip(z, -34.5, 34.5))


def lists(y, z):
    gradient, hessian = focal(y, z)
    return gradient.tolist(), hessian.tolist()


def one_number(y, z):
    gradient, hessian = focal(y, z)
    return gradient, np.mean(hessian)


@pytest.mark.parametrize(
    ("function", "of_loss", "failures", "cause"),
    [
        (wrong_sign, None, {PULL}, "wrong sign"),
        (wrong_sign, value, {GRADIENT, PULL}, "wrong sign"),
        (factor_held_constant, None, {NEAREST}, r"gamma = 2, was held constant"),
        (factor_held_constant, value, {GRADIENT}, r"gamma = 2, was held constant"),
        (derivative_in_the_probability, value, {GRADIENT}, "in the probability and not in the raw"),
        (another_gamma, value, {GRADIENT}, "another gamma, 3; the loss has 2"),
        (
            alpha_on_the_wrong_class,
            value_with_alpha,
            {GRADIENT},
            r"alpha is on the wrong class: .* 0\.75, the loss by 0\.25",
        ),
        (along_the_samples, value, {GRADIENT, ALONE}, "taken along the samples"),
        (hessian_of_zero, None, {SCALE, POSITIVE}, "The Hessian is 0 everywhere"),
        (hessian_of_another_scale, None, {SCALE}, "The Hessian is 100 times the derivative"),
        (noisy_hessian, None, {POSITIVE}, "rounding noise of a numerical second derivative"),
        (exact_hessian, None, {POSITIVE}, "negative for badly wrong samples"),
        (least_hessian, None, {STEP}, "Steps have no bound"),
        (scores_as_probabilities, None, {NEAREST}, "taken as probabilities"),
        (clipped, None, {CUT}, "clip of the probabilities"),
        (focal, clipped_value, {CUT}, "clip of the probabilities"),
        (clip_for_double_precision, None, {SINGLE}, None),
        (lists, None, {ARRAYS}, None),
        (one_number, None, {ARRAYS}, None),
    ],
)
def test_wrong_function(function, of_loss, failures, cause):
    report = check_objective(function, value=of_loss)
    assert failures <= {*report.failures}, str(report)
    if cause is not None:
        assert re.search(cause, " ".join(report.causes)), str(report)


def test_nearest_focal_loss_is_named():
    report = check_objective(lambda y, z: FocalLoss(1.5, 0.8).gradient_curvature(y, z))
    (numbers,) = [n for what, _, n in report.findings if what == NEAREST]
    # alpha and 1 - alpha up to a factor: 0.8 / (0.8 + 0.2)
    assert numbers == "it is that of focal loss with gamma = 1.5 and alpha = 0.8"


class FocalOfTheBlogs:
    """The class that many pages copy: gradient and Hessian as functions of the probability."""

    def __init__(self, gamma, alpha=None):
        self.alpha, self.gamma = alpha, gamma

    def at(self, y):
        return 1.0 if self.alpha is None else np.where(y, self.alpha, 1 - self.alpha)

    def __call__(self, y_true, y_pred):
        pt = np.where(y_true, y_pred, 1 - y_pred)
        return -self.at(y_true) * (1 - pt) ** self.gamma * np.log(pt)

    def grad(self, y_true, y_pred):
        z = np.log(y_pred) - np.log1p(-y_pred)
        return FocalLoss(self.gamma, self.alpha).gradient(y_true, z)

    def hess(self, y_true, y_pred):
        z = np.log(y_pred) - np.log1p(-y_pred)
        return FocalLoss(self.gamma, self.alpha).curvature(y_true, z, max_step=4.0)


class FactorHeldConstant(FocalOfTheBlogs):
    def grad(self, y_true, y_pred):
        return factor_held_constant(y_true, np.log(y_pred) - np.log1p(-y_pred))[0]


def test_class_of_the_blogs():
    report = check_objective(FocalOfTheBlogs(GAMMA))
    # its logarithm of a probability that is 1 or 0 is lost far out, and nothing else is wrong
    assert {*report.failures} <= {FAR, CUT, SINGLE}, str(report)
    assert GRADIENT in {what for what, _, _ in report.findings}
    wrong = check_objective(FactorHeldConstant(GAMMA))
    assert GRADIENT in wrong.failures
    assert "was held constant" in wrong.causes[0]


# Losses: bugs that published objectives have had, and more.


class Overriding(FocalLoss):
    """A focal loss whose derivatives are other ones."""

    def change(self, y, z, gradient, curvature):
        return gradient, curvature

    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        parts = super().gradient_curvature(y_true, raw_prediction, sample_weight, **kwargs)
        return self.change(np.asarray(y_true), np.asarray(raw_prediction), *parts)


class WrongSign(Overriding):
    def change(self, y, z, gradient, curvature):
        return -gradient, curvature


class HessianOfAnotherGamma(FocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, _ = super().gradient_hessian(y_true, raw_prediction, sample_weight)
        return gradient, FocalLoss(2.1).hessian(y_true, raw_prediction, sample_weight)


class NegativeHessian(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)


class LogOfZero(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        p = expit(np.where(np.asarray(y_true) == 1, raw_prediction, -np.asarray(raw_prediction)))
        return float(np.average(-((1 - p) ** self.gamma) * np.log(p), weights=sample_weight))


class Clipped(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return super().__call__(y_true, np.clip(raw_prediction, -34.5, 34.5), sample_weight)


class WithoutWeights(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        return super().gradient_curvature(y_true, raw_prediction, **kwargs)


class MeanWithoutWeights(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return super().__call__(y_true, raw_prediction)


class NormalisedByTheBatch(Overriding):
    def change(self, y, z, gradient, curvature):
        n = max(float(np.sum(y)), 1.0)
        return gradient / n, curvature / n


class WritesIntoItsInput(Overriding):
    def change(self, y, z, gradient, curvature):
        z *= 0.5
        return gradient, curvature


class StartsAtThePrior(FocalLoss):
    def init_score_from_sums(self, label_sum, weight_sum):
        return float(np.log(label_sum / (weight_sum - label_sum)))


class StartsWithoutWeights(FocalLoss):
    def init_score(self, y_true, sample_weight=None):
        return super().init_score(y_true)


class SigmoidAsProbability(FocalLoss):
    def inverse_link(self, raw_prediction):
        return expit(raw_prediction)


class Raises(FocalLoss):
    def init_score(self, y_true, sample_weight=None):
        raise RuntimeError("no start")


class DerivativeWithoutTheMargin(AsymmetricLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None, **kwargs):
        other = AsymmetricLoss(self.gamma_positive, self.gamma_negative)
        return other.gradient_curvature(y_true, raw_prediction, sample_weight)


class OneClassIsAnother(SoftmaxFocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, hessian = super().gradient_hessian(y_true, raw_prediction, sample_weight)
        return gradient, hessian * [1.0, 1.0, 1.5]


BUGS = [
    (WrongSign(2.0), {GRADIENT, PULL}),
    (HessianOfAnotherGamma(2.0), {HESSIAN}),
    (NegativeHessian(2.0), {POSITIVE}),
    (LogOfZero(2.0), {FAR}),
    (Clipped(2.0), {CUT}),
    (WithoutWeights(2.0), {WEIGHTS}),
    (MeanWithoutWeights(2.0), {MEAN}),
    (NormalisedByTheBatch(2.0), {ALONE}),
    (WritesIntoItsInput(2.0), {ALONE}),
    (StartsAtThePrior(2.0), {START}),
    (StartsWithoutWeights(2.0), {START}),
    (SigmoidAsProbability(2.0), {POSTERIOR}),
    (Raises(2.0), {START}),
    (DerivativeWithoutTheMargin(1.0, 4.0, 0.2), {GRADIENT}),
    (OneClassIsAnother(3), {HESSIAN}),
]


@pytest.mark.parametrize(("loss", "bugs"), BUGS, ids=[type(loss).__name__ for loss, _ in BUGS])
def test_bug_is_found(loss, bugs):
    report = check_objective(loss)
    assert bugs <= {*report.failures}, str(report)
    assert not report.ok
    assert f"{len(report.failures)} wrong" in str(report)


@dataclass(frozen=True)
class Bounded:
    """A bounded loss by the smallest contract, right in every digit."""

    loss: Any

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return self.loss(y_true, raw_prediction, sample_weight)

    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return self.loss.gradient_curvature(y_true, raw_prediction, sample_weight)

    def init_score(self, y_true, sample_weight=None):
        return self.loss.init_score(y_true, sample_weight)


def test_bounded_loss_is_right():
    report = check_objective(Bounded(BrierLoss()))
    assert report.ok, str(report)


def test_report_reads_well():
    report = check_objective(NegativeHessian(2.0))
    (line,) = [line for line in str(report).splitlines() if POSITIVE in line]
    # the map of the signs, where positives are badly wrong and where negatives are
    assert line.startswith("  WRONG ")
    assert "y = 0, z from -8 to 8: +++++++" in line
    assert "y = 1, z from -8 to 8: -------" in line
    assert "no start" in str(check_objective(Raises(2.0)))
    assert "Probable cause: The gradient has the wrong sign" in str(check_objective(wrong_sign))


@pytest.mark.parametrize(
    ("objective", "kwargs", "message"),
    [
        ("focal", {}, "objective must be a loss, a function that returns gradient .* got str"),
        (FocalLoss, {}, "objective must be an instance, got the class FocalLoss"),
        (FocalLoss(), {"value": value}, "value must be None where the objective is a loss"),
    ],
)
def test_not_an_objective(objective, kwargs, message):
    with pytest.raises(TypeError, match=message):
        check_objective(objective, **kwargs)


def test_the_blogs_class_is_the_loss_it_says():
    # the oracle of the class above: its own call
    z = np.linspace(-5, 5, 11)
    assert_allclose(FocalOfTheBlogs(2.0)(np.ones(11), expit(z)), FocalLoss(2.0).loss(1, z))
