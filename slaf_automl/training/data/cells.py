"""Columns of a file as arrays: numbers with NaN for gaps, or the codes and labels of a category."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from slaf_automl.errors import DataError
from slaf_automl.training.data.table import MISSING

_DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?\s*")
_LOOKED_AT = 200
"""Cells that are looked at for a date."""


class Category(NamedTuple):
    """A column of labels: `codes` `(rows,)` into `labels`."""

    codes: NDArray[np.int64]
    labels: tuple[str, ...]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column's cells are text, by its Arrow type."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_category(source: str, name: str, column: Any) -> bool:
    """Say whether a column is a category: text of which less than half reads as numbers.

    Raises:
        DataError: dates, or text that is mostly numbers, with the first cell that is none.
    """
    if not is_text(column.type):
        return False
    values = [value for value in column.drop_null().to_pylist() if value.strip()]
    if not values:
        return False
    if all(_DATE.fullmatch(value) for value in values[:_LOOKED_AT]):
        raise _dates(source, name)
    numbers = sum(_reads_as_number(value.replace(",", ".")) for value in values)
    if 2 * numbers < len(values):
        return True
    for row, value in enumerate(column.to_pylist(), start=1):
        if value is not None and value.strip() and not _reads_as_number(value):
            raise DataError(
                f"{source}: row {row}, column {name!r}: {value[:40]!r} is not a number",
                expected="numbers, as most cells of the column hold",
                remedy="correct the cell, or name the column as categorical",
            )
    return False


def category(column: Any) -> Category:
    """Return a column of any type as a category; an empty cell is the level `(missing)`."""
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = [None if v is None or v != v else _plain(float(v)) for v in column.to_pylist()]
        column = pa.chunked_array([pa.array(values, pa.string())])
    elif pa.types.is_boolean(kind):
        values = [None if v is None else str(v) for v in column.to_pylist()]
        column = pa.chunked_array([pa.array(values, pa.string())])
    text = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    filled = pc.if_else(pc.equal(pc.fill_null(text, ""), ""), MISSING, pc.fill_null(text, ""))
    encoded = pa.chunked_array(filled).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    labels = np.array(encoded.dictionary.to_pylist(), dtype=object)
    order = np.argsort(labels.astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    codes = place[encoded.indices.to_numpy(zero_copy_only=False)]
    return Category(codes, tuple(str(label) for label in labels[order]))


def numbers(source: str, name: str, column: Any) -> NDArray[np.float64]:
    """Return a column as float64, NaN where a cell is empty.

    Raises:
        DataError: dates, text, or a number that is infinite or too large for float32.
    """
    kind = column.type
    if pa.types.is_temporal(kind):
        raise _dates(source, name)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        raise DataError(
            f"{source}: column {name!r} holds {kind}",
            expected="numbers, truth values or text",
            remedy="turn it into columns of numbers or drop it",
        )
    if is_text(kind):
        if is_category(source, name, column):
            first = next(v for v in column.to_pylist() if v and not _reads_as_number(v))
            row = column.to_pylist().index(first) + 1
            raise DataError(
                f"{source}: row {row}, column {name!r}: {first[:40]!r} is not a number",
                expected="numbers",
                remedy="correct the cell",
            )
        trimmed = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
        column = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    known = pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan)
    found: NDArray[np.float64] = known.to_numpy()
    with np.errstate(over="ignore"):
        infinite = np.isinf(found.astype(np.float32))
    if infinite.any():
        row = int(infinite.argmax())
        raise DataError(
            f"{source}: row {row + 1}, column {name!r}: {found[row]}",
            expected="a finite number that float32 can hold",
            remedy="correct or drop the row",
        )
    return found


def _dates(source: str, name: str) -> DataError:
    return DataError(
        f"{source}: column {name!r} holds dates or times",
        expected="numbers",
        remedy="turn it into numbers (days since a date, month, hour) or drop it",
    )


def _reads_as_number(value: str) -> bool:
    """Say whether a cell reads as a number in a file (Python alone would take `1_000` for one)."""
    try:
        float(value)
    except ValueError:
        return False
    return "_" not in value


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
