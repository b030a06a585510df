"""The display of a result of `compare_losses`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from focalboost.inspection.comparison import ComparedLoss, LossComparison
from focalboost.inspection.displays import axes_of
from focalboost.losses._checks import as_list, check_kind
from focalboost.losses._types import Foreign

__all__ = ["LossComparisonDisplay"]

_COLOURS = {"better": "tab:blue", "worse": "tab:red", "no difference seen": "0.5"}


class LossComparisonDisplay:
    """Differences of losses to the booster's own log loss, with their intervals.

    Each metric has its own axes, with a point and an interval for each loss: blue where the verdict
    is "better", red where it is "worse", and grey where the interval holds 0. A line marks 0. Use
    `from_comparison` to make a display.

    Parameters
    ----------
    rows : dict of str to list of named tuples
        For each metric, the lines of ``LossComparison.rows``, without the reference.
    reference : str, default="own log loss"
        The name of the reference that the losses are compared with.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_metrics,)
        One for each metric.
    intervals_ : ndarray of ErrorbarContainer of shape (n_metrics, n_losses)
        The points with their intervals.
    zeros_ : list of Line2D
        The lines at 0.

    See Also
    --------
    compare_losses : The comparison itself.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import LossComparison, LossComparisonDisplay
    >>> scores = np.array([[0.50, 0.52, 0.48, 0.50], [0.56, 0.59, 0.55, 0.58]])
    >>> comparison = LossComparison(
    ...     "LGBMClassifier", ("own log loss", "gamma=2"), {"roc_auc": scores},
    ...     fit_time=np.ones((2, 4)), test_share=1 / 3)
    >>> display = LossComparisonDisplay.from_comparison(comparison)
    >>> print([round(float(x), 2) for x in display.intervals_[0, 0].lines[0].get_xdata()])
    [0.07]
    """

    def __init__(
        self, rows: dict[str, list[ComparedLoss]], *, reference: str = "own log loss"
    ) -> None:
        self.rows = rows
        self.reference = reference

    @classmethod
    def from_comparison(
        cls,
        comparison: LossComparison,
        *,
        metrics: Sequence[str] | None = None,
        ax: Foreign = None,
    ) -> LossComparisonDisplay:
        """Plot a comparison.

        Parameters
        ----------
        comparison : LossComparison
            What `compare_losses` returned.
        metrics : sequence of str, default=None
            Which of its metrics to draw; None is all of them.
        ax : Axes or array-like of Axes, default=None
            One for each metric. None makes a figure.

        Returns
        -------
        LossComparisonDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If ``comparison`` or one of ``metrics`` is of the wrong kind.
        ValueError
            If the comparison lacks one of ``metrics``, or if ``ax`` holds the wrong number of axes.
        """
        check_kind(
            "comparison", comparison, LossComparison, "a LossComparison, as compare_losses returns"
        )
        known = [*comparison.scores]
        rule = f"a list of some of {known}"
        chosen = known if metrics is None else as_list("metrics", metrics, str, rule)
        if not chosen or not {*chosen} <= {*known}:
            raise ValueError(f"metrics must hold some of {known}, got {chosen!r}.")
        rows: dict[str, list[ComparedLoss]] = {metric: [] for metric in chosen}
        for row in comparison.rows:
            if row.metric in rows and row.loss != comparison.losses[0]:
                rows[row.metric].append(row)
        return cls(rows, reference=comparison.losses[0]).plot(ax=ax)

    def plot(self, *, ax: Foreign = None) -> LossComparisonDisplay:
        """Draw the differences; ``ax`` is as in `from_comparison`."""
        self.axes_ = axes_of(ax, len(self.rows))
        self.figure_ = self.axes_[0].figure
        self.zeros_ = []
        intervals = []
        for axes, (metric, rows) in zip(self.axes_, self.rows.items(), strict=True):
            self.zeros_.append(axes.axvline(0, color="0.4", linestyle=":", zorder=0))
            intervals.append(
                [
                    axes.errorbar(
                        row.difference,
                        i,
                        xerr=[[row.difference - row.low], [row.high - row.difference]],
                        fmt="o",
                        capsize=3,
                        color=_COLOURS[row.verdict],
                    )
                    for i, row in enumerate(rows)
                ]
            )
            axes.set_yticks(range(len(rows)), [row.loss for row in rows])
            axes.set_ylim(len(rows) - 0.5, -0.5)  # the first loss at the top
            axes.locator_params(axis="x", nbins=5)
            axes.set_title(metric, fontsize="medium")
            axes.set_xlabel(f"difference to {self.reference}")
        self.intervals_ = np.empty((len(intervals), len(intervals[0])), dtype=object)
        for i, of_metric in enumerate(intervals):
            self.intervals_[i, :] = of_metric
        return self
