"""A doctor for objectives: whether a loss of your own does what a booster needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from focalboost.inspection.causes import causes_of
from focalboost.inspection.checks import CHECKS
from focalboost.inspection.subjects import Subject, subject_of
from focalboost.losses._types import Foreign, Function

__all__ = ["ObjectiveReport", "check_objective"]


@dataclass(frozen=True)
class ObjectiveReport:
    """What `check_objective` found.

    Parameters
    ----------
    name : str
        The name of the objective.
    findings : tuple of (str, bool, str)
        What was checked, whether it holds, and the numbers.
    causes : tuple of str, default=()
        What is probably wrong, where a check does not hold and the cause can be told.

    Examples
    --------
    >>> from focalboost import FocalLoss, check_objective
    >>> check_objective(FocalLoss(2.0)).ok
    True
    """

    name: str
    findings: tuple[tuple[str, bool, str], ...]
    causes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return all(holds for _, holds, _ in self.findings)

    @property
    def failures(self) -> list[str]:
        """The checks that do not hold."""
        return [what for what, holds, _ in self.findings if not holds]

    def __str__(self) -> str:
        width = max(len(what) for what, _, _ in self.findings)
        lines = [
            f"  {'ok    ' if holds else 'WRONG '} {what:{width}}  {numbers}".rstrip()
            for what, holds, numbers in self.findings
        ]
        verdict = "all holds" if self.ok else f"{len(self.failures)} wrong"
        causes = [f"  Probable cause: {cause}" for cause in self.causes]
        return "\n".join([f"{self.name}: {verdict}", *lines, *causes])


def check_objective(objective: Foreign, *, value: Function | None = None) -> ObjectiveReport:
    """Check a loss of your own for what boosters need, and for what would go wrong silently.

    Every derivative is compared with finite differences (`scipy.differentiate.derivative`), at many
    raw scores and with every label. The checks are, where they apply:

    * results are arrays that boosters take, with one derivative for each raw score;
    * the call is the weighted mean of the samples' losses;
    * the gradient is the derivative of the loss, or of focal loss or log loss where no loss is
      given;
    * the gradient pulls a sample toward its label;
    * the Hessian is the derivative of the gradient, or has its scale;
    * what boosters get as the Hessian is positive; a map shows where it is not;
    * a sample's own step is not far beyond that of log loss;
    * numbers are finite at extreme scores, and not cut off;
    * single precision scores give the same numbers;
    * weights multiply gradient and curvature;
    * samples do not depend on each other, and inputs stay as they are;
    * the init score is the best constant;
    * probabilities rise with the raw score, and the expected gradient is 0 at them.

    Parameters
    ----------
    objective : object or callable
        One of these:

        * a loss: any object that the adapters take (see ``focalboost.lightgbm.objective``);
        * a function ``f(y_true, raw_prediction)`` or, as LightGBM and XGBoost call it natively,
          ``f(preds, data)``, that returns gradient and Hessian;
        * an object with the methods ``grad(y_true, y_pred)`` and ``hess(y_true, y_pred)`` of
          probabilities, as many published focal losses are written. Its call, if it has one, is
          taken as the loss.
    value : callable, optional
        ``value(y_true, raw_prediction)``, the loss of each sample or the mean loss, where
        ``objective`` returns its derivatives only.

    Returns
    -------
    ObjectiveReport
        ``report.ok`` tells whether every check holds. Printed, the report is a table, with probable
        causes.

    Raises
    ------
    TypeError
        If ``objective`` is none of these, or is a loss that lacks a method; or if ``value`` is
        given with a loss, which has its own.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import check_objective
    >>> def focal(y_true, raw_prediction):  # the factor is not differentiated
    ...     p = 1 / (1 + np.exp(-raw_prediction))
    ...     factor = np.where(y_true == 1, 1 - p, p) ** 2.0
    ...     return factor * (p - y_true), factor * p * (1 - p)
    >>> report = check_objective(focal)
    >>> report.failures
    ['the gradient is that of focal loss or log loss']
    >>> print(report.causes[0])
    The factor (1 - p_t)**gamma, with gamma = 2, was held constant when the loss was differentiated.
    """
    with np.errstate(all="ignore"):
        subject = subject_of(objective, value)
        findings = tuple(
            (what, *found) for what, check in CHECKS if (found := _look(check, subject)) is not None
        )
        failed = any(not holds for _, holds, _ in findings)
        causes = tuple(causes_of(subject, findings)) if failed else ()
    return ObjectiveReport(subject.name, findings, causes)


def _look(check: Callable[[Subject], Foreign], subject: Subject) -> tuple[bool, str] | None:
    try:
        found = check(subject)
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"
    return None if found is None else (bool(found[0]), found[1])
