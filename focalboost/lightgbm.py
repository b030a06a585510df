"""Focal loss in LightGBM: objective, metric, and a train that returns a sealed booster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from focalboost import _contract
from focalboost._contract import Array, Loss, Objective

__all__ = ["metric", "objective", "seal", "train"]

_ALPHA = "say it with alpha = w / (1 + w) for a positive weight of w."
_OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
_BOOSTING = ("boosting", "boosting_type", "boost")
_EARLY_STOPPING = (
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping",
    "n_iter_no_change",
)
_NUM_CLASS = ("num_class", "num_classes")
_REFUSED: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    _OBJECTIVE: (("binary", None), "focal loss is the objective."),
    ("scale_pos_weight",): ((1, None), _ALPHA),
    ("is_unbalance", "unbalance", "unbalanced_sets"): ((False, None), _ALPHA),
    _NUM_CLASS: ((1, None), "the loss is binary."),
    ("sigmoid",): ((1, None), "the sealed model's link is the plain sigmoid."),
    ("boost_from_average",): ((True, None), "training starts at the loss's own optimum."),
    ("pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"): (
        (1, None),
        "LightGBM ignores it without its own objective; use bagging_fraction and alpha.",
    ),
    ("neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"): (
        (1, None),
        "LightGBM ignores it without its own objective; use bagging_fraction and alpha.",
    ),
    _BOOSTING: (
        ("gbdt", "gbrt", "dart", "goss", None),
        "random forests take no Python objective.",
    ),
}
# Without an objective of its own LightGBM hands raw scores to its metrics, so that only those are
# right that look at the order of the scores.
_METRIC = ("metric", "metrics", "metric_types")
_NO_METRICS = {"none", "null", "custom", "na", ""}
_RANKING_METRICS = {False: {"auc", "average_precision"}, True: {"auc_mu"}}


# FocalClassifier has parameters of its own for these.
_REFUSED_IN_CLASSIFIER: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    _OBJECTIVE[1:]: ((None,), "focal loss is the objective."),
    _METRIC: ((None, "None", ""), _contract.STOPPING),
    _EARLY_STOPPING: ((None, 0), _contract.STOPPING),
}


@dataclass(frozen=True)
class _Metric:
    loss: Any

    def __post_init__(self) -> None:
        _contract.check_loss(self.loss, _contract.METRIC_NEEDS)

    def __call__(
        self, first: Any, second: Any, sample_weight: Any = None
    ) -> tuple[str, float, bool]:
        y, z, w = _contract.rows(self.loss, first, second, sample_weight)
        return _contract.loss_name(self.loss), float(self.loss(y, z, w)), False


def objective(loss: Loss) -> Objective:
    """Return the loss as an objective for LightGBM.

    The object goes into ``params["objective"]`` of `lightgbm.train` and `lightgbm.cv`, and into
    ``LGBMClassifier(objective=...)``. It applies sample weights, and raises a ValueError where a
    label is outside [0, 1], a raw score is not finite or has two dimensions.

    LightGBM does not know the start score of a Python objective: `train` sets it and seals it into
    the model. Where you train by other means, set it as ``init_score`` on training and validation
    data, and `seal` the booster.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        Any object with ``gradient_curvature`` or ``gradient_hessian``, ``init_score`` or
        ``fit_intercept_only``, and a weighted mean as its call. scikit-learn's losses qualify.

    Returns
    -------
    callable
        It pickles, and equals the objective of an equal loss.

    Examples
    --------
    >>> import numpy as np
    >>> from lightgbm import LGBMClassifier
    >>> import focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=2.0)
    >>> objective = focalboost.lightgbm.objective(loss)
    >>> model = LGBMClassifier(objective=objective, n_estimators=5, verbose=-1)
    >>> model = model.fit(X, y, init_score=np.full(100, loss.init_score(y)))
    >>> booster = focalboost.lightgbm.seal(model.booster_, loss.init_score(y))
    >>> bool(booster.predict(X[-1:])[0] > booster.predict(X[:1])[0])
    True
    """
    k = _contract.n_scores(loss)
    # LightGBM's own softmax has a diagonal Hessian larger by this.
    return Objective(loss, 1.0 if k == 1 else k / (k - 1))


def metric(loss: Loss) -> Callable[..., tuple[str, float, bool]]:
    """Return the weighted mean loss as an evaluation metric for LightGBM.

    The object goes into ``feval`` of `lightgbm.train` and `lightgbm.cv`, and into ``eval_metric``
    of ``LGBMClassifier.fit``, beside an `objective`: it takes its scores for raw scores, which they
    are under a Python objective. Beside LGBMClassifier's callable objective set ``metric="None"``:
    the ``binary_logloss`` that it would add is computed on raw scores.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or another loss
        See `objective`.

    Returns
    -------
    callable
        Its name in the history is that of the loss's class, ``focal_loss``.

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> import focalboost.lightgbm
    >>> focalboost.lightgbm.metric(FocalLoss(gamma=0.0))([0.0, 1.0], [0.0, 0.0])
    ('focal_loss', 0.6931471805599453, False)
    """
    return _Metric(loss)


def seal(booster: lgb.Booster, init_score: npt.ArrayLike) -> lgb.Booster:
    """Return a booster that holds its start score and its link.

    LightGBM stores neither with a Python objective. The start score is added to every leaf of the
    first tree, as LightGBM's own ``boost_from_average`` does, and the model is marked as a binary
    one: its ``predict`` is the sigmoid of start score plus trees, also after it is saved and loaded
    where focalboost is not installed. With several classes it is the softmax, and each class's
    start score is in its own first tree.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trained with `objective` on data with ``init_score``.
    init_score : float or array-like of shape (K,)
        The start score that the data had, or one for each class, in raw score units.

    Returns
    -------
    lightgbm.Booster
        A new booster; ``best_iteration`` and ``best_score`` are kept.

    Raises
    ------
    ValueError
        If the model has an objective of its own, as a sealed one has, or no tree, or another number
        of classes.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=0.0)
    >>> start = loss.init_score(y)
    >>> params = {"objective": focalboost.lightgbm.objective(loss), "verbose": -1}
    >>> data = lightgbm.Dataset(X, y, init_score=np.full(100, start))
    >>> booster = lightgbm.train(params, data, num_boost_round=5)
    >>> sealed = focalboost.lightgbm.seal(booster, start)
    >>> bool(np.allclose(sealed.predict(X, raw_score=True), booster.predict(X) + start))
    True
    """
    starts = np.atleast_1d(np.asarray(init_score, dtype=np.float64))
    if not np.all(np.isfinite(starts)):
        raise ValueError(f"init_score must be finite, got {starts[~np.isfinite(starts)][0]}.")
    if starts.shape != (booster.num_model_per_iteration(),):
        raise ValueError(
            f"init_score must be one score for each of {booster.num_model_per_iteration()} raw "
            f"scores of a row, got shape {starts.shape}."
        )
    sealed = lgb.Booster(model_str=_sealed_text(booster.model_to_string(), [*starts]))
    sealed.best_iteration = booster.best_iteration
    sealed.best_score = booster.best_score
    sealed.params = {**booster.params, **_own_objective(len(starts))}
    return sealed


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
    loss: Loss,
) -> lgb.Booster:
    """Train a LightGBM model with the loss; everything else is as in `lightgbm.train`.

    Training starts at the loss's optimal constant, on training and validation data. The history
    has the weighted mean loss after the metrics that you ask for, and ``early_stopping_round``
    watches the loss alone (a callback of your own watches what you tell it to). The booster
    that comes back is sealed (see `seal`): its ``predict`` is the sigmoid of the raw score, or the
    softmax of the raw scores of several classes. With focal loss that is a score, not a
    probability: ``loss.inverse_link(booster.predict(X, raw_score=True))`` is the probability.

    Parameters
    ----------
    params : dict
        LightGBM's parameters. ``objective`` may be left out or be "binary". Parameters that act
        only with LightGBM's own objective are refused, such as ``scale_pos_weight``,
        ``is_unbalance`` and ``pos_bagging_fraction``, and so are metrics that need probabilities.
        ``feature_pre_filter`` is False unless the Dataset says otherwise, so that constant or small
        data train too. With ``boosting="dart"`` LightGBM does not reproduce its own runs under a
        Python objective.
    train_set : lightgbm.Dataset
        Labels in [0, 1]; it must have no ``init_score`` of its own, and has none afterwards.
    num_boost_round, valid_sets, valid_names, feval, callbacks
        As in `lightgbm.train`.
    init_model : str, pathlib.Path or lightgbm.Booster, optional
        A sealed model to continue; its scores are the start then.
    keep_training_booster : bool, default=False
        Must be False: a booster that goes on training cannot be sealed.
    loss : FocalLoss, SoftmaxFocalLoss, ScheduledLoss or another loss
        See `objective`.

    Returns
    -------
    lightgbm.Booster

    Raises
    ------
    ValueError
        If a label, raw score or parameter is not as said above.

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
    schedule: Any = loss if _contract.is_schedule(loss) else None
    if schedule:
        begin = 0 if init_model is None else _as_booster(init_model).current_iteration()
        loss = schedule.at_round(begin + num_boost_round - 1)
        loss_at_start = schedule.at_round(0)
    else:
        loss_at_start = loss
    _contract.check_loss(loss)
    k = _contract.n_scores(loss)
    params = dict(params or {})
    _contract.refuse_options(params, _refused(k))
    _check_metrics(params, k)
    if keep_training_booster:
        raise ValueError(
            "keep_training_booster must be False, got True: a booster that goes on training "
            "cannot be sealed. Continue a sealed one with init_model."
        )
    valid_sets = [valid_sets] if isinstance(valid_sets, lgb.Dataset) else list(valid_sets or [])
    data_sets = list({id(data): data for data in [train_set, *valid_sets]}.values())
    if train_set in valid_sets and "dart" in [params.get(name) for name in _BOOSTING]:
        raise ValueError(
            "valid_sets must not hold train_set where boosting is dart: reading its scores would "
            "change the model. Give a second Dataset of the same rows."
        )
    if init_model is not None:
        _check_sealed(init_model, k)

    replaced = _OBJECTIVE + _NUM_CLASS
    params = {name: value for name, value in params.items() if name not in replaced}
    for data in data_sets:
        _read(data, train_set, params)
        if len(_field(data, "init_score")):
            raise ValueError(
                "init_score must not be set on train_set or valid_sets: train starts at the "
                "loss's optimum and seals it into the model, which cannot hold a score a row. "
                "For scores of your own use lightgbm.train with objective(loss)."
            )
    weight = _field(train_set, "weight")
    init_score = _contract.start_score(
        loss_at_start, _field(train_set, "label"), weight if len(weight) else None
    )

    params |= {**_own_objective(k), "objective": objective(loss)}
    if schedule:
        scheduled = _contract.ScheduledObjective(schedule, objective)
        params["objective"] = scheduled
        callbacks = [*(callbacks or []), _enter_rounds(scheduled)]
    if not any(name in params for name in _METRIC):
        params["metric"] = "None"
    fevals = [] if feval is None else [feval] if callable(feval) else list(feval)
    callbacks = [*(callbacks or []), _keep_parameters]
    rounds = [params.pop(name) for name in _EARLY_STOPPING if name in params]
    if rounds and rounds[0] is not None and rounds[0] > 0:
        callbacks.append(_stop_on(_contract.loss_name(loss), rounds[0], params))

    with _start_scores(data_sets, None if init_model is not None else init_score):
        booster = lgb.train(
            params,
            train_set,
            num_boost_round,
            valid_sets=valid_sets or None,
            valid_names=valid_names,
            feval=[*fevals, metric(loss)],
            init_model=init_model,
            callbacks=callbacks,
        )
    # A model to continue brings its own start score in its first tree.
    return seal(booster, np.zeros(k) if init_model is not None else init_score)


