"""A doctor for losses: whether an objective of your own does what a booster needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.differentiate import derivative

from focalboost import _contract

__all__ = ["ObjectiveReport", "check_objective"]

Array = npt.NDArray[Any]
# Whether it holds, and the numbers; None where the loss has no such method.
Finding = tuple[bool | np.bool_, str] | None

# Where probabilities are neither 0 nor 1 for a single precision number.
_MILD = np.linspace(-8.0, 8.0, 33)
_FAR = np.array([-800.0, -100.0, -40.0, 40.0, 100.0, 800.0])
# Of finite differences and of single precision; the bugs that are looked for are far larger.
_TOLERANCE = 1e-5
_TINY = 1e-300


@dataclass(frozen=True)
class ObjectiveReport:
    """What `check_objective` found.

    Parameters
    ----------
    name : str
        The loss.
    findings : tuple of (str, bool, str)
        What was checked, whether it holds, and the numbers.

    Examples
    --------
    >>> from focalboost import FocalLoss, check_objective
    >>> check_objective(FocalLoss(2.0)).ok
    True
    """

    name: str
    findings: tuple[tuple[str, bool, str], ...]

    @property
    def ok(self) -> bool:
        """Whether all that was checked holds."""
        return all(holds for _, holds, _ in self.findings)

    @property
    def failures(self) -> list[str]:
        """What does not hold."""
        return [what for what, holds, _ in self.findings if not holds]

    def __str__(self) -> str:
        width = max(len(what) for what, _, _ in self.findings)
        lines = [
            f"  {'ok    ' if holds else 'WRONG '} {what:{width}}  {numbers}".rstrip()
            for what, holds, numbers in self.findings
        ]
        verdict = "all holds" if self.ok else f"{len(self.failures)} wrong"
        return "\n".join([f"{self.name}: {verdict}", *lines])


def check_objective(loss: Any) -> ObjectiveReport:
    """Check a loss of your own: what boosters do with it, and what would go wrong in silence.

    A loss is any object that the adapters take: its call is the weighted mean loss, and it has
    ``gradient_curvature`` or ``gradient_hessian``, and ``init_score`` or ``fit_intercept_only``.
    With ``inverse_link`` its probabilities are checked too. A loss of several classes says so by
    ``is_multiclass`` and ``n_classes``.

    Checked are, at many raw scores and every label: that the call is a weighted mean; the gradient
    against differences of the call, and an exact Hessian against differences of the gradient
    (`scipy.differentiate.derivative`); that the gradient pulls toward the label; that what boosters
    get for a Hessian is positive, with a map of where it is not; numbers far out and in single
    precision; weights; that rows do not depend on each other and inputs stay as they are; that the
    start score is the best constant; and that probabilities rise with the raw score and are those
    at which the expected gradient is 0.

    Parameters
    ----------
    loss : object
        The loss.

    Returns
    -------
    ObjectiveReport
        ``report.ok`` says whether all holds; printed it is a table.

    Raises
    ------
    TypeError
        If the loss lacks a method.

    Examples
    --------
    >>> from focalboost import FocalLoss, check_objective
    >>> class WithoutWeights(FocalLoss):
    ...     def gradient_curvature(self, y_true, raw_prediction, sample_weight=None):
    ...         return super().gradient_curvature(y_true, raw_prediction)
    >>> check_objective(WithoutWeights(2.0)).failures
    ['weights multiply gradient and curvature', 'the start score is the best constant']
    """
    _contract.check_loss(loss)
    with np.errstate(all="ignore"):
        findings = [*_Examination(loss).findings()]
    return ObjectiveReport(repr(loss), tuple(findings))


class _Examination:
    """The points at which a loss is looked at, and each look at it."""

    def __init__(self, loss: Any) -> None:
        self.loss = loss
        self.k = _contract.n_scores(loss)
        rng = np.random.default_rng(0)
        labels = np.arange(max(self.k, 2), dtype=np.float64)
        self.scores = _MILD if self.k == 1 else rng.normal(scale=3.0, size=(33, self.k))
        self.y = np.repeat(labels, len(self.scores))
        self.z = np.concatenate([self.scores] * len(labels))
        self.w = rng.uniform(0.5, 2.0, len(self.y))
        far = _FAR if self.k == 1 else np.outer(_FAR, np.eye(self.k)[0])
        self.far_y, self.far_z = np.repeat(labels, len(far)), np.concatenate([far] * len(labels))

    def derivatives(self, y: Array, z: Array, w: Array | None) -> tuple[Array, Array]:
        # Copies, since a loss may write into them.
        return _contract.derivatives_of(self.loss)(y.copy(), z.copy(), w)

    def findings(self) -> Iterator[tuple[str, bool, str]]:
        looks = [
            ("the call is the weighted mean of the rows' losses", self.mean),
            ("the gradient is the derivative of the loss", self.gradient),
            ("the Hessian is the derivative of the gradient", self.hessian),
            ("the gradient pulls a row toward its label", self.pull),
            ("what boosters get for a Hessian is positive", self.positive),
            ("numbers are finite at scores of up to 800", self.far_out),
            ("single precision scores, as XGBoost's, give the same numbers", self.single_precision),
            ("weights multiply gradient and curvature", self.weights),
            ("rows do not depend on each other, and inputs stay as they are", self.alone),
            ("the start score is the best constant", self.start),
            (
                "probabilities rise with the raw score, and the expected gradient is 0 at them",
                self.posterior,
            ),
        ]
        for what, look in looks:
            try:
                found = look()
            except Exception as error:
                found = False, f"{type(error).__name__}: {error}"
            if found is not None:
                yield what, bool(found[0]), found[1]

    def mean(self) -> Finding:
        values = self.value(self.y, self.z)
        for w in (None, self.w):
            call, mean = self.loss(self.y, self.z, w), np.average(values, weights=w)
            if not np.isclose(call, mean, rtol=1e-9):
                kind = "mean" if w is None else "weighted mean"
                return False, f"{call:.6g}, the {kind} is {mean:.6g}"
        return True, ""

    def gradient(self) -> Finding:
        gradient, _ = self.derivatives(self.y, self.z, None)
        return self.differs(gradient, lambda y, z, **_: self.value(y, z))

    def hessian(self) -> Finding:
        if not callable(getattr(self.loss, "gradient_hessian", None)):
            return None
        _, hessian = self.loss.gradient_hessian(self.y, self.z, None)

        def slope(y: Array, z: Array, j: int) -> Array:
            return self.column(self.loss.gradient_hessian(y, z, None)[0], j)

        return self.differs(hessian, slope)

    def pull(self) -> Finding:
        gradient, _ = self.derivatives(self.y, self.z, None)
        if self.k == 1:
            toward = np.where(self.y == 1, gradient <= 0, gradient >= 0)
        else:
            toward = gradient[np.arange(len(self.y)), self.y.astype(np.intp)] <= 0
        return np.all(toward), f"at {np.sum(toward)} of {len(toward)} points"

    def positive(self) -> Finding:
        gradient, curvature = self.derivatives(self.y, self.z, None)
        is_wrong = ~(curvature > 0) & (gradient != 0)
        if np.any(is_wrong) and self.k > 1:
            return False, f"not at {np.sum(is_wrong)} of {is_wrong.size} points"
        if np.any(is_wrong):
            maps = (
                f"y = {y:g}, z from -8 to 8: {''.join(np.where(is_wrong[self.y == y], '-', '+'))}"
                for y in (0, 1)
            )
            return False, "; ".join(maps)
        steps = np.abs(gradient[gradient != 0] / curvature[gradient != 0])
        return True, f"a row's own step is at most {np.max(steps):.3g}"

    def far_out(self) -> Finding:
        values = self.value(self.far_y, self.far_z)
        gradient, curvature = self.derivatives(self.far_y, self.far_z, None)
        for name, part in (("loss", values), ("gradient", gradient), ("curvature", curvature)):
            if not np.all(np.isfinite(part)):
                return False, f"the {name} is not"
        # The loss of a badly wrong positive row goes on with its score, but for a clip.
        y, z = np.ones(2), self.far_z[:2]
        if self.k == 1 and np.ptp(self.value(y, z)) == 0:
            return False, f"the loss stands still between {z[0]:g} and {z[1]:g}, as a clip makes it"
        return True, ""

    def single_precision(self) -> Finding:
        worst = 0.0
        for y, z in ((self.y, self.z), (self.far_y, self.far_z)):
            z = z.astype(np.float32)
            ours = self.derivatives(y.astype(np.float32), z, None)
            theirs = self.derivatives(y, z.astype(np.float64), None)
            for one, other in zip(ours, theirs, strict=True):
                off = np.abs(one - other) / (np.max(np.abs(other)) + _TINY)
                worst = max(worst, float(np.max(np.where(np.isfinite(off), off, np.inf))))
        return worst <= _TOLERANCE, f"off by at most {worst:.1e} of the largest"

    def weights(self) -> Finding:
        w = self.w if self.k == 1 else self.w[:, np.newaxis]
        plain, weighted = (self.derivatives(self.y, self.z, v) for v in (None, self.w))
        for name, a, b in zip(("gradient", "curvature"), plain, weighted, strict=True):
            if not np.allclose(b, a * w, rtol=1e-9):
                return False, f"not the {name}"
        return True, ""

    def alone(self) -> Finding:
        y, z = self.y.copy(), self.z.copy()
        whole = _contract.derivatives_of(self.loss)(y, z, None)
        if not (np.array_equal(y, self.y) and np.array_equal(z, self.z)):
            return False, "the input is written to"
        some = slice(len(self.y) // 2, len(self.y) // 2 + 9)
        part = self.derivatives(self.y[some], self.z[some], None)
        for a, b in zip(whole, part, strict=True):
            if not np.allclose(a[some], b, rtol=1e-9):
                return False, "a row's numbers change with the other rows"
        return True, ""

    def start(self) -> Finding:
        y = np.concatenate([np.repeat(np.unique(self.y), 3), np.zeros(30)])
        worst = 0.0
        for w in (None, self.w[: len(y)]):
            z = _contract.for_rows(_contract.start_score(self.loss, y, w), len(y))
            gradient, _ = self.derivatives(y, z, w)
            sums, sizes = gradient.sum(axis=0), np.abs(gradient).sum(axis=0)
            worst = max(worst, float(np.max(np.abs(sums) / (sizes + _TINY))))
        return worst <= _TOLERANCE, f"the gradients' sum there is {worst:.1e} of their size"

    def posterior(self) -> Finding:
        if not callable(getattr(self.loss, "inverse_link", None)):
            return None
        eta = np.asarray(self.loss.inverse_link(self.scores))
        if self.k == 1 and not (np.all(np.diff(eta) >= 0) and np.ptp(eta) > 0):
            return False, "they do not rise"
        shares = eta if self.k > 1 else np.stack([1.0 - eta, eta], axis=1)
        total, size = 0.0 * self.scores, _TINY + 0.0 * self.scores
        for label, share in enumerate(shares.T):
            y = np.full(len(self.scores), float(label))
            gradient, _ = self.derivatives(y, self.scores, None)
            part = gradient * (share if self.k == 1 else share[:, np.newaxis])
            total, size = total + part, size + np.abs(part)
        # A share that is 1 but for rounding leaves no digits for the other.
        told = np.min(shares, axis=1) > 1e-9
        worst = float(np.max((np.abs(total) / size)[told], initial=0.0))
        return worst <= _TOLERANCE, f"the expected gradient is {worst:.1e} of its size"

    def value(self, y: Array, z: Array) -> Array:
        return np.array([self.loss(y[[i]], z[[i]], None) for i in range(len(y))])

    def column(self, values: Array, j: int) -> Array:
        return values if self.k == 1 else values[:, j]

    def differs(self, got: Array, function: Callable[..., Array]) -> Finding:
        """Compare derivatives with differences of a function, in each class's score."""
        worst, numbers = 0.0, ""
        for j in range(self.k):
            want, error = self.derivative(partial(function, j=j), j)
            found = self.column(got, j)
            size = np.abs(want) + 1e-4 * np.max(np.abs(want)) + _TINY
            off = np.maximum(np.abs(found - want) - 4 * error, 0.0) / size
            off = np.where(np.isfinite(off), off, np.inf)
            i = int(np.argmax(off))
            if off[i] >= worst:
                worst = float(off[i])
                at = f"y = {self.y[i]:g}, z = {np.round(self.z[i], 3)}"
                numbers = f"{found[i]:.6g} at {at}, by differences {want[i]:.6g}"
        return worst <= _TOLERANCE, numbers if worst > _TOLERANCE else f"within {worst:.1e}"

    def derivative(self, function: Callable[..., Array], j: int) -> tuple[Array, Array]:
        """Return a function's derivative in the score of class j at every point, and its error."""

        def along(step: Array, row: Array) -> Array:
            rows = np.broadcast_to(row, step.shape).astype(np.intp).ravel()
            z = self.z[rows]
            column = z if self.k == 1 else z[:, j]
            column += step.ravel()
            return np.asarray(function(self.y[rows], z)).reshape(step.shape)

        rows = np.arange(len(self.y), dtype=np.float64)
        found = derivative(along, np.zeros(len(rows)), args=(rows,), initial_step=0.1)
        return found.df, found.error
