"""Frames of other libraries as Arrow tables; no library is imported for it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from slaf_automl.errors import DataError
from slaf_automl.training.data.table import shown

_FRAMES = {("pandas", "DataFrame"), ("polars", "DataFrame"), ("polars", "LazyFrame")}
_SERIES = {("pandas", "Series"), ("polars", "Series")}


def is_frame(value: object) -> bool:
    """Say whether `table_of` takes a value: an Arrow table, or a pandas or polars frame.

    Example:
        >>> is_frame(pa.table({"a": [1]})), is_frame([1])
        (True, False)
    """
    return isinstance(value, pa.Table | pa.RecordBatch) or bool(_bases(value) & _FRAMES)


def table_of(value: object) -> pa.Table:
    """Return a frame as an Arrow table; a pandas index is left out.

    Categories stay dictionaries, and missing cells become nulls.

    Args:
        value: a pandas DataFrame, a polars DataFrame or LazyFrame, or an Arrow table.

    Raises:
        DataError: another value, a column whose cells are of several kinds, a repeated or empty
            column name, or no rows.

    Example:
        >>> table_of(pa.table({"a": [1, 2]})).num_rows
        2
    """
    bases = _bases(value)
    if isinstance(value, pa.Table):
        table = value
    elif isinstance(value, pa.RecordBatch):
        table = pa.Table.from_batches([value])
    elif ("pandas", "DataFrame") in bases:
        table = _from_pandas(value)
    elif bases & _FRAMES:
        table = _from_polars(value, lazy=("polars", "LazyFrame") in bases)
    else:
        raise DataError(
            f"a table of the type {type(value).__module__}.{type(value).__qualname__}",
            expected="a pandas or polars DataFrame or a pyarrow Table",
            remedy="use .to_frame()" if bases & _SERIES else "",
        )
    names = table.column_names
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise _repeated(repeated[0], names.count(repeated[0]))
    if "" in names:
        raise DataError(f"the table: column {names.index('') + 1} has no name", remedy="name it")
    if not table.num_rows or not names:
        raise DataError(
            f"the table has {table.num_rows} rows of the columns {shown(tuple(names)) or 'none'}",
            expected="rows",
        )
    # What pandas notes about itself is no part of the data.
    return table.replace_schema_metadata(None)


def _bases(value: object) -> set[tuple[str, str]]:
    """Return library and name of a value's classes: a GeoDataFrame is a pandas DataFrame too."""
    return {(base.__module__.split(".")[0], base.__name__) for base in type(value).__mro__}


def _from_pandas(frame: Any) -> pa.Table:
    names = [str(name) for name in frame.columns]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise _repeated(repeated[0], names.count(repeated[0]))
    columns = {}
    for name, (_, column) in zip(names, frame.items(), strict=True):
        try:
            columns[name] = pa.Array.from_pandas(column)
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise _mixed(name, column.dtype, error) from None
    return pa.table(columns)


def _from_polars(frame: Any, *, lazy: bool) -> pa.Table:
    if lazy:
        frame = frame.collect()
    for name, kind in frame.schema.items():
        if str(kind) == "Object":
            raise _mixed(name, kind, "polars does not know its type")
    return frame.to_arrow()


def _mixed(name: str, kind: object, error: object) -> DataError:
    return DataError(
        f"the table: column {name!r} of the type {kind} cannot be read: {error}",
        expected="cells of one kind",
        remedy="convert or drop the column",
    )


def _repeated(name: str, count: int) -> DataError:
    return DataError(
        f"the table: column {name!r} appears {count} times",
        remedy="rename the columns so that each has its own name",
    )
