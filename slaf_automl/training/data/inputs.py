"""The inputs of rows to predict, whatever else their file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.spec import Column, DataInfo
from slaf_automl.training.data.arrays import ArraySet, read_arrays
from slaf_automl.training.data.arrays.unlabelled import Rows, read_unlabelled
from slaf_automl.training.data.bundled import PREFIX
from slaf_automl.training.data.cells import Category, category, numbers
from slaf_automl.training.data.encoding import write_category, write_number
from slaf_automl.training.data.from_arrays import coded
from slaf_automl.training.data.sources import Source, columns_of, read_table
from slaf_automl.training.data.table import Table, shown

_EXAMPLES = 3

Cells = Callable[[Column], Category | np.ndarray]
"""A column's cells as a category or as numbers, whichever the column is."""


def read_inputs(source: Source, info: DataInfo) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the inputs of every row as a network takes them.

    Args:
        source: what `read_table` takes, of which the target need not be there; or an image, a
            folder of images without classes.
        info: the data that the network was trained on.

    Returns:
        `(rows, inputs)` float32, and notes in words: levels that training never saw.

    Raises:
        DataError: the source cannot be read, or a column is missing or of another kind.
    """
    columns = info.columns or tuple(Column(name) for name in info.features)
    rows, cells = _open(source, info, tuple(column.name for column in columns))
    if isinstance(cells, np.ndarray):
        return cells, ()
    x = np.zeros((rows, len(info.features)), dtype=np.float32)
    notes: list[str] = []
    start = 0
    for column in columns:
        block = x[:, start : start + len(column.inputs)]
        found = cells(column)
        if isinstance(found, Category):
            notes += _strange(column, found, write_category(column, found, block))
        else:
            _require_known(str(source), column, found)
            write_number(column, found, block)
        start += len(column.inputs)
    return x, tuple(notes)


def _open(
    source: Source, info: DataInfo, names: tuple[str, ...]
) -> tuple[int, Cells] | tuple[int, np.ndarray]:
    """Return the number of rows, and their cells; of an image its pixels as they are."""
    path = str(source) if isinstance(source, (str, Path)) else None
    if path is not None and path.startswith(PREFIX):
        return _from_arrays(read_table(path), info, names)
    arrays = source if isinstance(source, ArraySet) else None
    if path is not None and (bare := read_unlabelled(path)) is not None:
        return _from_arrays(_table(path, bare), info, names)
    if path is not None:
        arrays = read_arrays(path)
    if arrays is not None:
        return _from_arrays(read_table(arrays), info, names)
    table = columns_of(source, names)
    _require_columns(str(source), tuple(table.column_names), names)

    def cells(column: Column) -> Category | np.ndarray:
        found = table.column(column.name)
        return category(found) if column.is_category else numbers(str(source), column.name, found)

    return table.num_rows, cells


def _table(path: str, rows: Rows) -> Table:
    x = rows.x.reshape(len(rows.x), -1)
    features = rows.features or tuple(f"x{i}" for i in range(x.shape[1]))
    return Table(path, features, x, "unknown", np.zeros(len(x)))


def _from_arrays(
    table: Table, info: DataInfo, names: tuple[str, ...]
) -> tuple[int, Cells] | tuple[int, np.ndarray]:
    x = table.x
    if info.image is not None:
        if x.shape[1] != len(info.features):
            raise DataError(
                f"{table.source}: rows of {x.shape[1]} numbers",
                expected=f"{len(info.features)}, as {info.image} in training",
            )
        return len(x), x.astype(np.float32)
    _require_columns(table.source, table.features, names)

    def cells(column: Column) -> Category | np.ndarray:
        place = table.features.index(column.name)
        labels = None if table.levels is None else table.levels[place]
        if not column.is_category:
            return np.asarray(x[:, place], dtype=np.float64)
        return coded(x[:, place]) if labels is None else Category(x[:, place].astype(int), labels)

    return len(x), cells


def _require_columns(source: str, given: tuple[str, ...], names: tuple[str, ...]) -> None:
    if missing := [name for name in names if name not in given]:
        raise DataError(
            f"{source}: column {missing[0]!r} is missing", expected="columns " + shown(names)
        )


def _require_known(source: str, column: Column, values: np.ndarray) -> None:
    gaps = np.isnan(values)
    if gaps.any() and not column.gaps:
        raise DataError(
            f"{source}: row {int(gaps.argmax()) + 1}, column {column.name!r} is empty or NaN",
            expected="a value in every cell: the column had no gaps in training",
            remedy="fill the gap or drop the row",
        )


def _strange(column: Column, found: Category, strange: np.ndarray) -> list[str]:
    """Say which levels have no input of their own, if some."""
    if not strange.any():
        return []
    labels = sorted({found.labels[i] for i in np.unique(found.codes[strange])})
    examples = ", ".join(repr(label) for label in labels[:_EXAMPLES])
    more = " and others" if len(labels) > _EXAMPLES else ""
    how = "count as its other levels" if column.other else "count as none of its levels"
    return [f"column {column.name!r}: {int(strange.sum()):,} rows with {examples}{more} {how}"]
