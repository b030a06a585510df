"""Focal loss in CatBoost: objective, metric, and a train that returns a sealed model."""

from __future__ import annotations

import math
import os
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import catboost as cb
import numpy as np

from focalboost import _contract
from focalboost._checks import as_rows
from focalboost._contract import Array, Loss
from focalboost._tables import categories_of, for_catboost

__all__ = ["metric", "objective", "train"]

_ALPHA = "say it with alpha = w / (1 + w) for a positive weight of w, or with weights."
_OBJECTIVE = ("loss_function", "objective")
_CLASSES_COUNT = ("classes_count",)
_CLASS_NAMES = ("class_names",)
_REFUSED: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    _OBJECTIVE: (("Logloss", None), "focal loss is the objective."),
    ("scale_pos_weight",): ((1, None), _ALPHA),
    # CatBoost would apply them, but the start score would not know.
    ("class_weights",): ((None,), _ALPHA),
    ("auto_class_weights",): ((None, "None"), _ALPHA),
    ("boost_from_average",): ((False, None), "training starts at the loss's own optimum."),
    _CLASSES_COUNT: ((2, None), "the loss is binary."),
    _CLASS_NAMES: ((None, [0, 1]), "labels are numbers in [0, 1]."),
    ("model_shrink_rate",): ((0, None), "CatBoost does not shrink from a start score."),
}
# FocalClassifier has parameters of its own for these, or takes no such columns.
_REFUSED_IN_CLASSIFIER: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    ("eval_metric", "custom_metric", "custom_loss"): ((None,), _contract.STOPPING),
    ("early_stopping_rounds", "od_wait", "od_type", "od_pval"): ((None,), _contract.STOPPING),
    ("eval_fraction",): ((None, 0), "give X_val and y_val."),
    ("text_features", "embedding_features"): ((None,), "tables are numbers and categories here."),
}
# Below this the numpy path costs a fraction of a second a hundred trees.
_SMALL = 20_000


@dataclass(frozen=True)
class _Objective:
    """Derivatives as CatBoost calls for them: in batches of up to 1,000 rows, from its threads."""

    loss: Any

    # CatBoost must not try to compile the method from its source.
    no_jit = True

    def __post_init__(self) -> None:
        _contract.check_loss(self.loss)
        if _contract.n_scores(self.loss) > 1:
            _contract.check_loss(self.loss, (("gradient_matrix",),))

    def __deepcopy__(self, memo: Any) -> _Objective:
        # scikit-learn's clone compares CatBoost's copied parameters by identity.
        return self

    def calc_ders_multi(self, approxes: Array, target: float, weight: float) -> Any:
        """Return the derivatives of one row of several classes, which CatBoost asks for singly."""
        k = len(approxes)
        # This runs twice for each row and tree: Python's own numbers are faster on so few.
        if not (math.isfinite(sum(approxes.tolist())) and k == _contract.n_scores(self.loss)):
            raise ValueError(
                f"raw_prediction must be {_contract.n_scores(self.loss)} finite scores a row, got "
                f"{approxes}."
            )
        if target not in range(k):
            raise ValueError(f"y_true must be a whole number from 0 to {k - 1}, got {target}.")
        gradient, matrix = _matrix_of(self.loss)(int(target), approxes)
        return (-weight * gradient).tolist(), (-weight * matrix).tolist()

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> Array:
        y, z, w = _contract.check_rows(self.loss, targets, weights, raw_prediction=approxes)
        # CatBoost maximises: its derivatives have the other sign. It wants a new (n, 2) array.
        ders = np.column_stack(_contract.checked(_derivatives_of(self.loss), y, z, w))
        ders *= -1.0
        return ders


@dataclass(frozen=True)
class MeanLoss:
    """Weighted mean loss as CatBoost calls for it, which takes its name from this class."""

    loss: Any

    no_jit = True

    def __post_init__(self) -> None:
        _contract.check_loss(self.loss, _contract.METRIC_NEEDS)

    def __deepcopy__(self, memo: Any) -> MeanLoss:
        return self

    def is_max_optimal(self) -> bool:
        return False

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        raw_prediction = approxes[0] if len(approxes) == 1 else np.transpose(approxes)
        y, z, w = _contract.check_rows(self.loss, target, weight, raw_prediction=raw_prediction)
        total = float(len(y) if w is None else np.sum(w))
        return (float(self.loss(y, z, w)) * total if total else 0.0), total

    def get_final_error(self, error: float, weight: float) -> float:
        return error / weight


