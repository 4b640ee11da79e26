"""Reads the data files, and says in one line what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from slaf_automl import SlafError


def read_arrays(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    """Return the named numeric arrays of an .npz file.

    Raises:
        SlafError: the file is missing, no .npz, or lacks an array, or one is not numeric.
    """
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            missing = [name for name in names if name not in archive]
            if missing:
                raise SlafError(
                    f"{path}: no array {', '.join(missing)}",
                    expected=", ".join(names),
                    remedy="check --data-dir",
                )
            arrays = [archive[name] for name in names]
    except FileNotFoundError:
        raise SlafError(f"{path} does not exist", remedy="check --data-dir") from None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise SlafError(
            f"{path} cannot be read: {error}", expected="an .npz file of plain numbers"
        ) from None
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.kind not in "biuf":
            raise SlafError(f"{path}: {name} is of dtype {array.dtype}", expected="numbers")
        if array.size == 0 or not np.isfinite(array).all():
            raise SlafError(f"{path}: {name} is empty or holds NaN or infinity")
    return arrays


def require_shape(path: Path, name: str, array: np.ndarray, shape: tuple[int | None, ...]) -> None:
    """Raise a `SlafError` unless the array has that shape; None stands for any length."""
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, found) for found, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("*" if length is None else str(length) for length in shape)
        raise SlafError(f"{path}: {name} of shape {array.shape}", expected=f"({wanted})")


def require_indices(path: Path, name: str, array: np.ndarray, rows: int) -> None:
    """Raise a `SlafError` unless these are integers from 0 to rows − 1."""
    if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= rows:
        raise SlafError(
            f"{path}: {name} is out of range", expected=f"integers from 0 to {rows - 1}"
        )
