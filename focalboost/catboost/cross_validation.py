"""Cross-validation in CatBoost, with the init score of each fold's own training part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import catboost as cb
import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

from focalboost.boosters.cross_validation import as_folds, as_table
from focalboost.boosters.objectives import check_samples
from focalboost.boosters.options import (
    Refused,
    as_params,
    check_rounds,
    refuse,
    without,
)
from focalboost.catboost.data import labels_of, training_pool
from focalboost.catboost.options import Link, one_of
from focalboost.catboost.training import train
from focalboost.losses._checks import check_whole
from focalboost.losses._types import Array
from focalboost.losses.foreign import as_loss

__all__ = ["cv"]

_EARLY_STOPPING = ("early_stopping_rounds", "od_wait")
_BY_MEAN = (
    "cv stops by the mean over all folds: use early_stopping_rounds, the number of rounds without "
    "a better mean."
)
_ONE_BY_ONE = "cv trains the folds one after another, each from its first round."
# Refused in addition to what train refuses.
_REFUSED = (
    Refused(("save_snapshot",), (None, False), _ONE_BY_ONE),
    Refused(("snapshot_file", "snapshot_interval"), (None,), _ONE_BY_ONE),
    Refused(("plot",), (False, None), f"{_ONE_BY_ONE} Plot the table that comes back."),
    Refused(("plot_file",), (None,), f"{_ONE_BY_ONE} Plot the table that comes back."),
    Refused(("metric_update_interval",), (0.5, None), "It acts only on CatBoost's plot."),
    Refused(("metric_period",), (1, None), "The mean curve needs the loss of each round."),
    Refused(("od_type",), ("Iter", None), _BY_MEAN),
    Refused(("od_pval",), (0, None), _BY_MEAN),
    Refused(("use_best_model",), (False, None), "The models have as many rounds as the table."),
)


def cv(
    pool: Any = None,
    params: dict[str, Any] | None = None,
    dtrain: Any = None,
    iterations: int | None = None,
    num_boost_round: int | None = None,
    fold_count: int | None = None,
    nfold: int | None = None,
    inverted: bool = False,
    partition_random_seed: int = 0,
    seed: int | None = None,
    shuffle: bool = True,
    logging_level: str | None = None,
    stratified: bool | None = None,
    as_pandas: bool = True,
    metric_period: int | None = None,
    verbose: bool | int | None = None,
    verbose_eval: bool | int | None = None,
    plot: bool = False,
    plot_file: Any = None,
    early_stopping_rounds: int | None = None,
    save_snapshot: bool | None = None,
    snapshot_file: Any = None,
    snapshot_interval: int | None = None,
    metric_update_interval: float = 0.5,
    folds: Any = None,
    type: str = "Classical",  # noqa: A002
    return_models: bool = False,
    log_cout: Any = None,
    log_cerr: Any = None,
    *,
    loss: Any,
    max_step: float | None = 4.0,
) -> Any:
    """Cross-validate training with the loss, as `catboost.cv` does with CatBoost's own losses.

    Each fold starts at the loss's optimal constant on its own training part: `train` is called with
    each training part, and the best number of rounds here is the one to pass to `train`.
    `catboost.cv` cannot start each fold at an init score of its own. Therefore three things differ:

    - The folds are scikit-learn's, which differ from those of `catboost.cv` with the same seed.
    - The folds are trained one after another with all rounds. Early stopping shortens the table,
      not the training time; it watches the weighted mean loss, averaged over the folds.
    - Snapshots, plots and a ``metric_period`` are refused.

    Parameters
    ----------
    pool : catboost.Pool
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes, and no ``baseline``. If
        the pool has groups, ``folds`` must be given.
    params : dict
        CatBoost's parameters. Those that `train` refuses are refused here too, and so are
        ``od_type``, ``od_pval``, ``use_best_model``, and an ``eval_metric`` together with early
        stopping.
    dtrain, iterations, num_boost_round, fold_count, nfold, inverted, partition_random_seed, seed, \
    shuffle, logging_level, as_pandas, verbose, verbose_eval, log_cout, log_cerr
        As in `catboost.cv`.
    stratified : bool, optional
        By default True if every label is a whole number; not used with ``type="TimeSeries"``.
    early_stopping_rounds : int, optional
        Number of rounds without a better mean after which the table ends.
    metric_period, plot, plot_file, save_snapshot, snapshot_file, snapshot_interval, \
    metric_update_interval
        Must be left at their defaults.
    folds : iterable of (train, test) indices, or a splitter of scikit-learn, optional
        Replaces ``fold_count``, ``inverted``, ``type``, ``shuffle`` and ``stratified``.
    type : {"Classical", "Inverted", "TimeSeries"}, default="Classical"
        As in `catboost.cv`.
    return_models : bool, default=False
        Whether to return the models of the folds too, each with its init score stored in it and
        with as many rounds as the table.
    loss : Loss or another object with the contract of a loss
        See `objective`. A ScheduledLoss is refused, as in `train`.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`.

    Returns
    -------
    pandas.DataFrame or dict, or a tuple of it and of the list of models
        Columns ``"iterations"``, ``"test-MeanLoss-mean"``, ``"test-MeanLoss-std"``,
        ``"train-MeanLoss-mean"`` and so on. The deviation is the sample standard
        deviation, as in `catboost.cv`.

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
    >>> found = focalboost.catboost.cv(
    ...     catboost.Pool(X, y.astype(int)),
    ...     {"iterations": 10, "learning_rate": 0.3, "verbose": 0, "allow_writing_files": False},
    ...     as_pandas=False, loss=FocalLoss(gamma=2.0))
    >>> list(found)[:3]
    ['iterations', 'test-MeanLoss-mean', 'test-MeanLoss-std']
    >>> n_rounds = int(np.argmin(found["test-MeanLoss-mean"])) + 1
    >>> 1 <= n_rounds <= 10
    True
    """
    loss = as_loss(loss)
    classes = loss.kernel.classes
    params = as_params(params)
    asked = {
        "save_snapshot": save_snapshot,
        "snapshot_file": snapshot_file,
        "snapshot_interval": snapshot_interval,
        "plot": plot,
        "plot_file": plot_file,
        "metric_update_interval": metric_update_interval,
        "metric_period": metric_period,
    }
    refuse(params, (*Link.of(classes).refused, *_REFUSED))
    refuse(asked, _REFUSED)
    check_rounds(iterations=iterations, num_boost_round=num_boost_round)
    patience = _patience(params, early_stopping_rounds)
    pool = training_pool(one_of("pool", pool, "dtrain", dtrain), native=False)
    labels, _ = check_samples(classes, labels_of(pool), pool.get_weight() or None)
    if folds is None:
        if stratified is None:
            stratified = type != "TimeSeries" and bool(np.all(labels == np.floor(labels)))
        random_state = (partition_random_seed if seed is None else seed) if shuffle else None
        n_folds = one_of("fold_count", fold_count, "nfold", nfold)
        name = "fold_count" if nfold is None else "nfold"
        n_folds = check_whole(name, 3 if n_folds is None else n_folds, 2)
        is_inverted = _is_inverted(type, inverted)
        _check_no_groups(pool)
        splitter = _splitter(type, n_folds, stratified, random_state)
        splits = splitter.split(np.empty(len(labels)), labels)
        splits = ((test, train) if is_inverted else (train, test) for train, test in splits)
    else:
        _check_folds_alone(fold_count=fold_count, nfold=nfold, inverted=inverted, type=type)
        folds = as_folds(folds, None)
        splits = folds.split(np.empty(len(labels)), labels) if hasattr(folds, "split") else folds

    params = {**without(params, *_own_names()), "use_best_model": False}
    models = [
        train(
            pool.slice(np.asarray(train_index)),
            params,
            logging_level=logging_level,
            verbose=verbose,
            iterations=iterations,
            num_boost_round=num_boost_round,
            eval_set=pool.slice(np.asarray(test_index)),
            verbose_eval=verbose_eval,
            log_cout=log_cout,
            log_cerr=log_cerr,
            loss=loss,
            max_step=max_step,
        )
        for train_index, test_index in splits
    ]
    columns = _columns([model.get_evals_result() for model in models])
    if patience is not None:
        n_rounds = _stop(columns["test-MeanLoss-mean"], patience)
        columns = {name: values[:n_rounds] for name, values in columns.items()}
        for model in models:
            model.shrink(min(n_rounds, model.tree_count_))
    table = as_table(columns, as_pandas)
    return (table, models) if return_models else table


def _own_names() -> set[str]:
    """Return the names of the options that act on cv, and not on training in a fold."""
    return {name for option in _REFUSED for name in option.names} | {*_EARLY_STOPPING}


def _patience(params: dict[str, Any], early_stopping_rounds: int | None) -> int | None:
    """Return the number of early stopping rounds, or None; the argument takes precedence."""
    found = [early_stopping_rounds, *(params.get(name) for name in _EARLY_STOPPING)]
    patience = next((value for value in found if value is not None), None)
    if patience is None:
        return None
    if params.get("eval_metric") is not None:
        raise ValueError(
            "eval_metric must be left out with early_stopping_rounds, got "
            f"{params['eval_metric']!r}: early stopping watches the loss, which CatBoost computes "
            "only as its eval_metric. Leave out early_stopping_rounds, and read the best round "
            "from the table."
        )
    return check_whole("early_stopping_rounds", patience, 1)


def _is_inverted(type: str, inverted: bool) -> bool:  # noqa: A002
    if type not in ("Classical", "Inverted", "TimeSeries"):
        raise ValueError(f"type must be 'Classical', 'Inverted' or 'TimeSeries', got {type!r}.")
    if inverted and type == "TimeSeries":
        raise ValueError("inverted must be False if type is 'TimeSeries', got True.")
    return inverted or type == "Inverted"


def _check_no_groups(pool: cb.Pool) -> None:
    if pool.get_group_id_hash() is not None:
        raise ValueError(
            "folds must be given for a pool with groups, got None. Use scikit-learn's GroupKFold: "
            "folds=list(GroupKFold(3).split(X, y, groups))."
        )


def _check_folds_alone(**others: Any) -> None:
    defaults = {"fold_count": None, "nfold": None, "inverted": False, "type": "Classical"}
    for name, value in others.items():
        if value != defaults[name]:
            raise ValueError(f"{name} must be left out if folds is given, got {value!r}.")


def _splitter(
    type: str,  # noqa: A002
    n_folds: int,
    stratified: bool,
    random_state: int | None,
) -> Any:
    """Return scikit-learn's splitter, which shuffles if it has a random state."""
    if type == "TimeSeries":
        return TimeSeriesSplit(n_folds)
    splitter = StratifiedKFold if stratified else KFold
    return splitter(n_folds, shuffle=random_state is not None, random_state=random_state)


def _columns(histories: list[dict[str, dict[str, list[float]]]]) -> dict[str, list[Any]]:
    """Return the means and deviations over folds, with CatBoost's names and in its order.

    CatBoost computes some metrics, such as AUC, only on validation data.
    """
    n_rounds = len(next(iter(histories[0]["validation"].values())))
    columns: dict[str, list[Any]] = {"iterations": [*range(n_rounds)]}
    for metric in histories[0]["validation"]:
        for part, name in (("validation", "test"), ("learn", "train")):
            if metric in histories[0].get(part, {}):
                values = np.array([history[part][metric] for history in histories])
                columns[f"{name}-{metric}-mean"] = values.mean(axis=0).tolist()
                columns[f"{name}-{metric}-std"] = _deviation(values).tolist()
    return columns


def _deviation(values: Array) -> Array:
    # A single fold has no deviation.
    return np.asarray(values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1]))


def _stop(means: Iterable[float], patience: int) -> int:
    """Return the number of rounds after which the mean has not improved for some rounds."""
    best, best_round, i = np.inf, 0, 0
    for i, mean in enumerate(means):
        if mean < best:
            best, best_round = mean, i
        if i - best_round >= patience:
            break
    return i + 1
