"""Losses that were not written for this package, against ours and against the oracle."""

import pickle
from dataclasses import replace

import broken
import numpy as np
import properties as of
import pytest
import reference
import zoo
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit
from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss

from focalboost import BrierLoss, FocalLoss, LinearGamma, ScheduledLoss, SoftmaxFocalLoss
from focalboost.losses.foreign import as_loss, as_metric, as_schedule


def squared_error(y, z):
    return (y - expit(z)) ** 2


def derivatives_of_squared_error(y, z):
    p = expit(z)
    rise = p * (1 - p)
    return 2 * (p - y) * rise, 2 * rise**2 + 2 * (p - y) * rise * (1 - 2 * p)


class SquaredErrorLoss:
    """A loss as somebody writes it who has seen scikit-learn's."""

    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return np.average(squared_error(y_true, raw_prediction), weights=sample_weight)

    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        gradient, hessian = derivatives_of_squared_error(y_true, raw_prediction)
        return (gradient, hessian) if sample_weight is None else (
            gradient * sample_weight, hessian * sample_weight
        )  # fmt: skip

    def init_score(self, y_true, sample_weight=None):
        return logit(np.average(y_true, weights=sample_weight))


class Through:
    """An object that has some methods of another loss, and nothing else of it."""

    def __init__(self, loss, *methods):
        self.loss_ = loss
        self.is_multiclass = loss.is_multiclass
        if loss.is_multiclass:
            self.n_classes = loss.n_classes
        for name in methods:
            setattr(self, name, getattr(loss, name))

    def __call__(self, *args):
        return self.loss_(*args)


PAIR = (squared_error, derivatives_of_squared_error)
SMALLEST = ("gradient_hessian", "init_score")
FOREIGN = {
    "binomial": HalfBinomialLoss(),
    "multinomial": HalfMultinomialLoss(n_classes=3),
    "pair": PAIR,
    "object": SquaredErrorLoss(),
}
PROPERTIES = [
    of.derivatives_are_derivatives,
    of.methods_agree,
    of.probabilities_agree,
    of.weights_multiply,
    of.integer_weights_are_repeated_samples,
    of.probability_minimises_the_expected_loss,
    of.takes_any_layout,
    of.samples_are_independent,
]
# What needs a link, which scikit-learn's loss of several classes has not in our sense.
WITH_A_LINK = [
    of.init_score_is_the_best_constant,
    of.keeps_dtype,
    of.takes_one_number,
    of.leaves_its_arguments_alone,
]


CASES = [
    *((name, holds) for name in FOREIGN for holds in PROPERTIES),
    *((name, holds) for name in FOREIGN if name != "multinomial" for holds in WITH_A_LINK),
]


@pytest.mark.parametrize(("name", "holds"), CASES)
def test_property(name, holds):
    holds(as_loss(FOREIGN[name]))


class IgnoresWeights(SquaredErrorLoss):
    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        return super().gradient_hessian(y_true, raw_prediction)


class StartsAt0(SquaredErrorLoss):
    def init_score(self, y_true, sample_weight=None):
        return 0.0


class WithAnotherProbability(SquaredErrorLoss):
    def inverse_link(self, raw_prediction):
        return expit(np.asarray(raw_prediction) / 2)


@pytest.mark.parametrize(
    ("holds", "loss"),
    [
        (of.weights_multiply, IgnoresWeights()),
        (of.integer_weights_are_repeated_samples, IgnoresWeights()),
        (of.init_score_is_the_best_constant, StartsAt0()),
        (of.probability_minimises_the_expected_loss, WithAnotherProbability()),
    ],
)
def test_broken_loss_fails(holds, loss):
    # The wrapper takes the object at its word.
    with pytest.raises(AssertionError):
        holds(as_loss(loss))


@pytest.mark.parametrize(
    ("foreign", "own"),
    [
        (HalfBinomialLoss(), FocalLoss(0.0)),
        (PAIR, BrierLoss()),
        (SquaredErrorLoss(), BrierLoss()),
        (HalfMultinomialLoss(n_classes=3), SoftmaxFocalLoss(3, 0.0)),
    ],
)
def test_foreign_loss_is_ours(foreign, own):
    loss = as_loss(foreign)
    y, z, w = zoo.mild(own)
    # p - y loses exp(10) ulps of its size where the sample is nearly right
    tolerance = {"rtol": 1e-10, "atol": 1e-14}
    for name in ("loss", "gradient", "hessian"):
        assert_allclose(getattr(loss, name)(y, z, w), getattr(own, name)(y, z, w), **tolerance)
    assert_allclose(loss(y, z, w), own(y, z, w), rtol=1e-12)
    assert_allclose(loss.log_odds(z), own.log_odds(z), rtol=1e-10, atol=1e-13)
    assert_allclose(loss.predict_proba(z), own.predict_proba(z), rtol=1e-10)
    assert_allclose(loss.init_score(y, w), own.init_score(y, w), rtol=1e-12, atol=1e-14)
    if not own.is_multiclass:
        proba = [0.01, 0.3, 0.9]
        assert_allclose(loss.link(proba), own.link(proba), rtol=1e-10)
        assert_allclose(
            loss.init_score_from_sums(3, 10), own.init_score_from_sums(3, 10), rtol=1e-10
        )


