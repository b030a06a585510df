"""Kernels: the mathematics of a loss on checked arrays in double precision, and nothing else.

Each loss has a kernel, from which all its methods follow, including the compiled loops.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from scipy.optimize import brentq, elementwise
from scipy.special import logit

from focalboost.losses import _compiled, _formulas, _softmax
from focalboost.losses._blocks import by_blocks, is_finite, result_dtype, weighted_mean
from focalboost.losses._classes import TWO_CLASSES, Classes, SeveralClasses
from focalboost.losses._types import Array, Function, Pair, Pairs, Rows, Values

# The largest step whose inverse is still a normal number in single precision, in which LightGBM and
# XGBoost keep the curvature. It is the bound where max_step is None.
_LARGEST_STEP = 1.0 / float(np.finfo(np.float32).tiny)

# The import of numba pays off within a training from the first number of samples on. Within a
# search or a long training it pays off after the second number in all, for which numpy takes a
# fraction of a second.
_COMPILED_FROM = 200_000
_COMPILED_AFTER = 2_000_000

# A bound on the Newton steps of the link of several classes. It takes 5 to 15, and up to 190 where
# probabilities are near 1e-300.
_LINK_STEPS = 400

Formulas = Callable[[Array, Array], tuple[Array, Array]]


class Derivatives(NamedTuple):
    """Gradient and curvature, and whether they and the raw scores are finite."""

    gradient: Array
    curvature: Array
    are_finite: bool

    def check_shape(self, z: Array) -> None:
        """Raise a ValueError where a foreign loss does not give one number for each raw score."""
        for name, values in (("gradient", self.gradient), ("curvature", self.curvature)):
            if values.shape != z.shape:
                raise ValueError(
                    f"loss must give a {name} of shape {z.shape}, got {np.shape(values)}."
                )


class _Seen:
    """The number of samples whose derivatives numpy has computed in this process."""

    n_samples = 0


def use_compiled(n_samples: int) -> bool:
    """Return whether to use the loop of numba, which takes a while to import."""
    if "numba" in sys.modules or n_samples >= _COMPILED_FROM:
        return True
    return _Seen.n_samples >= _COMPILED_AFTER


def largest_step(max_step: float | None) -> float:
    return _LARGEST_STEP if max_step is None else min(max_step, _LARGEST_STEP)


class Kernel(ABC):
    """The mathematics of a loss."""

    classes: Classes

    @abstractmethod
    def loss(self, y: Array, z: Array) -> Array:
        """Return the loss of each sample."""

    @abstractmethod
    def gradient_hessian(self, y: Array, z: Array) -> tuple[Array, Array]:
        """Return the first and second derivatives in each raw score."""

    @abstractmethod
    def gradient_curvature(self, y: Array, z: Array, max_step: float | None) -> tuple[Array, Array]:
        """Return the gradient and the expected Hessian, bounded."""

    @abstractmethod
    def log_odds(self, z: Array) -> Array:
        """Return the log-odds of the probabilities at which the raw scores are optimal."""

    @abstractmethod
    def link(self, proba: Array) -> Array:
        """Return the raw scores that stand for these probabilities."""

    def gradient_matrix(self, max_step: float | None) -> Callable[[int, Array], Values]:
        """Return a function of one sample's label and scores, for several classes."""
        raise NotImplementedError

    def negative_rows(self, max_step: float | None) -> Rows:
        """Return a function of one sample's label, scores and weight, for several classes.

        The function returns minus `gradient_matrix`, the gradient above the matrix, times the
        weight, and whether all scores are finite.
        """
        of_sample = self.gradient_matrix(max_step)

        def rows(y: float, z: Array, w: float) -> tuple[Array, bool]:
            return -w * np.vstack(of_sample(int(y), z)[:2]), is_finite(z)

        return rows

    def fill(
        self,
        y: Array,
        z: Array,
        w: Array | None,
        max_step: float | None,
        out: Sequence[Array],
        n_threads: int,
    ) -> bool | None:
        """Write `gradient_curvature`, times the weights, by one compiled loop over all samples.

        Return whether all scores and results are finite, or None where there is no such loop.
        """
        return None

    def sum_of_losses(
        self, y: Array, z: Array, w: Array | None, is_log_loss: bool, n_threads: int
    ) -> float | None:
        """Return the weighted sum of `loss`, or of log loss, by a compiled loop, or None."""
        return None

    def compiled_formula(self, max_step: float | None) -> Formulas | None:
        """Return `gradient_curvature` as a compiled function of a block of samples, or None."""
        return None

    def compiled_loss(self, is_log_loss: bool = False) -> Function | None:
        """Return `loss`, or log loss, as a compiled function of a block of samples, or None."""
        return None

    def has_compiled(self) -> bool:
        """Return whether numba makes this loss faster."""
        return False

    def init_score_from_sums(self, label_sum: Values, weight_sum: float) -> Values:
        score = self.link(self.classes.shares(label_sum, weight_sum))
        return float(score) if score.ndim == 0 else score[0]

    def mean(self, y: Array, z: Array, w: Array | None, n_threads: int = 1) -> float:
        """Return the weighted mean of `loss`."""
        found = self.compiled_mean(y, z, w, n_threads=n_threads)
        return _mean_by_blocks(self.loss, y, z, w, n_threads) if found is None else found

    def compiled_mean(
        self,
        y: Array,
        z: Array,
        w: Array | None,
        is_log_loss: bool = False,
        n_threads: int = 1,
    ) -> float | None:
        """Return the weighted mean of `loss`, or of the log loss of the probabilities.

        Return None where there is no compiled loop, or where a loop over all samples gives no
        finite mean.
        """
        if not use_compiled(len(z)):
            return None
        of_block = self.compiled_loss(is_log_loss)
        if of_block:
            return _mean_by_blocks(of_block, y, z, w, n_threads)
        total = self.sum_of_losses(y, z, w, is_log_loss, n_threads)
        if total is None:
            return None
        weights = float(len(z)) if w is None else float(np.sum(w, dtype=np.float64))
        is_plain = math.isfinite(total) and 0 < weights < math.inf
        return total / weights if is_plain else None

    def weighted_derivatives(
        self,
        y: Array,
        z: Array,
        w: Array | None,
        max_step: float | None,
        n_threads: int,
        out: Sequence[Array] | None = None,
        factor: float = 1.0,
    ) -> Derivatives:
        """Return `gradient_curvature` times the weights, by the fastest way there is.

        The curvature is also multiplied by ``factor``, before it is rounded.
        """
        if out is None:
            out = [np.empty_like(z, dtype=result_dtype(z)) for _ in range(2)]
        gradient, curvature = out
        formula = None
        if use_compiled(len(z)):
            if factor == 1:
                are_finite = self.fill(y, z, w, max_step, out, n_threads)
                if are_finite is not None:
                    return Derivatives(gradient, curvature, are_finite)
            formula = self.compiled_formula(max_step)
        elif self.has_compiled():
            _Seen.n_samples += len(z)
        formula = formula or partial(self.gradient_curvature, max_step=max_step)

        def times_factor(y: Array, z: Array) -> tuple[Array, Array]:
            gradient, curvature = formula(y, z)
            return gradient, curvature if factor == 1 else factor * curvature

        by_blocks(times_factor, out, y, z, w, n_threads)
        return Derivatives(gradient, curvature, all(map(is_finite, (z, *out))))

    def negative_pairs(self, max_step: float | None, start: float) -> Pairs:
        """Return a function of labels, scores and weights, for an objective to keep.

        The function returns minus `weighted_derivatives` as the columns of a new array, and whether
        all values are finite. It adds ``start`` to the raw scores.
        """

        def pairs(y: Array, z: Array, w: Array | None) -> tuple[Array, bool]:
            found = self.weighted_derivatives(y, z + start, w, max_step, 1)
            found.check_shape(z)
            negative = np.column_stack(found[:2])
            negative *= -1.0
            return negative, found.are_finite

        return pairs


