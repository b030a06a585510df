"""The closed form of the probabilities as ONNX nodes, for every loss of the package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto

from focalboost.losses import (
    AsymmetricLoss,
    BrierLoss,
    CalibratedFocalLoss,
    FocalLoss,
    FocalStarLoss,
    GeneralizedCrossEntropyLoss,
    Loss,
    ModulatedLoss,
    PolyLoss,
    RobustFocalLoss,
    SoftmaxFocalLoss,
    VectorScalingLoss,
)
from focalboost.onnx.nodes import Graph

_TINY = float(np.finfo(np.float32).tiny)


class Parts(NamedTuple):
    """The names of a margin m and of what follows from it, with a column for each class.

    With p = sigmoid(m) and q = 1 - p, ``L`` is ``-log(p)``, ``S`` is ``-log(q)``, and ``ratio`` is
    ``p * L / q``, which is 1 far above 0.
    """

    m: str
    p: str
    q: str
    L: str
    S: str
    ratio: str


def add_posterior(
    g: Graph, raw: str, loss: Loss, factor: float, shift: Sequence[float], name: str
) -> str:
    """Add the probabilities of raw scores, which are proportional to ``p**factor * exp(shift)``.

    The share of a class is ``log(p) - tilt - log(weight)`` at its margin, with the tilt
    ``log(slope / q)`` of its loss; the softmax of the shares is the probability.
    """
    tilt, weights = _formula(loss)
    parts = _parts(g, _margins(g, raw, loss.kernel.classes.n_scores))
    share = g("Neg", g("Add", g("Add", parts.L, tilt(g, parts)), _row(np.log(weights))))
    if factor != 1:
        share = g("Mul", share, factor)
    if any(shift):
        share = g("Add", share, _row(shift))
    return g("Softmax", share, axis=1, name=name)


def _row(values: Any) -> Any:
    return np.reshape(np.asarray(values, dtype=np.float64), (1, -1))


def _margins(g: Graph, raw: str, k: int) -> str:
    """Return -z and z for two classes, or each score minus the logsumexp of the others."""
    if k == 1:
        return g("Concat", g("Neg", raw), raw, axis=1)
    # far enough below every score, and not so far that a sum overflows
    hidden = np.where(np.eye(k) > 0, -float(np.finfo(np.float32).max) / 4, 0.0)[np.newaxis]
    others = g("Add", g("Unsqueeze", raw, np.array([1])), hidden)
    top = g("ReduceMax", others, axes=[2], keepdims=1)
    scaled = g("Exp", g("Sub", others, top))
    rest = g("Log", g("ReduceSum", scaled, np.array([2]), keepdims=0))
    return g("Sub", g("Sub", raw, g("Squeeze", top, np.array([2]))), rest)


def _parts(g: Graph, m: str) -> Parts:
    """Compute all parts from exp(-|m|): the Sigmoid of onnxruntime is cut off near 18."""
    size = g("Abs", m)
    e = g("Exp", g("Neg", size))
    ratio = _log1p_over(g, e)
    tail = g("Mul", e, ratio)
    is_above = g("GreaterOrEqual", m, 0.0)
    near, far = g("Div", 1.0, g("Add", e, 1.0)), g("Div", e, g("Add", e, 1.0))
    return Parts(
        m,
        g("Where", is_above, near, far),
        g("Where", is_above, far, near),
        g("Add", g("Relu", g("Neg", m)), tail),
        g("Add", g("Relu", m), tail),
        g("Where", is_above, ratio, g("Mul", e, g("Add", size, tail))),
    )


def _log1p_over(g: Graph, e: str) -> str:
    """Return log(1 + e) / e for e in [0, 1] to the last digit, by Kahan's trick."""
    u = g("Add", e, 1.0)
    rounded = g("Sub", u, 1.0)
    quotient = g("Div", g("Log", u), g("Max", rounded, _TINY))
    return g("Where", g("Equal", rounded, 0.0), 1.0, quotient)


def _softplus(g: Graph, m: str) -> str:
    e = g("Exp", g("Neg", g("Abs", m)))
    return g("Add", g("Relu", m), g("Mul", e, _log1p_over(g, e)))


Tilt = Callable[[Graph, Parts], str]


def _formula(loss: Loss) -> tuple[Tilt, Any]:
    """Return the tilt of a loss, and the weight of each class, the negative one first."""
    make = _TILTS.get(type(loss))
    if make is None:
        raise ValueError(f"The loss must be one of focalboost's own classes, got {loss!r}.")
    if isinstance(loss, SoftmaxFocalLoss):
        weights: Any = loss.kernel.alpha
    elif isinstance(loss, CalibratedFocalLoss) or getattr(loss, "alpha", None) is None:
        weights = np.ones(2)
    else:
        weights = np.array([1.0 - loss.alpha, loss.alpha])  # type: ignore[attr-defined]
    return make(loss), weights


