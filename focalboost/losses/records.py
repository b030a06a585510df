"""A loss as a record that a model file can hold, and a record as a loss."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import version

from focalboost.losses._types import Foreign
from focalboost.losses.base import Loss
from focalboost.losses.calibrated import CalibratedFocalLoss
from focalboost.losses.focal import FocalLoss, SoftmaxFocalLoss
from focalboost.losses.foreign import as_loss
from focalboost.losses.robust import BrierLoss, GeneralizedCrossEntropyLoss, RobustFocalLoss
from focalboost.losses.schedules import ScheduledLoss
from focalboost.losses.variants import (
    AsymmetricLoss,
    FocalStarLoss,
    ModulatedLoss,
    PolyLoss,
    VectorScalingLoss,
)

# The classes that a record may name: a name in a file is looked up here, and no code from the file
# is run.
_CLASSES: dict[str, type[Loss]] = {
    cls.__name__: cls
    for cls in (
        AsymmetricLoss,
        BrierLoss,
        CalibratedFocalLoss,
        FocalLoss,
        FocalStarLoss,
        GeneralizedCrossEntropyLoss,
        ModulatedLoss,
        PolyLoss,
        RobustFocalLoss,
        SoftmaxFocalLoss,
        VectorScalingLoss,
    )
}
# It takes a millisecond or more to look up.
_RELEASE = version("focalboost")
# Increase it when the code of today would misread a new record.
FORMAT = 1


def record_of(loss: Loss) -> dict[str, Foreign]:
    """Return a loss as json can write it: class and parameters, or the repr of another loss."""
    record = {"format": FORMAT, "focalboost": _RELEASE}
    cls = type(loss)
    parameters = {f.name: getattr(loss, f.name) for f in fields(loss)}  # type: ignore[arg-type]
    if _CLASSES.get(cls.__name__) is cls and all(map(_is_plain, parameters.values())):
        return {**record, "class": cls.__name__, "parameters": parameters}
    # without the address, which differs between processes
    return {**record, "class": None, "repr": re.sub(r" at 0x[0-9a-fA-F]+", "", repr(loss))}


def to_text(loss: Loss, **more: Foreign) -> str:
    """Return a record as one line of text."""
    return json.dumps({**record_of(loss), **more})


def continued(loss: Foreign, text: str | None, name: str) -> Foreign:
    """Return the loss with which to continue a model that holds this record, or none.

    If no loss is given, it is the model's own. Raise a ValueError where the two differ; a schedule,
    which changes the loss from round to round, is returned as it is.
    """
    if text is None or isinstance(loss, ScheduledLoss):
        return loss
    record = json.loads(text)
    if loss is None:
        return loss_of_record(record)
    given = record_of(as_loss(loss))
    if not is_same(record, given):
        raise ValueError(
            f"loss must be that of {name}, {describe(record)}, got {describe(given)}: the trees "
            f"of {name} are on the scale of its loss. Leave loss out to continue with that loss."
        )
    return loss


def loss_of_record(record: Mapping[str, Foreign]) -> Loss:
    """Return the loss of a record, or raise a ValueError where the loss cannot be recreated."""
    check_format(record)
    name = record["class"]
    if name is None:
        raise ValueError(
            f"The model was trained with {record['repr']}, which a file cannot hold: it is not a "
            "loss of focalboost, or it has functions of its own. Create the loss again, and call "
            "its predict_proba on raw scores."
        )
    if name not in _CLASSES:
        raise ValueError(f"The loss of the model must be one of {[*_CLASSES]}, got {name!r}.")
    return _CLASSES[name](**{k: _as_tuple(v) for k, v in record["parameters"].items()})


def check_format(record: Mapping[str, Foreign]) -> None:
    """Raise a ValueError for a record of a newer format."""
    if record["format"] > FORMAT:
        raise ValueError(
            f"The model was written by focalboost {record['focalboost']}, in a format that "
            f"{_RELEASE} cannot read. Install that release or a newer one."
        )


def is_same(record: Mapping[str, Foreign], other: Mapping[str, Foreign]) -> bool:
    """Return whether two records are of equal losses, whatever release wrote them."""
    return all(record.get(k) == other.get(k) for k in ("class", "parameters", "repr"))


def describe(record: Mapping[str, Foreign]) -> str:
    """Return the loss of a record as its repr."""
    if record["class"] is None:
        return str(record["repr"])
    parameters = (f"{k}={_as_tuple(v)!r}" for k, v in record["parameters"].items())
    return f"{record['class']}({', '.join(parameters)})"


def _is_plain(value: Foreign) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | str)


def _as_tuple(value: Foreign) -> Foreign:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
