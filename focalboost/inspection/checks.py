"""What an objective must do for a booster, one check after the other.

A check returns whether it holds and the numbers, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from focalboost.inspection.causes import nearest_focal_loss
from focalboost.inspection.subjects import Subject, column
from focalboost.losses._types import Array, Foreign

Finding = tuple[bool | np.bool_, str] | None

# For finite differences and single precision; the errors of the bugs in question are far larger.
TOLERANCE = 1e-5
_TINY = 1e-300


def arrays(subject: Subject) -> Finding:
    for name, part in zip(
        ("gradient", "Hessian"), subject.call(subject.y, subject.z, None), strict=True
    ):
        if subject.loss is None and not isinstance(part, np.ndarray):
            return False, f"the {name} is a {type(part).__name__}: XGBoost and CatBoost refuse it"
        if np.shape(part) != subject.z.shape:
            return False, f"the {name} has shape {np.shape(part)} for scores {subject.z.shape}"
    return True, ""


def mean(subject: Subject) -> Finding:
    if subject.loss is None or subject.values is None:
        return None
    values = subject.values(subject.y, subject.z)
    for w in (None, subject.w):
        call, by_hand = subject.source(subject.y, subject.z, w), np.average(values, weights=w)
        if not np.isclose(call, by_hand, rtol=1e-9):
            kind = "mean" if w is None else "weighted mean"
            return False, f"{call:.6g}, the {kind} is {by_hand:.6g}"
    return True, ""


def gradient(subject: Subject) -> Finding:
    if subject.values is None:
        return None
    found, _ = subject.derivatives(subject.y, subject.z)
    return differs(subject, found, lambda y, z, _: subject.values(y, z))  # type: ignore[misc]


def gradient_of_focal_loss(subject: Subject) -> Finding:
    if subject.values is not None:
        return None
    nearest = nearest_focal_loss(subject)
    if nearest.error <= TOLERANCE:
        return True, f"it is that of {nearest}"
    return False, (
        f"the nearest is {nearest}, off by {nearest.error:.1%} of its size; give value= if it is "
        "another loss"
    )


def pull(subject: Subject) -> Finding:
    found, _ = subject.derivatives(subject.y, subject.z)
    if found.ndim == 1:
        toward = np.where(subject.y == 1, found <= 0, found >= 0)
    else:
        toward = found[np.arange(len(found)), subject.y.astype(np.intp)] <= 0
    return np.all(toward), f"at {np.sum(toward)} of {len(toward)} points"


def exact_hessian(subject: Subject) -> Finding:
    exact = subject.exact
    if exact is None:
        return None
    found = np.asarray(exact(subject.y, subject.z)[1])
    return differs(subject, found, lambda y, z, j: column(np.asarray(exact(y, z)[0]), j))


def scale_of_hessian(subject: Subject) -> Finding:
    """Compare with the derivative of the gradient, averaged over the labels by the sigmoid."""
    if subject.loss is not None:
        return None
    found = subject.derivatives(subject.y, subject.z)[1]
    slopes, _ = subject.slopes(lambda y, z: subject.derivatives(y, z)[0], 0)
    p = np.where(subject.y == 1, expit(subject.z), expit(-subject.z))
    # Only where both labels are likely: elsewhere a stand-in for the Hessian may be anything.
    inner = np.abs(subject.z) <= 2
    share = float(np.sum((p * found)[inner]) / np.sum((p * slopes)[inner]))
    if not np.isfinite(share):
        return False, "the gradient has no derivative"
    return 0.2 < share < 5, f"it is {share:.3g} times the derivative of the gradient, on average"


def positive(subject: Subject) -> Finding:
    found, curvature = subject.derivatives(subject.y, subject.z)
    is_wrong = ~(curvature > 0) & (found != 0)
    if not np.any(is_wrong):
        return True, ""
    if found.ndim > 1:
        return False, f"not at {np.sum(is_wrong)} of {is_wrong.size} points"
    maps = (
        f"y = {y:g}, z from -8 to 8: {''.join(np.where(is_wrong[subject.y == y], '-', '+'))}"
        for y in (0, 1)
    )
    return False, "; ".join(maps)


def step(subject: Subject) -> Finding:
    """Compare a sample's own Newton step with that of log loss, which is 1 / p_t."""
    found, curvature = subject.derivatives(subject.y, subject.z)
    moves = (found != 0) & (curvature > 0)
    steps = np.abs(found[moves] / curvature[moves])
    if not steps.size:
        return None
    if subject.loss is not None:
        # the adapters bound it
        return True, f"at most {np.max(steps):.3g}, before max_step bounds it"
    p_true = expit(np.where(subject.y == 1, subject.z, -subject.z))[moves]
    ratio = steps * p_true
    return np.max(ratio) <= 20, f"at most {np.max(steps):.3g}"


