"""CSV files: any delimiter of a few, UTF-8 or Latin-1, and one clear line for what is broken."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from slaf_automl.errors import DataError
from slaf_automl.training.data.narrow import narrow

_DELIMITERS = (",", ";", "\t", "|")
_START = 65_536
_LONG = 2**27
"""Bytes from which on a file is read in pieces."""

_BLOCK = 2**21
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


def read_csv(path: str | Path, *, least_columns: int = 2) -> pa.Table:
    """Read a CSV file with a header line; comma, semicolon, tab or bar between the columns.

    The text is UTF-8, with or without a byte order mark, or else Latin-1. Cells in quotes may hold
    delimiters and line ends.

    Args:
        path: the file.
        least_columns: fewer than this is taken for a file of another kind.

    Raises:
        DataError: not text, no rows, ragged rows, or a repeated column name.
    """
    path = Path(path)
    delimiter, encoding = _form(path, least_columns)
    table = None
    if encoding == "utf8" and path.stat().st_size >= _LONG:
        table = _read_long(path, delimiter)
    if table is None:
        table = _read(path, delimiter, encoding)
    names = table.column_names
    if "" in names:
        raise DataError(
            f"{path}: column {names.index('') + 1} has no name",
            remedy="name it, or drop it (an index that pandas wrote: index=False)",
        )
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(
            f"{path}: column {repeated[0]!r} appears {names.count(repeated[0])} times",
            remedy="rename the columns so that each has its own name",
        )
    if table.num_rows == 0:
        raise DataError(f"{path} has a header line but no rows")
    return table


def _read_long(path: Path, delimiter: str) -> pa.Table | None:
    """Read a long file in pieces, numbers in float32; None where its types change on the way.

    A whole one would be there twice in float64, and as text beside.
    """
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    read = pyarrow.csv.ReadOptions(block_size=_BLOCK)
    batches: list[pa.RecordBatch] = []
    try:
        with pyarrow.csv.open_csv(path, read, parse) as pieces:
            for piece in pieces:
                columns = [narrow(column) for column in piece.columns]
                batches.append(pa.RecordBatch.from_arrays(columns, piece.schema.names))
                if batches[-1].schema != batches[0].schema:
                    return None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    text = any(pa.types.is_binary(field.type) for field in batches[0].schema)
    return None if text else pa.Table.from_batches(batches)


def _read(path: Path, delimiter: str, encoding: str, *, threads: bool = True) -> pa.Table:
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    read = pyarrow.csv.ReadOptions(encoding=encoding, use_threads=threads)
    convert = pyarrow.csv.ConvertOptions(check_utf8=True)
    try:
        table = pyarrow.csv.read_csv(path, read, parse, convert)
        _ = table.column_names  # Decoded here alone.
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            raise DataError(f"{path} has a header line but no rows") from None
        if threads:  # Row numbers are known to a single thread alone.
            return _read(path, delimiter, encoding, threads=False)
        raise _unreadable(path, error) from None
    except UnicodeDecodeError:
        return _read(path, delimiter, "latin-1")
    text = any(pa.types.is_binary(column.type) for column in table.columns)
    return _read(path, delimiter, "latin-1") if text and encoding == "utf8" else table


def _unreadable(path: Path, error: pa.ArrowInvalid) -> DataError:
    found = _RAGGED.search(str(error))
    if found is None:
        return DataError(f"{path} is not a readable CSV file: {str(error)[:200]}")
    line, expected, got = found.groups()
    return DataError(
        f"{path} is not a readable CSV file: line {line} has {got} columns",
        expected=f"{expected} columns, as in the header",
        remedy="mend the line, or quote cells that hold the delimiter",
    )


def _form(path: Path, least_columns: int) -> tuple[str, str]:
    """Return delimiter and encoding, after checking that there is a header line."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not start.strip():
        raise DataError(f"{path} is empty", expected="a header line and rows")
    if b"\0" in start:
        raise DataError(f"{path} is not a CSV file: it holds binary data")
    encoding = "utf8"
    try:  # The last character may be cut.
        start[:-4].decode("utf8") if len(start) == _START else start.decode("utf8")
    except UnicodeDecodeError:
        encoding = "latin-1"
    first = start.lstrip().splitlines()[0]
    if encoding == "latin-1" and any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in first):
        raise DataError(f"{path} is not a CSV file: it holds binary data")
    header = first.decode(encoding, errors="replace")
    columns = {d: len(next(csv.reader([header], delimiter=d))) for d in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda d: columns[d])
    if columns[best] < least_columns:
        raise DataError(
            f"{path} is not a CSV file with columns: its first line is {header[:60]!r}",
            expected="a header of at least two names with comma, semicolon, tab or bar between",
        )
    return best, encoding
