"""Cross-validation in XGBoost, with the init score of each fold's own training part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xgboost as xgb

from focalboost.boosters.cross_validation import as_folds, as_table, preprocessed
from focalboost.boosters.objectives import (
    RoundObjective,
    Samples,
    check_samples,
    known_samples,
    warn_of_no_split,
)
from focalboost.boosters.options import refuse, thread_count
from focalboost.losses import Loss
from focalboost.losses._checks import check_whole
from focalboost.losses.foreign import as_schedule
from focalboost.xgboost.data import samples_of
from focalboost.xgboost.metrics import metrics_of, results
from focalboost.xgboost.objectives import objective
from focalboost.xgboost.options import Link, as_dict, base_score, min_curvature
from focalboost.xgboost.training import Chain, asked_callbacks
from focalboost.xgboost.workers import refuse_workers

__all__ = ["cv"]


def cv(
    params: Any,
    dtrain: xgb.DMatrix,
    num_boost_round: int = 10,
    *,
    nfold: int = 3,
    stratified: bool = False,
    folds: Any = None,
    metrics: str | Sequence[str] = (),
    early_stopping_rounds: int | None = None,
    fpreproc: Callable[..., Any] | None = None,
    as_pandas: bool = True,
    verbose_eval: int | bool | None = None,
    show_stdv: bool = True,
    seed: int = 0,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    shuffle: bool = True,
    custom_metric: Callable[..., Any] | None = None,
    loss: Any,
    max_step: float | None = 4.0,
) -> Any:
    """Cross-validate training with the loss; everything else is as in `xgboost.cv`.

    ``loss`` replaces ``obj`` and ``maximize``. Each fold starts at the loss's optimal constant on
    its own training part, as `train` does: the best number of rounds here is the one to pass to
    `train`. The weighted mean loss is the last metric of the history, in full precision, and early
    stopping minimises its mean over the test parts.

    Parameters
    ----------
    params : dict
        XGBoost's parameters. Those that `train` refuses are refused here too.
    dtrain : xgboost.DMatrix
        Samples with labels in [0, 1], or from 0 to K - 1 with K classes, and no ``base_margin``.
    num_boost_round, nfold, stratified, folds, early_stopping_rounds, as_pandas, verbose_eval, \
    show_stdv, seed, callbacks, shuffle
        As in `xgboost.cv`.
    metrics, custom_metric
        As in `xgboost.cv`; see ``eval_metric`` and ``custom_metric`` of `train`.
    fpreproc : callable, optional
        As in `xgboost.cv`; it is called before the fold's init score is computed. It may change
        all parameters except metrics and those that are refused.
    loss : Loss, ScheduledLoss or another object with the contract of a loss
        See `objective`.
    max_step : float or None, default=4.0
        Bound on a single sample's Newton step; see `objective`.

    Returns
    -------
    pandas.DataFrame or dict
        Columns such as ``"test-focal_loss-mean"`` and ``"test-focal_loss-std"``.

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
        If the init score of a fold is beyond 13.8, where XGBoost cuts it off, if XGBoost stores
        another score in single precision, or if a fold has too little curvature at the init score
        for any tree to split.

    Examples
    --------
    >>> import numpy as np, xgboost
    >>> import focalboost.xgboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> found = focalboost.xgboost.cv(
    ...     {"min_child_weight": 0}, xgboost.DMatrix(X, y), 20, as_pandas=False,
    ...     loss=FocalLoss(gamma=2.0))
    >>> list(found)[2:]
    ['test-focal_loss-mean', 'test-focal_loss-std']
    >>> n_rounds = int(np.argmin(found["test-focal_loss-mean"])) + 1
    >>> 1 <= n_rounds <= 20
    True
    """
    refuse_workers("cv")
    schedule = as_schedule(loss)
    check_whole("num_boost_round", num_boost_round, 1)
    folds = as_folds(folds, nfold)
    first, last = schedule.at(0), schedule.at(num_boost_round - 1)
    link = Link.of(last.kernel.classes)
    params = as_dict(params)
    refuse(params, link.refused)
    if metrics:
        params["eval_metric"] = metrics
    known: dict[int, Samples] = {}
    n_threads = thread_count(params.get("nthread", params.get("n_jobs")), "nthread")
    params, functions = metrics_of(params, custom_metric, last, known, n_threads)
    # Check all labels before the first fold.
    check_samples(last.kernel.classes, *samples_of(dtrain))
    rounds = RoundObjective(schedule, objective, known, max_step, n_threads)
    asked = asked_callbacks(callbacks, verbose_eval, early_stopping_rounds, show_stdv=show_stdv)
    history = _History(functions, rounds, asked)
    xgb.cv(
        {**params, **link.params},
        dtrain,
        num_boost_round,
        nfold=nfold,
        stratified=stratified,
        folds=folds,
        obj=rounds,
        fpreproc=_fold_by_fold(fpreproc, link, first, rounds),
        as_pandas=False,
        seed=seed,
        callbacks=[history],
        shuffle=shuffle,
    )
    return as_table(history.columns(), as_pandas)


class _History(Chain):
    """Adds metrics to the history in full precision, then calls the other callbacks.

    What `xgboost.cv` itself returns has gone through text with six decimals.
    """

    def __init__(
        self,
        metrics: Sequence[Callable[..., Any]],
        rounds: RoundObjective,
        callbacks: Sequence[xgb.callback.TrainingCallback],
    ) -> None:
        super().__init__(callbacks)
        self._metrics = metrics
        self._rounds = rounds
        self._log: dict[str, dict[str, list[tuple[float, float]]]] = {}
        self._n_rounds: int | None = None

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self._rounds.enter(epoch)
        return super().before_iteration(model, epoch, evals_log)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self._log = evals_log
        for i, name in enumerate(("train", "test")):
            found: dict[str, list[float]] = {}
            for fold in model.cvfolds:
                data, _ = fold.watchlist[i]
                raw_prediction = fold.bst.predict(data, output_margin=True)
                for metric in self._metrics:
                    for key, value in results(metric(raw_prediction, data)):
                        found.setdefault(key, []).append(value)
            for key, values in found.items():
                mean = (float(np.mean(values)), float(np.std(values)))
                evals_log.setdefault(name, {}).setdefault(key, []).append(mean)
        is_over = super().after_iteration(model, epoch, evals_log)
        if is_over:
            self._n_rounds = model.best_iteration + 1
        return is_over

    def columns(self) -> dict[str, list[float]]:
        """Return means and deviations of the rounds, up to the best if training stopped early."""
        return {
            f"{name}-{key}-{part}": [values[i] for values in log[: self._n_rounds]]
            for name, metrics in self._log.items()
            for key, log in metrics.items()
            for i, part in enumerate(("mean", "std"))
        }


def _fold_by_fold(
    fpreproc: Callable[..., Any] | None, link: Link, loss: Loss, rounds: RoundObjective
) -> Callable[..., Any]:
    """Return the function that `xgboost.cv` calls with each fold, which sets its init score."""

    def prepare(dtrain: xgb.DMatrix, dtest: xgb.DMatrix, param: dict[str, Any]) -> Any:
        if fpreproc is not None:
            dtrain, dtest, param = preprocessed(
                fpreproc, dtrain, dtest, param, link.refused, ["eval_metric"]
            )
        # The objective and the metrics find the samples by the id of the DMatrix, which the fold
        # keeps alive.
        samples = ((data, *samples_of(data)) for data in (dtrain, dtest))
        rounds.known |= known_samples(loss.kernel.classes, samples)
        of_training = rounds.known[id(dtrain)]
        init_score = loss.init_score(*of_training)
        warn_of_no_split(rounds.objective, of_training, init_score, *min_curvature(param))
        return dtrain, dtest, {**param, "base_score": base_score(init_score)}

    return prepare
