"""Whether a loss helps on a table: a comparison with the booster's own, on the same folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    check_cv,
    cross_validate,
    train_test_split,
)
from sklearn.utils import check_consistent_length, check_random_state

from focalboost.boosters.port import find_adapter
from focalboost.estimator import FocalClassifier
from focalboost.estimator.own import OwnLossClassifier
from focalboost.estimator.samples import as_labels
from focalboost.inspection.displays import names_of
from focalboost.losses._checks import as_rows, check_real, check_weights, kind_of
from focalboost.losses._types import Array, Foreign
from focalboost.losses.foreign import as_loss

__all__ = ["LossComparison", "compare_losses"]

OWN = "own log loss"
_SCORING = ("average_precision", "roc_auc", "neg_log_loss", "neg_brier_score")
_SCORING_OF_SEVERAL = ("average_precision", "roc_auc_ovr", "neg_log_loss")
_VALIDATION = ("X_val", "y_val", "sample_weight_val")


class ComparedLoss(NamedTuple):
    """One loss under one metric: a line of the table."""

    metric: str
    loss: str
    # of the scores over the folds
    mean: float
    # to the booster's own log loss, and its interval
    difference: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, eq=False)
class LossComparison:
    """The result of `compare_losses`; printed, it is a table.

    Parameters
    ----------
    booster : str
        The class of the booster's classifier.
    losses : tuple of str
        The names of the losses. The first is the booster's own log loss, the reference.
    scores : dict of str to ndarray of shape (n_losses, n_folds)
        For each metric, the scores on the test samples of the folds. Larger is better.
    fit_time : ndarray of shape (n_losses, n_folds)
        Seconds of each training.
    test_share : float
        Number of test samples of a fold, divided by its number of training samples.
    confidence_level : float, default=0.95
        Confidence level of each interval.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import LossComparison
    >>> scores = np.array([[0.50, 0.52, 0.48, 0.50], [0.56, 0.59, 0.55, 0.58]])
    >>> comparison = LossComparison(
    ...     "LGBMClassifier", ("own log loss", "gamma=2"), {"roc_auc": scores},
    ...     fit_time=np.ones((2, 4)), test_share=1 / 3)
    >>> own, focal = comparison.rows
    >>> print(f"{focal.difference:.3f} in [{focal.low:.3f}, {focal.high:.3f}]: {focal.verdict}")
    0.070 in [0.050, 0.090]: better
    """

    booster: str
    losses: tuple[str, ...]
    scores: Mapping[str, Array] = field(repr=False)
    fit_time: Array = field(repr=False)
    test_share: float
    confidence_level: float = 0.95

    @property
    def rows(self) -> tuple[ComparedLoss, ...]:
        """The table: for each metric, a named tuple for each loss, with the reference first.

        The fields are ``metric``, ``loss``, ``mean`` of the scores, ``difference`` to the
        reference, ``low`` and ``high``, which are the ends of the difference's interval, and
        ``verdict``: "better", "worse" or "no difference seen", or for the reference itself
        "reference".
        """
        found = []
        for metric, scores in self.scores.items():
            for loss, of_loss in zip(self.losses, scores, strict=True):
                differences = _differences(of_loss, scores[0])
                difference, low, high = corrected_interval(
                    differences, self.test_share, self.confidence_level
                )
                verdict = "reference" if loss == self.losses[0] else _verdict(low, high)
                mean = float(np.mean(of_loss))
                found.append(ComparedLoss(metric, loss, mean, difference, low, high, verdict))
        return tuple(found)

    def to_frame(self) -> Foreign:
        """Return ``rows`` as a pandas DataFrame, with a column for each field.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas: install pandas, or use the named tuples in rows."
            ) from error
        return pd.DataFrame(self.rows)

    def __str__(self) -> str:
        width = max(map(len, (*self.losses, *self.scores))) + 2
        lines = [
            f"{self.booster} on {self.fit_time.shape[1]} folds: differences to {self.losses[0]}, "
            f"with {100 * self.confidence_level:g} % intervals.",
            "Larger scores are better.",
        ]
        for row in self.rows:
            if row.loss == self.losses[0]:
                lines += ["", f"{row.metric:{width}}     mean  difference  interval"]
            lines.append(_line(row, width))
        n_comparisons = len(self.scores) * (len(self.losses) - 1)
        by_chance = n_comparisons * (1 - self.confidence_level)
        return "\n".join(
            [
                *lines,
                "",
                f"{n_comparisons} comparisons, not adjusted for their number: where no loss",
                f"differs, about {by_chance:.2g} of them are called better or worse by chance.",
            ]
        )


