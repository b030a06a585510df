"""What is probably wrong with an objective, told by the mistake that reproduces its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

from focalboost.inspection.subjects import Subject
from focalboost.losses import FocalLoss
from focalboost.losses._types import Array

# A mistake explains a gradient if it leaves less than this share of the gradient's size.
_EXPLAINED = 1e-4
# Tolerance between class weights, or gammas, that are the same.
_SAME = 1e-3

Family = Callable[[float, Array, Array], Array]


@dataclass(frozen=True)
class Fit:
    """The member of a family of gradients that is nearest to a gradient."""

    gamma: float
    # of a positive and of a negative sample
    weights: tuple[float, float]
    # root of the mean squared difference, as a share of the gradient's
    error: float

    @property
    def alpha(self) -> float:
        """The weight of the positive class, as a share of both weights."""
        positive, negative = self.weights
        return positive / (positive + negative)

    def __str__(self) -> str:
        name = "log loss" if self.gamma < _SAME else f"focal loss with gamma = {self.gamma:.4g}"
        if abs(self.alpha - 0.5) < _SAME:
            return name
        return f"{name} and alpha = {self.alpha:.4g}"


def _focal(gamma: float, y: Array, z: Array) -> Array:
    return np.asarray(FocalLoss(gamma).gradient(y, z))


def _factor_held_constant(gamma: float, y: Array, z: Array) -> Array:
    p = expit(z)
    return np.asarray(np.where(y == 1, 1 - p, p) ** gamma * (p - y))


def _in_the_probability(gamma: float, y: Array, z: Array) -> Array:
    p = expit(z)
    return np.asarray(_focal(gamma, y, z) / (p * (1 - p)))


def _of_scores_as_probabilities(gamma: float, y: Array, z: Array) -> Array:
    """Return the derivative in p, where the raw score is taken for p."""
    return _in_the_probability(gamma, y, np.log(z) - np.log1p(-z))


def nearest_focal_loss(subject: Subject) -> Fit:
    """Return the focal loss whose gradient is nearest to that of a subject."""
    return _fit(_focal, subject.derivatives(subject.y, subject.z)[0], subject.y, subject.z)


def _fit(family: Family, gradient: Array, y: Array, z: Array) -> Fit:
    """Fit gamma, and by least squares a weight for each class."""
    size = float(np.sqrt(np.mean(gradient**2)))

    def at(gamma: float) -> Fit:
        shape = family(gamma, y, z)
        weights, rest = [], gradient.copy()
        for label in (1, 0):
            of_label = y == label
            one = shape[of_label]
            weight = float(one @ gradient[of_label] / (one @ one))
            rest[of_label] -= weight * one
            weights.append(weight)
        error = float(np.sqrt(np.mean(rest**2))) / size
        return Fit(gamma, (weights[0], weights[1]), error if np.isfinite(error) else np.inf)

    if not (np.all(np.isfinite(gradient)) and size > 0):
        return Fit(0.0, (1.0, 1.0), np.inf)
    best = min((at(gamma) for gamma in np.linspace(0.0, 10.0, 41)), key=lambda fit: fit.error)
    near = minimize_scalar(
        lambda gamma: at(gamma).error,
        bounds=(max(best.gamma - 0.25, 0.0), best.gamma + 0.25),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return min(best, at(float(near.x)), key=lambda fit: fit.error)


def causes_of(subject: Subject, findings: tuple[tuple[str, bool, str], ...]) -> Iterator[str]:
    """Yield what is probably wrong with a subject of two classes."""
    if subject.classes.n_scores > 1:
        return
    failed = {what for what, holds, _ in findings if not holds}
    gradient, hessian = subject.derivatives(subject.y, subject.z)
    if gradient.shape != subject.z.shape or hessian.shape != subject.z.shape:
        return
    yield from _of_gradient(subject, gradient, failed)
    yield from _of_hessian(subject, gradient, hessian)
    if any("cut off" in what for what in failed):
        yield (
            "A clip of the probabilities or scores. Compute log(p) by -np.logaddexp(0, -z), which "
            "needs no clip."
        )


def _of_gradient(subject: Subject, gradient: Array, failed: set[str]) -> Iterator[str]:
    is_wrong = any(what.startswith("the gradient is") for what in failed)
    own = _fit(_focal, gradient, subject.y, subject.z)
    if own.error < _EXPLAINED and max(own.weights) < 0:
        yield f"The gradient has the wrong sign: it is minus that of {own}."
        return
    if not is_wrong:
        return
    if any("depend on each other" in what for what in failed):
        yield (
            "The derivative is taken along the samples, not in the raw score of each: "
            "np.gradient and differences of neighbours do that."
        )
        return
    if own.error < _EXPLAINED:
        yield from _another_focal_loss(subject, own)
        return
    constant = _fit(_factor_held_constant, gradient, subject.y, subject.z)
    if constant.error < _EXPLAINED:
        yield (
            f"The factor (1 - p_t)**gamma, with gamma = {constant.gamma:.4g}, was held constant "
            "when the loss was differentiated."
        )
        return
    in_p = _fit(_in_the_probability, gradient, subject.y, subject.z)
    if in_p.error < _EXPLAINED:
        yield (
            "The derivative is taken in the probability and not in the raw score: multiply the "
            "gradient by p * (1 - p)."
        )
        return
    z = np.tile(np.linspace(0.05, 0.95, 19), 2)
    y = np.repeat([0.0, 1.0], 19)
    for family in (_of_scores_as_probabilities, _scores_with_chain_rule):
        if _fit(family, subject.derivatives(y, z)[0], y, z).error < _EXPLAINED:
            yield ("Raw scores are taken as probabilities: use p = expit(raw_prediction) first.")
            return


def _scores_with_chain_rule(gamma: float, y: Array, z: Array) -> Array:
    """Return the gradient in the raw score, where the raw score is taken for p."""
    return _focal(gamma, y, np.log(z) - np.log1p(-z))


def _another_focal_loss(subject: Subject, own: Fit) -> Iterator[str]:
    """Compare the focal loss that the gradient is of with the one that the loss is."""
    if subject.values is None:
        return
    slopes, _ = subject.slopes(subject.values, 0)
    truth = _fit(_focal, slopes, subject.y, subject.z)
    if truth.error > _EXPLAINED:
        return
    if abs(own.gamma - truth.gamma) > _SAME:
        yield (
            f"The gradient is that of another gamma, {own.gamma:.4g}; the loss has "
            f"{truth.gamma:.4g}."
        )
    elif abs(own.alpha - (1 - truth.alpha)) < _SAME:
        yield (
            f"alpha is on the wrong class: the gradient weights positives by {own.alpha:.4g}, the "
            f"loss by {truth.alpha:.4g}."
        )
    else:
        yield (
            f"The gradient weights the classes differently: positives by {own.weights[0]:.4g} and "
            f"negatives by {own.weights[1]:.4g}, the loss by {truth.weights[0]:.4g} and "
            f"{truth.weights[1]:.4g}."
        )


def _of_hessian(subject: Subject, gradient: Array, hessian: Array) -> Iterator[str]:
    if not np.any(hessian):
        yield "The Hessian is 0 everywhere: the booster divides by it."
        return
    nearby = subject.derivatives(subject.y, subject.z + 1e-9)[1]
    if np.median(np.abs(nearby - hessian)) > 1e-3 * np.median(np.abs(hessian)):
        yield (
            "The Hessian is the rounding noise of a numerical second derivative: it needs a "
            "step of at least about 1e-4, and the formula is better."
        )
        return
    slopes, _ = subject.slopes(lambda y, z: subject.derivatives(y, z)[0], 0)
    share = float(hessian @ slopes / (slopes @ slopes))
    rest = np.linalg.norm(hessian - share * slopes) / np.linalg.norm(hessian)
    if rest < 1e-3 and abs(share - 1) > 1e-2:
        yield f"The Hessian is {share:.4g} times the derivative of the gradient."
    elif np.any((hessian <= 0) & (gradient != 0)) and rest < 1e-3:
        yield (
            "The exact Hessian of focal loss is negative for badly wrong samples. Give boosters "
            "a positive one, such as gradient_curvature of FocalLoss."
        )
    moves = (gradient != 0) & (hessian > 0)
    steps = np.abs(gradient[moves] / hessian[moves])
    p_true = expit(np.where(subject.y == 1, subject.z, -subject.z))[moves]
    if steps.size and subject.loss is None and np.max(steps * p_true) > 20:
        yield (
            f"Steps have no bound: the step of a single sample is up to {np.max(steps):.3g}. A "
            "small constant as the least Hessian causes this; use "
            "np.maximum(hessian, abs(gradient) / 4)."
        )
