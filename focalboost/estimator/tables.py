"""One kind of table for all boosters: an array, a sparse matrix, or a frame of numbers and codes.

Each booster takes a different subset of pandas and polars columns, and aborts the process on some
of the others. All boosters take the tables made here: numbers, and categories that are whole
numbers from 0, with the same numbers in every table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.utils.validation import check_array

from focalboost.boosters.port import Table
from focalboost.estimator.samples import refuse_collection
from focalboost.losses._types import Array, Foreign


def read(X: Table) -> Table:
    """Return X as a pandas frame, where it has named columns, or a checked array or matrix."""
    refuse_collection("X", X)
    if type(X) is np.ndarray and X.ndim == 2 and X.size and X.dtype in (np.float32, np.float64):
        return X  # as check_array would, which takes about as long as trees take for few samples
    # X can be a table of a library only where the library is loaded.
    pandas, polars, pyarrow = map(sys.modules.get, ("pandas", "polars", "pyarrow"))
    if polars and isinstance(X, polars.LazyFrame):
        raise TypeError("X must be a table of data, got a polars LazyFrame: collect() it.")
    if polars and isinstance(X, polars.DataFrame):
        X = _from_polars(X)
    elif pyarrow and isinstance(X, pyarrow.Table):
        X = X.to_pandas()
    elif not (pandas and isinstance(X, pandas.DataFrame)):
        _refuse_other_kinds(X)
        if isinstance(X, np.ma.MaskedArray):
            X = np.ma.filled(X.astype(np.float64), np.nan)
        X = check_array(X, accept_sparse="csr", ensure_all_finite=False, input_name="X")
        return _as_csr_matrix(X) if issparse(X) else _in_native_order(X)
    if 0 in X.shape:
        check_array(X, input_name="X")  # which raises scikit-learn's own message
    return X


def categories_of(table: Table, named: Iterable[Foreign] = ()) -> dict[int, list[Foreign]]:
    """Return the categories of a table's categorical columns by position.

    A text column is also categorical where ``named`` holds its name or position.
    """
    if not hasattr(table, "dtypes"):
        return {}
    named, categories = {*named}, {}
    for i, (name, dtype) in enumerate(table.dtypes.items()):
        if hasattr(dtype, "categories"):
            categories[i] = dtype.categories.tolist()
        elif named & {name, i} and _is_text(dtype):
            categories[i] = sorted(table.iloc[:, i].dropna().unique().tolist(), key=str)
    return categories


def encode(table: Table, categories: dict[int, list[Foreign]]) -> Table:
    """Return the table with its categories as codes, given those of the training table.

    A category that training has not seen becomes a missing value.
    """
    if not hasattr(table, "columns"):
        if categories:
            raise ValueError(
                f"X must be a table with columns of dtype category as in fit, got an array of "
                f"dtype {table.dtype}."
            )
        return table
    import pandas as pd

    encoded = table.copy(deep=False)
    for i, (name, dtype) in enumerate(table.dtypes.items()):
        column = table.iloc[:, i]
        is_number = pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
        is_number = is_number and not pd.api.types.is_complex_dtype(dtype)
        is_text = _is_text(dtype)
        is_category = isinstance(dtype, pd.CategoricalDtype)
        if i in categories:
            if not (is_category or is_text):
                raise ValueError(
                    f"X column {name!r} must be of dtype category as in fit, got dtype {dtype}."
                )
            encoded.isetitem(i, _codes(name, column, categories[i]))
        elif is_category:
            raise ValueError(f"X column {name!r} must be numeric as in fit, got dtype {dtype}.")
        elif not is_number:
            remedy = ", or convert it by astype('category')" if is_text else " as numbers"
            raise ValueError(
                f"X column {name!r} must be numeric, boolean or of dtype category, got dtype "
                f"{dtype}: encode it{remedy}."
            )
        elif not isinstance(dtype, np.dtype):
            # pandas' own and Arrow's numbers, whose missing value is not NaN
            encoded.isetitem(i, column.to_numpy(dtype=np.float64, na_value=np.nan))
        elif not dtype.isnative:
            encoded.isetitem(i, _in_native_order(column.to_numpy()))
    return encoded


def _codes(name: Foreign, column: Foreign, categories: list[Foreign]) -> Foreign:
    import pandas as pd

    values = column.astype(object)
    # Both are an Index of objects: pandas 2 warns where it infers another dtype for the values.
    codes = pd.Index(categories, dtype=object).get_indexer(pd.Index(values, dtype=object))
    present = values.notna().to_numpy()
    if present.any() and not np.any(codes[present] >= 0):
        kinds = [pd.api.types.infer_dtype(v, skipna=True) for v in (categories, values[present])]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"X column {name!r} must hold categories of the kind in fit, {kinds[0]} such as "
                f"{categories[:1]}, got {kinds[1]} such as {values[present].iloc[0]!r}."
            )
    return pd.Categorical.from_codes(
        np.where(present, codes, -1), categories=range(max(len(categories), 1))
    )


def _is_text(dtype: Foreign) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype))


def _refuse_other_kinds(X: Foreign) -> None:
    # Dates would become numbers in some boosters.
    if getattr(getattr(X, "dtype", None), "kind", None) in ("M", "m", "U", "S"):
        raise ValueError(
            f"X must hold numbers, got dtype {X.dtype}: encode dates and text as numbers."
        )


def _in_native_order(X: Array) -> Array:
    # XGBoost reads the bytes without regard to their order.
    return X if X.dtype.isnative else X.astype(X.dtype.newbyteorder("="))


def _as_csr_matrix(X: Table) -> Table:
    """Return a matrix that all boosters take: no sparse array, 32-bit indices, real numbers."""
    if X.nnz > np.iinfo(np.int32).max:
        raise ValueError(f"X must have under 2**31 entries where it is sparse, got {X.nnz}.")
    pointers = (X.indices.astype(np.int32), X.indptr.astype(np.int32))
    data = X.data if X.dtype in (np.float32, np.float64) else X.data.astype(np.float64)
    return csr_matrix((data, *pointers), X.shape)


def _from_polars(X: Table) -> Table:
    import pandas as pd

    columns = []
    for series in X.get_columns():
        kind = str(series.dtype)
        if kind.startswith(("Categorical", "Enum")):
            columns.append(pd.Series(pd.Categorical(series.cast(str).to_list())))
        elif series.dtype.is_numeric() or kind == "Boolean":
            columns.append(pd.Series(series.cast(float).to_numpy()))
        else:
            raise ValueError(
                f"X column {series.name!r} must be numeric, Boolean, Categorical or Enum, got "
                f"{kind}: encode it, or cast text to Categorical."
            )
    table = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(X.height))
    table.columns = list(X.columns)
    return table
