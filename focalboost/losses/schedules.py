"""A gamma that changes from round to round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from focalboost.losses._checks import check_real, check_whole
from focalboost.losses.base import Loss

__all__ = ["ExponentialGamma", "LinearGamma", "ScheduledLoss"]


class _Gamma:
    """A gamma that goes from one value in round 0 to another in the last of n rounds."""

    start: float
    stop: float
    n_rounds: int

    def check(self, rule: str, holds: Callable[[float], bool]) -> None:
        for name in ("start", "stop"):
            object.__setattr__(self, name, check_real(name, getattr(self, name), rule, holds))
        check_whole("n_rounds", self.n_rounds, 1)

    def share(self, i: int) -> float:
        return min(check_whole("i", i, 0) / max(self.n_rounds - 1, 1), 1.0)


@dataclass(frozen=True)
class LinearGamma(_Gamma):
    """A gamma that goes in equal steps from one value to another, and stays there.

    Parameters
    ----------
    start : float
        gamma of the first round, >= 0.
    stop : float
        gamma of the last of ``n_rounds``, and of all after it, >= 0.
    n_rounds : int
        Number of rounds, >= 1.

    Examples
    --------
    >>> from focalboost import LinearGamma
    >>> gamma = LinearGamma(5.0, 1.0, n_rounds=5)
    >>> [gamma(i) for i in (0, 1, 4, 9)]
    [5.0, 4.0, 1.0, 1.0]
    """

    start: float
    stop: float
    n_rounds: int

    def __post_init__(self) -> None:
        self.check(">= 0", lambda v: v >= 0)

    def __call__(self, i: int) -> float:
        """Return gamma in round i, counted from 0."""
        share = self.share(i)
        return (1.0 - share) * self.start + share * self.stop


@dataclass(frozen=True)
class ExponentialGamma(_Gamma):
    """A gamma that changes by the same factor in each round.

    The parameters are those of `LinearGamma`, with ``start`` and ``stop`` > 0.

    Examples
    --------
    >>> from focalboost import ExponentialGamma
    >>> gamma = ExponentialGamma(4.0, 1.0, n_rounds=3)
    >>> [gamma(i) for i in (0, 1, 2, 9)]
    [4.0, 2.0, 1.0, 1.0]
    """

    start: float
    stop: float
    n_rounds: int

    def __post_init__(self) -> None:
        self.check("> 0", lambda v: v > 0)

    def __call__(self, i: int) -> float:
        """Return gamma in round i, counted from 0."""
        share = self.share(i)
        return float(self.start ** (1.0 - share) * self.stop**share)


@dataclass(frozen=True)
class ScheduledLoss:
    """A loss whose gamma is a function of the boosting round.

    Pass it as ``loss`` to ``train`` or ``cv`` of `focalboost.lightgbm` or `focalboost.xgboost`,
    which count the rounds, also where a model is continued. Training starts at the best constant of
    the first round's loss. In every round, the history and early stopping use the loss of the last
    round that was asked for, so that rounds can be compared.

    The scores of a model are sums of steps toward the optima of several losses. The last of these
    losses comes closest to the probabilities that the scores stand for: for a model of n rounds,
    use `Loss.inverse_link` of ``loss.at(n - 1)``. How close depends on how many rounds the
    last gammas had, so let a schedule end some rounds before the training ends.

    Parameters
    ----------
    loss : Loss
        A loss with one number as its gamma, which the schedule replaces: `FocalLoss`,
        `SoftmaxFocalLoss`, `CalibratedFocalLoss`, `FocalStarLoss` or `PolyLoss`.
    gamma : callable
        ``gamma(i)`` is the gamma of round i, counted from 0: `LinearGamma`, `ExponentialGamma` or a
        function of yours. It must return the same value every time.

    Notes
    -----
    A gamma that starts high focuses on the worst samples first, an idea of M. Forrester (2019); for
    neural networks, see FLSD [1]_. CatBoost does not tell a Python objective the round, and takes
    no schedule.

    References
    ----------
    .. [1] J. Mukhoti, V. Kulharia, A. Sanyal, S. Golodetz, P. Torr, P. Dokania, "Calibrating Deep
       Neural Networks using Focal Loss", NeurIPS 2020,
       `arXiv:2002.09437 <https://arxiv.org/abs/2002.09437>`_.

    Examples
    --------
    >>> from focalboost import FocalLoss, LinearGamma, ScheduledLoss
    >>> loss = ScheduledLoss(FocalLoss(alpha=0.25), LinearGamma(5.0, 1.0, n_rounds=10))
    >>> loss.at(0)
    FocalLoss(gamma=5.0, alpha=0.25)
    >>> loss.at(19)  # what the scores of a model of 20 rounds stand for
    FocalLoss(gamma=1.0, alpha=0.25)
    """

    loss: Loss
    gamma: Callable[[int], float]

    def __post_init__(self) -> None:
        gamma = getattr(self.loss, "gamma", None)
        if not (isinstance(self.loss, Loss) and isinstance(gamma, float)):
            raise TypeError(f"loss must be a loss with one gamma, got {self.loss!r}.")
        if not callable(self.gamma):
            raise TypeError(f"gamma must be a function of the round, got {self.gamma!r}.")

    def at(self, i: int) -> Loss:
        """Return the loss of round i, counted from 0.

        Examples
        --------
        >>> from focalboost import ExponentialGamma, FocalLoss, ScheduledLoss
        >>> ScheduledLoss(FocalLoss(), ExponentialGamma(4.0, 1.0, n_rounds=3)).at(1)
        FocalLoss(gamma=2.0, alpha=None)
        """
        return replace(self.loss, gamma=self.gamma(i))  # type: ignore[type-var]
