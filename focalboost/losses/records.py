"""A loss as a record that a model file can hold, and back."""

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

# The classes that a record may name: what a file says is looked up here, and nothing of it is run.
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
# Raised where a reader of today would misread what is written.
FORMAT = 1


def record_of(loss: Loss) -> dict[str, Foreign]:
    """Return what json can write: the class and its parameters, or the repr of another loss."""
    record = {"format": FORMAT, "focalboost": version("focalboost")}
    cls = type(loss)
    parameters = {f.name: getattr(loss, f.name) for f in fields(loss)}  # type: ignore[arg-type]
    if _CLASSES.get(cls.__name__) is cls and all(map(_is_plain, parameters.values())):
        return {**record, "class": cls.__name__, "parameters": parameters}
    # without the address, which is another one in each process
    return {**record, "class": None, "repr": re.sub(r" at 0x[0-9a-fA-F]+", "", repr(loss))}


def to_text(loss: Loss, **more: Foreign) -> str:
    """Return a record as one line of text."""
    return json.dumps({**record_of(loss), **more})


def continued(loss: Foreign, text: str | None, name: str) -> Foreign:
    """Return the loss of a training that goes on from a model with this record, or with none.

    Without a loss it is the model's own. Raise a ValueError where they differ; a schedule changes
    the loss as it goes, and is taken as it is.
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
            f"of {name} are on its own scale. Leave loss out to go on with the model's own."
        )
    return loss


def loss_of_record(record: Mapping[str, Foreign]) -> Loss:
    """Return the loss of a record, or raise a ValueError where it cannot be made again."""
    check_format(record)
    name = record["class"]
    if name is None:
        raise ValueError(
            f"The model was trained with {record['repr']}, which a file cannot hold: it is no loss "
            "of focalboost, or has functions of its own. Make the loss again, and use its "
            "predict_proba on raw scores."
        )
    if name not in _CLASSES:
        raise ValueError(f"The model must be of one of the losses {[*_CLASSES]}, got {name!r}.")
    return _CLASSES[name](**{k: _as_tuple(v) for k, v in record["parameters"].items()})


def check_format(record: Mapping[str, Foreign]) -> None:
    """Raise a ValueError for a record of a newer format."""
    if record["format"] > FORMAT:
        raise ValueError(
            f"The model was written by focalboost {record['focalboost']}, in a format that "
            f"{version('focalboost')} does not read. Install that release or a newer one."
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
