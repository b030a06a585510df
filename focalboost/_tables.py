"""One kind of table for all boosters: an array, a sparse matrix or a checked pandas frame.

Each booster takes another subset of pandas and polars columns, and aborts the process on some of
the rest. What comes out of here all of them take.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils.validation import check_array


def as_table(X: Any, categories: dict[int, Any] | None = None) -> Any:
    """Return X as an array, a CSR matrix or a pandas frame of numbers and categories.

    ``categories`` are those of the training table, by position: the same code means the same
    category then, and one that training has not seen is missing.
    """
    library = type(X).__module__.partition(".")[0]
    if library == "polars":
        X = _from_polars(X)
    elif library != "pandas" or X.ndim != 2:
        X = check_array(X, accept_sparse="csr", ensure_all_finite=False, input_name="X")
        return _as_csr_matrix(X) if issparse(X) else X
    import pandas as pd

    table = X.copy(deep=False)
    for i, (name, dtype) in enumerate(X.dtypes.items()):
        column = X.iloc[:, i]
        if categories is not None and i in categories:
            # where: pandas warns of values that are not among the categories
            known = column.astype(object).where(column.isin(categories[i]), None)
            table.isetitem(i, pd.Categorical(known, categories=categories[i]))
        elif isinstance(dtype, pd.CategoricalDtype):
            if categories is not None:
                raise ValueError(f"X column {name!r} must be numeric as in fit, got dtype {dtype}.")
        elif not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)):
            raise ValueError(
                f"X column {name!r} must be numeric, boolean or of dtype category, got dtype "
                f"{dtype}: encode it, or convert it by astype('category')."
            )
        elif not isinstance(dtype, np.dtype):
            # pandas' own and Arrow's numbers, whose missing value is not NaN
            table.isetitem(i, column.to_numpy(dtype=np.float64, na_value=np.nan))
    if 0 in table.shape:
        check_array(table, input_name="X")  # which raises scikit-learn's own message
    return table


def categories_of(table: Any) -> dict[int, Any]:
    """Return the categories of a table's categorical columns by position."""
    if not hasattr(table, "dtypes"):
        return {}
    return {
        i: dtype.categories for i, dtype in enumerate(table.dtypes) if hasattr(dtype, "categories")
    }


def for_catboost(table: Any) -> Any:
    """Return the table with its categories as strings, a missing one as "nan", as CatBoost asks."""
    columns = categories_of(table)
    if columns:
        table = table.copy(deep=False)
        for i in columns:
            column = table.iloc[:, i].astype(object)
            table.isetitem(i, column.where(column.notna(), "nan").astype(str).astype(object))
    return table


def _as_csr_matrix(X: Any) -> Any:
    """Return what all boosters take: not an array, and indices of 32 bits."""
    pointers = (X.indices.astype(np.int32), X.indptr.astype(np.int32))
    return csr_matrix((X.data, *pointers), X.shape)


def _from_polars(X: Any) -> Any:
    import pandas as pd

    columns = []
    for series in X.get_columns():
        kind = str(series.dtype)
        if kind.startswith(("Categorical", "Enum")):
            columns.append(pd.Series(pd.Categorical(series.cast(str).to_list())))
        elif series.dtype.is_numeric() or kind == "Boolean":
            columns.append(pd.Series(series.cast(float).to_numpy()))
        else:
            columns.append(pd.Series(series.to_list(), dtype=object))
    table = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(X.height))
    table.columns = list(X.columns)
    return table