@pytest.mark.parametrize("loss", zoo.LOSSES, ids=zoo.loss_id)
def test_own_loss_is_taken_as_it_is(loss):
    assert as_loss(loss) is as_metric(loss) is as_schedule(loss) is loss
    assert as_loss(as_loss(HalfBinomialLoss())).name == "half_binomial_loss"


@pytest.mark.parametrize("method", [None, "log_odds", "inverse_link", "predict_proba"])
@pytest.mark.parametrize(
    "loss", [FocalLoss(2.0, 0.25), SoftmaxFocalLoss(3, 2.0, (0.5, 1.0, 0.25))], ids=zoo.loss_id
)
def test_probabilities_follow_from_what_a_loss_has(loss, method):
    # The gradients are within 1e-11, and an equation in them, or a logit, loses a few digits.
    z = zoo.mild(loss, 20)[1]
    foreign = as_loss(Through(loss, *SMALLEST, *([method] if method else [])))
    assert_allclose(foreign.predict_proba(z), reference.proba(loss, z), rtol=1e-7, atol=1e-12)
    assert foreign.is_multiclass == loss.is_multiclass


def test_probability_where_the_gradients_underflow():
    loss = as_loss(PAIR)
    far = np.array([37.0, 50.0, 800.0, 1e300])
    # 1 - p is 0 from 37 on, and with it the gradients of both labels
    assert_array_equal(loss.inverse_link(far), 1)
    assert_array_equal(loss.inverse_link(-far[2:]), 0)


def test_loss_of_each_sample_from_the_call_alone():
    y, z, w = zoo.mild(FocalLoss(), 10)
    loss = as_loss(Through(FocalLoss(), *SMALLEST))
    # the call may be compiled
    assert_allclose(loss.loss(y, z, w), FocalLoss().loss(y, z, w), rtol=1e-15)
    several = SoftmaxFocalLoss(3)
    y, z, w = zoo.mild(several, 10)
    of_each = as_loss(Through(several, *SMALLEST)).loss(y, z)
    assert_allclose(of_each, several.loss(y, z), rtol=1e-15)


@pytest.mark.parametrize("name", FOREIGN)
def test_max_step_bounds_any_curvature(name):
    loss = as_loss(FOREIGN[name])
    y, z, w = zoo.mild(loss)
    gradient, free = loss.gradient_curvature(y, z, w)
    bounded = loss.curvature(y, z, w, max_step=0.25)
    assert_array_equal(bounded, np.maximum(free, 4 * np.abs(gradient)))
    assert np.any(bounded > free)


def test_a_subclass_is_foreign_where_it_changes_a_public_method():
    class HalfTheGradient(FocalLoss):
        def gradient_curvature(self, *args, **kwargs):
            gradient, curvature = super().gradient_curvature(*args, **kwargs)
            return gradient / 2, curvature

    class StartsAt1(FocalLoss):
        def init_score(self, y_true, sample_weight=None):
            return 1.0

    y, z, w = zoo.mild(FocalLoss())
    half = as_loss(HalfTheGradient())
    assert half.name == "half_the_gradient"
    gradient, curvature = FocalLoss().gradient_curvature(y, z, w)
    ours = half.kernel.weighted_derivatives(y, z, w, None, 1)
    assert_array_equal(ours[0], gradient / 2)
    assert_array_equal(ours[1], curvature)
    assert as_loss(StartsAt1()).init_score([0, 0, 1]) == 1.0
    # What it did not change stays.
    assert half.init_score(y, w) == FocalLoss().init_score(y, w)
    assert_array_equal(half.log_odds(z), FocalLoss().log_odds(z))
    # With a kernel of its own, from which all methods follow, it is a loss like ours.
    own = broken.WRONG_SIGN[0]
    assert as_loss(own) is own


