"""Focal loss in LightGBM: objective, metric, and a train that returns a sealed booster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from focalboost import _contract
from focalboost._contract import Array, Loss, Objective

__all__ = ["metric", "objective", "seal", "train"]

_ALPHA = "give the loss alpha = w / (1 + w) for a positive weight of w."
_OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
_REFUSED: dict[tuple[str, ...], tuple[tuple[Any, ...], str]] = {
    _OBJECTIVE: (("binary",), "the objective is loss=."),
    ("scale_pos_weight",): ((1, None), _ALPHA),
    ("is_unbalance", "unbalance", "unbalanced_sets"): ((False, None), _ALPHA),
    ("num_class", "num_classes"): ((1, None), "the loss is binary."),
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
    ("boosting", "boosting_type", "boost"): (
        ("gbdt", "gbrt", "dart", "goss", None),
        "random forests take no Python objective.",
    ),
}
# Without an objective of its own LightGBM hands raw scores to its metrics, so that only those are
# right that look at the order of the scores.
_METRIC = ("metric", "metrics", "metric_types")
_RANKING_METRICS = {"auc", "average_precision", "None", "none", "null", "custom", "na", ""}


@dataclass(frozen=True)
class _Metric:
    loss: Any

    def __post_init__(self) -> None:
        _contract.check_loss(self.loss)

    def __call__(
        self, first: Any, second: Any, sample_weight: Any = None
    ) -> tuple[str, float, bool]:
        y, z, w = _contract.rows(first, second, sample_weight)
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
    loss : FocalLoss or another binary loss
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
    return Objective(loss)


def metric(loss: Loss) -> Callable[..., tuple[str, float, bool]]:
    """Return the weighted mean loss as an evaluation metric for LightGBM.

    The object goes into ``feval`` of `lightgbm.train` and `lightgbm.cv`, and into ``eval_metric``
    of ``LGBMClassifier.fit``, beside an `objective`: it takes its scores for raw scores, which they
    are under a Python objective. Beside LGBMClassifier's callable objective set ``metric="None"``:
    the ``binary_logloss`` that it would add is computed on raw scores.

    Parameters
    ----------
    loss : FocalLoss or another binary loss
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