def _line(row: ComparedLoss, width: int) -> str:
    start = f"{'  ' + row.loss:{width}} {row.mean:8.4f}"
    if row.verdict == "reference":
        return start
    interval = f"[{row.low:+.4f}, {row.high:+.4f}]"
    return f"{start}    {row.difference:+8.4f}  {interval}  {row.verdict}"


def compare_losses(
    estimator: Foreign,
    X: Foreign,
    y: Foreign,
    *,
    losses: Sequence[Foreign] | Mapping[str, Foreign] = (0.0, 1.0, 2.0, 5.0),
    cv: Foreign = None,
    scoring: str | Sequence[str] | Mapping[str, Foreign] | None = None,
    sample_weight: npt.ArrayLike | None = None,
    validation_fraction: float | None = 0.2,
    confidence_level: float = 0.95,
    n_jobs: int | None = None,
    random_state: Foreign = 0,
) -> LossComparison:
    r"""Compare losses with the booster's own log loss on the same folds of a table.

    With each loss, a model is trained on the training samples of each fold and scored on the test
    samples. A stratified part of the training samples is held out for early stopping on log loss.
    Folds and parts are the same for all losses, so that the differences are paired. The reference
    is the booster with its own log loss and the parameters of ``estimator``. A gamma of 0 is log
    loss with `FocalClassifier`'s bound on the step: its difference to the reference is the effect
    of the bound, and any further difference of other gammas is the effect of the loss.

    Parameters
    ----------
    estimator : LGBMClassifier, XGBClassifier, CatBoostClassifier or FocalClassifier
        The booster, ideally with its parameters tuned for log loss. Of a `FocalClassifier`,
        ``alpha``, ``pos_label`` and ``max_step`` are for ``losses`` alone;
        ``early_stopping_rounds`` is for the reference, too, and so is ``calibration``, except
        "balance", which log loss has by itself. ``gamma`` and ``loss`` are replaced. A
        CatBoostClassifier needs a ``learning_rate``, as CatBoost would fit it to the data for its
        own losses alone.
    X : {array-like, sparse matrix, pandas or polars frame} of shape (n_samples, n_features)
        Samples, as `FocalClassifier` takes them.
    y : array-like of shape (n_samples,)
        Labels of the samples, of two or more classes. Scorers get the labels as positions in the
        sorted classes, so that the second of two classes is the positive class.
    losses : sequence or dict, default=(0.0, 1.0, 2.0, 5.0)
        Numbers are gammas of `FocalLoss`, or with several classes of `SoftmaxFocalLoss`; other
        losses are objects that the parameter ``loss`` of `FocalClassifier` takes. A dict maps a
        name to each.
    cv : int, cross-validation generator or iterable, default=None
        Two folds or more. None is scikit-learn's ``RepeatedStratifiedKFold(n_splits=5,
        n_repeats=2)`` with the ``random_state``. For groups pass
        ``StratifiedGroupKFold(5).split(X, y, groups)``.
    scoring : str, sequence of str, dict or None, default=None
        scikit-learn scorers by name, or a dict of names and scorers. None is "average_precision",
        "roc_auc", "neg_log_loss" and "neg_brier_score", or with several classes
        "average_precision", "roc_auc_ovr" and "neg_log_loss".
    sample_weight : array-like of shape (n_samples,), default=None
        Weights >= 0, for training, early stopping and scoring. A function in ``scoring`` that is
        not made by scikit-learn's ``make_scorer`` is called without weights.
    validation_fraction : float or None, default=0.2
        Part of the training samples of a fold that is held out for early stopping. With None every
        round is trained.
    confidence_level : float, default=0.95
        Confidence level of each interval, in (0, 1).
    n_jobs : int, default=None
        Number of folds at a time, as in scikit-learn. The booster has its own number of threads.
    random_state : int, RandomState or None, default=0
        Seed of the default folds and of the parts for early stopping. The booster has its own seed.

    Returns
    -------
    LossComparison
        Printed, it is a table. ``rows`` and ``to_frame()`` have its numbers, ``scores`` the scores
        of each fold.

    Raises
    ------
    TypeError
        If ``estimator``, one of ``losses`` or ``scoring`` is of the wrong kind.
    ValueError
        If an argument or a parameter of ``estimator`` breaks its rule; the message names it.

    See Also
    --------
    LossComparisonDisplay : The differences and their intervals, drawn.

    Notes
    -----
    For the differences :math:`d_1, \dots, d_J` on J folds, with mean :math:`\bar d` and variance
    :math:`s^2`, the interval is

    .. math::

        \bar d \pm t_{J - 1} \sqrt{\left(\frac{1}{J} + \frac{n_\text{test}}{n_\text{train}}\right)
        s^2}

    with the quantile of Student's t distribution [1]_. The second term accounts for the training
    samples that folds have in common; without it, the interval of repeated folds is far too narrow.
    Where the interval holds 0, the verdict is "no difference seen": there may be a difference that
    is too small to be seen on the table.

    Verdicts are not adjusted for the number of comparisons, which the printed table states. For a
    bound of 5 % on the chance of any false verdict among n, pass ``confidence_level=1 - 0.05 / n``.

    The values of the losses are not scores: with different gammas they have different units, and
    the largest gamma always has the smallest value.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
       2003, `doi:10.1023/A:1024068626366 <https://doi.org/10.1023/A:1024068626366>`_.

    Examples
    --------
    >>> from lightgbm import LGBMClassifier
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import compare_losses
    >>> X, y = make_classification(400, weights=[0.8], random_state=0)
    >>> booster = LGBMClassifier(n_estimators=20, num_leaves=4, n_jobs=1, verbose=-1)
    >>> comparison = compare_losses(booster, X, y, losses=[2.0], scoring="roc_auc", cv=3)
    >>> [(row.loss, row.verdict) for row in comparison.rows]
    [('own log loss', 'reference'), ('gamma=2', 'no difference seen')]
    """
    check_real("confidence_level", confidence_level, "in (0, 1)", lambda v: 0 < v < 1)
    if validation_fraction is not None:
        name, rule = "validation_fraction", "None or in (0, 1)"
        check_real(name, validation_fraction, rule, lambda v: 0 < v < 1)
    model = _check_estimator(estimator)
    labels, codes = np.unique(as_labels(y), return_inverse=True)
    check_consistent_length(X, codes)
    weight = None if sample_weight is None else _as_weights(sample_weight, len(codes))
    models = _models(model, _named(losses), len(labels))
    scorers = _scorers(scoring, len(labels))
    if not isinstance(random_state, Integral):
        random_state = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    if cv is None:
        cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=random_state)
    # Drawn once: a generator without a seed would draw different folds for each loss.
    folds = [*check_cv(cv, codes, classifier=True).split(X, codes)]
    if len(folds) < 2:
        raise ValueError(f"cv must have two folds or more, got {len(folds)}.")

    found = []
    # Weights reach the scorers by scikit-learn's metadata routing alone.
    with nullcontext() if weight is None else config_context(enable_metadata_routing=True):
        for trained in models.values():
            contender = _Contender(trained, labels, validation_fraction, random_state)
            if weight is not None:
                contender.set_fit_request(sample_weight=True)
                for scorer in scorers.values():
                    if hasattr(scorer, "set_score_request"):
                        scorer.set_score_request(sample_weight=True)
            found.append(
                cross_validate(
                    contender,
                    X,
                    codes,
                    cv=folds,
                    scoring=scorers,
                    n_jobs=n_jobs,
                    params=None if weight is None else {"sample_weight": weight},
                    error_score="raise",
                )
            )
    booster = model.estimator
    return LossComparison(
        "FocalClassifier()" if booster is None else type(booster).__name__,
        tuple(models),
        {name: np.stack([of_loss[f"test_{name}"] for of_loss in found]) for name in scorers},
        np.stack([of_loss["fit_time"] for of_loss in found]),
        float(np.mean([len(test) / len(train) for train, test in folds])),
        confidence_level,
    )


