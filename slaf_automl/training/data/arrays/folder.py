"""Folders of images: one folder a class, perhaps below one folder a part."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.pictures import ENDINGS, read_pictures
from slaf_automl.training.data.parts import given_parts

_TRAIN, _TEST = "train", "test"
_VALIDATION = ("val", "validation")


def has_pictures(folder: Path) -> bool:
    """Say whether an image lies in a folder, its folders or theirs."""
    for parent, folders, files in os.walk(folder, followlinks=True):
        if any(is_picture(name) for name in files):
            return True
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = [] if depth == 2 else [name for name in folders if not _is_hidden(name)]
    return False


def read_image_folder(path: str | Path) -> ArraySet:
    """Read images, each in the folder of its class.

    `path/CLASS/*.png` (jpg, jpeg, bmp, gif, webp, tif, tiff), or the same below `path/train`,
    `path/test` and perhaps `path/val` (or `path/validation`). Folders and files are read in the
    order of their names. Files whose names begin with a dot are passed over.

    Args:
        path: the folder.

    Returns:
        uint8 images `(rows, height, width)` or `(rows, 3, height, width)`, with the names of their
        folders as labels.

    Raises:
        DataError: images that differ in size or channels or cannot be read, a class without
            images or outside the training rows, or other files among them.
        SlafError: Pillow is not installed.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder" if root.exists() else f"no such folder: {root}",
            expected="a folder with one folder a class",
        )
    parts = _parts(root)
    for part in parts[1:]:
        _require_known(parts[0], part)
    files = [file for part in parts for files in part.classes.values() for file in files]
    labels = [
        name for part in parts for name, files in part.classes.items() for _ in range(len(files))
    ]
    counts = {"training": 0, "validation": 0, "test": 0}
    for part in parts:
        counts[part.kind] = part.rows
    return ArraySet(str(root), read_pictures(files), np.array(labels), given_parts(**counts))


@dataclass(frozen=True)
class _Part:
    """The files of each class of a part, in order."""

    folder: Path
    kind: str
    classes: dict[str, list[Path]]

    @property
    def rows(self) -> int:
        return sum(map(len, self.classes.values()))


def _parts(root: Path) -> list[_Part]:
    """Return the parts that a folder holds, the training rows first."""
    folders, files = inside(root)
    by_name = {folder.name: folder for folder in folders}
    # A class may be called "train" too: then its folder holds images, not folders.
    if _TRAIN not in by_name or not inside(by_name[_TRAIN])[0]:
        return [_Part(root, "training", _classes(root))]
    kinds = {_TRAIN: "training", **dict.fromkeys(_VALIDATION, "validation"), _TEST: "test"}
    other = [path for path in (*folders, *files) if path.name not in kinds or path in files]
    if other:
        raise DataError(
            f"{other[0]} lies beside {_TRAIN}/",
            expected="train/, test/ and perhaps val/ or validation/ alone",
        )
    if all(name in by_name for name in _VALIDATION):
        raise DataError(f"{root} holds val/ and validation/", expected="one or the other")
    return [_Part(by_name[n], kinds[n], _classes(by_name[n])) for n in kinds if n in by_name]


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each class of a folder, after checking that there is nothing else."""
    folders, files = inside(folder)
    if not folders:
        raise DataError(
            f"{folder} holds no folders",
            expected="one folder a class, with the images of that class",
        )
    classes: dict[str, list[Path]] = {}
    strangers = [path for path in files if not is_picture(path.name)]
    astray = [path for path in files if is_picture(path.name)]
    for inner in folders:
        deeper, found = inside(inner)
        if deeper:
            raise DataError(
                f"{deeper[0]} is a folder in the folder of a class",
                expected="images there",
                remedy="move the classes up, or into train/ and test/",
            )
        classes[inner.name] = [path for path in found if is_picture(path.name)]
        strangers += [path for path in found if not is_picture(path.name)]
    if strangers:
        raise DataError(
            f"{folder}: {_counted(len(strangers), 'file')} no image, such as {strangers[0]}",
            expected="names that end in " + ", ".join(ENDINGS),
            remedy="move them away or convert them",
        )
    if astray:
        raise DataError(
            f"{folder}: {_counted(len(astray), 'image')} in no class, such as {astray[0]}",
            expected="each image in the folder of its class",
        )
    for name, images in classes.items():
        if not images:
            raise DataError(
                f"{folder / name} holds no images", remedy="add images of this class or remove it"
            )
    return classes


def _require_known(training: _Part, other: _Part) -> None:
    for name in other.classes:
        if name not in training.classes:
            raise DataError(
                f"{other.folder / name}: the class {name!r} has no folder in {training.folder}",
                expected="training images of every class",
            )


def inside(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the files in a folder, in order, but for hidden ones.

    Raises:
        DataError: it cannot be read.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if not _is_hidden(path.name))
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from None
    return [p for p in inside if p.is_dir()], [p for p in inside if not p.is_dir()]


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def is_picture(name: str) -> bool:
    """Say whether a file's name ends as an image's does."""
    return not _is_hidden(name) and Path(name).suffix.lower().lstrip(".") in ENDINGS


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun} is" if count == 1 else f"{count} {noun}s are"
