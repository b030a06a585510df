"""Embeds the init score and the link in a LightGBM model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from focalboost.boosters.options import check_model
from focalboost.lightgbm.models import from_text, read_record, with_record
from focalboost.lightgbm.options import Link
from focalboost.losses._checks import as_numbers, check_kind
from focalboost.losses._classes import of_scores
from focalboost.losses.foreign import as_loss
from focalboost.losses.records import continued, to_text

__all__ = ["seal"]


def seal(booster: lgb.Booster, init_score: npt.ArrayLike, *, loss: Any = None) -> lgb.Booster:
    """Return a booster with the init score, the link and the loss embedded in the model.

    With a Python objective LightGBM stores none of them. The init score is added to every leaf of
    the first tree, as LightGBM's own ``boost_from_average`` does, and the model is marked as a
    binary one: its ``predict`` is then the sigmoid of init score plus trees, even if the saved
    model is loaded where focalboost is not installed. With several classes ``predict`` is the
    softmax, and the init score of each class is added to the first tree of that class.

    Parameters
    ----------
    booster : lightgbm.Booster
        A model trained with `objective` on data with an ``init_score``.
    init_score : float or array-like of shape (K,)
        The init score of the data, as a raw score; with K classes, a raw score for each class.
    loss : Loss or another object with the contract of a loss, optional
        The loss that the booster was trained with; `focalboost.loss_of` and
        `focalboost.predict_proba` read it from the model.

    Returns
    -------
    lightgbm.Booster
        A new booster; ``best_iteration`` and ``best_score`` are kept.

    Raises
    ------
    ValueError
        If the booster has an objective of LightGBM's own (as after `seal`) or no tree, or if
        ``init_score`` is not finite or does not have one value for each raw score.

    Examples
    --------
    >>> import lightgbm, numpy as np
    >>> import focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X, y = np.arange(100.0)[:, np.newaxis], np.arange(100) >= 90
    >>> loss = FocalLoss(gamma=0.0)
    >>> init_score = loss.init_score(y)
    >>> params = {"objective": focalboost.lightgbm.objective(loss), "verbose": -1}
    >>> data = lightgbm.Dataset(X, y, init_score=np.full(100, init_score))
    >>> booster = lightgbm.train(params, data, num_boost_round=5)
    >>> sealed = focalboost.lightgbm.seal(booster, init_score, loss=loss)
    >>> bool(np.allclose(sealed.predict(X, raw_score=True), booster.predict(X) + init_score))
    True
    """
    check_kind("booster", booster, lgb.Booster, "a lightgbm.Booster")
    return sealed(booster, init_score, None if loss is None else to_text(as_loss(loss)))


def sealed(booster: lgb.Booster, init_score: npt.ArrayLike, record: str | None) -> lgb.Booster:
    """Return `seal`'s booster, with the text of a record."""
    scores = np.atleast_1d(as_numbers("init_score", init_score).astype(np.float64))
    if not np.all(np.isfinite(scores)):
        raise ValueError(f"init_score must be finite, got {scores[~np.isfinite(scores)][0]}.")
    k = booster.num_model_per_iteration()
    if scores.shape != (k,):
        raise ValueError(
            f"init_score must have one value for each of the {k} raw scores of a sample, got shape "
            f"{scores.shape}."
        )
    link = Link.of(of_scores(k))
    text = _sealed_text(booster.model_to_string(), [*scores], link)
    if record is not None:
        text = with_record(text, record)
    found = from_text(text, booster)
    found.params = {**booster.params, **link.params}
    return found


def as_booster(init_model: str | Path | lgb.Booster) -> lgb.Booster:
    """Return the model to continue, which may be given as a file."""
    check_model("init_model", init_model, lgb.Booster, "a lightgbm.Booster or a path")
    if isinstance(init_model, lgb.Booster):
        return init_model
    return lgb.Booster(model_file=init_model)


def to_continue(init_model: Any, loss: Any) -> tuple[lgb.Booster | None, int, Any]:
    """Return the model to continue as a booster, its rounds, and the loss to train with."""
    if init_model is None:
        return None, 0, loss
    booster = as_booster(init_model)
    loss = continued(loss, read_record(booster), "init_model")
    return booster, booster.current_iteration(), loss


def check_sealed(init_model: str | Path | lgb.Booster, link: Link) -> None:
    """Raise a ValueError if the model to continue has no init score of this kind embedded."""
    if _line(link) not in as_booster(init_model).model_to_string(num_iteration=1):
        raise ValueError(
            f"init_model must be a {link.kind} model with its init score embedded, as train and "
            "seal return it. Train it with focalboost.lightgbm.train."
        )


def _line(link: Link) -> str:
    return f"\nobjective={link.text}\n"


def _sealed_text(text: str, init_scores: list[float], link: Link) -> str:
    """Return the model text with the init scores in the first trees, and with its link."""
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
    # Readers of the file look for the link in one of two places.
    head = head.replace("\nfeature_names=", f"{_line(link)}feature_names=", 1)
    name: Any = link.params["objective"]
    trees[-1], found = re.subn(
        r"(?m)^\[objective: .*\]$", f"[objective: {name}]", trees[-1], count=1
    )
    if not found or _line(link) not in head:
        raise ValueError(
            "booster must have a model text in the format of LightGBM 4; this release of LightGBM "
            "writes another format."
        )
    return "\n".join([head, *trees])


def _sealed_line(line: str, init_score: float) -> str:
    name, _, value = line.partition("=")
    if name in ("leaf_value", "internal_value", "leaf_const") and value:
        # 17 digits give back the same double precision number; LightGBM's own inner nodes have 6.
        digits = 6 if name == "internal_value" else 17
        return f"{name}=" + " ".join(
            f"{float(v) + init_score:.{digits}g}" for v in value.split(" ")
        )
    # The shrinkage has been applied by now, and the init score was never shrunk.
    return "shrinkage=1" if name == "shrinkage" else line
