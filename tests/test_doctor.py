"""The doctor finds what is wrong with a loss, and nothing wrong with those that are right."""

import numpy as np
import pytest
from registry import ADAPTER_LOSSES, SOFTMAX_LOSSES, loss_id
from scipy.special import expit
from sklearn._loss import HalfMultinomialLoss

from focalboost import AsymmetricLoss, FocalLoss, SoftmaxFocalLoss, check_objective

MEAN = "the call is the weighted mean of the rows' losses"
GRADIENT = "the gradient is the derivative of the loss"
HESSIAN = "the Hessian is the derivative of the gradient"
PULL = "the gradient pulls a row toward its label"
POSITIVE = "what boosters get for a Hessian is positive"
FAR = "numbers are finite at scores of up to 800"
SINGLE = "single precision scores, as XGBoost's, give the same numbers"
WEIGHTS = "weights multiply gradient and curvature"
ALONE = "rows do not depend on each other, and inputs stay as they are"
START = "the start score is the best constant"
POSTERIOR = "probabilities rise with the raw score, and the expected gradient is 0 at them"


@pytest.mark.parametrize(
    "loss", [*ADAPTER_LOSSES, *SOFTMAX_LOSSES, HalfMultinomialLoss(n_classes=4)], ids=loss_id
)
def test_right(loss):
    report = check_objective(loss)
    assert report.ok, str(report)
    assert len(report.findings) >= 10


# Ten bugs that published objectives have had, and more.


class WrongSign(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return -gradient, curvature


class ForgetsTheDerivativeOfTheFactor(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        z, y = np.asarray(raw_prediction, dtype=float), np.asarray(y_true)
        wrong = np.where(y == 1, expit(-z), expit(z))
        gradient = wrong**self.gamma * (expit(z) - y)
        curvature = super().curvature(y_true, raw_prediction, sample_weight)
        return gradient if sample_weight is None else gradient * sample_weight, curvature


class HessianOfAnotherGamma(FocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, _ = super().gradient_hessian(y_true, raw_prediction, sample_weight)
        return gradient, FocalLoss(2.1).hessian(y_true, raw_prediction, sample_weight)


class NegativeHessian(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)


class LogOfZero(FocalLoss):
    def loss(self, y_true, raw_prediction, sample_weight=None):
        p = expit(np.where(np.asarray(y_true) == 1, raw_prediction, -np.asarray(raw_prediction)))
        values = -((1 - p) ** self.gamma) * np.log(p)
        return values if sample_weight is None else values * sample_weight


class Clipped(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return super().__call__(y_true, np.clip(raw_prediction, -34.5, 34.5), sample_weight)


class ClipForDoublePrecision(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        gradient, curvature = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        p = np.clip(expit(np.asarray(raw_prediction)), 1e-15, 1 - 1e-15)
        textbook = p**self.gamma * (p - self.gamma * (1 - p) * np.log(1 - p))
        textbook = textbook if sample_weight is None else textbook * sample_weight
        return np.where(np.asarray(y_true) == 0, textbook, gradient), curvature


class WithoutWeights(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        return super().gradient_curvature(y_true, raw_prediction)


class MeanWithoutWeights(FocalLoss):
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return super().__call__(y_true, raw_prediction)


class NormalisedByTheBatch(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        n = max(float(np.sum(y_true)), 1.0)
        parts = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        return tuple(part / n for part in parts)


class WritesIntoItsInput(FocalLoss):
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        parts = super().gradient_curvature(y_true, raw_prediction, sample_weight)
        raw_prediction *= 0.5
        return parts


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
    def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
        other = AsymmetricLoss(self.gamma_positive, self.gamma_negative)
        return other.gradient_curvature(y_true, raw_prediction, sample_weight)


class OneClassIsAnother(SoftmaxFocalLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, hessian = super().gradient_hessian(y_true, raw_prediction, sample_weight)
        return gradient, hessian * [1.0, 1.0, 1.5]


BUGS = [
    (WrongSign(2.0), {GRADIENT, PULL}),
    (ForgetsTheDerivativeOfTheFactor(2.0), {GRADIENT}),
    (HessianOfAnotherGamma(2.0), {HESSIAN}),
    (NegativeHessian(2.0), {POSITIVE}),
    (LogOfZero(2.0), {FAR}),
    (Clipped(2.0), {FAR}),
    (ClipForDoublePrecision(2.0), {SINGLE}),
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


def test_report_reads_well():
    report = check_objective(NegativeHessian(2.0))
    (line,) = [line for line in str(report).splitlines() if POSITIVE in line]
    # the map of the signs, where positives are badly wrong and where negatives are
    assert line.startswith("  WRONG ")
    assert "y = 0, z from -8 to 8: +++++++" in line
    assert "y = 1, z from -8 to 8: -------" in line
    assert "no start" in str(check_objective(Raises(2.0)))


def test_not_a_loss():
    with pytest.raises(TypeError, match="loss must have a method"):
        check_objective(np.sin)