def seal(booster: lgb.Booster, init_score: float) -> lgb.Booster:
    """Return a booster that holds its start score and its link.

    LightGBM stores neither with a Python objective. The start score is added to every leaf of the
    first tree, as LightGBM's own ``boost_from_average`` does, and the model is marked as a binary
    one: its ``predict`` is the sigmoid of start score plus trees, also after it is saved and loaded
    where focalboost is not installed.

    Parameters
    ----------
    booster : lightgbm.Booster
        Trained with `objective` on data with ``init_score``.
    init_score : float
        The start score that the data had, in raw score units.

    Returns
    -------
    lightgbm.Booster
        A new booster; ``best_iteration`` and ``best_score`` are kept.

    Raises
    ------
    ValueError
        If the model has an objective of its own, as a sealed one has, or no tree.

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
    init_score = float(init_score)
    if not np.isfinite(init_score):
        raise ValueError(f"init_score must be finite, got {init_score}.")
    sealed = lgb.Booster(model_str=_sealed_text(booster.model_to_string(), init_score))
    sealed.best_iteration = booster.best_iteration
    sealed.best_score = booster.best_score
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
    and early stopping have the weighted mean loss, after the metrics that you ask for. The booster
    that comes back is sealed (see `seal`): its ``predict`` is the sigmoid of the raw score.
    With focal loss that is a score, not a probability: ``loss.inverse_link(booster.predict(X,
    raw_score=True))`` is the probability.

    Parameters
    ----------
    params : dict
        LightGBM's parameters. ``objective`` may be left out or be "binary". Parameters that act
        only with LightGBM's own objective are refused, such as ``scale_pos_weight``,
        ``is_unbalance`` and ``pos_bagging_fraction``, and so are metrics that need probabilities.
        ``feature_pre_filter`` is False unless set, so that constant or small data train too.
    train_set : lightgbm.Dataset
        Labels in [0, 1]; it must have no ``init_score`` of its own, and has none afterwards.
    num_boost_round, valid_sets, valid_names, feval, callbacks
        As in `lightgbm.train`.
    init_model : str, pathlib.Path or lightgbm.Booster, optional
        A sealed model to continue; its scores are the start then.
    keep_training_booster : bool, default=False
        Must be False: a booster that goes on training cannot be sealed.
    loss : FocalLoss or another binary loss
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
    _contract.check_loss(loss)
    _contract.refuse_options(params, _REFUSED)
    _check_metrics(params)
    if keep_training_booster:
        raise ValueError(
            "keep_training_booster must be False, got True: a booster that goes on training "
            "cannot be sealed. Continue a sealed one with init_model."
        )
    if isinstance(valid_sets, lgb.Dataset):
        valid_sets = [valid_sets]
    data_sets = list({id(data): data for data in [train_set, *(valid_sets or [])]}.values())
    for data in data_sets:
        if init_model is None and len(_field(data, "init_score")):
            raise ValueError(
                "init_score must not be set on train_set or valid_sets: train starts at the "
                "loss's optimum and seals it into the model, which cannot hold a score a row. "
                "For scores of your own use lightgbm.train with objective(loss)."
            )

    params = {name: value for name, value in params.items() if name not in _OBJECTIVE}
    params["objective"] = objective(loss)
    if not any(name in params for name in _METRIC):
        params["metric"] = "None"
    if not _is_constructed(train_set):
        # Else LightGBM refuses a Python objective on constant or small data.
        for data in data_sets:
            data.params = {"feature_pre_filter": False, **(data.params or {})}
    fevals = [] if feval is None else [feval] if callable(feval) else list(feval)

    init_score = 0.0
    try:
        if init_model is None:
            weight = _field(train_set, "weight")
            init_score = _contract.start_score(
                loss, _field(train_set, "label"), weight if len(weight) else None
            )
            for data in data_sets:
                data.set_init_score(np.full(len(_field(data, "label")), init_score))
        booster = lgb.train(
            params,
            train_set,
            num_boost_round,
            valid_sets=valid_sets,
            valid_names=valid_names,
            feval=[*fevals, metric(loss)],
            init_model=init_model,
            callbacks=[*(callbacks or []), _keep_parameters],
        )
    finally:
        for data in data_sets:
            data.set_init_score(None)
            if _is_constructed(data):
                data.set_field("init_score", None)
    return booster.model_from_string(_sealed_text(booster.model_to_string(), init_score))


def _keep_parameters(env: Any) -> None:
    """Spare the booster the reset of its parameters at its first Python gradient.

    The reset would draw the columns of feature_fraction anew, so that the trees would not be those
    of LightGBM's own objective. Where LightGBM renames this private flag, only that is lost.
    """
    for booster in getattr(env.model, "boosters", [env.model]):
        if hasattr(booster, "_Booster__set_objective_to_none"):
            booster._Booster__set_objective_to_none = True


_keep_parameters.before_iteration = True  # type: ignore[attr-defined]


def _check_metrics(params: dict[str, Any]) -> None:
    for name in _METRIC:
        value = params.get(name) or ()
        asked = value.split(",") if isinstance(value, str) else value
        for one in asked:
            if not (one is None or str(one).strip() in _RANKING_METRICS):
                raise ValueError(
                    f"{name} must be auc or average_precision, got {one!r}: LightGBM hands its "
                    "metrics raw scores under a Python objective. Use feval for others."
                )


def _is_constructed(data: lgb.Dataset) -> bool:
    try:
        data.num_data()
    except lgb.basic.LightGBMError:
        return False
    return True


def _field(data: lgb.Dataset, name: str) -> Array:
    """Return label, weight or init_score, empty if unset, without constructing a data set.

    `lightgbm.train` constructs it with its own parameters, which must not come too late.
    """
    values = data.get_field(name) if _is_constructed(data) else getattr(data, name)
    if values is None and name == "label":
        raise ValueError("label must be set, or the Dataset constructed where it is in a file.")
    # In single precision, as LightGBM stores it.
    return np.asarray([] if values is None else values, dtype=np.float32)


def _sealed_text(text: str, init_score: float) -> str:
    """Return the model text with the start score in its first tree and a binary link."""
    head, separator, rest = text.partition("\nTree=0\n")
    if not separator:
        raise ValueError("booster must have a tree, got none.")
    if "\nobjective=" in head:
        raise ValueError("booster must not have an objective of its own: is it sealed already?")
    tree, end, rest = rest.partition("\n\n")
    lines = [_sealed_line(line, init_score) for line in tree.split("\n")]
    sealed = "\n".join(lines)

    def resize(line: str) -> str:
        if not line.startswith("tree_sizes="):
            return line
        first, *others = line.removeprefix("tree_sizes=").split(" ")
        grown = int(first) + len(sealed) - len(tree)
        return "tree_sizes=" + " ".join([str(grown), *others])

    head = "\n".join(resize(line) for line in head.split("\n"))
    # Each reader of the file looks for the link in one of two places.
    head = head.replace("\nfeature_names=", "\nobjective=binary sigmoid:1\nfeature_names=", 1)
    rest = rest.replace("\n[objective: none]\n", "\n[objective: binary]\n", 1)
    return head + separator + sealed + end + rest


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