def objective(loss: Loss) -> _Objective:
    """Return the loss as an objective for CatBoost.

    The object goes into ``loss_function`` of `catboost.train`, `catboost.cv`, `catboost.CatBoost`
    and ``CatBoostClassifier``, beside an ``eval_metric``, which CatBoost asks for then. It applies
    sample weights, and raises where a label is outside [0, 1] or a raw score is not finite.

    CatBoost does not know the start score of a Python objective: `train` sets it and stores it in
    the model. Where you train by other means, set it as ``baseline`` of training and validation
    Pools, and add it to the fitted model by ``model.set_scale_and_bias(1, init_score)``.

    With several classes CatBoost calls once a row, from one thread at a time, and wants the whole
    Hessian: a loss needs ``gradient_matrix`` for it, and training takes some forty times as long
    as with CatBoost's own loss (see the benchmarks). Two classes go faster as a binary loss.

    CatBoost calls for derivatives of a binary loss in batches of up to 1,000 rows. With numba
    installed (``pip install "focalboost[fast]"``) they are computed by a compiled loop; without it
    by numpy, and training takes about one and a half to two times as long.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        Any object with ``gradient_curvature`` or ``gradient_hessian``, ``init_score`` or
        ``fit_intercept_only``, and a weighted mean as its call. scikit-learn's losses qualify.

    Returns
    -------
    object
        It pickles, and equals the objective of an equal loss.

    Examples
    --------
    >>> import numpy as np
    >>> from catboost import CatBoostClassifier
    >>> import focalboost.catboost
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> model = CatBoostClassifier(
    ...     loss_function=focalboost.catboost.objective(loss),
    ...     eval_metric=focalboost.catboost.metric(loss),
    ...     class_names=[0, 1], iterations=20, verbose=0, allow_writing_files=False)
    >>> model = model.fit(X, y.astype(int), baseline=np.full(100, loss.init_score(y)))
    >>> model.set_scale_and_bias(1, loss.init_score(y))
    >>> bool(model.predict(X[-1:], prediction_type="RawFormulaVal")[0] > loss.init_score(y))
    True
    """
    return _Objective(loss)