def _fit_classifier(
    estimator: lgb.LGBMClassifier,
    loss: Loss,
    rows: tuple[Any, Array, Array | None],
    init_score: Any,
    valid: tuple[Any, Array, Array | None] | None,
    stopping_metric: Any,
    early_stopping_rounds: int | None,
) -> tuple[lgb.LGBMClassifier, list[float], int]:
    """Train an LGBMClassifier in place; return it, its validation history and number of rounds."""
    params = estimator.get_params()
    k = _contract.n_scores(loss)
    _contract.refuse_options(params, _refused(k) | _REFUSED_IN_CLASSIFIER)
    estimator.set_params(
        objective=objective(loss), metric="None", class_weight=None, feature_pre_filter=False
    )
    X, y, weight = rows
    history: dict[str, dict[str, list[float]]] = {}
    callbacks: list[Any] = [_keep_parameters, lgb.record_evaluation(history)]
    evals: dict[str, Any] = {}
    if valid is not None:
        X_valid, y_valid, weight_valid = valid
        # LightGBM 4.7 renames the argument.
        if "eval_X" in signature(estimator.fit).parameters:
            evals = {"eval_X": (X_valid,), "eval_y": (y_valid,)}
        else:
            evals = {"eval_set": [(X_valid, y_valid)]}
        evals |= {
            "eval_sample_weight": [weight_valid],
            "eval_init_score": [_contract.for_rows(init_score, len(y_valid))],
            "eval_metric": _Metric(stopping_metric),
        }
        if early_stopping_rounds is not None:
            callbacks.append(lgb.early_stopping(early_stopping_rounds, verbose=False))
    estimator.fit(
        X, y, sample_weight=weight, init_score=_contract.for_rows(init_score, len(y)),
        callbacks=callbacks, **evals,
    )  # fmt: skip
    # From here on it is a classifier with LightGBM's own objective, which needs no focalboost.
    sealed = seal(estimator.booster_, init_score)
    estimator._Booster = sealed
    estimator.set_params(objective=None, metric=None)
    estimator._objective = _own_objective(k)["objective"]
    values = [v for by_name in history.values() for v in by_name.values()]
    return estimator, values[0] if values else [], sealed.current_iteration()


