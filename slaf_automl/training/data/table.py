"""A table in memory: numeric features and a target, checked cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from slaf_automl.errors import DataError

_SHOWN = 8


@dataclass(frozen=True)
class Table:
    """Features and target of one table.

    Raises:
        DataError: shapes that do not fit together, or a feature that is not finite.

    Args:
        source: where it came from, for people.
        features: column names in order.
        x: `(rows, features)` float64, finite.
        target: name of the target column.
        y: `(rows,)`: int64, float64 or str, as the source had it.
        image: channels, height and width where the features are an image's pixels, channel by
            channel and row by row; None for a table.
    """

    source: str
    features: tuple[str, ...]
    x: np.ndarray
    target: str
    y: np.ndarray
    image: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        rows = len(self.y)
        if self.x.shape != (rows, len(self.features)) or self.y.shape != (rows,):
            raise DataError(
                f"{self.source}: features {self.x.shape}, target {self.y.shape}",
                expected=f"({rows}, {len(self.features)}) and ({rows},)",
            )
        if not np.isfinite(self.x).all():
            row, column = np.argwhere(~np.isfinite(self.x))[0]
            raise DataError(
                f"{self.source}: row {row + 1}, column {self.features[column]!r} is not finite"
            )


def numeric_matrix(source: str, table: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    """Return the named columns as `(rows, len(names))` float64.

    Raises:
        DataError: a column is missing, or a cell is text, empty, NaN, infinite or too large for
            float32; names the first such cell by data row (from 1, after the header) and column.
    """
    for name in names:
        if name not in table.column_names:
            raise DataError(
                f"{source}: column {name!r} is missing", expected="columns " + shown(names)
            )
    matrix = np.empty((table.num_rows, len(names)))
    for i, name in enumerate(names):
        matrix[:, i] = _numeric_column(source, name, table.column(name))
    with np.errstate(over="ignore"):
        finite = np.isfinite(matrix.astype(np.float32))
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{source}: row {row + 1}, column {names[column]!r}: {matrix[row, column]}",
            expected="a finite number that float32 can hold",
            remedy="correct or drop the row",
        )
    return matrix


def target_column(source: str, table: pa.Table, name: str) -> np.ndarray:
    """Return the target column as int64, float64 or str `(rows,)`.

    Raises:
        DataError: no such column, or an empty or infinite cell.
    """
    if name not in table.column_names:
        raise DataError(
            f"{source}: no column {name!r} to predict",
            expected="one of " + shown(tuple(table.column_names)),
            remedy="name it with --target",
        )
    column = table.column(name)
    _refuse_nulls(source, name, column)
    if pa.types.is_boolean(column.type):
        return np.array([str(value) for value in column.to_pylist()])
    if pa.types.is_integer(column.type):
        integers: NDArray[np.int64] = column.to_numpy().astype(np.int64)
        return integers
    if pa.types.is_floating(column.type):
        values: NDArray[np.float64] = column.to_numpy().astype(np.float64)
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(
                f"{source}: row {row + 1}, column {name!r}: {values[row]}",
                expected="a finite target",
                remedy="correct or drop the row",
            )
        return values
    labels = [str(value) for value in column.to_pylist()]
    if "" in labels:
        raise _empty_cell(source, name, labels.index("") + 1)
    return np.array(labels)


def shown(names: tuple[str, ...]) -> str:
    """Join column names for a message, cut after a few."""
    listed = ", ".join(repr(name) for name in names[:_SHOWN])
    return listed + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _numeric_column(source: str, name: str, column: Any) -> np.ndarray:
    kind = column.type
    if pa.types.is_temporal(kind):
        raise DataError(
            f"{source}: column {name!r} holds dates or times",
            expected="numbers",
            remedy="turn it into numbers (days since a date, month, hour) or drop it",
        )
    if pa.types.is_null(kind):
        raise DataError(f"{source}: column {name!r} is empty", expected="a number in every row")
    if not (pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        _refuse_text(source, name, column.to_pylist())
    _refuse_nulls(source, name, column)
    numbers: NDArray[np.float64] = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return numbers


def _refuse_nulls(source: str, name: str, column: Any) -> None:
    if column.null_count:
        row = int(np.flatnonzero(pc.is_null(column).to_numpy())[0])
        raise _empty_cell(source, name, row + 1)


def _empty_cell(source: str, name: str, row: int) -> DataError:
    return DataError(
        f"{source}: row {row}, column {name!r} is empty or NaN",
        expected="a value in every cell",
        remedy="fill the gap or drop the row",
    )


def _refuse_text(source: str, name: str, values: list[Any]) -> None:
    for row, value in enumerate(values, start=1):
        if not _is_number(value):
            raise DataError(
                f"{source}: row {row}, column {name!r}: {str(value)[:40]!r} is not a number",
                expected="numeric features",
                remedy="correct the cell, or encode or drop the column",
            )
    raise DataError(f"{source}: column {name!r} is text", expected="numeric features")


def _is_number(value: Any) -> bool:
    """Say whether a cell reads as a number in a file (Python alone would take `1_000` for one)."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return "_" not in str(value)