def metric(loss: Loss) -> MeanLoss:
    """Return the weighted mean loss as an evaluation metric for CatBoost.

    The object goes into ``eval_metric``, beside an `objective`.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        See `objective`.

    Returns
    -------
    object
        Its name in the history is that of its class, ``MeanLoss``.

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> import focalboost.catboost
    >>> focalboost.catboost.metric(FocalLoss(gamma=0.0)).evaluate([[0.0, 0.0]], [0, 1], None)
    (1.3862943611198906, 2.0)
    """
    return MeanLoss(loss)


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
    loss: Loss,
    native: bool = False,
) -> cb.CatBoost:
    """Train a CatBoost model with the loss; everything else is as in `catboost.train`.

    Training starts at the loss's optimal constant, on training and validation data, and early
    stopping is on the weighted mean loss unless ``eval_metric`` says otherwise. The start score is
    stored in the model that comes back: ``predict(X, prediction_type="Probability")`` is the
    sigmoid of the raw score, also after it is saved and loaded where focalboost is not installed.
    With focal loss that is a score, not a probability: ``loss.inverse_link(model.predict(X,
    prediction_type="RawFormulaVal"))`` is the probability.

    CatBoost sets a learning rate to suit the data only for its own losses; for others it is .03
    unless you set it.

    Parameters
    ----------
    pool : catboost.Pool
        Labels in [0, 1]; it must have no ``baseline`` of its own, and has none afterwards.
    params : dict
        CatBoost's parameters. ``loss_function`` may be left out or be "Logloss". Parameters that
        would act only with CatBoost's own loss, or behind the start score's back, are refused, such
        as ``scale_pos_weight`` and ``auto_class_weights``. ``class_names`` is [0, 1] where every
        label is 0 or 1; with soft labels the model predicts no classes.
    dtrain, logging_level, verbose, iterations, num_boost_round, evals, eval_set, plot, plot_file, \
    verbose_eval, metric_period, early_stopping_rounds, save_snapshot, snapshot_file, \
    snapshot_interval, log_cout, log_cerr
        As in `catboost.train`.
    init_model : catboost.CatBoost or path, optional
        A model from this function to continue; it keeps its start score. With several classes it
        must not come from a file, which CatBoost does not take under a Python objective.
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        See `objective`.
    native : bool, default=False
        Train with CatBoost's own ``Focal``, compiled and on all threads, where it computes the
        same: for a `FocalLoss` with gamma > 0 and an alpha, labels 0 and 1, and
        ``leaf_estimation_method="Gradient"``, which uses no second derivative (CatBoost's is the
        exact Hessian, without a bound). The history then calls the loss by CatBoost's name.

    Returns
    -------
    catboost.CatBoost
        Its ``save_model`` stands alone. A pickle of it needs focalboost, as it holds the loss.

    Raises
    ------
    ValueError
        If a label, raw score or parameter is not as said above.

    Warns
    -----
    UserWarning
        If numba is not installed, with which training on these data would be faster.

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
    _contract.check_loss(loss)
    k = _contract.n_scores(loss)
    params = dict(params or {})
    _contract.refuse_options(params, _refused(k))
    pool = _one_of("pool", pool, "dtrain", dtrain)
    if not isinstance(pool, cb.Pool):
        raise ValueError(f"pool must be a catboost.Pool, got {type(pool).__name__}.")
    eval_set = _one_of("eval_set", eval_set, "evals", evals)
    eval_sets = eval_set if isinstance(eval_set, list) else [] if eval_set is None else [eval_set]
    eval_pools = [_as_pool(data, pool) for data in eval_sets]
    pools = list({id(p): p for p in [pool, *eval_pools]}.values())
    for p in pools:
        if np.size(p.get_baseline()):
            raise ValueError(
                "baseline must not be set on pool or eval_set: train starts at the loss's optimum "
                "and stores it in the model, which cannot hold a score a row. "
                "For scores of your own use catboost.train with objective(loss)."
            )
    labels = [_labels(p, loss) for p in pools]
    start = _contract.start_score(loss, labels[0], pool.get_weight() or None)
    if init_model is not None:
        start = _start_score(init_model, k)
    start = _in_single_precision(start)
    are_hard = k > 1 or all(np.all((y == 0) | (y == 1)) for y in labels)

    harmless = {name for names in _REFUSED for name in names}
    params = {name: value for name, value in params.items() if name not in harmless}
    if native:
        params["loss_function"] = _own_loss(loss, params, are_hard)
    else:
        _try(loss, pool.num_row())
        params["loss_function"] = objective(loss)
        params.setdefault("eval_metric", metric(loss))
    if are_hard:
        # Without them predict would have no labels to give where eval_metric is a Python object.
        params["class_names"] = [*range(max(k, 2))]
    try:
        # A model to continue brings its own start score, and CatBoost takes no baseline then.
        for p in pools if init_model is None else []:
            p.set_baseline(_contract.for_rows(start, p.num_row()).reshape(p.num_row(), k))
        model = cb.train(
            pool,
            params,
            logging_level=logging_level,
            verbose=verbose,
            iterations=iterations if num_boost_round is None else num_boost_round,
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
    except cb.CatBoostError as error:
        # CatBoost wraps what a callback raises in its own error, as text.
        message = re.search(r"^ValueError: (.*)", str(error), flags=re.MULTILINE)
        if k > 1 and init_model is not None and "class labels" in str(error):
            raise ValueError(
                "init_model must be what train returned in this process, got a loaded model: "
                "CatBoost does not continue one of several classes under a Python objective."
            ) from error
        if message is None:
            raise
        raise ValueError(message[1]) from error
    finally:
        for p in pools:
            p.set_baseline(np.empty((p.num_row(), 0)))
    # A continued model keeps it or loses it, as CatBoost goes on from the file or from memory.
    model.set_scale_and_bias(1.0, start)
    return model


def _fit_classifier(
    estimator: cb.CatBoostClassifier,
    loss: Loss,
    rows: tuple[Any, Array, Array | None],
    init_score: Any,
    valid: tuple[Any, Array, Array | None] | None,
    stopping_metric: Any,
    early_stopping_rounds: int | None,
) -> tuple[cb.CatBoostClassifier, list[float], int]:
    """Train a CatBoostClassifier in place; return it, its history and number of rounds."""
    params = estimator.get_params()
    k = _contract.n_scores(loss)
    _contract.refuse_options(params, _refused(k) | _REFUSED_IN_CLASSIFIER)
    start = _in_single_precision(init_score)
    _try(loss, len(rows[1]))
    names = [*getattr(rows[0], "columns", [])]
    own = [names.index(c) if c in names else int(c) for c in params.get("cat_features") or []]
    cat_features = sorted({*own, *categories_of(rows[0])})

    def pool(X: Any, y: Array, weight: Array | None) -> cb.Pool:
        baseline = _contract.for_rows(start, len(y)).reshape(len(y), k)
        return cb.Pool(
            for_catboost(X), y, weight=weight, baseline=baseline, cat_features=cat_features
        )

    if cat_features:
        estimator.set_params(cat_features=cat_features)
    estimator.set_params(
        loss_function=objective(loss),
        eval_metric=metric(stopping_metric),
        class_names=[*range(max(k, 2))],
        allow_writing_files=params.get("allow_writing_files", False),
    )
    evals: dict[str, Any] = {}
    if valid is not None:
        evals = {
            "eval_set": pool(*valid),
            "early_stopping_rounds": early_stopping_rounds,
            "use_best_model": early_stopping_rounds is not None,
        }
    estimator.fit(pool(*rows), **evals)
    history = []
    if valid is not None:
        (history,) = estimator.get_evals_result()["validation"].values()
    estimator.set_scale_and_bias(1.0, start)
    return estimator, history, estimator.tree_count_


def _raw_prediction(estimator: cb.CatBoostClassifier, X: Any) -> Array:
    """Return the raw scores of a classifier that `_fit_classifier` trained."""
    table = for_catboost(X)
    return np.asarray(estimator.predict(table, prediction_type="RawFormulaVal"))


def _one_of(name: str, value: Any, synonym: str, other: Any) -> Any:
    if value is not None and other is not None:
        raise ValueError(f"{name} and {synonym} must not both be given: they are synonyms.")
    return other if value is None else value


def _as_pool(data: Any, pool: cb.Pool) -> cb.Pool:
    """Return a validation set, whose columns are of the kinds of the training Pool's."""
    if isinstance(data, cb.Pool):
        return data
    if isinstance(data, str | os.PathLike):
        return cb.Pool(os.fspath(data))
    return cb.Pool(
        *data,
        cat_features=pool.get_cat_feature_indices(),
        text_features=pool.get_text_feature_indices(),
        embedding_features=pool.get_embedding_feature_indices(),
    )