def far_out(subject: Subject) -> Finding:
    y, z = subject.far
    parts = {} if subject.values is None else {"loss": subject.values(y, z)}
    parts["gradient"], parts["curvature"] = subject.derivatives(y, z)
    for name, part in parts.items():
        if not np.all(np.isfinite(part)):
            return False, f"the {name} is not"
    return True, ""


def not_cut_off(subject: Subject) -> Finding:
    """Look for a clip: a loss that suddenly is constant, or a gradient that suddenly vanishes."""
    y, z = subject.wrong_side
    slope = np.abs(column(subject.derivatives(y, z)[0], 0))
    ends = np.flatnonzero((slope[:-1] > 1e-3) & (slope[1:] == 0))
    if len(ends):
        at = column(z, 0)[ends[0] + 1]
        return False, f"the gradient of a badly wrong sample is 0 from the score {at:g} on"
    if subject.values is None:
        return True, ""
    values = subject.values(y, z)
    still = np.flatnonzero((np.diff(values) == 0) & (slope[1:] > 1e-3))
    if len(still):
        at = column(z, 0)[still[0]]
        return False, f"the loss is constant from the score {at:g} on, but its gradient is not 0"
    return True, ""


def single_precision(subject: Subject) -> Finding:
    worst = 0.0
    for y, z in ((subject.y, subject.z), subject.far):
        z = z.astype(np.float32)
        ours = subject.derivatives(y.astype(np.float32), z)
        theirs = subject.derivatives(y, z.astype(np.float64))
        for one, other in zip(ours, theirs, strict=True):
            # below 1e-38 single precision has fewer digits, and none below 1e-45
            off = np.abs(one - other) / (np.max(np.abs(other)) + 1e-30)
            worst = max(worst, float(np.max(np.where(np.isfinite(off), off, np.inf))))
    return worst <= TOLERANCE, f"off by at most {worst:.1e} of the largest"


def weights(subject: Subject) -> Finding:
    if subject.loss is None:
        return None
    w = subject.w.reshape(-1, *(1,) * (subject.z.ndim - 1))
    plain, weighted = (subject.derivatives(subject.y, subject.z, v) for v in (None, subject.w))
    for name, a, b in zip(("gradient", "curvature"), plain, weighted, strict=True):
        if not np.allclose(b, a * w, rtol=1e-9):
            return False, f"not the {name}"
    return True, ""