def _raw_prediction(estimator: lgb.LGBMClassifier, X: Any) -> Array:
    """Return the raw scores of a classifier that `_fit_classifier` trained."""
    return np.asarray(estimator.predict(X, raw_score=True))


def _keep_parameters(env: Any) -> None:
    """Spare the booster the reset of its parameters at its first Python gradient.

    The reset would draw the columns of feature_fraction anew, so that the trees would not be those
    of LightGBM's own objective. Where LightGBM renames this private flag, only that is lost.
    """
    for booster in getattr(env.model, "boosters", [env.model]):
        if hasattr(booster, "_Booster__set_objective_to_none"):
            booster._Booster__set_objective_to_none = True


_keep_parameters.before_iteration = True  # type: ignore[attr-defined]


def _own_objective(k: int) -> dict[str, Any]:
    return {"objective": "binary"} if k == 1 else {"objective": "multiclass", "num_class": k}


def _refused(k: int) -> dict[tuple[str, ...], tuple[tuple[Any, ...], str]]:
    if k == 1:
        return _REFUSED
    return _REFUSED | {
        _OBJECTIVE: (("multiclass", "softmax", None), "the loss is the objective."),
        _NUM_CLASS: ((k, None), f"the loss has {k} classes."),
    }


def _check_metrics(params: dict[str, Any], k: int) -> None:
    allowed = _RANKING_METRICS[k > 1]
    for name in _METRIC:
        value = params.get(name) or ()
        asked = value.split(",") if isinstance(value, str) else value
        for one in asked:
            if not (one is None or str(one).strip().lower() in allowed | _NO_METRICS):
                raise ValueError(
                    f"{name} must be {' or '.join(sorted(allowed))}, got {one!r}: LightGBM hands "
                    "its metrics raw scores under a Python objective. Use feval for others."
                )


