"""Schedules of gamma by themselves; test_schedules.py has the trainings with them."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    ExponentialGamma,
    FocalLoss,
    FocalStarLoss,
    LinearGamma,
    PolyLoss,
    ScheduledLoss,
    SoftmaxFocalLoss,
)


def halves(i):
    return 4.0 / 2**i


@pytest.mark.parametrize(
    ("gamma", "values"),
    [
        (LinearGamma(5, 1, 5), [5.0, 4.0, 3.0, 2.0, 1.0, 1.0]),
        (LinearGamma(2, 0, 1), [2.0, 0.0, 0.0]),
        (LinearGamma(1, 3, 3), [1.0, 2.0, 3.0, 3.0]),
        (ExponentialGamma(8, 1, 4), [8.0, 4.0, 2.0, 1.0, 1.0]),
        (ExponentialGamma(1, 9, 3), [1.0, 3.0, 9.0, 9.0]),
        (halves, [4.0, 2.0, 1.0]),
    ],
)
@pytest.mark.parametrize(
    "loss",
    [
        FocalLoss(alpha=0.25),
        SoftmaxFocalLoss(3, alpha=(1.0, 0.5, 2.0)),
        CalibratedFocalLoss(alpha=0.25),
        PolyLoss(2.0),
    ],
)
def test_loss_of_each_round(gamma, values, loss):
    schedule = ScheduledLoss(loss, gamma)
    for i, value in enumerate(values):
        of_round = schedule.at(i)
        # powers of a half and of a third
        assert_allclose(of_round.gamma, value, rtol=1e-15)
        assert of_round.alpha == loss.alpha
        assert type(of_round) is type(loss)
    for other in (pickle.loads(pickle.dumps(schedule)), copy.deepcopy(schedule)):
        assert other == schedule
        assert hash(other) == hash(schedule)
    # the loss that it was made of has no part in it but its other parameters
    assert schedule.at(np.int64(0)) == schedule.at(0)
    assert schedule.at(0) is not schedule.loss


def test_schedules_are_values():
    assert LinearGamma(5, 1, 5) == LinearGamma(5.0, 1.0, 5) != LinearGamma(5, 1, 6)
    assert LinearGamma(2, 2, 5) != ExponentialGamma(2, 2, 5)
    assert eval(repr(LinearGamma(5, 1, 5))) == LinearGamma(5, 1, 5)
    assert eval(repr(ExponentialGamma(5, 1, 5))) == ExponentialGamma(5, 1, 5)
    assert ScheduledLoss(FocalLoss(), halves) != ScheduledLoss(FocalLoss(alpha=0.5), halves)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LinearGamma(-1, 1, 5), ValueError, "start must be >= 0, got -1"),
        (lambda: LinearGamma(1, np.inf, 5), ValueError, "stop must be a finite number"),
        (lambda: LinearGamma("1", 1, 5), TypeError, "start must be a real number >= 0, got '1'"),
        (lambda: ExponentialGamma(1, 0, 5), ValueError, "stop must be > 0, got 0"),
        (lambda: LinearGamma(1, 1, 0), ValueError, "n_rounds must be a whole number >= 1, got 0"),
        (lambda: LinearGamma(1, 1, 2.5), ValueError, "n_rounds must be a whole number .* got 2"),
        (lambda: ExponentialGamma(1, 1, True), ValueError, "n_rounds must be a whole number >= 1"),
        (lambda: ScheduledLoss(FocalLoss(), 2.0), TypeError, "gamma must be a function of the ro"),
        (lambda: ScheduledLoss(AsymmetricLoss(), halves), TypeError, "a loss with one gamma, got"),
        (lambda: ScheduledLoss(BrierLoss(), halves), TypeError, "a loss with one gamma, got Brier"),
        (
            lambda: ScheduledLoss(SoftmaxFocalLoss(2, (1.0, 2.0)), halves),
            TypeError,
            "a loss with one gamma, got SoftmaxFocalLoss",
        ),
        (lambda: ScheduledLoss(FocalLoss, halves), TypeError, "a loss with one gamma, got <class"),
        (
            lambda: ScheduledLoss(ScheduledLoss(FocalLoss(), halves), halves),
            TypeError,
            "a loss with one gamma, got ScheduledLoss",
        ),
        (lambda: ScheduledLoss(FocalLoss(), lambda i: -i).at(1), ValueError, "gamma must be >= 0"),
        (
            lambda: ScheduledLoss(FocalStarLoss(), LinearGamma(1, 0, 2)).at(1),
            ValueError,
            r"gamma must be > 0, got 0\.0",
        ),
        (
            lambda: ScheduledLoss(FocalLoss(), lambda i: None).at(0),
            TypeError,
            "gamma must be a real number >= 0, got None",
        ),
    ],
)  # fmt: skip
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
