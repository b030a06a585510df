"""Snapshots that continue only with the loss that they were made with, as CatBoost's own do."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from focalboost.losses import Loss
from focalboost.losses.records import describe, is_same, record_of

_KEY = "focalboost"


def bound_to_loss(params: Mapping[str, Any], loss: Loss, max_step: float | None) -> dict[str, Any]:
    """Return the parameters that write the loss into a snapshot, if one is asked for.

    CatBoost compares a snapshot's parameters with those of the training, but cannot compare Python
    objectives. Raise a ValueError if the file belongs to another loss.
    """
    if not params.get("save_snapshot"):
        return {}
    record = {**record_of(loss), "max_step": max_step}
    file = params.get("snapshot_file") or "experiment.cbsnapshot"
    path = Path(params.get("train_dir") or "catboost_info", os.fspath(file))
    if path.exists():
        _check_same(path, record)
    return {"metadata": {**(params.get("metadata") or {}), _KEY: json.dumps(record)}}


def _check_same(path: Path, record: dict[str, Any]) -> None:
    found = _record_in(path)
    if found is None:
        was = "another training"
    elif is_same(found, record) and found["max_step"] == record["max_step"]:
        return
    else:
        was = f"{describe(found)} with max_step={found['max_step']}"
    raise ValueError(
        f"snapshot_file must be a snapshot of {describe(record)} with "
        f"max_step={record['max_step']}, got {path} of {was}. Remove the file, or choose another "
        "name."
    )


def _record_in(path: Path) -> Any:
    """Return what an earlier training wrote among the parameters at the head of the file."""
    _, name, rest = path.read_bytes().partition(b'"metadata":')
    if not name:
        return None
    metadata, _ = json.JSONDecoder().raw_decode(rest.decode("utf-8", errors="replace"))
    return json.loads(metadata[_KEY]) if _KEY in metadata else None
