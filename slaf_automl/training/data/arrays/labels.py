"""Targets as int64, float64 or str, whatever an array held them as."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from slaf_automl.errors import DataError


def canonical_target(source: str, name: str, y: np.ndarray) -> np.ndarray:
    """Return targets as int64, float64 or str; booleans become 'False' and 'True'.

    Args:
        source: where they came from, for people.
        name: of the target.
        y: `(rows,)` or `(rows, targets)`; one target in two dimensions is taken for `(rows,)`.

    Raises:
        DataError: another shape, a value that is missing or not finite, or neither numbers nor
            text.

    Example:
        >>> canonical_target("made up", "y", np.array([[True], [False]]))
        array(['True', 'False'], dtype='<U5')
    """
    if y.ndim not in (1, 2) or 0 in y.shape[1:]:
        raise DataError(
            f"{source}: target {name!r} has the shape {y.shape}",
            expected="(rows,) or (rows, targets)",
        )
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    y = _plain(source, name, y)
    kind = y.dtype.kind
    if kind == "b":
        return np.where(y, "True", "False")
    if kind == "f":
        return _finite(source, name, y)
    if kind in "iu":
        # The largest of unsigned 64-bit integers would turn negative.
        if kind == "u" and y.itemsize == 8 and len(y) and y.max() > np.iinfo(np.int64).max:
            raise DataError(
                f"{source}: target {name!r} holds {y.max()}", expected="64-bit signed integers"
            )
        return y.astype(np.int64, copy=False)
    if kind != "U":
        raise DataError(
            f"{source}: target {name!r} holds {y.dtype}", expected="numbers, booleans or text"
        )
    if (y == "").any():
        raise _missing(source, name, np.argwhere(y == "")[0])
    return y


def _plain(source: str, name: str, y: np.ndarray) -> np.ndarray:
    """Return objects, bytes and strings of variable length as the plain array they stand for."""
    if y.dtype.kind == "S":
        try:
            return np.char.decode(y, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{source}: target {name!r} is not UTF-8 text: {error.reason}"
            ) from None
    if y.dtype.kind == "T":
        y = y.astype(object)
    if y.dtype.kind != "O":
        return y
    try:
        values = pa.array(y.reshape(-1), from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError, OverflowError):
        values = None
    if values is not None and values.null_count:
        flat = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        raise _missing(source, name, np.array(np.unravel_index(flat, y.shape)))
    if values is None or not (
        pa.types.is_string(values.type)
        or pa.types.is_boolean(values.type)
        or pa.types.is_integer(values.type)
        or pa.types.is_floating(values.type)
    ):
        raise DataError(
            f"{source}: target {name!r} holds objects such as {str(y.flat[0])[:40]!r}",
            expected="numbers, booleans or text alone",
        )
    return np.array(values.to_pylist()).reshape(y.shape)


def _finite(source: str, name: str, y: np.ndarray) -> np.ndarray:
    if not np.isfinite(y).all():
        where = np.argwhere(~np.isfinite(y))[0]
        raise DataError(
            f"{source}: row {where[0] + 1}, {_column(name, where)}: {y[tuple(where)]}",
            expected="a finite target",
            remedy="correct or drop the row",
        )
    return y.astype(np.float64, copy=False)


def _missing(source: str, name: str, where: np.ndarray) -> DataError:
    return DataError(
        f"{source}: row {where[0] + 1}, {_column(name, where)} is empty or missing",
        expected="a value in every row",
        remedy="fill the gap or drop the row",
    )


def _column(name: str, where: np.ndarray) -> str:
    column = f"target {name!r}"
    return column + (f" number {where[1] + 1}" if len(where) > 1 else "")
