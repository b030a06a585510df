"""Displays of a loss and its derivatives, of its spread over a data set, and of probabilities.

They follow scikit-learn's convention: the class methods compute, `plot` draws what they computed,
and attributes with a trailing underscore hold what is drawn. They use only methods of a loss, so
that any binary loss with these methods can be shown. `plot` imports Matplotlib, and raises an
ImportError where it is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.utils.validation import check_is_fitted, column_or_1d

from focalboost.losses import FocalLoss, Loss
from focalboost.losses._checks import (
    as_list,
    as_rows,
    broadcast,
    check_kind,
    check_weights,
    kind_of,
)
from focalboost.losses._types import Array, Foreign

__all__ = ["CumulativeLossDisplay", "FocalLossDisplay", "ProbabilityDisplay"]

_LABELS = {
    "loss": "loss",
    "gradient": "gradient",
    "hessian": "exact Hessian (shaded where negative)",
    "curvature": "curvature for boosters",
}


def _value(loss: Foreign, method: str, y_true: Array, raw_prediction: Array) -> Foreign:
    """Return the values of a method; a curvature has the default bound of the adapters."""
    is_bound = method == "curvature" and isinstance(loss, Loss)
    return getattr(loss, method)(y_true, raw_prediction, **({"max_step": 4.0} if is_bound else {}))


class FocalLossDisplay:
    r"""Loss, gradient, Hessian and curvature of one sample, for several losses.

    The loss against :math:`p_t`, with the default losses, is figure 1 of the focal loss paper [1]_.
    Use `from_losses` to make a display.

    Parameters
    ----------
    raw_prediction : ndarray of shape (n_points,)
        Raw scores, ascending.
    values : dict of str to ndarray of shape (n_losses, n_points)
        What to draw, by the name of the method that computes it: ``"loss"`` in nats, ``"gradient"``
        in nats per unit of raw score, and the others in nats per unit squared.
    names : list of str
        The losses' names, for the legend.
    y_true : {0, 1}, default=1
        The sample's label.

    Attributes
    ----------
    p_true : ndarray of shape (n_points,)
        :math:`p_t`, the *sigmoid* of the raw score for a positive sample, and 1 minus the sigmoid
        for a negative sample. It is the paper's variable, and with focal loss it is not a
        probability; see `ProbabilityDisplay`.
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (n_values,)
        One for each of ``values``.
    lines_ : ndarray of Line2D of shape (n_values, n_losses)
        The curves.
    shades_ : list of collections
        One for each loss: the scores at which its exact Hessian is negative. Empty if ``values``
        has no ``"hessian"``.

    See Also
    --------
    CumulativeLossDisplay : The same losses on the samples of a data set.

    Notes
    -----
    Where the exact Hessian is negative, a booster's Newton step has the wrong sign or no bound.
    `FocalLoss.curvature` is what boosters get instead.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.

    Examples
    --------
    >>> from focalboost import FocalLossDisplay
    >>> display = FocalLossDisplay.from_losses(x="raw_prediction")
    >>> display.names
    ['gamma=0.0', 'gamma=0.5', 'gamma=1.0', 'gamma=2.0', 'gamma=5.0']
    >>> negative = display.values["hessian"][3] < 0  # of gamma = 2
    >>> print(round(float(display.p_true[negative].max()), 3))
    0.057
    """

    def __init__(
        self,
        raw_prediction: Array,
        values: dict[str, Array],
        names: list[str],
        *,
        y_true: int = 1,
    ) -> None:
        self.raw_prediction = raw_prediction
        self.values = values
        self.names = names
        self.y_true = y_true
        self.p_true = expit(raw_prediction if y_true == 1 else -raw_prediction)

    @classmethod
    def from_losses(
        cls,
        losses: Sequence[Foreign] | None = None,
        *,
        y_true: int = 1,
        values: Sequence[str] = ("loss", "gradient", "hessian", "curvature"),
        x: str = "p_true",
        ax: Foreign = None,
    ) -> FocalLossDisplay:
        """Evaluate the losses on raw scores from -6 to 6, and plot them.

        Parameters
        ----------
        losses : sequence of losses, default=None
            Objects with the methods in ``values``, such as
            ``[FocalLoss(2.0, alpha) for alpha in (None, 0.25)]``. None is `FocalLoss` with the
            gammas 0, 0.5, 1, 2 and 5 of the paper. The legend shows the parameters that differ, or
            the class and the parameters that are not its defaults.
        y_true : {0, 1}, default=1
            The sample's label.
        values : sequence of {"loss", "gradient", "hessian", "curvature"}
            What to draw, each in axes of its own; by default all four.
        x : {"p_true", "raw_prediction"}, default="p_true"
            The attribute on the horizontal axis.
        ax : Axes or array-like of Axes, default=None
            One for each of ``values``. None makes a figure.

        Returns
        -------
        FocalLossDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If an argument is not one of its choices, or ``losses`` is empty.
        TypeError
            If one of ``losses`` lacks the methods in ``values``.
        """
        if np.ndim(y_true) or y_true not in (0, 1):
            raise ValueError(f"y_true must be 0 or 1, got {y_true!r}.")
        values = as_list("values", values, str, f"a list of some of {[*_LABELS]}")
        if not values or not {*values} <= _LABELS.keys():
            raise ValueError(f"values must hold some of {[*_LABELS]}, got {values!r}.")
        if losses is None:
            losses = [FocalLoss(gamma) for gamma in (0.0, 0.5, 1.0, 2.0, 5.0)]
        losses = _check_losses(losses, values)
        raw = np.linspace(-6.0, 6.0, 601)
        computed = {
            name: np.stack([_value(loss, name, np.full(raw.shape, y_true), raw) for loss in losses])
            for name in values
        }
        return cls(raw, computed, names_of(losses), y_true=y_true).plot(x=x, ax=ax)

    def plot(self, *, x: str = "p_true", ax: Foreign = None) -> FocalLossDisplay:
        """Draw the curves; ``x`` and ``ax`` are as in `from_losses`."""
        if not isinstance(x, str) or x not in ("p_true", "raw_prediction"):
            raise ValueError(f"x must be 'p_true' or 'raw_prediction', got {x!r}.")
        abscissa = getattr(self, x)
        self.axes_ = axes_of(ax, len(self.values))
        self.figure_ = self.axes_[0].figure
        self.shades_ = []
        lines = []
        for axes, (name, rows) in zip(self.axes_, self.values.items(), strict=True):
            lines.append(
                [
                    axes.plot(abscissa, row, label=label)[0]
                    for row, label in zip(rows, self.names, strict=True)
                ]
            )
            axes.set_xlabel(
                r"$p_t$" if x == "p_true" else f"raw score of a sample with y = {self.y_true}"
            )
            axes.set_ylabel(_LABELS[name])
            if name == "hessian":
                axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
                # Matplotlib 3.7 would take the shades' height for data.
                axes.set_ylim(axes.get_ylim())
                # Shades have the full height of the axes, as between curve and zero there is too
                # little to see. They have one grey, darker where the Hessians of more losses are
                # negative.
                self.shades_ = [
                    axes.fill_between(
                        abscissa,
                        0,
                        1,
                        where=row < 0,
                        transform=axes.get_xaxis_transform(),
                        color="0.5",
                        alpha=0.12,
                        linewidth=0,
                    )
                    for row in rows
                ]
        # Long names must not squeeze the axes.
        self.axes_[0].legend(fontsize="small").set_in_layout(False)
        self.lines_ = np.array(lines, dtype=object)
        return self


class CumulativeLossDisplay:
    r"""How the loss of a data set is spread over its positives and over its negatives.

    The samples of a class are sorted from the lowest loss to the highest. The curves show the share
    of the class's loss against the fraction of samples so far, for one model's raw scores under
    several losses, as in figure 4 of the focal loss paper [1]_. Use `from_estimator` or
    `from_predictions` to make a display.

    Parameters
    ----------
    fraction : tuple of two ndarrays of shape (n_losses, n_rows + 1)
        For the negatives, then for the positives: the fraction of samples (of weight, where there
        are weights), from 0 to 1.
    cumulative_loss : tuple of two ndarrays of shape (n_losses, n_rows + 1)
        Their share of the loss, from 0 to 1.
    names : list of str
        The losses' names, for the legend.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (2,)
        For the positives, and for the negatives, in the paper's order.
    lines_ : ndarray of Line2D of shape (2, n_losses)
        The curves, in the order of ``axes_``.

    See Also
    --------
    FocalLossDisplay : The losses themselves.

    Notes
    -----
    With losses :math:`l_1 \le \dots \le l_n` of a class, the curve passes through
    :math:`(k / n, \sum_{i \le k} l_i / \sum_i l_i)`. A factor that is the same for every sample of
    a class, such as alpha, does not show.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal Loss for Dense Object
       Detection", ICCV 2017, `arXiv:1708.02002 <https://arxiv.org/abs/1708.02002>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import CumulativeLossDisplay
    >>> y_true = [0, 0, 0, 0, 1]
    >>> raw_prediction = [-4.0, -3.0, -2.0, 0.0, 1.0]
    >>> display = CumulativeLossDisplay.from_predictions(y_true, raw_prediction)
    >>> negatives = display.cumulative_loss[0]
    >>> negatives[[0, 3], 3].round(3)  # share of the three easy samples, with gamma 0 and 2
    array([0.218, 0.011])
    """

    def __init__(
        self,
        fraction: tuple[Array, Array],
        cumulative_loss: tuple[Array, Array],
        names: list[str],
    ) -> None:
        self.fraction = fraction
        self.cumulative_loss = cumulative_loss
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Foreign,
        X: Foreign,
        y: Foreign,
        *,
        losses: Sequence[Foreign] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        ax: Foreign = None,
    ) -> CumulativeLossDisplay:
        """Evaluate the losses at a fitted classifier's raw scores, and plot them.

        Parameters
        ----------
        estimator : FocalClassifier
            A fitted classifier.
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Samples, ideally held out from training.
        y : array-like of shape (n_samples,)
            Labels of the samples.
        losses, sample_weight, ax
            As in `from_predictions`.

        Returns
        -------
        CumulativeLossDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` gives no raw scores.
        ValueError
            If the estimator has more than two classes, if ``y`` holds a label that it does not
            know, or as in `from_predictions`.

        Examples
        --------
        >>> from lightgbm import LGBMClassifier
        >>> from sklearn.datasets import make_classification
        >>> from focalboost import CumulativeLossDisplay, FocalClassifier
        >>> X, y = make_classification(500, weights=[0.9], random_state=0)
        >>> model = FocalClassifier(LGBMClassifier(n_estimators=5, verbose=-1)).fit(X, y)
        >>> CumulativeLossDisplay.from_estimator(model, X, y).axes_.shape
        (2,)
        """
        y_true, raw = _predictions(estimator, X, y)
        return cls.from_predictions(y_true, raw, losses=losses, sample_weight=sample_weight, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        *,
        losses: Sequence[Foreign] | None = None,
        sample_weight: npt.ArrayLike | None = None,
        ax: Foreign = None,
    ) -> CumulativeLossDisplay:
        """Evaluate the losses at raw scores, and plot them.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels 0 and 1.
        raw_prediction : array-like of shape (n_samples,)
            Raw scores, finite.
        losses : sequence of losses, default=None
            Objects with the method ``loss``. None is `FocalLoss` with the gammas 0, 0.5, 1 and 2 of
            the paper.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights >= 0.
        ax : array-like of two Axes, default=None
            For the positives and for the negatives. None makes a figure.

        Returns
        -------
        CumulativeLossDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If one of ``losses`` has no method ``loss``.
        ValueError
            If labels, scores or weights are not as described under Parameters, or if a class has no
            weight or no loss.
        """
        labels, raw = _check_predictions(y_true, raw_prediction)
        weight = broadcast(
            "sample_weight", 1.0 if sample_weight is None else sample_weight, raw.shape
        )
        check_weights(weight)
        if losses is None:
            losses = [FocalLoss(gamma) for gamma in (0.0, 0.5, 1.0, 2.0)]
        losses = _check_losses(losses, ["loss"])
        names = names_of(losses)
        fraction, cumulative_loss = [], []
        for label in (0, 1):
            of_class = labels == label
            y, z, w = labels[of_class], raw[of_class], weight[of_class]
            if not np.any(w):
                raise ValueError(
                    "sample_weight must have a positive sum in each class, got 0 where y_true is "
                    f"{label}."
                )
            rows, shares = [], []
            for loss, name in zip(losses, names, strict=True):
                of_row = np.asarray(loss.loss(y, z), dtype=np.float64)
                order = np.argsort(of_row, kind="stable")
                total = np.cumsum(np.append(0.0, (w * of_row)[order]))
                if total[-1] == 0:
                    raise ValueError(
                        "losses must have a positive loss on each class, got 0 of "
                        f"{name} where y_true is {label}."
                    )
                so_far = np.cumsum(np.append(0.0, w[order]))
                rows.append(so_far / so_far[-1])
                shares.append(total / total[-1])
            fraction.append(np.stack(rows))
            cumulative_loss.append(np.stack(shares))
        return cls(
            (fraction[0], fraction[1]), (cumulative_loss[0], cumulative_loss[1]), names
        ).plot(ax=ax)

    def plot(self, *, ax: Foreign = None) -> CumulativeLossDisplay:
        """Draw the curves; ``ax`` is as in `from_predictions`."""
        self.axes_ = axes_of(ax, 2)
        self.figure_ = self.axes_[0].figure
        lines = []
        for axes, label, rows in zip(self.axes_, (1, 0), ("positives", "negatives"), strict=True):
            lines.append(
                [
                    axes.plot(fraction, share, label=name)[0]
                    for fraction, share, name in zip(
                        self.fraction[label], self.cumulative_loss[label], self.names, strict=True
                    )
                ]
            )
            axes.set_xlabel(f"fraction of {rows}")
            axes.set_ylabel("cumulative normalised loss")
        self.axes_[0].legend(loc="upper left", fontsize="small").set_in_layout(False)
        self.lines_ = np.array(lines, dtype=object)
        return self


class ProbabilityDisplay:
    r"""The sigmoid and the closed-form probability of raw scores, and the reliability of both.

    The left axes show the link, which depends on the loss alone. The right axes show the
    reliability of both on data: the share of positives against the mean prediction, in bins of
    samples. Use `from_estimator` or `from_predictions` to make a display.

    Parameters
    ----------
    raw_prediction : ndarray of shape (n_points,)
        Raw scores, from the lowest to the highest of the data.
    sigmoid : ndarray of shape (n_points,)
        Their sigmoid.
    probability : ndarray of shape (n_points,)
        Their probability, the ``inverse_link`` of the loss.
    sigmoid_reliability : tuple of two ndarrays of shape (n_bins,) or smaller
        Share of positives, and mean sigmoid, in each bin of samples that is not empty, as
        `sklearn.calibration.calibration_curve` gives them.
    probability_reliability : tuple of two ndarrays of shape (n_bins,) or smaller
        The same for the closed-form probability.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of Axes of shape (2,)
        For the link, and for the reliability.
    lines_ : ndarray of Line2D of shape (2, 2)
        Of the sigmoid and of the closed-form probability, in the order of ``axes_``.
    diagonal_ : Line2D
        Where a reliable prediction lies.

    See Also
    --------
    FocalLoss.inverse_link : The closed-form probability.
    sklearn.calibration.CalibrationDisplay : The reliability of any probabilities.

    Notes
    -----
    The closed-form probability is :math:`\eta = g_0 / (g_0 - g_1)` with the gradients :math:`g_y`
    of the two labels at the raw score [1]_. The default bins have equally many samples, since where
    positives are rare most bins of equal width are nearly empty.

    References
    ----------
    .. [1] N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On Focal Loss for
       Class-Posterior Probability Estimation: A Theoretical Perspective", CVPR 2021,
       `arXiv:2011.09172 <https://arxiv.org/abs/2011.09172>`_.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss, ProbabilityDisplay
    >>> loss = FocalLoss(gamma=2.0)
    >>> y_true = np.array([0] * 90 + [1] * 10)
    >>> raw_prediction = np.full(100, loss.init_score(y_true))
    >>> display = ProbabilityDisplay.from_predictions(y_true, raw_prediction, loss, n_bins=1)
    >>> share, mean = display.probability_reliability
    >>> print(share.round(6), mean.round(6), display.sigmoid_reliability[1].round(6))
    [0.1] [0.1] [0.305787]
    """

    def __init__(
        self,
        raw_prediction: Array,
        sigmoid: Array,
        probability: Array,
        sigmoid_reliability: tuple[Array, Array],
        probability_reliability: tuple[Array, Array],
    ) -> None:
        self.raw_prediction = raw_prediction
        self.sigmoid = sigmoid
        self.probability = probability
        self.sigmoid_reliability = sigmoid_reliability
        self.probability_reliability = probability_reliability

    @classmethod
    def from_estimator(
        cls,
        estimator: Foreign,
        X: Foreign,
        y: Foreign,
        *,
        n_bins: int = 10,
        strategy: str = "quantile",
        ax: Foreign = None,
    ) -> ProbabilityDisplay:
        """Compare sigmoid and closed-form probability of a fitted classifier, and plot them.

        Parameters
        ----------
        estimator : FocalClassifier
            A fitted classifier. The closed-form probability is that of its loss, before
            ``calibration`` and ``prior``.
        X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
            Samples, ideally held out from training.
        y : array-like of shape (n_samples,)
            Labels of the samples.
        n_bins, strategy, ax
            As in `from_predictions`.

        Returns
        -------
        ProbabilityDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``estimator`` gives no raw scores.
        ValueError
            If the estimator has more than two classes, if ``y`` holds a label that it does not
            know, or as in `from_predictions`.

        Examples
        --------
        >>> from lightgbm import LGBMClassifier
        >>> from sklearn.datasets import make_classification
        >>> from focalboost import FocalClassifier, ProbabilityDisplay
        >>> X, y = make_classification(500, weights=[0.9], random_state=0)
        >>> model = FocalClassifier(LGBMClassifier(n_estimators=5, verbose=-1)).fit(X, y)
        >>> display = ProbabilityDisplay.from_estimator(model, X, y, n_bins=1)
        >>> share, mean = display.probability_reliability
        >>> print(share, mean.round(2), display.sigmoid_reliability[1].round(2))
        [0.1] [0.1] [0.29]
        """
        y_true, raw = _predictions(estimator, X, y)
        return cls.from_predictions(
            y_true, raw, estimator.loss_, n_bins=n_bins, strategy=strategy, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        raw_prediction: npt.ArrayLike,
        loss: Foreign,
        *,
        n_bins: int = 10,
        strategy: str = "quantile",
        ax: Foreign = None,
    ) -> ProbabilityDisplay:
        """Compare sigmoid and closed-form probability of raw scores, and plot them.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels 0 and 1.
        raw_prediction : array-like of shape (n_samples,)
            Raw scores, finite.
        loss : FocalLoss
            The loss that the model was trained with, or another loss with the method
            ``inverse_link``.
        n_bins : int, default=10
            Number of bins of the reliability.
        strategy : {"quantile", "uniform"}, default="quantile"
            Bins of equally many samples, or of equal width.
        ax : array-like of two Axes, default=None
            For the link and for the reliability. None makes a figure.

        Returns
        -------
        ProbabilityDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If ``loss`` has no method ``inverse_link``.
        ValueError
            If labels or scores are not as described under Parameters, or if scikit-learn refuses
            ``n_bins`` or ``strategy``.
        """
        labels, raw = _check_predictions(y_true, raw_prediction)
        _check_loss("loss", loss, ["inverse_link"])
        bins = {"n_bins": n_bins, "strategy": strategy}
        grid = np.linspace(raw.min(), raw.max(), 401)
        return cls(
            grid,
            expit(grid),
            loss.inverse_link(grid),
            calibration_curve(labels, expit(raw), **bins),
            calibration_curve(labels, loss.inverse_link(raw), **bins),
        ).plot(ax=ax)

    def plot(self, *, ax: Foreign = None) -> ProbabilityDisplay:
        """Draw the curves; ``ax`` is as in `from_predictions`."""
        self.axes_ = axes_of(ax, 2)
        self.figure_ = self.axes_[0].figure
        link, reliability = self.axes_
        (self.diagonal_,) = reliability.plot([0, 1], [0, 1], ":", color="0.4", label="reliable")
        lines = []
        for name, curve, (share, mean), style in (
            ("sigmoid of the raw score", self.sigmoid, self.sigmoid_reliability, "s--"),
            ("probability in closed form", self.probability, self.probability_reliability, "o-"),
        ):
            (line,) = link.plot(self.raw_prediction, curve, style[1:], label=name)
            lines.append(
                [line, *reliability.plot(mean, share, style, color=line.get_color(), label=name)]
            )
        link.set_xlabel("raw score")
        link.set_ylabel("prediction")
        reliability.set_xlabel("mean prediction of a bin")
        reliability.set_ylabel("share of positives")
        link.legend(fontsize="small")  # of both axes: on the right it would cover points
        self.lines_ = np.array(lines, dtype=object).T
        return self


def axes_of(ax: Foreign, n: int) -> Array:
    """Return n axes: those given, or those of a new figure."""
    try:
        import matplotlib.pyplot as plt
        from matplotlib.axes import Axes
    except ImportError as error:
        raise ImportError(
            "Displays need Matplotlib: install matplotlib, for example by "
            'pip install "focalboost[plot]".'
        ) from error
    if ax is None:
        _, ax = plt.subplots(1, n, figsize=(4.0 * n, 3.6), layout="constrained")
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n:
        raise ValueError(f"ax must hold {n} axes, got {len(axes)}.")
    for one in axes:
        check_kind("ax", one, Axes, "Matplotlib's Axes, or a list of them")
    return axes


def _check_losses(losses: Sequence[Foreign], methods: Sequence[str]) -> list[Foreign]:
    if not isinstance(losses, Sequence) or not losses:
        raise ValueError(f"losses must be a sequence of one loss or more, got {losses!r}.")
    for loss in losses:
        _check_loss("losses", loss, methods)
    return [*losses]


def _check_loss(name: str, loss: Foreign, methods: Sequence[str]) -> None:
    if isinstance(loss, type):
        raise TypeError(f"{name} must be an instance, got {kind_of(loss)}.")
    for method in methods:
        if not callable(getattr(loss, method, None)):
            raise TypeError(f"{name} must have the method {method}, got {loss!r}.")
    if getattr(loss, "is_multiclass", False):
        raise ValueError(f"{name} must be for two classes with one raw score, got {loss!r}.")


def names_of(losses: list[Foreign]) -> list[str]:
    """Return short names: the parameters that differ, or the class and what is not its default.

    A whole repr is wider than the axes.
    """
    is_one_class = all(type(loss) is type(losses[0]) for loss in losses)
    names = []
    for loss in losses:
        if not is_dataclass(loss):
            names.append(repr(loss))
            continue
        values = {field.name: getattr(loss, field.name) for field in fields(loss)}
        differ = [
            f"{name}={value!r}"
            for name, value in values.items()
            if is_one_class and any(getattr(other, name) != value for other in losses)
        ]
        changed = [
            f"{field.name}={values[field.name]!r}"
            for field in fields(loss)
            if values[field.name] != field.default
        ]
        names.append(", ".join(differ) or f"{type(loss).__name__}({', '.join(changed)})")
    return names


def _predictions(estimator: Foreign, X: Foreign, y: Foreign) -> tuple[Array, Array]:
    """Return labels 0 and 1, 1 being the estimator's second class, and raw scores."""
    if isinstance(estimator, type) or not hasattr(estimator, "raw_prediction"):
        raise TypeError(
            f"estimator must be a FocalClassifier, got {kind_of(estimator)}: for a Pipeline, "
            "pass the last step, model[-1], and model[:-1].transform(X)."
        )
    check_is_fitted(estimator)
    if len(estimator.classes_) > 2:
        raise ValueError(f"estimator must have two classes, got {len(estimator.classes_)}.")
    labels = column_or_1d(y)
    unknown = np.setdiff1d(labels, estimator.classes_).tolist()
    if unknown:
        raise ValueError(
            f"y must hold labels of the estimator, {estimator.classes_.tolist()}, "
            f"got {unknown[0]!r}."
        )
    return (labels == estimator.classes_[1]).astype(np.float64), estimator.raw_prediction(X)


def _check_predictions(y_true: npt.ArrayLike, raw_prediction: npt.ArrayLike) -> tuple[Array, Array]:
    raw = as_rows("raw_prediction", raw_prediction).astype(np.float64)
    if not np.all(np.isfinite(raw)):
        raise ValueError(f"raw_prediction must be finite, got {raw[~np.isfinite(raw)][0]}.")
    labels = broadcast("y_true", y_true, raw.shape)
    found = np.unique(labels)
    if not np.array_equal(found, [0, 1]):
        raise ValueError(f"y_true must hold both labels, 0 and 1, got {found[:3].tolist()}.")
    return labels, raw
