"""Calibration of the log-odds of a trained booster by FocalClassifier: a factor and a shift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from focalboost.boosters.port import Samples, Table
from focalboost.estimator.weights import of_positive
from focalboost.losses import Loss
from focalboost.losses._checks import check_real, in_range
from focalboost.losses._classes import of_scores
from focalboost.losses._types import Array, Foreign

# Below this logarithm a probability is 0 in double precision: the fit clips it here.
_SMALLEST_LOG = -700.0

# A larger shift turns a probability of 1/2 into 0 or 1 in double precision.
_LARGEST_SHIFT = 36.0

# Tolerance of the equations for the least log loss, relative to the shares of the classes.
_TOLERANCE = 1e-9


class _Method(NamedTuple):
    fits_factor: bool
    fits_shift: bool


_METHODS = {
    "balance": _Method(fits_factor=False, fits_shift=True),
    "temperature": _Method(fits_factor=True, fits_shift=False),
    "platt": _Method(fits_factor=True, fits_shift=True),
}


@dataclass(frozen=True)
class Calibration:
    """A factor on log-odds and a shift for each class, where the first shift is 0.

    The new probabilities are proportional to ``proba**factor * exp(shift)``. With two classes the
    new log-odds are ``factor * log_odds + shift[1]``.
    """

    factor: float
    shift: tuple[float, ...]

    def __call__(self, log_odds: Array) -> Array:
        """Return new log-odds of the same shape, (n,) or (n, K); the identity changes nothing."""
        if self.factor == 1 and not any(self.shift):
            return log_odds
        classes = of_scores(int(np.prod(log_odds.shape[1:])))
        largest = np.finfo(np.float64).max
        with np.errstate(over="ignore", under="ignore"):
            moved = classes.rescaled(log_odds, self.factor, np.array(self.shift))
            return np.clip(moved, -largest, largest)

    def shifted(self, shift: Array) -> Calibration:
        """Return the calibration followed by one more shift."""
        return Calibration(self.factor, tuple((np.array(self.shift) + shift).tolist()))


def check_calibration(calibration: Foreign, validation: Samples | None, labels: Array) -> None:
    """Raise a ValueError for an unknown calibration, or one without data to fit it on."""
    is_name = isinstance(calibration, str) and calibration in _METHODS
    if not (calibration is None or is_name):
        raise ValueError(
            f"calibration must be 'balance', 'temperature', 'platt' or None, got {calibration!r}."
        )
    if calibration not in ("temperature", "platt"):
        return
    if validation is None:
        raise ValueError(
            f"calibration must be 'balance' or None where X_val is not given, got {calibration!r}, "
            "which is fitted on validation data. Pass X_val and y_val to fit, or write "
            "calibration='balance'."
        )
    absent = np.setdiff1d(np.arange(len(labels)), validation.y)
    if calibration == "platt" and len(absent):
        raise ValueError(
            "y_val must hold every label of y where calibration is 'platt', got no sample of "
            f"{labels[absent[0]]}. Add some, or write calibration='balance'."
        )


def fit_calibration(
    calibration: str | None,
    loss: Loss,
    raw_prediction: Callable[[Table], Array],
    training: Samples,
    validation: Samples | None,
) -> Calibration:
    """Return the calibration with the least weighted log loss among those that the method allows.

    Where shifts are fitted, the gradient of log loss is 0 where the mean probabilities are the
    shares of the classes, so that "balance" is a special case. Where no finite calibration is the
    best, the identity is returned.
    """
    classes = loss.kernel.classes
    identity = Calibration(1.0, (0.0,) * classes.n_classes)
    samples = training if calibration == "balance" else validation
    if calibration is None or samples is None:
        return identity
    log_odds = loss.log_odds(np.asarray(raw_prediction(samples.X), dtype=np.float64))
    if not np.all(np.isfinite(log_odds)):
        return identity
    return _solve(_problem(classes.log_proba(log_odds), samples), _METHODS[calibration]) or identity


class _Problem(NamedTuple):
    """Log loss as a function of a factor and K - 1 shifts, which is convex.

    The log-probabilities are in units of their spread: then, at a factor near 1, few probabilities
    are so near to 0 or 1 that the log loss has no curvature.
    """

    log_proba: Array
    spread: float
    labels: Array
    weight: Array

    def scores(self, x: Array) -> Array:
        return np.asarray(x[0] * self.log_proba + np.append(0.0, x[1:]))

    def value(self, x: Array) -> float:
        losses = -np.sum(log_softmax(self.scores(x), axis=1) * self.labels, axis=1)
        return float(self.weight @ losses)

    def gradient(self, x: Array) -> Array:
        excess = softmax(self.scores(x), axis=1) - self.labels
        by_factor = self.weight @ np.sum(excess * self.log_proba, axis=1)
        return np.append(by_factor, (self.weight @ excess)[1:])

    def hessian(self, x: Array) -> Array:
        """Return the covariances under the probabilities."""
        p = softmax(self.scores(x), axis=1)
        centred = self.log_proba - np.sum(p * self.log_proba, axis=1, keepdims=True)
        by_factor = self.weight @ np.sum(p * centred**2, axis=1)
        by_both = (self.weight @ (p * centred))[1:]
        by_shift = (np.diag(self.weight @ p) - (p.T * self.weight) @ p)[1:, 1:]
        return np.block([[by_factor, by_both], [by_both[:, np.newaxis], by_shift]])


def _problem(log_proba: Array, samples: Samples) -> _Problem:
    labels = np.eye(log_proba.shape[1])[samples.y.astype(np.intp)]
    weight = np.ones(len(labels)) if samples.weight is None else in_range(samples.weight)
    weight = weight / np.sum(weight)
    log_proba = np.maximum(log_proba, _SMALLEST_LOG)
    centred = log_proba - np.mean(log_proba, axis=1, keepdims=True)
    # The spread is 0 where all probabilities are the same.
    spread = float(np.sqrt(weight @ np.mean(centred**2, axis=1))) or 1.0
    return _Problem(log_proba / spread, spread, labels, weight)


def _solve(problem: _Problem, method: _Method) -> Calibration | None:
    """Return the calibration with the least log loss, or None where no finite one has it."""
    n_shifts = problem.labels.shape[1] - 1
    is_free = np.array([method.fits_factor] + [method.fits_shift] * n_shifts)
    x = np.append(1.0 if method.fits_factor else problem.spread, np.zeros(n_shifts))

    def at(free: Array) -> Array:
        full = x.copy()
        full[is_free] = free
        return full

    found = minimize(
        lambda free: problem.value(at(free)),
        x[is_free],
        jac=lambda free: problem.gradient(at(free))[is_free],
        hess=lambda free: problem.hessian(at(free))[np.ix_(is_free, is_free)],
        method="trust-exact",
        options={"gtol": 1e-7},
    )
    x = _polished(problem, at(found.x), is_free)
    factor, shift = float(x[0] / problem.spread), x[1:]
    # Where every sample is on the right side, twice the factor and the shifts would be better
    # still.
    is_separated = np.all(softmax(problem.scores(x), axis=1)[problem.labels == 1] > 0.5)
    if (
        _imbalance(problem, x, is_free) > _TOLERANCE
        or np.max(np.abs(shift)) > _LARGEST_SHIFT * max(1.0, factor)
        or (method.fits_factor and (factor <= 0 or is_separated))
    ):
        return None
    return Calibration(factor, (0.0, *shift.tolist()))


def _polished(problem: _Problem, x: Array, is_free: Array) -> Array:
    """Return x after Newton steps on the gradient, to more digits than the log loss resolves."""
    left = _imbalance(problem, x, is_free)
    while left > 0:
        step = np.zeros_like(x)
        hessian = problem.hessian(x)[np.ix_(is_free, is_free)]
        step[is_free] = np.linalg.lstsq(hessian, problem.gradient(x)[is_free], rcond=None)[0]
        nearer = _imbalance(problem, x - step, is_free)
        if not nearer < left:
            break
        x, left = x - step, nearer
    return x


def _imbalance(problem: _Problem, x: Array, is_free: Array) -> float:
    """Return the largest slope; slopes of shifts are relative to the shares of the classes."""
    shares = problem.weight @ problem.labels
    # A class without samples has a slope, too, which is relative to 1.
    scale = np.append(1.0, np.where(shares > 0, shares, 1.0)[1:])
    return float(np.max(np.abs(problem.gradient(x) / scale)[is_free]))


def prior_shift(prior: Foreign, pos_label: Foreign, labels: Array, counts: Array) -> Array:
    """Return the shifts from the shares of the training samples to those of the population."""
    if prior is None:
        return np.zeros(len(labels))
    logs = np.log(_shares(prior, pos_label, labels)) - np.log(counts)
    return np.asarray(logs - logs[0])


def _shares(prior: Foreign, pos_label: Foreign, labels: Array) -> Array:
    """Return the share of each label in the population."""
    if not isinstance(prior, Mapping):
        share = of_positive("prior", prior, pos_label, labels, "a dict or None")
        return np.array([1.0 - share, share])
    if set(prior) != set(labels):
        raise ValueError(f"prior must have a share for each label, {[*labels]}, got {prior!r}.")
    shares = np.array(
        [
            check_real(f"prior[{label}]", prior[label], "in (0, 1)", lambda v: 0 < v < 1)
            for label in labels
        ]
    )
    if abs(np.sum(shares) - 1) > 1e-6:
        raise ValueError(
            f"prior must have shares that sum to 1, got {prior!r} of sum {np.sum(shares):.6g}. "
            "Divide the shares by their sum."
        )
    return shares