class BinaryKernel(Kernel):
    """A loss of two classes, given by the losses of both labels at a raw score."""

    classes = TWO_CLASSES

    @abstractmethod
    def values(self, z: Array) -> tuple[Array, Array]:
        """Return the loss of a positive and of a negative sample, class weights included."""

    @abstractmethod
    def slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        """Return minus the first derivative in the margin, and the second, of both labels."""

    def loss(self, y: Array, z: Array) -> Array:
        if_positive, if_negative = self.values(z)
        # A share of 0 stays 0 even where the other label's loss is infinite.
        share1 = np.where(y > 0, y * if_positive, 0.0)
        return np.asarray(share1 + np.where(y < 1, (1 - y) * if_negative, 0.0))

    def gradient_hessian(self, y: Array, z: Array) -> tuple[Array, Array]:
        slope1, bend1, slope0, bend0 = self.slopes_and_bends(z)
        return (1.0 - y) * slope0 - y * slope1, y * bend1 + (1.0 - y) * bend0

    def gradient_curvature(self, y: Array, z: Array, max_step: float | None) -> tuple[Array, Array]:
        step = largest_step(max_step)
        return _formulas.bounded_expectation(step, y, *self.slopes_and_bends(z))

    def link(self, proba: Array) -> Array:
        target = np.asarray(logit(proba))
        root = np.array(target)
        inside = np.isfinite(target)
        if np.any(inside):
            root[inside] = self.score_at(target[inside])
        return root

    def score_at(self, log_odds: Array) -> Array:
        """Return the raw scores of finite log-odds, infinite where no finite score has them."""

        def excess(z: Array, target: Array) -> Array:
            return np.clip(self.log_odds(z), -_formulas.LARGEST, _formulas.LARGEST) - target

        with np.errstate(all="ignore"):
            if log_odds.size == 1:
                # Each training asks for one number, which takes a fifth of the time by itself.
                found = _root(lambda z: float(excess(np.array([z]), log_odds)[0]))
                return np.copysign(np.inf, log_odds) if found is None else np.array([found])
            bracket = elementwise.bracket_root(excess, -1.0, 1.0, args=(log_odds,))
            root = elementwise.find_root(excess, bracket.bracket, args=(log_odds,)).x
        return np.where(bracket.success, root, np.copysign(np.inf, log_odds))