def test_matrix_of_a_foreign_loss_is_its_diagonal():
    loss, own = as_loss(HalfMultinomialLoss(n_classes=3)), SoftmaxFocalLoss(3, 0.0)
    y, z, _ = zoo.mild(own, 5)
    derivatives = loss.kernel.gradient_matrix(None)
    for label, scores in zip(y, z, strict=True):
        gradient, matrix = derivatives(label, scores)
        # p - y cancels
        assert_allclose(gradient, own.gradient([label], [scores])[0], rtol=1e-10, atol=1e-14)
        # K / (K - 1), as LightGBM has it for its own loss
        expected = np.diag(own.curvature([label], [scores])[0] * 3 / 2)
        assert_allclose(matrix, expected, rtol=1e-10, atol=1e-14)


def test_metric_needs_a_call_alone():
    y, z, w = zoo.mild(FocalLoss())
    assert as_metric(Through(FocalLoss()))(y, z, w) == FocalLoss()(y, z, w)
    with pytest.raises(TypeError, match="loss must have a method gradient_curvature or gradient_h"):
        as_metric(Through(FocalLoss())).gradient_curvature(y, z)


def test_schedule_is_a_loss_of_each_round():
    schedule = ScheduledLoss(FocalLoss(), LinearGamma(2.0, 1.0, 2))
    assert as_schedule(schedule) is schedule
    own = as_schedule(HalfBinomialLoss())
    assert own.at(0) is own.at(7) is own


def test_a_foreign_loss_is_a_value():
    loss = as_loss(PAIR)
    assert loss == as_loss(PAIR)
    assert hash(loss) == hash(as_loss(PAIR))
    assert loss != as_loss((squared_error, squared_error))
    y, z, _ = zoo.mild(FocalLoss())
    assert_array_equal(pickle.loads(pickle.dumps(loss)).gradient(y, z), loss.gradient(y, z))
    source = SquaredErrorLoss()
    assert repr(as_loss(source)) == repr(source)
    assert as_loss(source).name == "squared_error_loss"


class NoInitScore:
    def __call__(self, y_true, raw_prediction, sample_weight=None):
        return 0.0

    def gradient_hessian(self, y_true, raw_prediction, sample_weight=None):
        return 0.0, 0.0


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (FocalLoss, "loss must be an instance, got the class FocalLoss"),
        (None, r"loss must have a method __call__, got None"),
        ("focal", r"loss must have a method __call__, got 'focal'"),
        (squared_error, "loss must have a method gradient_curvature or gradient_hessian, got"),
        (NoInitScore(), "loss must have a method init_score or fit_intercept_only, got <"),
        ((squared_error, None), r"loss must have a method __call__, got \(<function"),
        ((squared_error,), r"loss must have a method __call__, got \(<function"),
        (
            ScheduledLoss(FocalLoss(), LinearGamma(2.0, 1.0, 2)),
            r"A ScheduledLoss can only be used with train and cv of focalboost\.lightgbm and foc",
        ),
    ],
)  # fmt: skip
def test_what_is_no_loss_is_refused(loss, message):
    with pytest.raises(TypeError, match=message):
        as_loss(loss)


@pytest.mark.parametrize("name", ["binomial", "pair", "object"])
def test_labels_of_a_foreign_loss_are_checked(name):
    loss = as_loss(FOREIGN[name])
    z = np.zeros(2)
    for method in (loss, loss.loss, loss.gradient_curvature):
        with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2"):
            method([0, 2], z)
    with pytest.raises(ValueError, match=r"y_true must lie in \[0, 1\], got 2"):
        loss.init_score([0, 2])
    with pytest.raises(ValueError, match="y_true must be numeric"):
        loss.init_score(["0", "1"])
    with pytest.raises(ValueError, match="sample_weight must have the shape of y_true"):
        loss.init_score([0, 1], [1.0])
    assert replace(loss) == loss


@pytest.mark.parametrize("source", [HalfBinomialLoss(), HalfMultinomialLoss(n_classes=3)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_weights_of_an_init_score_are_checked(source, bad):
    with pytest.raises(ValueError, match=f"sample_weight must be finite and >= 0, got {bad}"):
        as_loss(source).init_score([0, 1], [1.0, bad])


def test_init_score_of_somebody_else_must_be_finite():
    class Endless(HalfBinomialLoss):
        def fit_intercept_only(self, y_true, sample_weight=None):
            return -np.inf

    with pytest.raises(ValueError, match="loss must have a finite init score, got -inf"):
        as_loss(Endless()).init_score([0, 1])