def _stop_on(name: str, rounds: int, params: dict[str, Any]) -> Callable[[Any], None]:
    """Return LightGBM's early stopping on one metric, where it would look at all of them."""
    verbosity = [params[key] for key in ("verbosity", "verbose") if key in params]
    stop = lgb.early_stopping(
        rounds,
        verbose=not verbosity or verbosity[0] > 0,
        min_delta=params.get("early_stopping_min_delta", 0.0),
    )

    def stop_on_one(env: Any) -> None:
        results = [result for result in env.evaluation_result_list or [] if result[1] == name]
        # A named tuple in older releases of LightGBM, a dataclass in newer ones.
        stop(
            lgb.callback.CallbackEnv(
                model=env.model,
                params=env.params,
                iteration=env.iteration,
                begin_iteration=env.begin_iteration,
                end_iteration=env.end_iteration,
                evaluation_result_list=results,
            )
        )

    stop_on_one.order = stop.order  # type: ignore[attr-defined]
    return stop_on_one


def _as_booster(init_model: str | Path | lgb.Booster) -> lgb.Booster:
    if isinstance(init_model, lgb.Booster):
        return init_model
    return lgb.Booster(model_file=init_model)


def _enter_rounds(scheduled: _contract.ScheduledObjective) -> Callable[[Any], None]:
    """Return a callback that tells a schedule the round, counted on in a continued model."""

    def enter(env: Any) -> None:
        scheduled.enter(env.iteration)

    enter.before_iteration = True  # type: ignore[attr-defined]
    return enter


def _check_sealed(init_model: str | Path | lgb.Booster, k: int) -> None:
    if _link(k) not in _as_booster(init_model).model_to_string(num_iteration=1):
        kind = "binary" if k == 1 else f"multiclass (num_class:{k})"
        raise ValueError(
            f"init_model must be a {kind} model that holds its start score, as train and seal "
            "return it, got another."
        )


