"""Rows to predict, whose labels nobody knows yet: archives, IDX files and images without them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from slaf_automl.training.data.arrays.archive import Archive
from slaf_automl.training.data.arrays.channels import require_channels_first
from slaf_automl.training.data.arrays.folder import inside, is_picture
from slaf_automl.training.data.arrays.idx import is_idx, read_unlabelled_idx
from slaf_automl.training.data.arrays.pictures import read_pictures

_LETTERS = ("X", "x")


class Rows(NamedTuple):
    """Rows `(rows, *shape)` and, of a table, the names of their columns."""

    x: np.ndarray
    features: tuple[str, ...] | None = None


def read_unlabelled(path: str | Path) -> Rows | None:
    """Read rows that come without labels.

    Args:
        path: an `.npz` with `X` (or `x`) and no target, an IDX images file without its labels, an
            image, or a folder of images without folders.

    Returns:
        The rows, or None where the path is none of these.

    Raises:
        DataError: it is one of these and cannot be read.
        SlafError: Pillow is needed and not installed.

    Example:
        >>> read_unlabelled("table.csv") is None
        True
    """
    found = Path(path)
    if found.suffix.lower() == ".npz" and found.is_file():
        return _of_archive(found)
    if found.is_file() and is_picture(found.name):
        return Rows(read_pictures([found]))
    if found.is_file() and is_idx(found):
        images = read_unlabelled_idx(found)
        return None if images is None else Rows(images)
    if found.is_dir() and not is_idx(found):
        folders, files = inside(found)
        if files and not folders and all(is_picture(file.name) for file in files):
            return Rows(read_pictures(files))
    return None


def _of_archive(path: Path) -> Rows | None:
    with Archive(path) as archive:
        letter = next((letter for letter in _LETTERS if letter in archive), None)
        if letter is None or "y" in archive or f"{letter}_train" in archive:
            return None
        x = archive.array(letter)
        features = archive.texts("feature_names")
    require_channels_first(str(path), x)
    return Rows(x, features)