class Margin(NamedTuple):
    """The arguments of `MarginLoss.value` and of the other formulas of a margin.

    Arrays of one shape: the margin ``m``, which is the raw score of a positive sample and minus the
    raw score of a negative sample; ``p``, the sigmoid of the margin, and ``q = 1 - p``;
    ``neg_log_p`` and ``neg_log_q``, minus their logarithms. No value is lost to rounding, whatever
    the margin.
    """

    m: Values
    p: Values
    q: Values
    neg_log_p: Values
    neg_log_q: Values


class Formula(Protocol):
    """The loss of one label, of weight 1, as a function of its margin."""

    def value(self, margin: Margin, positive: bool) -> Values: ...

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair: ...

    def log_tilt(self, margin: Margin, positive: bool) -> Values: ...


@dataclass(frozen=True)
class MarginKernel(BinaryKernel):
    """The kernel of a formula, with the weight of the positive class."""

    formula: Formula
    alpha: float | None

    @property
    def weights(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)

    def values(self, z: Array) -> tuple[Array, Array]:
        p, q, L, S = _formulas.parts(z)
        # The formulas clip -log p at the largest number; at an infinite score the loss is infinite.
        positive = Margin(z, p, q, np.where(z == -np.inf, np.inf, L), S)
        negative = Margin(-z, q, p, np.where(z == np.inf, np.inf, S), L)
        a1, a0 = self.weights
        return a1 * self.formula.value(positive, True), a0 * self.formula.value(negative, False)

    def slopes_and_bends(self, z: Array) -> tuple[Array, Array, Array, Array]:
        p, q, L, S = _formulas.parts(z)
        slope1, bend1 = self.formula.slope_and_bend(Margin(z, p, q, L, S), True)
        slope0, bend0 = self.formula.slope_and_bend(Margin(-z, q, p, S, L), False)
        if self.alpha is None:
            return slope1, bend1, slope0, bend0
        a1, a0 = self.weights
        return a1 * slope1, a1 * bend1, a0 * slope0, a0 * bend0

    def log_odds(self, z: Array) -> Array:
        # The ratio of the slopes is p / q * tilt0 / tilt1, where p / q is exp(z).
        p, q, L, S = _formulas.parts(z)
        tilt0 = self.formula.log_tilt(Margin(-z, q, p, S, L), False)
        tilt1 = self.formula.log_tilt(Margin(z, p, q, L, S), True)
        odds = z + (tilt0 - tilt1)
        return np.asarray(odds if self.alpha is None else odds - logit(self.alpha))


