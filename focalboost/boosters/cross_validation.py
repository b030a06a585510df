"""What the `cv` of several boosters has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from focalboost.boosters.options import Refused, refuse


def preprocessed(
    fpreproc: Callable[..., Any],
    first: Any,
    second: Any,
    params: dict[str, Any],
    refused: Iterable[Refused],
    metric_names: Iterable[str],
) -> tuple[Any, Any, dict[str, Any]]:
    """Return the data of a fold and its parameters as the user's function changes them."""
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
