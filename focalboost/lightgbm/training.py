"""Training in LightGBM, starting at the init score of the loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost.boosters.locks import held
from focalboost.boosters.objectives import RoundObjective, known_samples, warn_of_no_split
from focalboost.boosters.options import as_params, refuse, thread_count, without
from focalboost.boosters.tracking import note_loss
from focalboost.lightgbm import options
from focalboost.lightgbm.data import check_data_sets, init_scores, read, samples_of
from focalboost.lightgbm.metrics import metrics_of, patience_of, stop_on
from focalboost.lightgbm.objectives import objective
from focalboost.lightgbm.options import Link
from focalboost.lightgbm.sealing import check_sealed, seal, to_continue
from focalboost.losses import Loss
from focalboost.losses._checks import as_list
from focalboost.losses.foreign import as_schedule

__all__ = ["train"]


def train(
    params: dict[str, Any],
    train_set: lgb.Dataset,
    num_boost_round: int = 100,
    valid_sets: list[lgb.Dataset] | None = None,
    valid_names: list[str] | None = None,
    feval: Callable[..., Any] | list[Callable[..., Any]] | None = None,
    init_model: str | Path | lgb.Booster | None = None,
    keep_training_booster: bool = False,
    callbacks: list[Callable[..., Any]] | None = None,
    *,
    loss: Any = None,
    max_step: float | None = 4.0,
) -> lgb.Booster:
    """Train a LightGBM model with the loss; everything else is as in `lightgbm.train`.

    Training starts at the loss's optimal constant, on training and validation data. The history
    holds the metrics that you ask for, and then the weighted mean loss. ``early_stopping_round``
    watches only the loss, or with ``first_metric_only`` the first metric that you name; your own
    early stopping callback watches what you tell it to.

    The returned booster has the init score embedded in the model (see `seal`): its ``predict`` is
    the sigmoid of the raw score, or the softmax of the raw scores of several classes. With focal
    loss that is a score, not a probability. The probability is
    ``loss.inverse_link(booster.predict(X, raw_score=True))``.

    Parameters
    ----------
    params : dict
        LightGBM's parameters. ``objective`` may be left out or be "binary", or "multiclass" with
        several classes. Parameters that act only with LightGBM's own objective are refused, such as
        ``scale_pos_weight``, ``is_unbalance`` and ``pos_bagging_fraction``. ``metric`` may be "auc"
        or "average_precision", or "binary_logloss", "cross_entropy" or "binary_error", which are
        computed on the loss's probabilities; with several classes "auc_mu", "multi_logloss" or
        "multi_error". Other metrics are refused. ``feature_pre_filter`` is False unless the Dataset
        says otherwise, so that training works on constant or small data too. With
        ``boosting="dart"`` and a Python objective, LightGBM's runs are not reproducible.
    train_set : lightgbm.Dataset
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes. The data set must have no
        ``init_score``, and has none afterwards.
    num_boost_round, valid_sets, valid_names, feval, callbacks
        As in `lightgbm.train`. As with LightGBM's own objective, ``feval`` is given probabilities,
        here those of the loss; an object from `metric` is given raw scores.
    init_model : str, pathlib.Path or lightgbm.Booster, optional
        A model from this function to continue; training starts from its raw scores.
    keep_training_booster : bool, default=False
        Must be False: the init score cannot be embedded in a booster that continues training.
    loss : Loss, ScheduledLoss or another object with the contract of a loss
        See `objective`. Optional with an ``init_model`` that holds its loss; a model cannot
        continue with a different loss.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`. The loss is computed on
        ``num_threads`` threads.

    Returns
    -------
    lightgbm.Booster

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
        If the samples have too little curvature at the init score for any tree to split.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> booster = focalboost.lightgbm.train(
    ...     {"verbose": -1}, lightgbm.Dataset(X, y), num_boost_round=20, loss=loss)
    >>> proba = loss.inverse_link(booster.predict(X, raw_score=True))
    >>> bool(proba[:85].max() < 0.05) and bool(proba[-5:].min() > 0.8)
    True
    """
    init_model, begin, loss = to_continue(init_model, loss)
    schedule = as_schedule(loss)
    params = as_params(params)
    n_rounds = options.rounds_of(params, num_boost_round)
    first, last = schedule.at(0), schedule.at(begin + n_rounds - 1)
    classes = last.kernel.classes
    link = Link.of(classes)
    refuse(params, link.refused)
    valid_sets = check_data_sets(train_set, valid_sets)
    names = [valid_names] if isinstance(valid_names, str) else valid_names
    as_list("valid_names", names, str, "a list of names")
    own_callbacks = as_list("callbacks", callbacks, Callable, "a list of functions")
    _check_call(params, train_set, valid_sets, keep_training_booster)
    if init_model is not None:
        check_sealed(init_model, link)

    patience = patience_of(params)
    params = without(params, *options.OBJECTIVE, *options.NUM_CLASS, *options.EARLY_STOPPING)
    # The parameters that LightGBM's own objective would leave in the booster.
    given = params if patience is None else {**params, "early_stopping_round": patience}
    data_sets = list({id(data): data for data in [train_set, *valid_sets]}.values())
    for data in data_sets:
        read(data, train_set, params)
    known = known_samples(classes, ((data, *samples_of(data)) for data in data_sets))
    n_threads = thread_count(options.get(params, options.NUM_THREADS), "num_threads")
    params, fevals = metrics_of(params, feval, last, known, n_threads)
    # A model to continue contains its own init score in its first tree.
    init_score = None if init_model is not None else first.init_score(*known[id(train_set)])

    rounds = RoundObjective(schedule, objective, known, max_step, n_threads)
    if init_score is not None:
        warn_of_no_split(
            rounds.objective, known[id(train_set)], init_score, *options.min_curvature(params)
        )
    params |= {**link.params, "objective": rounds}
    callbacks = [*own_callbacks, keep_parameters, note_at_first(last), enter_rounds(rounds)]
    if patience is not None:
        callbacks.append(stop_on(last, patience, params))

    with held(data_sets), init_scores(data_sets, init_score, classes):
        booster = lgb.train(
            params,
            train_set,
            num_boost_round,
            valid_sets=valid_sets or None,
            valid_names=valid_names,
            feval=fevals,
            init_model=init_model,
            callbacks=callbacks,
            # seal writes the model and reads it again, which train would do here, too
            keep_training_booster=True,
        )
    if init_score is None:
        init_score = np.zeros(classes.n_scores)
    sealed = seal(booster, init_score, loss=last)
    sealed.params = {**without(sealed.params, "metric"), **given}
    return sealed


def _check_call(
    params: dict[str, Any],
    train_set: lgb.Dataset,
    valid_sets: list[lgb.Dataset],
    keep_training_booster: bool,
) -> None:
    if keep_training_booster:
        raise ValueError(
            "keep_training_booster must be False, got True: the init score cannot be embedded in a "
            "booster that continues training. To continue a trained booster, pass it as init_model."
        )
    boosting = str(options.get(params, options.BOOSTING)).lower()
    if train_set in valid_sets and boosting == "dart":
        raise ValueError(
            "valid_sets must not hold train_set if boosting is dart: reading its scores would "
            "change the model. Pass a second Dataset with the same samples."
        )


def keep_parameters(env: Any) -> None:
    """Keep the booster from resetting its parameters at its first Python gradient.

    The reset would draw the columns of feature_fraction anew, so that the trees would differ from
    those of LightGBM's own objective. If LightGBM renames this private flag, only that is lost.
    """
    for booster in getattr(env.model, "boosters", [env.model]):
        if hasattr(booster, "_Booster__set_objective_to_none"):
            booster._Booster__set_objective_to_none = True  # noqa: SLF001


keep_parameters.before_iteration = True  # type: ignore[attr-defined]


def note_at_first(loss: Loss) -> Callable[[Any], None]:
    """Return a callback that records the loss in the MLflow run of this training."""

    def note(env: Any) -> None:
        if env.iteration == env.begin_iteration:
            note_loss("lightgbm", loss)

    note.before_iteration = True  # type: ignore[attr-defined]
    return note


def enter_rounds(rounds: RoundObjective, begin: int = 0) -> Callable[[Any], None]:
    """Return a callback that tells the objective the round.

    In a continued model `lightgbm.train` counts on, but `lightgbm.cv` begins at 0.
    """

    def enter(env: Any) -> None:
        rounds.enter(begin + env.iteration)

    enter.before_iteration = True  # type: ignore[attr-defined]
    return enter