@dataclass(frozen=True)
class FocalFormula:
    """Focal loss of a margin."""

    gamma: float

    def value(self, margin: Margin, positive: bool) -> Values:
        return _formulas.value(self.gamma, margin.q, margin.neg_log_p, margin.neg_log_q)

    def slope_and_bend(self, margin: Margin, positive: bool) -> Pair:
        return _formulas.slope_and_bend(self.gamma, *margin[1:])

    def log_tilt(self, margin: Margin, positive: bool) -> Values:
        return _formulas.log_tilt(self.gamma, *margin[1:])


@dataclass(frozen=True)
class FocalKernel(MarginKernel):
    """Focal loss, which has a compiled loop."""

    formula: FocalFormula

    def fill(
        self,
        y: Array,
        z: Array,
        w: Array | None,
        max_step: float | None,
        out: Sequence[Array],
        n_threads: int,
    ) -> bool | None:
        # A subclass may have formulas of its own, which the loop does not know.
        if not self.has_compiled():
            return None
        parameters = *self.weights, self.formula.gamma, largest_step(max_step)
        n_wrong = _compiled.fill(*parameters, y, z, w, out, n_threads)
        return None if n_wrong is None else n_wrong == 0

    def negative_pairs(self, max_step: float | None, start: float) -> Pairs:
        parameters = *self.weights, self.formula.gamma, largest_step(max_step), start
        pairs = _compiled.negative_pairs(*parameters) if self.has_compiled() else None
        return pairs or super().negative_pairs(max_step, start)

    def sum_of_losses(
        self, y: Array, z: Array, w: Array | None, is_log_loss: bool, n_threads: int
    ) -> float | None:
        if not self.has_compiled():
            return None
        parameters = *self.weights, self.formula.gamma
        return _compiled.sum_of_losses(*parameters, is_log_loss, y, z, w, n_threads)

    def has_compiled(self) -> bool:
        return type(self) is FocalKernel and type(self.formula) is FocalFormula


