"""Arrays and images: what they are read from, and the checked value that they become."""

from __future__ import annotations

from pathlib import Path

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.datamodule import array_set_of_module
from slaf_automl.training.data.arrays.folder import has_pictures, read_image_folder
from slaf_automl.training.data.arrays.frames import is_frame, table_of
from slaf_automl.training.data.arrays.idx import is_idx, read_idx
from slaf_automl.training.data.arrays.npz import read_npz
from slaf_automl.training.data.arrays.tensors import array_set_of
from slaf_automl.training.data.parts import TEST, TO_SPLIT, TRAINING, VALIDATION

__all__ = [
    "TEST",
    "TO_SPLIT",
    "TRAINING",
    "VALIDATION",
    "ArraySet",
    "array_set_of",
    "array_set_of_module",
    "is_frame",
    "read_arrays",
    "read_idx",
    "read_image_folder",
    "read_npz",
    "table_of",
]


def read_arrays(path: str | Path, target: str | None = None, split: int = 0) -> ArraySet | None:
    """Read a NumPy archive, IDX files or a folder of images, whichever a path is.

    Args:
        path: `.npz`, an IDX images file, or a folder of IDX files or of images.
        target: name of the target in an archive; the others have one target, `label`.
        split: which of an archive's given splits.

    Returns:
        The arrays, or None where the path is none of these.

    Raises:
        DataError: it is one of these and cannot be read.
        SlafError: Pillow is needed and not installed.

    Example:
        >>> read_arrays("table.csv") is None
        True
    """
    found = Path(path)
    if found.suffix.lower() in (".npz", ".npy"):
        return read_npz(found, target, split=split)
    if is_idx(found):
        reader = read_idx
    elif found.is_dir() and has_pictures(found):
        reader = read_image_folder
    else:
        return None
    if target not in (None, "label"):
        raise DataError(f"{path} has no {target!r} to predict", expected="'label'")
    return reader(found)
