"""What the `cv` functions of several boosters have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from focalboost.boosters.options import Refused, refuse
from focalboost.losses._checks import check_kind, check_pair, check_whole


def as_folds(folds: Any, nfold: Any) -> Any:
    """Return folds as a list of pairs, a splitter as it is, or None for a number of folds."""
    if folds is None:
        check_whole("nfold", nfold, 2)
        return None
    rule = "pairs of indices for training and validation, or a scikit-learn splitter"
    if isinstance(folds, str | type):
        check_kind("folds", folds, (), rule)
    if hasattr(folds, "split"):
        return folds
    check_kind("folds", folds, Iterable, rule)
    pairs = list(folds)
    for pair in pairs:
        check_pair("folds", pair, rule)
    if not pairs:
        raise ValueError("folds must hold at least one pair of indices, got none.")
    return pairs


def preprocessed(
    fpreproc: Callable[..., Any],
    first: Any,
    second: Any,
    params: dict[str, Any],
    refused: Iterable[Refused],
    metric_names: Iterable[str],
) -> tuple[Any, Any, dict[str, Any]]:
    """Return the data of a fold and its parameters after the user's function changed them."""
    check_kind("fpreproc", fpreproc, Callable, "a function of a fold's data and parameters")
    first, second, new = fpreproc(first, second, dict(params))
    changed = {k: v for k, v in new.items() if k not in params or params[k] is not v}
    refuse(changed, refused)
    for name in metric_names:
        if name in changed:
            raise ValueError(
                f"fpreproc must leave {name} as it is, got {changed[name]!r}. Give it to cv, for "
                "all folds."
            )
    return first, second, new


def as_table(columns: Mapping[str, list[Any]], as_pandas: bool) -> Any:
    """Return columns as a data frame, or as they are where pandas is not installed."""
    if as_pandas:
        try:
            import pandas as pd
        except ImportError:
            return columns
        return pd.DataFrame(columns)
    return columns