@dataclass(frozen=True)
class SoftmaxKernel(Kernel):
    """Focal loss of K classes, with an exponent and a weight for each."""

    gamma: tuple[float, ...]
    alpha: tuple[float, ...]

    @property
    def classes(self) -> SeveralClasses:  # type: ignore[override]
        return SeveralClasses(len(self.gamma))

    def loss(self, y: Array, z: Array) -> Array:
        values = _softmax.loss(self.alpha, self.gamma, y, _by_class(z))
        of_label = z[np.arange(len(y)), y.astype(np.intp)]
        is_lost = (of_label - z.max(axis=1)) == -np.inf
        return np.where(is_lost, np.inf, values)

    def gradient_hessian(self, y: Array, z: Array) -> tuple[Array, Array]:
        gradient, hessian = _softmax.gradient_hessian(self.alpha, self.gamma, y, _by_class(z))
        return gradient.T, hessian.T

    def gradient_curvature(self, y: Array, z: Array, max_step: float | None) -> tuple[Array, Array]:
        gradient, curvature = _softmax.gradient_curvature(
            *self._parameters(), largest_step(max_step), y, _by_class(z)
        )
        return gradient.T, curvature.T

    def gradient_matrix(self, max_step: float | None) -> Callable[[int, Array], Values]:
        parameters = *self._parameters(), largest_step(max_step)
        rows = _compiled.negative_rows(*parameters)
        if rows is None:
            return partial(_softmax.gradient_matrix, *parameters)

        def of_sample(label: int, z: Array) -> tuple[Array, Array]:
            found, _ = rows(label, z, -1.0)
            return found[0], found[1:]

        return of_sample

    def negative_rows(self, max_step: float | None) -> Rows:
        rows = None
        if self.has_compiled():
            rows = _compiled.negative_rows(*self._parameters(), largest_step(max_step))
        return rows or super().negative_rows(max_step)

    def compiled_formula(self, max_step: float | None) -> Formulas | None:
        weights, _, gamma = self._parameters()
        loop = None
        if self.has_compiled():
            loop = _compiled.softmax(weights, gamma, largest_step(max_step))
        if loop is None:
            return None

        def derivatives(y: Array, z: Array) -> tuple[Array, Array]:
            gradient, curvature, n_left = loop(y, z)
            if n_left:
                left = np.isnan(gradient[:, 0])
                parts = self.gradient_curvature(y[left], z[left], max_step)
                gradient[left], curvature[left] = parts
            return gradient, curvature

        return derivatives

    def compiled_loss(self, is_log_loss: bool = False) -> Function | None:
        weights, _, gamma = self._parameters()
        loop = _compiled.softmax_loss(weights, gamma, is_log_loss) if self.has_compiled() else None
        if loop is None:
            return None

        def by_numpy(y: Array, z: Array) -> Array:
            return self.classes.log_loss(y, self.log_odds(z)) if is_log_loss else self.loss(y, z)

        def losses(y: Array, z: Array) -> Array:
            found = loop(y, z)
            # The polynomials of the loop make numbers of NaN and of infinity.
            if not (is_finite(found) and is_finite(z)):
                left = ~(np.isfinite(found) & np.isfinite(z).all(axis=1))
                found[left] = by_numpy(y[left], z[left])
            return found

        return losses

    def has_compiled(self) -> bool:
        return type(self) is SoftmaxKernel

    def log_odds(self, z: Array) -> Array:
        logs = _softmax.log_posterior(np.log(self.alpha), self.gamma, _margins(z))
        return np.asarray((logs - _softmax.logsumexp_of_others(logs)).T)

    @np.errstate(over="ignore", under="ignore")
    def link(self, proba: Array) -> Array:
        if not (np.all(proba > 0) and np.allclose(proba.sum(axis=1), 1.0, rtol=0, atol=1e-6)):
            worst = proba[np.argmax(np.abs(proba.sum(axis=1) - 1.0) + np.any(proba <= 0, axis=1))]
            raise ValueError(
                f"proba must be positive and sum to 1 for each sample, got {worst.tolist()}."
            )
        # log(p / phi) of each class, but for log(N), which is the same for all classes
        target = np.log(proba) + np.log(self.alpha)
        if not any(self.gamma):
            return np.asarray(target - target.mean(axis=1, keepdims=True))
        # Newton's method for all margins and log(N), with which the softmax adds up to 1; it begins
        # where all gammas are 0.
        gamma, margins = np.asarray(self.gamma), _margins(target).T
        for _ in range(_LINK_STEPS):
            is_largest = np.arange(len(gamma)) == margins.argmax(axis=1)[:, np.newaxis]
            p, q, L, S = _formulas.parts(margins)
            excess = -L - _formulas.log_tilt(gamma, p, q, L, S) - target
            rate = _formulas.share_rate(gamma, p, q, L)
            weight = p * q / rate
            surplus = np.where(is_largest, -q, p).sum(axis=1, keepdims=True)
            moved = (weight * excess).sum(axis=1, keepdims=True) - surplus
            log_n = moved / weight.sum(axis=1, keepdims=True)
            step = np.clip((log_n - excess) / rate, -4.0, 4.0)
            margins += step
            # what the step changes in log p, which the result is made of
            if np.all(q * np.abs(step) <= 1e-9 * np.maximum(1.0, L)):
                break
        else:
            raise ValueError(
                "gamma and alpha must be less extreme for raw scores to be found, got "
                f"{self.gamma} and {self.alpha}."
            )
        scores = -_formulas.parts(margins)[2]
        return np.asarray(scores - scores.mean(axis=1, keepdims=True))

    def _parameters(self) -> tuple[Array, Array, Array]:
        weights = np.asarray(self.alpha)
        return weights, np.log(weights), np.asarray(self.gamma)


def _root(function: Callable[[float], float]) -> float | None:
    """Return where an increasing function of a number is 0, or None if that is nowhere finite."""
    low, high = -1.0, 1.0
    while (below := function(low)) > 0 and math.isfinite(low):
        low *= 2.0
    while (above := function(high)) < 0 and math.isfinite(high):
        high *= 2.0
    if below <= 0 <= above and math.isfinite(low) and math.isfinite(high):
        return float(brentq(function, low, high, xtol=1e-16, rtol=1e-15))
    return None


def _mean_by_blocks(loss: Function, y: Array, z: Array, w: Array | None, n_threads: int) -> float:
    # The mean loss of single precision scores is taken in double precision.
    losses = np.empty(y.shape)
    by_blocks(lambda y, z: (loss(y, z),), [losses], y, z, None, n_threads)
    return weighted_mean(losses, w)


def _margins(z: Array) -> Array:
    """Return each class's score minus the logsumexp of the others, class by class."""
    z = _by_class(z)
    return np.asarray(z - _softmax.logsumexp_of_others(z))


def _by_class(z: Array) -> Array:
    return np.asarray(_softmax.from_the_largest(np.ascontiguousarray(z.T)))
