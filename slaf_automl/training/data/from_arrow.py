"""From the columns of a file to a `Table`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from slaf_automl.errors import DataError
from slaf_automl.training.data.cells import Category, category, is_category, is_text, numbers
from slaf_automl.training.data.memory import LARGE
from slaf_automl.training.data.table import Table, shown


@dataclass(frozen=True)
class Roles:
    """Which columns are what.

    Args:
        targets: the columns to predict; none takes the last one.
        categorical: columns of numbers or text that are categories.
        group: rows with one value of it stay in one part; no feature.
        time: the order of the rows; no feature.
    """

    targets: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None

    def __post_init__(self) -> None:
        named = [*self.targets, *(n for n in (self.group, self.time) if n is not None)]
        if repeated := sorted({n for n in named if named.count(n) > 1}):
            raise DataError(
                f"column {repeated[0]!r} in two roles",
                expected="different columns as target, group and time",
            )
        if self.group is not None and self.time is not None:
            raise DataError("a group and a time column", expected="one of the two")

    def named(self, names: tuple[str, ...]) -> Roles:
        """Return them with the targets by name: the last column by default, `a,b` for two.

        Args:
            names: of all columns.
        """
        if not self.targets:
            return replace(self, targets=names[-1:])
        (first, *others) = self.targets
        if others or first in names or "," not in first:
            return self
        return replace(self, targets=tuple(name.strip() for name in first.split(",")))


def table_from_arrow(source: str, table: pa.Table, roles: Roles) -> Table:
    """Return the features and targets of a table of any origin.

    Text is a category, truth values are 0 and 1, empty cells of features are gaps.

    Args:
        source: what to call it in messages.
        table: the columns.
        roles: which are what.

    Raises:
        DataError: no such column, or a cell that cannot be used.
    """
    names = tuple(table.column_names)
    roles = roles.named(names)
    targets = roles.targets
    for name in (*targets, *roles.categorical, *filter(None, (roles.group, roles.time))):
        if name not in names:
            raise DataError(
                f"{source}: no column {name!r}" + (" to predict" if name in targets else ""),
                expected="one of " + shown(names),
                remedy="name it with --target" if name in targets else "",
            )
    y = _targets(source, table, targets)
    groups = None if roles.group is None else category(table.column(roles.group)).codes
    times = None if roles.time is None else _times(source, table, roles.time)
    features = tuple(n for n in names if n not in (*targets, roles.group, roles.time))
    if not features:
        raise DataError(
            f"{source}: {names[0]!r} is the only column",
            expected="feature columns beside the target",
        )
    columns = {name: table.column(name) for name in features}
    del table  # Each column goes when it is read: together they are as large as the matrix.
    pa.default_memory_pool().release_unused()
    x, levels = _matrix(source, columns, len(y), roles.categorical)
    several = targets if len(targets) > 1 else None
    return Table(
        source, features, x, ",".join(targets), y, None, levels, None, groups, times, several
    )


def _matrix(
    source: str, columns: dict[str, Any], rows: int, categorical: Sequence[str]
) -> tuple[np.ndarray, tuple[tuple[str, ...] | None, ...] | None]:
    large = rows * len(columns) >= LARGE
    x = np.empty((rows, len(columns)), dtype=np.float32 if large else np.float64)
    levels: list[tuple[str, ...] | None] = []
    for i, name in enumerate(tuple(columns)):
        found = cells(source, name, columns.pop(name), named=name in categorical)
        x[:, i] = found.codes if isinstance(found, Category) else found
        levels.append(found.labels if isinstance(found, Category) else None)
        if large:
            _require_float32_tells_apart(source, name, found)
            del found
            pa.default_memory_pool().release_unused()
    return x, tuple(levels) if any(levels) else None


def cells(
    source: str, name: str, column: Any, *, named: bool = False
) -> Category | NDArray[np.float64]:
    """Return a feature's column as numbers or as a category.

    Args:
        source: what to call the file in messages.
        name: of the column.
        column: an Arrow column.
        named: whether it is a category whatever it holds.

    Raises:
        DataError: a cell that cannot be used.
    """
    if named or is_category(source, name, column):
        return category(column)
    return numbers(source, name, column)


def _require_float32_tells_apart(
    source: str, name: str, found: Category | NDArray[np.float64]
) -> None:
    if isinstance(found, Category):
        return
    spread, mean = float(np.nanstd(found)), float(np.nanmean(found))
    if 0 < spread * 2.0**20 < abs(mean):
        raise DataError(
            f"{source}: column {name!r} varies by only {spread:.3g} around {mean:.6g}, which "
            "float32 cannot tell apart",
            remedy=f"subtract {mean:.6g} from it in the file",
        )


def _targets(source: str, table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """Return one target `(rows,)` as int64, float64 or str, several as float64."""
    if len(names) == 1:
        return _target(source, names[0], table.column(names[0]))
    found = [_target(source, name, table.column(name)) for name in names]
    for name, column in zip(names, found, strict=True):
        if column.dtype.kind == "U":
            raise DataError(
                f"{source}: target {name!r} holds text such as {str(column[0])!r}",
                expected="numbers: several targets are predicted by regression",
            )
    return np.stack(found, 1).astype(np.float64)


def _target(source: str, name: str, column: Any) -> np.ndarray:
    gaps = _gaps(column)
    if gaps.all():
        raise DataError(
            f"{source}: target {name!r} is empty", remedy="name another one with --target"
        )
    if gaps.any():
        raise DataError(
            f"{source}: row {int(gaps.argmax()) + 1}, column {name!r} is empty or NaN, one of "
            f"{int(gaps.sum()):,} such rows",
            expected="a target in every row",
            remedy="drop the rows without one",
        )
    kind = column.type
    if pa.types.is_boolean(kind):
        return np.array([str(value) for value in column.to_pylist()])
    if pa.types.is_integer(kind):
        integers: NDArray[np.int64] = column.to_numpy().astype(np.int64)
        return integers
    if is_text(kind):
        return np.array([str(value) for value in column.to_pylist()])
    return numbers(source, name, column)


def _gaps(column: Any) -> NDArray[np.bool_]:
    gaps = np.asarray(pc.is_null(column, nan_is_null=pa.types.is_floating(column.type)))
    if is_text(column.type):
        gaps = gaps | np.asarray(pc.equal(pc.fill_null(pc.cast(column, pa.string()), ""), ""))
    return gaps


def _times(source: str, table: pa.Table, name: str) -> NDArray[np.float64]:
    column = table.column(name)
    if _gaps(column).any():
        raise DataError(
            f"{source}: row {int(_gaps(column).argmax()) + 1}, column {name!r} is empty",
            expected="a time in every row",
        )
    if pa.types.is_temporal(column.type):
        width = 32 if column.type.bit_width == 32 else 64
        column = pc.cast(column, pa.int32() if width == 32 else pa.int64())
    if is_text(column.type):
        raise DataError(
            f"{source}: column {name!r} holds text such as {str(column[0])[:40]!r}",
            expected="times in ISO form (2020-01-31 10:00:00), or numbers",
        )
    return numbers(source, name, column)