def alone(subject: Subject) -> Finding:
    y, z = subject.y.copy(), subject.z.copy()
    whole = subject.call(y, z, None)
    if not (np.array_equal(y, subject.y) and np.array_equal(z, subject.z)):
        return False, "the input is written to"
    some = slice(len(y) // 2, len(y) // 2 + 9)
    part = subject.derivatives(y[some], z[some])
    for a, b in zip(whole, part, strict=True):
        if not np.allclose(np.asarray(a)[some], b, rtol=1e-9, equal_nan=True):
            return False, "a sample's numbers change with the other samples"
    return True, ""


def init_score(subject: Subject) -> Finding:
    if subject.loss is None:
        return None
    y = np.concatenate([np.repeat(np.unique(subject.y), 3), np.zeros(30)])
    worst = 0.0
    for w in (None, np.resize(subject.w, len(y))):
        z = subject.classes.repeat(subject.loss.init_score(y, w), len(y))
        found, _ = subject.derivatives(y, z, w)
        sums, sizes = found.sum(axis=0), np.abs(found).sum(axis=0)
        worst = max(worst, float(np.max(np.abs(sums) / (sizes + _TINY))))
    return worst <= TOLERANCE, f"the gradients' sum there is {worst:.1e} of their size"


def probabilities(subject: Subject) -> Finding:
    if subject.loss is None:
        return None
    scores = subject.scores
    eta = subject.loss.inverse_link(scores)
    if eta.ndim == 1 and not (np.all(np.diff(eta) >= 0) and np.ptp(eta) > 0):
        return False, "they do not rise"
    shares = eta if eta.ndim > 1 else np.stack([1.0 - eta, eta], axis=1)
    total, size = 0.0 * scores, _TINY + 0.0 * scores
    for label, share in enumerate(shares.T):
        found, _ = subject.derivatives(np.full(len(scores), float(label)), scores)
        part = found * (share if found.ndim == 1 else share[:, np.newaxis])
        total, size = total + part, size + np.abs(part)
    # A share that is 1 but for rounding leaves no digits for the other share.
    told = np.min(shares, axis=1) > 1e-9
    worst = float(np.max((np.abs(total) / size)[told], initial=0.0))
    return worst <= TOLERANCE, f"the expected gradient is {worst:.1e} of its size"


def differs(
    subject: Subject, found: Array, function: Callable[[Array, Array, int], Array]
) -> Finding:
    """Compare derivatives with differences of a function, in each class's score."""
    worst, numbers = 0.0, ""
    for j in range(subject.classes.n_scores):
        want, error = subject.slopes(lambda y, z, j=j: function(y, z, j), j)  # type: ignore[misc]
        got = column(found, j)
        size = np.abs(want) + 1e-4 * np.max(np.abs(want)) + _TINY
        off = np.maximum(np.abs(got - want) - 4 * error, 0.0) / size
        off = np.where(np.isfinite(off), off, np.inf)
        i = int(np.argmax(off))
        if off[i] >= worst:
            worst = float(off[i])
            at = f"y = {subject.y[i]:g}, z = {np.round(subject.z[i], 3)}"
            numbers = f"{got[i]:.6g} at {at}, by differences {want[i]:.6g}"
    return worst <= TOLERANCE, numbers if worst > TOLERANCE else f"within {worst:.1e}"


CHECKS: tuple[tuple[str, Callable[[Subject], Finding]], ...] = (
    ("gradient and Hessian are arrays of one number for each raw score", arrays),
    ("the call is the weighted mean of the samples' losses", mean),
    ("the gradient is the derivative of the loss", gradient),
    ("the gradient is that of focal loss or log loss", gradient_of_focal_loss),
    ("the Hessian is the derivative of the gradient", exact_hessian),
    ("the Hessian has the scale of the gradient's derivative", scale_of_hessian),
    ("the gradient pulls a sample toward its label", pull),
    ("what boosters get for a Hessian is positive", positive),
    ("a sample's own step is not far beyond that of log loss", step),
    ("numbers are finite at scores of up to 800", far_out),
    ("nothing is cut off at scores of up to 800", not_cut_off),
    ("single precision scores, as XGBoost's, give the same numbers", single_precision),
    ("weights multiply gradient and curvature", weights),
    ("samples do not depend on each other, and inputs stay as they are", alone),
    ("the init score is the best constant", init_score),
    (
        "probabilities rise with the raw score, and the expected gradient is 0 at them",
        probabilities,
    ),
)
NAMES: dict[Foreign, str] = {check: name for name, check in CHECKS}