def corrected_error(differences: Array, test_share: float) -> float:
    """Return the standard error of the mean of paired differences on resampled folds.

    The training samples of folds overlap, so that the variance of the mean is that of Nadeau and
    Bengio, 2003: ``(1 / n + test_share) * var``, with ``test_share = n_test / n_train``.
    """
    variance = np.var(differences, ddof=1)
    return float(np.sqrt((1 / len(differences) + test_share) * variance))


def corrected_interval(
    differences: Array, test_share: float, confidence_level: float
) -> tuple[float, float, float]:
    """Return mean, lower and upper end of the corrected resampled t interval."""
    mean = float(np.mean(differences))
    quantile = stats.t.ppf((1 + confidence_level) / 2, len(differences) - 1)
    half = float(quantile) * corrected_error(differences, test_share)
    return mean, mean - half, mean + half


def _differences(scores: Array, reference: Array) -> Array:
    # Boosters' raw scores are in single precision: smaller differences are its rounding.
    is_rounding = np.isclose(scores, reference, rtol=1e-6, atol=0.0)
    return np.where(is_rounding, 0.0, scores - reference)


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference seen"


class _Contender(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A FocalClassifier that splits off its validation samples; its labels are positions."""

    def __init__(
        self,
        model: FocalClassifier,
        labels: Array,
        validation_fraction: float | None,
        random_state: int,
    ) -> None:
        self.model = model
        self.labels = labels
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Foreign, y: Array, sample_weight: Array | None = None) -> _Contender:
        self.classes_ = np.unique(y)
        self.model_ = clone(self.model)
        y = self.labels[y]
        if self.validation_fraction is None:
            self.model_.fit(X, y, sample_weight)
            return self
        arrays = [X, y] if sample_weight is None else [X, y, sample_weight]
        parts = train_test_split(
            *arrays,
            test_size=self.validation_fraction,
            stratify=y,
            random_state=self.random_state,
        )
        self.model_.fit(*parts[::2], **dict(zip(_VALIDATION, parts[1::2], strict=False)))
        return self

    def decision_function(self, X: Foreign) -> Array:
        return np.asarray(self.model_.decision_function(X))

    def predict_proba(self, X: Foreign) -> Array:
        return np.asarray(self.model_.predict_proba(X))

    def predict(self, X: Foreign) -> Array:
        return np.asarray(np.searchsorted(self.labels, self.model_.predict(X)))


def _check_estimator(estimator: Foreign) -> FocalClassifier:
    """Return a FocalClassifier with the parameters that are for all losses."""
    if isinstance(estimator, FocalClassifier):
        model: FocalClassifier = clone(estimator)
    elif find_adapter(estimator) is not None:
        model = clone(FocalClassifier(estimator))
    else:
        raise TypeError(
            "estimator must be an LGBMClassifier, XGBClassifier, CatBoostClassifier or "
            f"FocalClassifier, got {kind_of(estimator)}. For a Pipeline, pass the booster and "
            "the transformed samples."
        )
    params = {} if model.estimator is None else model.estimator.get_params()
    if params.get("class_weight") is not None:
        raise ValueError(
            f"class_weight of estimator must be None, got {params['class_weight']!r}: the "
            "probabilities of own log loss would be for other class shares. Pass "
            "FocalClassifier(estimator, "
            "alpha=...) to weight the classes of the losses, or sample_weight to weight all."
        )
    if model.prior is not None:
        raise ValueError(
            f"prior of estimator must be None, got {model.prior!r}: the test samples have the "
            "shares of y. Pass sample_weight to give them the shares of the population."
        )
    if model.stopping_metric != "log_loss":
        raise ValueError(
            f"stopping_metric of estimator must be 'log_loss', got {model.stopping_metric!r}: own "
            "log loss and all other losses stop by the same metric."
        )
    return model


def _models(
    model: FocalClassifier, losses: Mapping[str, Foreign], n_classes: int
) -> dict[str, FocalClassifier]:
    """Return the classifiers to train, by name, the reference first."""
    default = FocalClassifier().gamma
    calibration = None if model.calibration == "balance" else model.calibration
    own = OwnLossClassifier(
        model.estimator,
        gamma=0.0,
        early_stopping_rounds=model.early_stopping_rounds,
        calibration=calibration,
    )
    models = {OWN: own}
    for name, loss in losses.items():
        if isinstance(loss, Real):
            params = {"gamma": float(loss), "loss": None}
        else:
            params = {"gamma": default, "loss": loss}
            found = as_loss(loss).kernel.classes.n_classes
            if found != n_classes:
                raise ValueError(
                    f"losses must be for the {n_classes} classes of y, got {loss!r} for {found}."
                )
        models[name] = clone(model).set_params(**params)
    return models


def _named(losses: Foreign) -> dict[str, Foreign]:
    """Return the losses by their names."""
    rule = "a sequence of gammas and losses, or a dict that names them"
    if isinstance(losses, str) or not isinstance(losses, Iterable):
        raise TypeError(f"losses must be {rule}, got {losses!r}. Write losses=[{losses!r}].")
    named: dict[str, Foreign] = {}
    for given, loss in (
        losses.items() if isinstance(losses, Mapping) else [(None, loss) for loss in losses]
    ):
        if isinstance(loss, str) or loss is None:
            raise TypeError(f"losses must be {rule}, got {loss!r} in it.")
        if isinstance(loss, Real):
            check_real("a gamma in losses", loss, ">= 0", lambda v: v >= 0)
        name = given if given is not None else _name(loss)
        if not isinstance(name, str):
            raise TypeError(f"losses must have names that are strings, got {name!r}.")
        if name in named or name == OWN:
            raise ValueError(
                f"losses must have different names, and none {OWN!r}, got {name!r}. Pass a dict "
                "of names and losses."
            )
        named[name] = loss
    if not named:
        raise ValueError(f"losses must have one loss or more, got {losses!r}.")
    return named


def _name(loss: Foreign) -> str:
    return f"gamma={loss:g}" if isinstance(loss, Real) else names_of([loss])[0]


def _scorers(scoring: Foreign, n_classes: int) -> dict[str, Foreign]:
    """Return scorers by name, as copies that nobody else uses."""
    if scoring is None:
        scoring = _SCORING if n_classes == 2 else _SCORING_OF_SEVERAL
    if isinstance(scoring, str):
        scoring = (scoring,)
    rule = "names of scikit-learn's scorers, or a dict of names and scorers"
    if not isinstance(scoring, Iterable):
        raise TypeError(f"scoring must be {rule}, got {scoring!r}.")
    pairs = scoring.items() if isinstance(scoring, Mapping) else [(s, s) for s in scoring]
    scorers = {}
    for name, scorer in pairs:
        if not isinstance(name, str) or not (isinstance(scorer, str) or callable(scorer)):
            raise TypeError(f"scoring must be {rule}, got {name!r}: {scorer!r}.")
        if isinstance(scorer, str) and scorer not in get_scorer_names():
            raise ValueError(
                f"scoring must be {rule}, got {scorer!r}. Proper scores are 'neg_log_loss' and "
                "'neg_brier_score'; the losses' own values cannot be compared."
            )
        scorers[name] = get_scorer(scorer) if isinstance(scorer, str) else deepcopy(scorer)
    if not scorers:
        raise ValueError(f"scoring must have one scorer or more, got {scoring!r}.")
    return scorers


def _as_weights(sample_weight: npt.ArrayLike, n_samples: int) -> Array:
    weight = as_rows("sample_weight", sample_weight).astype(np.float64)
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have the shape of y, ({n_samples},), got {weight.shape}."
        )
    check_weights(weight)
    return weight
