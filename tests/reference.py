"""The losses in mpmath, written from the papers' formulas: the oracle of every value.

A formula is the textbook's, and its derivatives are mpmath's own differentiation. Nothing is shared
with the package but the parameters of a loss.
"""

from dataclasses import fields, replace
from functools import cache

import mpmath as mp
import numpy as np
import zoo

from focalboost import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
)

FACTORS = {
    "cos": mp.cos,
    "exp": lambda p: mp.exp(-p),
    "exp_square": lambda p: mp.exp(-p * p),
}


def digits(size):
    """Return the digits at which 30 are left of a sample's derivatives.

    log(p) cancels 0.434 digits for each unit of raw score, and a second derivative may be smaller
    than the loss by as many.
    """
    return 30 + int(0.44 * size)


def value_of_label(loss, y, m):
    """Return the loss of a sample of weight 1 with the label y at its margin m."""
    p, q = 1 / (1 + mp.exp(-m)), 1 / (1 + mp.exp(m))
    if isinstance(loss, FocalLoss):
        # FL(p_t) = -(1 - p_t)**gamma log(p_t)
        return -(q ** mp.mpf(loss.gamma)) * mp.log(p)
    if isinstance(loss, AsymmetricLoss):
        gamma = mp.mpf(loss.gamma_positive if y == 1 else loss.gamma_negative)
        if y == 1 or loss.margin == 0:
            return -(q**gamma) * mp.log(p)
        # p_m = max(p - m, 0), where the p of a negative sample is our q
        shifted = max(q - mp.mpf(loss.margin), mp.mpf(0))
        return -(shifted**gamma) * mp.log(1 - shifted)
    if isinstance(loss, ModulatedLoss):
        factor = FACTORS[loss.factor] if isinstance(loss.factor, str) else loss.factor[0]
        return -factor(p) * mp.log(p)
    if isinstance(loss, FocalStarLoss):
        # FL*(x_t) = -log(sigmoid(gamma * x_t + beta)) / gamma
        return mp.log1p(mp.exp(-mp.mpf(loss.gamma) * m - mp.mpf(loss.beta))) / mp.mpf(loss.gamma)
    if isinstance(loss, PolyLoss):
        # FL + epsilon (1 - p_t)**(gamma + 1)
        gamma = mp.mpf(loss.gamma)
        return -(q**gamma) * mp.log(p) + mp.mpf(loss.epsilon) * q ** (gamma + 1)
    if isinstance(loss, VectorScalingLoss):
        # log(1 + exp(-(scale_y * m - shift_y)))
        scale, shift = mp.mpf(loss.scale[y]), mp.mpf(loss.shift[y])
        return mp.log1p(mp.exp(-(scale * m - shift)))
    if isinstance(loss, GeneralizedCrossEntropyLoss):
        k = mp.mpf(loss.k)
        return (1 - p**k) / k
    if isinstance(loss, RobustFocalLoss):
        k = mp.mpf(loss.k)
        return q ** mp.mpf(loss.r) * (1 - p**k) / k
    if isinstance(loss, BrierLoss):
        return q**2
    if isinstance(loss, zoo.SymmetricCrossEntropyLoss):
        return -mp.log(p) + mp.mpf(loss.weight_of_reverse) * (1 - p)
    raise TypeError(loss)


def weight_of_label(loss, y):
    """Return the factor of a label, at the working precision."""
    if loss.alpha is None:
        return mp.mpf(1)
    if isinstance(loss, SoftmaxFocalLoss):
        return mp.mpf(loss.alpha[y])
    return mp.mpf(loss.alpha) if y == 1 else 1 - mp.mpf(loss.alpha)


# One sample: the loss, its gradient and its Hessian, times the weight of the label.


def derivatives_of_sample(loss, y, z):
    """Return numbers of mpmath, with several classes a list and a list of lists."""
    loss = _of_the_zoo(loss)
    if isinstance(loss, CalibratedFocalLoss):
        return _of_calibrated(loss, y, z)
    with mp.workdps(digits(np.ptp(z) if loss.is_multiclass else abs(z))):
        bare = loss if loss.alpha is None else replace(loss, alpha=None)
        weight = weight_of_label(loss, y)
        if not loss.is_multiclass:
            # dz = dm for a positive sample and -dm for a negative one
            sign, margin = (1, z) if y == 1 else (-1, -z)
            f, first, second = _of_margin(bare, y, margin)[:3]
            return weight * f, weight * sign * first, weight * second
        f, gradient, hessian = _of_scores(bare, y, z)
        return (
            weight * f,
            [weight * g for g in gradient],
            [[weight * h for h in row] for row in hessian],
        )


