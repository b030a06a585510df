"""The classes of a loss: two, or several.

A loss of two classes has one raw score for each sample, a loss of K classes one for each class. All
that differs between the two cases is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logsumexp

from focalboost.losses._checks import as_numbers, as_rows, check_labels, check_probabilities
from focalboost.losses._types import Array, Values

# The share of a class without a sample in the init score, as in LightGBM.
_ABSENT = 1e-15


@dataclass(frozen=True)
class TwoClasses:
    """A positive and a negative class, with one raw score; a label may lie between them."""

    n_classes = 2
    n_scores = 1

    def as_scores(self, name: str, values: npt.ArrayLike) -> Array:
        """Return an array of raw scores or of probabilities in the shape that the loss has."""
        return as_rows(name, values)

    def check_labels(self, name: str, labels: Array) -> None:
        """Raise a ValueError for a label that is not one of the classes."""
        check_probabilities(name, labels)

    def shape(self, n_samples: int) -> tuple[int, ...]:
        """Return the shape of the raw scores of n samples."""
        return (n_samples,)

    def repeat(self, init_score: Values, n_samples: int) -> Array:
        """Return an init score once for each sample."""
        return np.full(n_samples, init_score, dtype=np.float64)

    def proba(self, log_odds: Array) -> Array:
        """Return the probabilities of all classes, of shape (n, n_classes)."""
        return np.stack([expit(-log_odds), expit(log_odds)], axis=-1)

    def log_proba(self, log_odds: Array) -> Array:
        """Return the logarithms of `proba`, without loss of precision near 0."""
        return np.stack([log_expit(-log_odds), log_expit(log_odds)], axis=-1)

    def rescaled(self, log_odds: Array, factor: float, shift: Array) -> Array:
        """Return the log-odds of ``proba**factor * exp(shift)``, made to sum to 1."""
        return np.asarray(factor * log_odds + (shift[1] - shift[0]))

    def codes(self, log_odds: Array) -> Array:
        """Return the position of the most probable class."""
        return (log_odds > 0).astype(np.intp)

    def own_scores(self, log_odds: Array) -> Array:
        """Return raw scores that a booster's own link turns into the probabilities."""
        return log_odds

    def label_sums(self, labels: Array, weights: Array, weight_sum: float) -> float:
        """Return the total weight of the positive class, or with K classes of each class."""
        weights = weights.astype(np.float64, copy=False)
        positive = float(np.sum(labels * weights))
        # The negative class is summed only where little or nothing is left for it.
        if weight_sum - positive <= 1e-12 * positive:
            negative = float(np.sum((1 - labels) * weights))
            if negative > 0 and positive + negative == positive:
                raise ValueError(
                    "sample_weight must not differ so much that the negative class has no share of "
                    f"the sum, got a sum of {negative:g} for it and of {positive:g} for the "
                    "positive class."
                )
        return positive

    def check_label_sums(self, label_sum: npt.ArrayLike) -> Array:
        """Return the label sums of a user, checked."""
        return _check_sums(label_sum, ())

    def shares(self, label_sum: Values, weight_sum: float) -> Array:
        """Return the shares of the classes, as `link` of a kernel takes them."""
        if not 0 < label_sum < weight_sum:
            raise ValueError(
                "y_true must hold both classes with positive weight for a finite init score: "
                f"0 < label_sum < weight_sum, got {label_sum} and {weight_sum}."
            )
        return np.asarray(label_sum / weight_sum)

    def log_loss(self, labels: Array, log_odds: Array) -> Array:
        """Return minus the logarithm of the probability of each sample's label."""
        losses = -labels * log_expit(log_odds) - (1.0 - labels) * log_expit(-log_odds)
        return np.asarray(losses)


@dataclass(frozen=True)
class SeveralClasses:
    """K classes with a raw score each; labels are whole numbers from 0."""

    n_classes: int

    @property
    def n_scores(self) -> int:
        return self.n_classes

    def as_scores(self, name: str, values: npt.ArrayLike) -> Array:
        array = as_numbers(name, values)
        if array.ndim != 2 or array.shape[1] != self.n_classes:
            raise ValueError(f"{name} must have shape (n, {self.n_classes}), got {array.shape}.")
        return array

    def check_labels(self, name: str, labels: Array) -> None:
        check_labels(name, labels, self.n_classes)

    def shape(self, n_samples: int) -> tuple[int, ...]:
        return (n_samples, self.n_classes)

    def repeat(self, init_score: Values, n_samples: int) -> Array:
        return np.tile(np.asarray(init_score, dtype=np.float64), (n_samples, 1))

    def proba(self, log_odds: Array) -> Array:
        return np.asarray(expit(log_odds))

    def log_proba(self, log_odds: Array) -> Array:
        return np.asarray(log_expit(log_odds))

    def rescaled(self, log_odds: Array, factor: float, shift: Array) -> Array:
        scores = factor * self.log_proba(log_odds) + shift
        # The sum over the other classes, and not 1 - p, which loses small probabilities.
        others = [logsumexp(np.delete(scores, k, axis=1), axis=1) for k in range(self.n_classes)]
        return np.asarray(scores - np.stack(others, axis=1))

    def codes(self, log_odds: Array) -> Array:
        return np.asarray(log_odds.argmax(axis=1))

    def own_scores(self, log_odds: Array) -> Array:
        return self.log_proba(log_odds)

    def label_sums(self, labels: Array, weights: Array, weight_sum: float) -> Array:  # noqa: ARG002
        weights = np.broadcast_to(weights, labels.shape)
        return np.bincount(labels.astype(np.intp), weights, minlength=self.n_classes)

    def check_label_sums(self, label_sum: npt.ArrayLike) -> Array:
        return _check_sums(label_sum, (self.n_classes,))

    def shares(self, label_sum: Values, weight_sum: float) -> Array:
        if not weight_sum > 0:
            raise ValueError("y_true must hold at least one sample of positive weight, got none.")
        shares = np.maximum(np.asarray(label_sum) / weight_sum, _ABSENT)
        return np.asarray(shares[np.newaxis] / shares.sum())

    def log_loss(self, labels: Array, log_odds: Array) -> Array:
        return np.asarray(-log_expit(log_odds[np.arange(len(labels)), labels.astype(np.intp)]))


def _check_sums(label_sum: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    sums = as_numbers("label_sum", label_sum)
    if sums.shape != shape:
        raise ValueError(f"label_sum must have shape {shape}, got {sums.shape}.")
    if not np.all((sums >= 0) & (sums < np.inf)):
        wrong = sums[~((sums >= 0) & (sums < np.inf))]
        raise ValueError(f"label_sum must be finite and >= 0, got {wrong.flat[0]}.")
    return sums


Classes: TypeAlias = TwoClasses | SeveralClasses
TWO_CLASSES = TwoClasses()


def of_scores(n_scores: int) -> Classes:
    """Return the classes of a loss with this many raw scores a sample."""
    return TWO_CLASSES if n_scores < 2 else SeveralClasses(n_scores)
