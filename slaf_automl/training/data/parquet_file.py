"""Parquet files, whose size in memory is known before they are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from slaf_automl.errors import DataError
from slaf_automl.training.data.memory import LARGE, require_memory
from slaf_automl.training.data.narrow import narrow


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file.

    Args:
        path: the file.
        columns: the columns to read; None reads all.

    Raises:
        DataError: no Parquet file, nested columns, no rows, or more than fits into memory.
    """
    try:
        file = pyarrow.parquet.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0][:160]
        raise DataError(f"{path} is not a readable Parquet file: {reason}") from None
    with file:
        schema = file.schema_arrow
        for field in schema:
            if pa.types.is_nested(field.type):
                raise DataError(
                    f"{path}: column {field.name!r} is nested ({field.type})",
                    expected="columns of numbers, truth values or text",
                    remedy="flatten it or drop it",
                )
        rows = file.metadata.num_rows
        wanted = [name for name in schema.names if columns is None or name in columns]
        if rows == 0:
            raise DataError(f"{path} has no rows")
        require_memory(str(path), rows, len(wanted))
        try:
            if rows * len(wanted) < LARGE:
                return file.read(wanted)
            return pa.table({name: narrow(file.read([name]).column(0)) for name in wanted})
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0][:160]
            raise DataError(f"{path} is not a readable Parquet file: {reason}") from None
