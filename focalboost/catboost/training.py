"""Training in CatBoost, starting at the init score of the loss."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import catboost as cb
import numpy as np

from focalboost.boosters.locks import held
from focalboost.boosters.objectives import check_samples
from focalboost.boosters.options import as_params, check_model, check_rounds, refuse, without
from focalboost.catboost.data import (
    as_pool,
    baselines,
    in_single_precision,
    labels_of,
    training_pool,
)
from focalboost.catboost.metrics import metrics_of, need_init_score
from focalboost.catboost.models import name_classes, read_record, write_record
from focalboost.catboost.objectives import metric, objective, try_out
from focalboost.catboost.options import Link, defaults, one_of, own_loss
from focalboost.catboost.snapshots import bound_to_loss
from focalboost.losses._classes import Classes
from focalboost.losses.foreign import as_loss
from focalboost.losses.records import continued, to_text

__all__ = ["train"]


def train(
    pool: Any = None,
    params: dict[str, Any] | None = None,
    dtrain: Any = None,
    logging_level: str | None = None,
    verbose: bool | int | None = None,
    iterations: int | None = None,
    num_boost_round: int | None = None,
    evals: Any = None,
    eval_set: Any = None,
    plot: bool | None = None,
    plot_file: Any = None,
    verbose_eval: bool | int | None = None,
    metric_period: int | None = None,
    early_stopping_rounds: int | None = None,
    save_snapshot: bool | None = None,
    snapshot_file: Any = None,
    snapshot_interval: int | None = None,
    init_model: Any = None,
    log_cout: Any = None,
    log_cerr: Any = None,
    *,
    loss: Any = None,
    max_step: float | None = 4.0,
    native: bool = False,
) -> cb.CatBoost:
    """Train a CatBoost model with the loss; everything else is as in `catboost.train`.

    Training starts at the loss's optimal constant, on training and validation data. Early stopping
    watches the weighted mean loss unless you set ``eval_metric``. The returned model stores the
    init score: ``predict(X, prediction_type="Probability")`` is the sigmoid of the raw score (with
    several classes, the softmax), even if the saved model is loaded where focalboost is not
    installed. With focal loss that is a score, not a probability. The probability is
    ``loss.inverse_link(model.predict(X, prediction_type="RawFormulaVal"))``.

    Unless you set them, ``leaf_estimation_iterations`` and ``bootstrap_type`` have the defaults of
    CatBoost's own log loss, and ``thread_count`` is 1 where more threads would only wait for each
    other (see `objective`). ``leaf_estimation_backtracking`` stays "No": with a Python objective
    CatBoost would use ``eval_metric`` for it. CatBoost adapts the learning rate to the data only
    for its own losses; for other losses it is 0.03 unless you set it.

    Parameters
    ----------
    pool : catboost.Pool
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes. The pool must have no
        ``baseline``, and has none afterwards.
    params : dict
        CatBoost's parameters. ``loss_function`` may be left out or be "Logloss", or "MultiClass"
        with several classes. Parameters that act only with CatBoost's own loss, or that the init
        score cannot take into account, are refused, such as ``scale_pos_weight`` and
        ``auto_class_weights``. ``class_names`` is [0, 1] if every label is 0 or 1; with soft labels
        the model predicts no classes. ``eval_metric`` may be "AUC", "PRAUC" or another metric of
        the order of the scores, or "Logloss", "CrossEntropy", "BrierScore" or "ZeroOneLoss", which
        are computed on the loss's probabilities; with several classes "MultiClass" or
        "ZeroOneLoss". A metric object of your own is given log-odds, as with CatBoost's own loss;
        an object from `metric` is given raw scores. Other metrics are refused. ``custom_metric``
        may only name metrics of the order of the scores.
    dtrain, logging_level, verbose, iterations, num_boost_round, evals, eval_set, plot, plot_file, \
    verbose_eval, metric_period, early_stopping_rounds, save_snapshot, snapshot_file, \
    snapshot_interval, log_cout, log_cerr
        As in `catboost.train`. A snapshot can only be continued with the loss and ``max_step`` that
        it was made with.
    init_model : catboost.CatBoost or path, optional
        A model from this function or of a `FocalClassifier` to continue, also on new data; it keeps
        its init score, and the result is the same from memory as from a file. CatBoost cannot refit
        the leaves of old trees.
    loss : Loss or another object with the contract of a loss
        See `objective`. Optional with an ``init_model`` that holds its loss; a model cannot
        continue with a different loss.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`. Without effect if ``native``.
    native : bool, default=False
        Train with CatBoost's own ``Focal``, which is compiled and uses all threads. It must compute
        the same loss, that is, for a `FocalLoss` with gamma > 0 and an alpha, labels 0 and 1, and
        ``leaf_estimation_method="Gradient"``, which uses no second derivative (CatBoost's is the
        exact Hessian, without a bound). The history then has CatBoost's name of the loss.

    Returns
    -------
    catboost.CatBoost
        A file from its ``save_model`` needs no focalboost. A pickle does, as it holds the loss.

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
        If numba is not installed and would make training on these data faster.

    Examples
    --------
    >>> import catboost, numpy as np
    >>> import focalboost.catboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> model = focalboost.catboost.train(
    ...     catboost.Pool(X, y.astype(int)),
    ...     {"iterations": 50, "learning_rate": 0.3, "verbose": 0, "allow_writing_files": False},
    ...     loss=loss)
    >>> proba = loss.inverse_link(model.predict(X, prediction_type="RawFormulaVal"))
    >>> bool(proba[:85].max() < 0.05) and bool(proba[-5:].min() > 0.8)
    True
    """
    start = None if init_model is None else _loaded(init_model)
    if start is not None:
        loss = continued(loss, read_record(start), "init_model")
    loss = as_loss(loss)
    classes = loss.kernel.classes
    link = Link.of(classes)
    params = as_params(params)
    refuse(params, link.refused)
    check_rounds(
        iterations=iterations,
        num_boost_round=num_boost_round,
        early_stopping_rounds=early_stopping_rounds,
    )
    iterations = one_of("iterations", iterations, "num_boost_round", num_boost_round)
    pool = training_pool(one_of("pool", pool, "dtrain", dtrain), native)
    eval_set = one_of("eval_set", eval_set, "evals", evals)
    eval_sets = eval_set if isinstance(eval_set, list) else [] if eval_set is None else [eval_set]
    eval_pools = [as_pool(data, pool) for data in eval_sets]
    pools = list({id(p): p for p in [pool, *eval_pools]}.values())
    samples = [check_samples(classes, labels_of(p), p.get_weight() or None) for p in pools]
    are_hard = all(np.all(y == np.floor(y)) for y, _ in samples)
    # A model to continue contains its own init score, and CatBoost takes no baseline then.
    own = loss.init_score(*samples[0]) if start is None else _init_score_of(start, classes)
    init_score = in_single_precision(own)

    # CatBoost takes half a microsecond a sample to set a baseline, and as long to remove it. With
    # two classes the objective and the metrics add the init score instead, if all of them can.
    needs_baseline = classes.n_scores > 1 or native or need_init_score(params)
    set_on_pools = init_score if start is None and needs_baseline else None
    added = init_score if start is None and not needs_baseline else 0.0
    params = metrics_of(without(params, *link.names), loss, added)
    params |= defaults(params, iterations, pool.shape, classes, native)
    asked = {"save_snapshot": save_snapshot, "snapshot_file": snapshot_file}
    given = {name: value for name, value in asked.items() if value is not None}
    params |= bound_to_loss({**params, **given}, loss, max_step)
    called = replace(objective(loss, max_step=max_step), start=added, is_checked=True)
    if native:
        params["loss_function"] = own_loss(loss, params, are_hard)
    else:
        try_out(called, pool.num_row())
        params["loss_function"] = called
        params.setdefault("eval_metric", replace(metric(loss), start=added, is_checked=True))
    if are_hard:
        # Without them predict would have no labels to return if eval_metric is a Python object.
        params["class_names"] = link.class_names
    if start is not None:
        # A model in memory holds the raw scores that its training ended with. They may lack the
        # init score, and CatBoost continues from them only once. A copy has none, as a file.
        init_model = start.copy()
    is_named_later = start is not None and classes.n_scores > 1
    if is_named_later:
        # CatBoost adds the new trees as a model of its own to the old ones, and refuses where a
        # model that is not its own MultiClass names more than two classes.
        params["classes_count"] = len(params.pop("class_names"))
        name_classes(init_model, [])
    with (
        held(pools),
        baselines(pools, set_on_pools, classes),
        _errors(),
    ):
        model = cb.train(
            pool,
            params,
            logging_level=logging_level,
            verbose=verbose,
            iterations=iterations,
            eval_set=eval_pools or None,
            plot=plot,
            plot_file=plot_file,
            verbose_eval=verbose_eval,
            metric_period=metric_period,
            early_stopping_rounds=early_stopping_rounds,
            save_snapshot=save_snapshot,
            snapshot_file=snapshot_file,
            snapshot_interval=snapshot_interval,
            init_model=init_model,
            log_cout=log_cout,
            log_cerr=log_cerr,
        )
    if is_named_later:
        name_classes(model, link.class_names)
    model.set_scale_and_bias(1.0, init_score)
    return write_record(model, to_text(loss))


@contextmanager
def _errors() -> Iterator[None]:
    """Raise the objective's own error, which CatBoost wraps as text in an error of its own."""
    try:
        yield
    except cb.CatBoostError as error:
        message = re.search(r"^ValueError: (.*)", str(error), flags=re.MULTILINE)
        if message is None:
            raise
        raise ValueError(message[1]) from error


def _loaded(init_model: Any) -> cb.CatBoost:
    """Return the model to continue, which may be given as a file."""
    check_model("init_model", init_model, cb.CatBoost, "a catboost.CatBoost or a path")
    if isinstance(init_model, cb.CatBoost):
        return init_model
    return cb.CatBoost().load_model(init_model)


def _init_score_of(init_model: cb.CatBoost, classes: Classes) -> Any:
    scale, bias = init_model.get_scale_and_bias()
    if scale != 1 or np.size(bias) != classes.n_scores:
        raise ValueError(
            f"init_model must be a model of scale 1 with {classes.n_scores} raw scores for a "
            f"sample, got scale {scale} and bias {bias}."
        )
    return bias