def _labels(pool: cb.Pool, loss: Loss) -> Array:
    labels = np.asarray(pool.get_label())
    if labels.dtype.kind in "OU":
        # CatBoost keeps the labels of a file, and those that are not numbers, as strings.
        with suppress(ValueError):
            labels = labels.astype(np.float64)
    labels = as_rows("y_true", labels)
    _contract.check_y_true(loss, labels)
    return labels


def _refused(k: int) -> dict[tuple[str, ...], tuple[tuple[Any, ...], str]]:
    if k == 1:
        return _REFUSED
    return _REFUSED | {
        _OBJECTIVE: (("MultiClass", None), "the loss is the objective."),
        _CLASSES_COUNT: ((k, None), f"the loss has {k} classes."),
        _CLASS_NAMES: ((None, [*range(k)]), f"labels are 0 to {k - 1}."),
    }


def _in_single_precision(start: Any) -> Any:
    """Return a start score as CatBoost keeps a baseline, as a number or a list."""
    return np.float32(start).astype(np.float64).tolist()


def _start_score(init_model: Any, k: int) -> Any:
    model = init_model if isinstance(init_model, cb.CatBoost) else cb.CatBoost()
    if model is not init_model:
        model.load_model(init_model)
    scale, bias = model.get_scale_and_bias()
    if scale != 1 or np.size(bias) != k:
        raise ValueError(
            f"init_model must be a model of scale 1 with {k} raw scores a row, got scale {scale} "
            f"and bias {bias}."
        )
    return bias


@lru_cache(maxsize=16)
def _matrix_of(loss: Any) -> Any:
    return loss.gradient_matrix()


def _own_loss(loss: Any, params: dict[str, Any], are_hard: bool) -> str:
    """Return the name of CatBoost's own focal loss, where it computes the same."""
    gamma, alpha = getattr(loss, "gamma", 0.0), getattr(loss, "alpha", None)
    if _contract.loss_name(loss) != "focal_loss" or not gamma > 0 or alpha is None:
        raise ValueError(
            "native must be False unless loss is a FocalLoss with gamma > 0 and an alpha, "
            f"got {loss!r}: CatBoost has no other focal loss of its own."
        )
    if params.get("leaf_estimation_method") != "Gradient":
        raise ValueError(
            "native must be False unless leaf_estimation_method is 'Gradient', got "
            f"{params.get('leaf_estimation_method')!r}: CatBoost's own Focal steps by the exact "
            "Hessian, which is negative for hard rows."
        )
    if not are_hard:
        raise ValueError("native must be False unless every label is 0 or 1: Focal rounds others.")
    return f"Focal:focal_alpha={alpha!r};focal_gamma={gamma!r}"


def _derivatives_of(loss: Any) -> Any:
    compiled = getattr(loss, "compiled_gradient_curvature", None)
    return (compiled and compiled()) or _contract.derivatives_of(loss)


def _try(loss: Any, n_rows: int) -> None:
    """Call the objective once: it compiles here and not in CatBoost's threads."""
    k = _contract.n_scores(loss)
    if k == 1:
        objective(loss).calc_ders_range([0.0, 0.0], [0.0, 1.0], None)
        compiled, share = getattr(loss, "compiled_gradient_curvature", None), "two thirds"
        is_slow = n_rows > _SMALL and compiled and compiled() is None
    else:
        objective(loss).calc_ders_multi(np.zeros(k), 0.0, 1.0)
        share, is_slow = "a fiftieth", find_spec("numba") is None
    if is_slow:
        warnings.warn(
            f"numba is not installed: with it training would take about {share} of the time. "
            'pip install "focalboost[fast]".',
            stacklevel=3,
        )