def _of_the_zoo(loss):
    """Return the loss that a broken one is derived from, whose results are cached."""
    cls = next(c for c in type(loss).__mro__ if c in {type(loss) for loss in zoo.LOSSES})
    return cls(*(getattr(loss, field.name) for field in fields(loss)))


@cache
def _of_margin(loss, y, margin):
    if y == 0 and not isinstance(loss, AsymmetricLoss | VectorScalingLoss):
        return _of_margin(loss, 1, margin)
    # A loss of a steeper margin bends as little as one that is farther away.
    steepness = {FocalStarLoss: "gamma", VectorScalingLoss: "scale"}.get(type(loss))
    times = np.max(getattr(loss, steepness)) if steepness else 1
    return _with_derivatives(lambda m: value_of_label(loss, y, m), margin, 2, times)


def _with_derivatives(function, x, order, times=1):
    """Return a function's value and its derivatives, by mpmath's own differentiation."""
    size = abs(float(x)) * times
    with mp.workdps(digits(size)):
        value = function(mp.mpf(x))
    # mp.diffs takes symmetric differences of a step of 10**-digits, at order + 2 times the digits:
    # what it leaves out and what it rounds are both within the square of the step.
    with mp.workdps(10 + digits(size) // 2):
        return value, *[*mp.diffs(function, mp.mpf(x), order)][1:]


@cache
def _of_scores(loss, y, z):
    with mp.workdps(digits(np.ptp(z))):
        z = [mp.mpf(v) for v in z]
        classes = range(len(z))
        gamma = mp.mpf(loss.gamma[y] if isinstance(loss.gamma, tuple) else loss.gamma)

        def value(*scores):
            p = mp.exp(scores[y]) / mp.fsum(map(mp.exp, scores))
            return -((1 - p) ** gamma) * mp.log(p)

        def derivative(*by):
            return mp.diff(value, z, tuple(by.count(j) for j in classes))

        upper = {(i, j): derivative(i, j) for i in classes for j in classes if i <= j}
        hessian = [[upper[min(i, j), max(i, j)] for j in classes] for i in classes]
        return value(*z), [derivative(j) for j in classes], hessian


def _of_calibrated(loss, y, v):
    """Return the derivatives in the log-odds v by the chain rule, at focal loss's score."""
    with mp.workdps(digits(abs(v))):
        z, (v1, v2) = _focal_score(loss.gamma, v + _logit(loss.alpha))
        # At the score the margin's derivatives are cached at its own precision, which is enough.
        sign = 1 if y == 1 else -1
        f, first, second, _ = _of_focal(loss.gamma, sign * z)
        weight, first = weight_of_label(loss, y), sign * first
        return weight * f, weight * first / v1, weight * (second - first / v1 * v2) / v1**2


def _logit(alpha):
    return mp.mpf(0) if alpha is None else mp.log(mp.mpf(alpha)) - mp.log(1 - mp.mpf(alpha))


@cache
def _of_focal(gamma, margin):
    """Return focal loss with three derivatives at a margin that is a number of mpmath."""
    return _with_derivatives(lambda m: value_of_label(FocalLoss(gamma), 1, m), margin, 3)


@cache
def _focal_score(gamma, log_odds):
    """Return the score of focal loss with these log-odds, and their two derivatives there."""

    def odds_of(z):
        # v = log(g0) - log(-g1), so that v' = g0'/g0 - g1'/g1; a negative's margin is -z.
        (_, a1, a2, a3), (_, b1, b2, b3) = _of_focal(gamma, -z), _of_focal(gamma, z)
        v1 = -a2 / a1 - b2 / b1
        v2 = (a3 / a1 - (a2 / a1) ** 2) - (b3 / b1 - (b2 / b1) ** 2)
        return mp.log(-a1) - mp.log(-b1), v1, v2

    # Newton's method from the score that far log-odds have, which doubles the digits each time.
    z = log_odds / (gamma + 1)
    for _ in range(60):
        v, v1, v2 = odds_of(z)
        step = (v - log_odds) / v1
        if abs(step) <= mp.mpf(10) ** -20 * (1 + abs(z)):
            return z, (v1, v2)
        z -= step
    raise ArithmeticError(f"no score of focal loss for {gamma=} and {log_odds=}")


def log_odds_of_sample(loss, z):
    """Return the logit of eta = g0 / (g0 - g1), the probability at which the score is optimal."""
    with mp.workdps(digits(abs(z))):
        (_, g1, _), (_, g0, _) = (derivatives_of_sample(loss, y, z) for y in (1, 0))
        return mp.log(g0) - mp.log(-g1) if g0 else -mp.inf


def proba_of_sample(loss, z):
    """Return the probabilities at which the expected gradient is 0."""
    return _proba_of_sample(_of_the_zoo(loss), z)


@cache
def _proba_of_sample(loss, z):
    if not loss.is_multiclass:
        odds = log_odds_of_sample(loss, z)
        with mp.workdps(digits(abs(z))):
            return [1 / (1 + mp.exp(odds)), 1 / (1 + mp.exp(-odds))]
    with mp.workdps(digits(np.ptp(z))):
        gradients = [derivatives_of_sample(loss, y, z)[1] for y in range(len(z))]
        # the gradients of the labels sum to 0, weighted by the probabilities, which sum to 1
        rows = [[g[j] for g in gradients] for j in range(len(z) - 1)] + [[1] * len(z)]
        return [*mp.lu_solve(mp.matrix(rows), mp.matrix([0] * (len(z) - 1) + [1]))]


# Many samples: arrays of float64, for losses of any number of classes.


def _samples(z):
    return [tuple(map(float, v)) if np.ndim(v) else float(v) for v in z]


def derivatives(loss, y, z):
    """Return the loss, the gradient and the Hessian or its diagonal, as the methods have them."""
    samples = [derivatives_of_sample(loss, int(c), v) for c, v in zip(y, _samples(z), strict=True)]
    value, gradient, hessian = zip(*samples, strict=True)
    if loss.is_multiclass:
        hessian = [[h[j][j] for j in range(len(h))] for h in hessian]
    return tuple(np.array(column, dtype=float) for column in (value, gradient, hessian))


def log_odds(loss, z):
    """Return what `Loss.log_odds` should, the logit of each class's probability."""
    if not loss.is_multiclass:
        odds = [float(log_odds_of_sample(loss, v)) for v in _samples(z)]
        # where no probability above 0 is optimal, the log-odds end at the smallest finite number
        return np.maximum(odds, -np.finfo(np.float64).max)
    with mp.workdps(60):
        return np.array(
            [
                [mp.log(p) - mp.log(mp.fsum(eta) - p) for p in eta]
                for eta in (proba_of_sample(loss, v) for v in _samples(z))
            ],
            dtype=float,
        )


def proba(loss, z):
    """Return the probabilities of all classes, of shape (n, K) with K >= 2."""
    return np.array([proba_of_sample(loss, v) for v in _samples(z)], dtype=float)


def log_proba(loss, z):
    """Return the logarithm of the positive class's probability, or of each class's."""
    if not loss.is_multiclass:
        odds = [log_odds_of_sample(loss, v) for v in _samples(z)]
        return np.array([-mp.log1p(mp.exp(-v)) for v in odds], dtype=float)
    with mp.workdps(60):
        etas = [proba_of_sample(loss, v) for v in _samples(z)]
        return np.array([[mp.log(p) for p in eta] for eta in etas], dtype=float)


def expected_hessian(loss, z):
    """Return the average of the Hessians over the label, of shape (n,) or (n, K, K)."""
    means = []
    for v in _samples(z):
        eta = proba_of_sample(loss, v)
        hessians = [derivatives_of_sample(loss, y, v)[2] for y in range(len(eta))]
        with mp.workdps(digits(np.max(np.abs(v)))):
            if loss.is_multiclass:
                k = range(len(eta))
                mean = [[mp.fsum(eta[c] * hessians[c][i][j] for c in k) for j in k] for i in k]
            else:
                mean = eta[0] * hessians[0] + eta[1] * hessians[1]
        means.append(mean)
    return np.array(means, dtype=float)


def size_of_hessian(loss, y, z):
    """Return the sum of the absolute values of a Hessian's terms: its size before they cancel."""
    _, gradient, hessian = derivatives(loss, y, z)
    size = np.abs(gradient) + np.abs(hessian)
    if not isinstance(loss, FocalLoss):
        return size
    sizes = []
    for c, v in zip(y, _samples(z), strict=True):
        with mp.workdps(digits(abs(v))):
            g, m = mp.mpf(loss.gamma), mp.mpf(v if c == 1 else -v)
            p, q = 1 / (1 + mp.exp(-m)), 1 / (1 + mp.exp(m))
            cross_entropy = mp.log1p(mp.exp(-m))
            terms = (g * g * p * cross_entropy, (2 * g + 1) * q, g * q * cross_entropy)
            sizes.append(float(weight_of_label(loss, int(c)) * q**g * p * mp.fsum(terms)))
    return np.array(sizes)