def _read(data: lgb.Dataset, train_set: lgb.Dataset, params: dict[str, Any]) -> None:
    """Construct a subset or a file, whose labels are not to be had otherwise."""
    if _is_constructed(data) or data.label is not None:
        return
    if data.used_indices is not None:
        data.construct()  # with the parameters of the whole
        return
    if data is not train_set:
        data.set_reference(train_set)
    data._update_params({"feature_pre_filter": False, **params}).construct()


@contextmanager
def _start_scores(data_sets: list[lgb.Dataset], init_score: Any) -> Iterator[None]:
    """Give the data sets a start score, and take it away again."""
    own_params = [data.params for data in data_sets]
    if not _is_constructed(data_sets[0]):
        # Else LightGBM refuses a Python objective on constant or small data.
        for data in data_sets:
            if not _is_constructed(data):
                data.params = {"feature_pre_filter": False, **(data.params or {})}
    try:
        for data in data_sets if init_score is not None else []:
            if getattr(data, "_predictor", None) is not None:
                # Left by a run that continued a model: it would come before the start score.
                data._set_predictor(None)
            data.set_init_score(_contract.for_rows(init_score, len(_field(data, "label"))))
        yield
    finally:
        for data, own in zip(data_sets, own_params, strict=True):
            data.set_init_score(None)
            if _is_constructed(data):
                data.set_field("init_score", None)
            else:
                data.params = own


def _is_constructed(data: lgb.Dataset) -> bool:
    # A construction that failed leaves a null pointer, at which LightGBM's own methods crash.
    return data._handle is not None and bool(data._handle.value)


def _field(data: lgb.Dataset, name: str) -> Array:
    """Return label, weight or init_score, empty if unset, without constructing a data set.

    `lightgbm.train` constructs it with its own parameters, which must not come too late.
    """
    values = data.get_field(name) if _is_constructed(data) else getattr(data, name)
    if values is None and name == "label":
        raise ValueError("label must be set on train_set and valid_sets, got None.")
    # In single precision, as LightGBM stores it.
    return np.asarray([] if values is None else values, dtype=np.float32)


def _link(k: int) -> str:
    name = "binary sigmoid:1" if k == 1 else f"multiclass num_class:{k}"
    return f"\nobjective={name}"


def _sealed_text(text: str, init_scores: list[float]) -> str:
    """Return the model text with the start scores in the first trees, and with its link."""
    head, *trees = re.split(r"\n(?=Tree=\d+\n)", text)
    if len(trees) < len(init_scores):
        raise ValueError("booster must have a tree, got none.")
    if "\nobjective=" in head:
        raise ValueError("booster must not have an objective of its own: is it sealed already?")
    sizes = re.search(r"\ntree_sizes=(.*)", head)
    grown = [int(size) for size in sizes[1].split()] if sizes else [0] * len(trees)
    for i, init_score in enumerate(init_scores):
        tree, end, rest = trees[i].partition("\n\n")
        sealed = "\n".join(_sealed_line(line, init_score) for line in tree.split("\n"))
        grown[i] += len(sealed) - len(tree)
        trees[i] = sealed + end + rest

    if sizes:
        head = head.replace(sizes[0], "\ntree_sizes=" + " ".join(map(str, grown)))
    # Each reader of the file looks for the link in one of two places.
    link = _link(len(init_scores))
    head = head.replace("\nfeature_names=", f"{link}\nfeature_names=", 1)
    name = _own_objective(len(init_scores))["objective"]
    trees[-1], found = re.subn(
        r"(?m)^\[objective: .*\]$", f"[objective: {name}]", trees[-1], count=1
    )
    if not found or link not in head:
        raise ValueError("booster must have a model text as LightGBM 4 writes it, got another.")
    return "\n".join([head, *trees])


def _sealed_line(line: str, init_score: float) -> str:
    name, _, value = line.partition("=")
    if name in ("leaf_value", "internal_value", "leaf_const") and value:
        # 17 digits give back the same double precision number; LightGBM's own inner nodes have 6.
        digits = 6 if name == "internal_value" else 17
        return f"{name}=" + " ".join(
            f"{float(v) + init_score:.{digits}g}" for v in value.split(" ")
        )
    # The shrinkage is history by now, and the start score was never shrunk.
    return "shrinkage=1" if name == "shrinkage" else line
