"""Cross-validation in LightGBM, with the init score of each fold's own training part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost.boosters.cross_validation import as_folds, preprocessed
from focalboost.boosters.locks import held
from focalboost.boosters.objectives import (
    RoundObjective,
    Samples,
    check_samples,
    known_samples,
    warn_of_no_split,
)
from focalboost.boosters.options import as_params, refuse, thread_count, without
from focalboost.lightgbm import options
from focalboost.lightgbm.data import (
    check_data_sets,
    check_no_init_score,
    init_scores,
    read,
    samples_of,
)
from focalboost.lightgbm.metrics import metrics_of, patience_of, stop_on
from focalboost.lightgbm.objectives import objective
from focalboost.lightgbm.options import Link
from focalboost.lightgbm.sealing import check_sealed, seal, to_continue
from focalboost.lightgbm.training import enter_rounds, keep_parameters
from focalboost.losses import Loss
from focalboost.losses._checks import as_list
from focalboost.losses.foreign import as_schedule

__all__ = ["cv"]


def cv(
    params: dict[str, Any],
    train_set: lgb.Dataset,
    num_boost_round: int = 100,
    folds: Any = None,
    nfold: int = 5,
    stratified: bool = True,
    shuffle: bool = True,
    metrics: str | list[str] | None = None,
    feval: Callable[..., Any] | list[Callable[..., Any]] | None = None,
    init_model: str | Path | lgb.Booster | None = None,
    fpreproc: Callable[..., Any] | None = None,
    seed: int = 0,
    callbacks: list[Callable[..., Any]] | None = None,
    eval_train_metric: bool = False,
    return_cvbooster: bool = False,
    *,
    loss: Any = None,
    max_step: float | None = 4.0,
) -> dict[str, Any]:
    """Cross-validate training with the loss; everything else is as in `lightgbm.cv`.

    Each fold starts at the loss's optimal constant on its own training part, as `train` does: the
    best number of rounds here is the one to pass to `train`. The history holds the metrics that
    you ask for, and then the weighted mean loss. ``early_stopping_round`` watches only the mean of
    the loss over the validation parts, or with ``first_metric_only`` the mean of the first metric.

    Parameters
    ----------
    params : dict
        LightGBM's parameters. Those that `train` refuses are refused here too.
    train_set : lightgbm.Dataset
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes. The data set must have no
        ``init_score``, and has none afterwards. It keeps the parameters that it was constructed
        with, as in `lightgbm.cv`.
    num_boost_round, folds, nfold, shuffle, seed, callbacks, eval_train_metric
        As in `lightgbm.cv`.
    stratified : bool, default=True
        As in `lightgbm.cv`. With soft labels it must be False, unless ``folds`` is given.
    metrics, feval
        As in `lightgbm.cv`; see ``metric`` and ``feval`` of `train`.
    init_model : str, pathlib.Path or lightgbm.Booster, optional
        A model from `train` to continue in each fold; training starts from its raw scores.
    fpreproc : callable, optional
        As in `lightgbm.cv`; it is called before the fold's init score is computed. It may change
        all parameters except metrics and those that are refused.
    return_cvbooster : bool, default=False
        Whether to return the boosters of the folds too, each with its fold's init score embedded in
        the model (see `seal`).
    loss : Loss, ScheduledLoss or another object with the contract of a loss
        See `objective`. Optional with an ``init_model`` that holds its loss; a model cannot
        continue with a different loss.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`.

    Returns
    -------
    dict
        Lists by name, such as ``"valid focal_loss-mean"`` and ``"valid focal_loss-stdv"``.

    Raises
    ------
    ValueError
        If a label is out of range, a raw score is not finite, or a parameter is invalid or has no
        effect with a Python objective. The message names it.
    TypeError
        If an argument is of a kind that the function does not take.

    Warns
    -----
    UserWarning
        If a fold has too little curvature at the init score for any tree to split.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(200.0)[:, np.newaxis], np.arange(200) >= 180
    >>> found = focalboost.lightgbm.cv(
    ...     {"verbose": -1}, lightgbm.Dataset(X, y), 20, nfold=4, loss=FocalLoss(gamma=2.0))
    >>> list(found)
    ['valid focal_loss-mean', 'valid focal_loss-stdv']
    >>> n_rounds = int(np.argmin(found["valid focal_loss-mean"])) + 1
    >>> 1 <= n_rounds <= 20
    True
    """
    init_model, begin, loss = to_continue(init_model, loss)
    schedule = as_schedule(loss)
    params = as_params(params)
    n_rounds = options.rounds_of(params, num_boost_round)
    first, last = schedule.at(0), schedule.at(begin + n_rounds - 1)
    link = Link.of(last.kernel.classes)
    refuse(params, link.refused)
    check_data_sets(train_set, None)
    folds = as_folds(folds, nfold)
    own_callbacks = as_list("callbacks", callbacks, Callable, "a list of functions")
    if init_model is not None:
        check_sealed(init_model, link)
    if metrics is not None:
        params = {**without(params, *options.METRIC), "metric": metrics}
    patience = patience_of(params)
    params = without(params, *options.OBJECTIVE, *options.NUM_CLASS, *options.EARLY_STOPPING)
    given = {**params, **link.params}
    known: dict[int, Samples] = {}
    n_threads = thread_count(options.get(params, options.NUM_THREADS), "num_threads")
    params, fevals = metrics_of(params, feval, last, known, n_threads)
    read(train_set, train_set, params)
    _check_labels(last, train_set, is_stratified=stratified and folds is None)

    rounds = RoundObjective(schedule, objective, known, max_step, n_threads)
    prepare = _Folds(fpreproc, link, first, rounds, is_continued=init_model is not None)
    callbacks = [*own_callbacks, keep_parameters, enter_rounds(rounds, begin)]
    if patience is not None:
        callbacks.append(stop_on(last, patience, params))
    with held([train_set]), init_scores([train_set], None, last.kernel.classes):
        found: dict[str, Any] = lgb.cv(
            {**params, **link.params, "objective": rounds},
            train_set,
            num_boost_round,
            folds=folds,
            nfold=nfold,
            stratified=stratified,
            shuffle=shuffle,
            feval=fevals,
            init_model=init_model,
            fpreproc=prepare,
            seed=seed,
            callbacks=callbacks,
            eval_train_metric=eval_train_metric,
            return_cvbooster=return_cvbooster,
        )
    if return_cvbooster:
        _seal_all(found["cvbooster"], prepare.init_scores, last, given)
    return found


class _Folds:
    """Called by `lightgbm.cv` with each fold: sets the init score of the fold's training part."""

    def __init__(
        self,
        fpreproc: Callable[..., Any] | None,
        link: Link,
        loss: Loss,
        rounds: RoundObjective,
        *,
        is_continued: bool,
    ) -> None:
        self._fpreproc = fpreproc
        self._link = link
        self._loss = loss
        self._rounds = rounds
        self._is_continued = is_continued
        self.init_scores: list[Any] = []

    def __call__(
        self, dtrain: lgb.Dataset, dtest: lgb.Dataset, params: dict[str, Any]
    ) -> tuple[lgb.Dataset, lgb.Dataset, dict[str, Any]]:
        if self._fpreproc is not None:
            dtrain, dtest, params = preprocessed(
                self._fpreproc, dtrain, dtest, params, self._link.refused, options.METRIC
            )
        # The objective and the metrics find the samples by the id of the data set, which each
        # fold's booster keeps alive.
        classes = self._loss.kernel.classes
        data_sets = [dtrain.construct(), dtest.construct()]
        known = known_samples(classes, ((data, *samples_of(data)) for data in data_sets))
        self._rounds.known |= known
        # A model to continue contains its own init score, which LightGBM has set by now.
        init_score = np.zeros(classes.n_scores)
        if not self._is_continued:
            samples = known[id(dtrain)]
            init_score = self._loss.init_score(*samples)
            least = options.min_curvature(params)
            warn_of_no_split(self._rounds.objective, samples, init_score, *least)
            for data in data_sets:
                self._set(data, init_score, len(known[id(data)][0]))
        self.init_scores.append(init_score)
        return dtrain, dtest, params

    def _set(self, data: lgb.Dataset, init_score: Any, n: int) -> None:
        if self._fpreproc is not None:
            check_no_init_score(data)
        data.set_init_score(self._loss.kernel.classes.repeat(init_score, n))


def _check_labels(loss: Loss, train_set: lgb.Dataset, *, is_stratified: bool) -> None:
    labels, _ = check_samples(loss.kernel.classes, *samples_of(train_set))
    is_soft = labels != np.floor(labels)
    if is_stratified and np.any(is_soft):
        raise ValueError(
            "stratified must be False if a label is between 0 and 1, got the label "
            f"{labels[is_soft][0]:g}, which is not a class. Set stratified=False, or pass folds."
        )


def _seal_all(
    cvbooster: lgb.CVBooster, init_scores: list[Any], loss: Loss, given: dict[str, Any]
) -> None:
    sealed = []
    for booster, init_score in zip(cvbooster.boosters, init_scores, strict=True):
        sealed.append(seal(booster, init_score, loss=loss))
        # The parameters that LightGBM's own objective would leave.
        sealed[-1].params = {**without(booster.params, "metric"), **given}
    cvbooster.boosters = sealed
