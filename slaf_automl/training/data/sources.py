"""Where data come from: files, frames, arrays and data modules, told apart by what they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from lightning.pytorch import LightningDataModule

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays import (
    ArraySet,
    array_set_of,
    array_set_of_module,
    is_frame,
    read_arrays,
    table_of,
)
from slaf_automl.training.data.bundled import BUNDLED, PREFIX, bundled_table
from slaf_automl.training.data.csv_file import read_csv
from slaf_automl.training.data.from_arrays import table_from_arrays
from slaf_automl.training.data.from_arrow import Roles, table_from_arrow
from slaf_automl.training.data.parquet_file import read_parquet
from slaf_automl.training.data.parts import TEST, TO_SPLIT, TRAINING, VALIDATION
from slaf_automl.training.data.table import Table, shown

_PARQUET = (".parquet", ".pq")

Source = Any
"""A path, `sklearn:NAME`, a frame of pandas, polars or pyarrow, arrays `(x, y)` of NumPy or torch,
a LightningDataModule, or an `ArraySet`."""


def read_table(
    source: Source,
    target: str | Sequence[str] | None = None,
    *,
    categorical: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    shape: Sequence[int] | None = None,
    validation: Source | None = None,
    test: Source | None = None,
    split: int = 0,
) -> Table:
    """Read data with their target.

    Args:
        source: path of a CSV or Parquet file, an `.npz` file, an IDX file or folder, a folder of
            images; `sklearn:NAME`; a frame of pandas, polars or pyarrow; arrays `(x, y)` of NumPy
            or PyTorch; a LightningDataModule; or an `ArraySet`.
        target: the column to predict, or several; by default a table's last column.
        categorical: columns that are categories although they hold numbers.
        group: a column; rows with one value of it stay in one part.
        time: a column; the last rows are the test rows.
        shape: of a row of arrays: channels, height and width, or channels and length.
        validation: more rows, which are the validation rows.
        test: more rows, which are the test rows.
        split: number of the split, where the source has several of its own.

    Raises:
        DataError: the source cannot be read or a cell cannot be used.

    Example:
        >>> read_table("sklearn:iris").x.shape
        (150, 4)
    """
    targets = _names(target)
    roles = Roles(targets, tuple(categorical), group, time)
    if isinstance(source, (str, Path)) and str(source).startswith(PREFIX):
        _refuse_roles(str(source), roles, validation, test)
        table = bundled_table(str(source), target if isinstance(target, str) else None)
        return table if shape is None else _shaped(table, shape)
    arrays = _arrays(source, ",".join(targets) or None, split)
    if arrays is not None:
        _refuse_roles(arrays.source, replace(roles, targets=(), categorical=()), validation, test)
        arrays = arrays if shape is None else arrays.with_shape(tuple(shape))
        return table_from_arrays(arrays, roles.categorical)
    if shape is not None:
        raise DataError(
            f"{_called(source)}: a shape of a table's rows", expected="arrays or sklearn:digits"
        )
    if validation is None and test is None:
        # Held by no name here, so that a long table goes column by column.
        return table_from_arrow(_called(source), columns_of(source), roles)
    return _with_parts(_called(source), columns_of(source), validation, test, roles)


def columns_of(source: Source, names: Sequence[str] | None = None) -> pa.Table:
    """Return a table's columns as they are.

    Args:
        source: a CSV or Parquet file, or a frame.
        names: columns that are enough, in any order; None for all, at least two.

    Raises:
        DataError: no such file, or one of another kind.
    """
    if is_frame(source):
        return table_of(source)
    if not isinstance(source, (str, Path)):
        raise DataError(
            f"data of type {type(source).__name__}",
            expected="a path, sklearn:NAME, a frame of pandas, polars or pyarrow, arrays (x, y), "
            "or a LightningDataModule",
        )
    path = Path(source)
    if not path.exists():
        bundled = ", ".join(PREFIX + name for name in BUNDLED)
        raise DataError(f"no such file: {path}", expected=f"a file or one of {bundled}")
    if path.is_dir():
        raise DataError(
            f"{path} is a folder without images or IDX files",
            expected="a file, or a folder with one folder of images a class",
        )
    if path.suffix.lower() in _PARQUET:
        return read_parquet(path, names)
    return read_csv(path, least_columns=2 if names is None else 1)


def _arrays(source: Source, target: str | None, split: int) -> ArraySet | None:
    if isinstance(source, ArraySet):
        return source
    if isinstance(source, LightningDataModule):
        return array_set_of_module(source)
    if isinstance(source, tuple) and len(source) == 2:
        return array_set_of(*source)
    return read_arrays(source, target, split) if isinstance(source, (str, Path)) else None


def _shaped(table: Table, shape: Sequence[int]) -> Table:
    arrays = ArraySet(table.source, table.x, table.y, target=table.target).with_shape(tuple(shape))
    return replace(table, image=arrays.image)


def _names(target: str | Sequence[str] | None) -> tuple[str, ...]:
    if target is None:
        return ()
    names = (target,) if isinstance(target, str) else tuple(target)
    if not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"target {target!r}", expected="a column's name, or several")
    return names


def _called(source: Source) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"a {type(source).__name__}"


def _refuse_roles(source: str, roles: Roles, *parts: Source | None) -> None:
    """Refuse what only tables of columns have."""
    named = [*roles.categorical, *filter(None, (roles.group, roles.time))]
    if named or any(part is not None for part in parts):
        what = f"column {named[0]!r}" if named else "a validation or test file"
        raise DataError(
            f"{source}: {what} beside arrays",
            expected="a CSV or Parquet file or a frame for that",
            remedy="arrays say themselves which rows are for the test (X_test, y_test)",
        )


def _with_parts(
    name: str,
    columns: pa.Table,
    validation: Source | None,
    test: Source | None,
    roles: Roles,
) -> Table:
    """Join given parts to the other rows, so that all share types and levels."""
    if roles.group is not None or roles.time is not None:
        raise DataError(
            "a group or time column beside given validation or test rows", expected="one of the two"
        )
    roles = roles.named(tuple(columns.column_names))
    parts = [(TO_SPLIT, columns)]
    for kind, source in ((VALIDATION, validation), (TEST, test)):
        if source is not None:
            parts.append((kind, _alike(_called(source), columns_of(source), columns, name)))
    if len(parts) == 3:
        parts[0] = (TRAINING, columns)
    try:
        joined = pa.concat_tables([part for _, part in parts], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"{name} and the given parts hold different types: {str(error).splitlines()[0][:160]}",
            expected="the same kind of cells in every file",
        ) from None
    where: Iterable[np.ndarray] = (np.full(p.num_rows, kind, np.int8) for kind, p in parts)
    return replace(table_from_arrow(name, joined, roles), part=np.concatenate(list(where)))


def _alike(name: str, part: pa.Table, columns: pa.Table, main: str) -> pa.Table:
    """Return a part's columns in the order of the others'."""
    missing = [c for c in columns.column_names if c not in part.column_names]
    if missing:
        raise DataError(
            f"{name}: column {missing[0]!r} of {main} is missing",
            expected="columns " + shown(tuple(columns.column_names)),
        )
    return part.select(columns.column_names)
