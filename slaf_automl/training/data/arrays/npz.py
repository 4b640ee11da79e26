"""NumPy archives: features and targets under their names, with the parts that were given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.archive import Archive
from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.channels import require_channels_first
from slaf_automl.training.data.arrays.joining import join
from slaf_automl.training.data.arrays.labels import canonical_target
from slaf_automl.training.data.parts import TEST, TO_SPLIT, TRAINING, VALIDATION, given_parts
from slaf_automl.training.data.table import shown

_LETTERS = ("X", "x")


def read_npz(path: str | Path, target: str | None = None, *, split: int = 0) -> ArraySet:
    """Read a NumPy archive; nothing in it is unpickled.

    It holds `X` (or `x`) and `y`, all rows; or these and `train_idx`, `test_idx` and perhaps
    `val_idx`, the rows of each part, `(rows,)` or `(splits, rows)`; or `X_train`, `y_train`,
    `X_test`, `y_test` and perhaps `X_val`, `y_val` (or `X_validation`). `feature_names` (text),
    `cat_cols` (indices of columns that hold codes) and `classes` (the label of each index in `y`)
    are read where they are there.

    Args:
        path: the file.
        target: what stands in place of `y` in these names.
        split: which split of `(splits, rows)`.

    Raises:
        DataError: it cannot be read, lacks an array, or holds arrays that do not fit together.
    """
    name = "y" if target is None else target
    source = str(path)
    with Archive(Path(path)) as archive:
        letter = next((c for c in _LETTERS if f"{c}_train" in archive), None)
        part: np.ndarray | None
        if letter is not None:
            if whole := next((key for key in (*_LETTERS, name) if key in archive), None):
                raise DataError(
                    f"{source} holds {whole!r} and '{letter}_train'", expected="one or the other"
                )
            x, y, part = _read_parts(archive, letter, name)
        else:
            x, y = archive.pair(archive.first(_LETTERS), name)
            part = _read_indices(archive, len(x), split)
        features = archive.texts("feature_names")
        categorical = archive.indices("cat_cols")
        y = _named(source, canonical_target(source, name, y), archive.texts("classes"))
    if part is not None and (part < 0).any():
        kept = part >= 0
        x, y, part = x[kept], y[kept], part[kept]
    require_channels_first(source, x)
    return ArraySet(source, x, y, part, name, features, categorical)


def _read_parts(
    archive: Archive, letter: str, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the rows of `X_train`, `X_val` and `X_test` in this order, and their parts."""
    endings, xs, ys, counts = [], [], [], []
    for words in (("train",), ("val", "validation"), ("test",)):
        keys = [(f"{letter}_{word}", f"{name}_{word}") for word in words]
        found = [pair for pair in keys if pair[0] in archive or pair[1] in archive]
        if len(found) > 1:
            raise DataError(
                f"{archive.path} holds {found[0][0]!r} and {found[1][0]!r}",
                expected="one or the other",
            )
        counts.append(0)
        for x_key, y_key in found:
            x, y = archive.pair(x_key, y_key)
            endings.append((x_key, y_key))
            xs.append(x)
            ys.append(y)
            counts[-1] = len(x)
    source = str(archive.path)
    x = join(source, [key for key, _ in endings], xs)
    return x, join(source, [key for _, key in endings], ys), given_parts(*counts)


def _read_indices(archive: Archive, rows: int, split: int) -> np.ndarray | None:
    """Return each row's part, -1 for rows of none; None where the archive splits nothing."""
    keys = {"train_idx": TO_SPLIT, "val_idx": VALIDATION, "test_idx": TEST}
    if not any(key in archive for key in keys):
        return None
    if "val_idx" in archive and "test_idx" in archive:
        keys["train_idx"] = TRAINING
    part = np.full(rows, -1, dtype=np.int8)
    for key, value in keys.items():
        if key == "val_idx" and key not in archive:
            continue
        index = _chosen(archive, key, split)
        outside = (index < 0) | (index >= rows)
        if outside.any():
            raise DataError(
                f"{archive.path}: {key!r} names the row {index[outside][0]}",
                expected=f"0 to {rows - 1}",
            )
        taken, counts = np.unique(index, return_counts=True)
        twice = np.concatenate([taken[counts > 1], taken[part[taken] >= 0]])
        if len(twice):
            raise DataError(
                f"{archive.path}: {key!r} names the row {twice[0]}, which is taken already",
                expected="each row in one part, once",
            )
        part[index] = value
    return part


def _chosen(archive: Archive, key: str, split: int) -> np.ndarray:
    index = archive.array(key)
    if index.dtype.kind not in "iu" or index.ndim not in (1, 2):
        raise DataError(
            f"{archive.path}: {key!r} holds {index.dtype} of the shape {index.shape}",
            expected="integers (rows,) or (splits, rows)",
        )
    if index.ndim == 1:
        return index
    if not 0 <= split < len(index):
        raise DataError(
            f"{archive.path}: split {split} of {key!r}", expected=f"0 to {len(index) - 1}"
        )
    return np.asarray(index[split])


def _named(source: str, y: np.ndarray, classes: tuple[str, ...] | None) -> np.ndarray:
    """Return the classes' names where `y` holds their indices, else `y`."""
    if classes is None or y.dtype.kind != "i" or y.ndim != 1 or not len(y):
        return y
    if len(set(classes)) < len(classes):
        raise DataError(f"{source}: 'classes' repeats a name among {shown(classes)}")
    if y.min() < 0 or y.max() >= len(classes):
        return y
    return np.asarray(np.array(classes)[y])