def _focal_tilt(gamma: Any, extra: Any = None) -> Tilt:
    """Return log(q**gamma * (1 + gamma * p L / q)), with one more term times p in the brackets."""

    def tilt(g: Graph, parts: Parts) -> str:
        inner = g("Add", g("Mul", parts.ratio, _row(gamma)), 1.0)
        if extra is not None:
            inner = g("Add", inner, g("Mul", parts.p, _row(extra)))
        return g("Sub", g("Log", inner), g("Mul", parts.S, _row(gamma)))

    return tilt


def _asymmetric(loss: Any) -> Tilt:
    focal = _focal_tilt([loss.gamma_negative, loss.gamma_positive])
    if loss.margin == 0:
        return focal

    def tilt(g: Graph, parts: Parts) -> str:
        # The negative class is in the first column. What is left of q beyond the margin is kept
        # large enough for a finite logarithm.
        right = g("Min", g("Add", parts.p, loss.margin), 1.0)
        left = g("Max", g("Sub", parts.q, loss.margin), _TINY)
        inner = g("Sub", g("Div", left, right), g("Mul", g("Log", right), loss.gamma_negative))
        log = g("Log", g("Max", inner, _TINY))
        beyond = g("Add", log, g("Mul", g("Log", left), loss.gamma_negative - 1.0))
        is_negative = np.array([[True, False]])
        return g(
            "Where",
            g("Cast", is_negative, to=TensorProto.BOOL),
            g("Sub", beyond, parts.L),
            focal(g, parts),
        )

    return tilt


def _elsewhere(scale: Any, shift: Any, log_slope: Any) -> Tilt:
    """Return the tilt of log loss at the margin ``scale * m + shift``."""

    def tilt(g: Graph, parts: Parts) -> str:
        moved = g("Add", g("Mul", parts.m, _row(scale)), _row(shift))
        # log_slope - log(1 + exp(moved)) + S
        return g("Sub", g("Add", parts.S, _row(log_slope)), _softplus(g, moved))

    return tilt


def _modulated(loss: Any) -> Tilt:
    if not isinstance(loss.factor, str):
        raise ValueError(
            f"factor must be a name to export the loss, got {loss.factor!r}: ONNX does not know "
            "functions of your own."
        )

    def tilt(g: Graph, parts: Parts) -> str:
        p, pL = parts.p, g("Mul", parts.p, parts.L)
        if loss.factor == "cos":
            return g("Log", g("Add", g("Cos", p), g("Mul", g("Sin", p), pL)))
        if loss.factor == "exp":
            return g("Sub", g("Log", g("Add", pL, 1.0)), p)
        bracket = g("Add", g("Mul", g("Mul", p, pL), 2.0), 1.0)
        return g("Sub", g("Log", bracket), g("Mul", p, p))

    return tilt


def _robust(loss: Any) -> Tilt:
    """Return log(q**r * (p**k + r p (1 - p**k) / (k q))), with p**k taken out of the sum."""

    def tilt(g: Graph, parts: Parts) -> str:
        y = g("Mul", parts.L, loss.k)
        # (1 - p**k) / y by Kahan's trick
        power = g("Exp", g("Neg", y))
        is_1, is_0 = g("Equal", power, 1.0), g("Less", power, 1e-30)
        log = g(
            "Where", is_1, -1.0, g("Where", is_0, g("Neg", y), g("Log", g("Max", power, _TINY)))
        )
        mean = g("Where", is_1, 1.0, g("Div", g("Sub", power, 1.0), log))
        # L / q, which is 1 where p is 1
        is_above = g("GreaterOrEqual", parts.m, 0.0)
        over = g("Where", is_above, g("Div", parts.ratio, parts.p), g("Div", parts.L, parts.q))
        weight = g("Exp", g("Mul", parts.L, loss.k - 1.0))
        term = g("Mul", g("Mul", g("Mul", mean, over), weight), loss.r)
        return g("Sub", g("Sub", g("Log", g("Add", term, 1.0)), y), g("Mul", parts.S, loss.r))

    return tilt


_TILTS: dict[type, Callable[[Any], Tilt]] = {
    FocalLoss: lambda loss: _focal_tilt(loss.gamma),
    SoftmaxFocalLoss: lambda loss: _focal_tilt(loss.kernel.gamma),
    AsymmetricLoss: _asymmetric,
    # Its raw scores are log-odds.
    CalibratedFocalLoss: lambda _: lambda g, parts: g("Mul", parts.L, 0.0),
    ModulatedLoss: _modulated,
    FocalStarLoss: lambda loss: _elsewhere(loss.gamma, loss.beta, 0.0),
    PolyLoss: lambda loss: _focal_tilt(loss.gamma, loss.epsilon * (loss.gamma + 1.0)),
    VectorScalingLoss: lambda loss: _elsewhere(
        loss.scale, np.negative(loss.shift), np.log(loss.scale)
    ),
    RobustFocalLoss: _robust,
    GeneralizedCrossEntropyLoss: lambda loss: lambda g, parts: g("Mul", parts.L, -loss.k),
    BrierLoss: lambda _: lambda g, parts: g("Neg", g("Add", parts.L, parts.S)),
}
