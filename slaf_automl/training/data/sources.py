"""Where tables come from: a CSV file, or a data set bundled with scikit-learn."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from slaf_automl.errors import DataError
from slaf_automl.training.data.table import Table, numeric_matrix, shown, target_column

BUNDLED = ("digits", "breast_cancer", "wine", "iris", "diabetes")
"""Names that follow `sklearn:`."""

_PREFIX = "sklearn:"
_DELIMITERS = (",", ";", "\t")


def read_table(source: str | Path, target: str | None = None) -> Table:
    """Read a table with its target.

    Args:
        source: path of a CSV file with a header line, or `sklearn:NAME`.
        target: the column to predict; by default a CSV's last column.

    Raises:
        DataError: the file cannot be read or a cell cannot be used.

    Example:
        >>> read_table("sklearn:iris").x.shape
        (150, 4)
    """
    if str(source).startswith(_PREFIX):
        return _bundled(str(source), target)
    table = read_csv(source)
    name = table.column_names[-1] if target is None else target
    y = target_column(str(source), table, name)
    features = tuple(c for c in table.column_names if c != name)
    if not features:
        raise DataError(
            f"{source}: {name!r} is the only column", expected="feature columns beside the target"
        )
    return Table(str(source), features, numeric_matrix(str(source), table, features), name, y)


def read_features(source: str | Path, features: tuple[str, ...]) -> np.ndarray:
    """Read only the named features, `(rows, len(features))` float64; other columns are ignored.

    Raises:
        DataError: the file cannot be read, or a feature is missing or not numeric.
    """
    if str(source).startswith(_PREFIX):
        table = _bundled(str(source), None)
        if missing := [name for name in features if name not in table.features]:
            raise DataError(
                f"{source}: column {missing[0]!r} is missing", expected="columns " + shown(features)
            )
        return table.x[:, [table.features.index(name) for name in features]]
    return numeric_matrix(str(source), read_csv(source, least_columns=1), features)


def read_csv(path: str | Path, *, least_columns: int = 2) -> pa.Table:
    """Read a CSV file with a header line; comma, semicolon or tab between the columns.

    Args:
        path: the file.
        least_columns: fewer than this is taken for a file of another kind.

    Raises:
        DataError: no such file, not text, no rows, ragged rows, or a repeated column name.
    """
    delimiter = _delimiter(Path(path), least_columns)
    try:
        table = pyarrow.csv.read_csv(
            path, parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter)
        )
        names = table.column_names
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            raise DataError(f"{path} has a header line but no rows") from None
        raise DataError(f"{path} is not a readable CSV file: {error}") from None
    except UnicodeDecodeError as error:
        raise _not_utf8(path, "its header line", error.reason) from None
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
    for name in names:
        if pa.types.is_binary(table.column(name).type):
            raise _not_utf8(path, f"column {name!r}", "invalid bytes")
    if table.num_rows == 0:
        raise DataError(f"{path} has a header line but no rows")
    return table


def _not_utf8(path: str | Path, where: str, reason: str) -> DataError:
    return DataError(
        f"{path}: {where} is not UTF-8 text: {reason}", remedy="save the file in UTF-8"
    )


def _delimiter(path: Path, least_columns: int) -> str:
    """Return the delimiter of the header line, after checking that there is one."""
    if not path.exists():
        bundled = ", ".join(_PREFIX + name for name in BUNDLED)
        raise DataError(f"no such file: {path}", expected=f"a CSV file or one of {bundled}")
    if path.is_dir():
        raise DataError(f"{path} is a folder", expected="a CSV file")
    try:
        with path.open("rb") as file:
            start = file.read(65_536)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not start.strip():
        raise DataError(f"{path} is empty", expected="a header line and rows")
    if b"\0" in start:
        raise DataError(f"{path} is not a CSV file: it holds binary data")
    header = start.lstrip().splitlines()[0].decode("utf-8", errors="replace")
    columns = {d: len(next(csv.reader([header], delimiter=d))) for d in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda d: columns[d])
    if columns[best] < least_columns:
        raise DataError(
            f"{path} is not a CSV file with columns: its first line is {header[:60]!r}",
            expected="a header of at least two names with comma, semicolon or tab between them",
        )
    return best


def _bundled(source: str, target: str | None) -> Table:
    name = source.removeprefix(_PREFIX)
    if name not in BUNDLED:
        raise DataError(f"unknown data set {source!r}", expected="one of " + ", ".join(BUNDLED))
    if target not in (None, "target"):
        raise DataError(f"{source} has no column {target!r} to predict", expected="'target'")
    bunch = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
    y = np.asarray(bunch.target)
    labels = getattr(bunch, "target_names", None)
    if name != "diabetes":
        named = labels is not None and not np.issubdtype(np.asarray(labels).dtype, np.integer)
        y = np.asarray(labels)[y].astype(str) if named else y.astype(np.int64)
    return Table(
        source,
        tuple(str(n) for n in bunch.feature_names),
        np.asarray(bunch.data, dtype=np.float64),
        "target",
        y,
        image=(1, *bunch.images.shape[1:]) if "images" in bunch else None,
    )
