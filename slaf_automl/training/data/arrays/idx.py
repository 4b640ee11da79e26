"""IDX files, the format of MNIST: a header of big-endian sizes and the values behind it."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.parts import given_parts

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(?P<stem>.*)(?P<what>images|labels)[-.]idx\d[-.]\w+(\.gz)?", re.IGNORECASE)
_WHATS = ("images", "labels")
_TRAINING, _TEST = ("train-", "train."), ("t10k-", "t10k.")

# Deflate gains at most a factor of 1,032, so more values cannot be in a file.
_MOST_GAINED = 1032

_AGAIN = "download it again"


def is_idx(path: Path) -> bool:
    """Say whether a file is named as an IDX file is, or a folder holds MNIST's files."""
    if not path.is_dir():
        return _NAME.fullmatch(path.name) is not None
    return any(_find(path, stems, what) for stems in (_TRAINING, _TEST) for what in _WHATS)


def read_idx(path: str | Path) -> ArraySet:
    """Read images and labels as MNIST stores them, gzipped or not.

    A folder holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and, given as test rows,
    the two files of `t10k` (also `train-images.idx3-ubyte`, and `.gz` behind any). A single images
    file is read with the labels beside it.

    Args:
        path: the folder or the images file.

    Raises:
        DataError: a file is missing, cut short, not IDX, or does not fit the other.
    """
    path = Path(path)
    if path.is_dir():
        pairs = [_pair(path, _TRAINING, "train-")]
        if any(_find(path, _TEST, what) for what in _WHATS):
            pairs.append(_pair(path, _TEST, "t10k-"))
    else:
        pairs = [_beside(path)]
    images, labels = [], []
    for images_path, labels_path in pairs:
        images.append(_Header.read(images_path, (2, 3, 4)))
        labels.append(_Header.read(labels_path, (1,)))
        _require_fit(images[0], images[-1], labels[-1])
    y = np.concatenate([_values([header]) for header in labels])
    part = given_parts(_rows(images[:1]), test=_rows(images[1:]))
    return ArraySet(str(path), _values(images), y, part)


def read_unlabelled_idx(path: Path) -> np.ndarray | None:
    """Read an images file that has no labels beside it; None if it has, or is no images file.

    Args:
        path: the file.

    Raises:
        DataError: it is cut short or not IDX.
    """
    match = _NAME.fullmatch(path.name)
    if match is None or match["what"].lower() != "images":
        return None
    if _find(path.parent, (match["stem"],), "labels") is not None:
        return None
    return _values([_Header.read(path, (2, 3, 4))])


@dataclass(frozen=True)
class _Header:
    """What a file's header says: dtype and shape of the values that begin at `offset`."""

    path: Path
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    @property
    def offset(self) -> int:
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    @classmethod
    def read(cls, path: Path, dimensions: tuple[int, ...]) -> _Header:
        """Read a header, and check it before any memory is taken for what it announces."""
        with _open(path) as file:
            magic = _read(path, file, 4)
            if len(magic) == 4 and (magic[:2] != b"\0\0" or magic[2] not in _TYPES):
                raise DataError(
                    f"{path} is not an IDX file: it begins with {magic.hex(' ')}",
                    expected="00 00, a type from 08 to 0e and the number of dimensions",
                )
            sizes = _read(path, file, 4 * magic[3]) if len(magic) == 4 else b""
        if len(magic) < 4 or len(sizes) < 4 * magic[3]:
            raise DataError(f"{path} is cut short: it ends in its header", remedy=_AGAIN)
        if magic[3] not in dimensions:
            raise DataError(
                f"{path} has {magic[3]} dimensions",
                expected=" or ".join(map(str, dimensions)),
                remedy="images and labels may have changed places",
            )
        shape = struct.unpack(f">{magic[3]}I", sizes)
        header = cls(path, np.dtype(_TYPES[magic[2]]), shape)
        most = path.stat().st_size * (_MOST_GAINED if _is_gzip(path) else 1)
        if header.size > most:
            raise header.wrong_size(f"at most {most:,}")
        return header

    def wrong_size(self, found: str) -> DataError:
        sizes = " x ".join(map(str, self.shape))
        return DataError(
            f"{self.path} holds {found} bytes of values",
            expected=f"{self.size:,} ({sizes} of {self.dtype.itemsize} bytes), as its header says",
            remedy=_AGAIN,
        )


def _values(headers: list[_Header]) -> np.ndarray:
    """Read the values of several files into one array, in the machine's byte order."""
    dtype = headers[0].dtype
    try:
        values = np.empty((_rows(headers), *headers[0].shape[1:]), dtype)
    except MemoryError as error:
        raise DataError(f"{headers[0].path}: {error}") from None
    start = 0
    for header in headers:
        end = start + header.shape[0]
        _fill(header, values[start:end])
        start = end
    if not dtype.isnative:
        values.byteswap(inplace=True)
        values = values.view(dtype.newbyteorder("="))
    return values


def _fill(header: _Header, out: np.ndarray) -> None:
    """Read a file's values into `out`, and check that they end where they should."""
    bytes_out = out.reshape(-1).view(np.uint8)
    with _open(header.path) as file:
        _read(header.path, file, header.offset)
        count = 0
        while count < len(bytes_out):
            piece = _read(header.path, file, min(2**20, len(bytes_out) - count))
            if not piece:
                raise header.wrong_size(f"{count:,}")
            bytes_out[count : count + len(piece)] = np.frombuffer(piece, np.uint8)
            count += len(piece)
        # Reading past the end is also what makes gzip compare its checksum.
        if _read(header.path, file, 1):
            raise header.wrong_size(f"more than {count:,}")


def _rows(headers: list[_Header]) -> int:
    return sum(header.shape[0] for header in headers)


def _require_fit(first: _Header, images: _Header, labels: _Header) -> None:
    if images.shape[0] != labels.shape[0]:
        raise DataError(
            f"{images.path} holds {images.shape[0]} images, {labels.path.name} {labels.shape[0]} "
            "labels",
            expected="as many",
        )
    if (images.shape[1:], images.dtype) != (first.shape[1:], first.dtype):
        raise DataError(
            f"{images.path} holds images of the shape {images.shape[1:]} and {images.dtype.name}, "
            f"{first.path.name} {first.shape[1:]} and {first.dtype.name}",
            expected="one shape and type",
        )


def _pair(folder: Path, stems: tuple[str, ...], shown_stem: str) -> tuple[Path, Path]:
    """Return the images and labels of a part."""
    found = [_find(folder, stems, what) for what in _WHATS]
    images, labels = found
    if images is None or labels is None:
        missing = f"{shown_stem}{'images-idx3' if images is None else 'labels-idx1'}-ubyte"
        raise DataError(
            f"{folder} holds no {missing}",
            expected="images and labels, each as it is or with .gz",
            remedy=_AGAIN,
        )
    return images, labels


def _beside(path: Path) -> tuple[Path, Path]:
    """Return an images file and its labels, after checking that both are there."""
    if not path.exists():
        raise DataError(f"no such file: {path}", expected="an IDX images file or its folder")
    match = _NAME.fullmatch(path.name)
    if match is None or match["what"].lower() != "images":
        raise DataError(
            f"{path} is not named as IDX images are",
            expected="a name such as train-images-idx3-ubyte",
            remedy="give the images file or its folder; the labels beside it are found",
        )
    labels = _find(path.parent, (match["stem"],), "labels")
    if labels is None:
        raise DataError(
            f"no labels beside {path}",
            expected=f"{match['stem']}labels-idx1-ubyte, as it is or with .gz",
        )
    return path, labels


def _find(folder: Path, stems: tuple[str, ...], what: str) -> Path | None:
    """Return the file of a stem; an uncompressed one before its copy in gzip."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from None
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match and match["stem"] in stems and match["what"].lower() == what and path.is_file():
            return path
    return None


def _open(path: Path) -> IO[bytes]:
    try:
        if not _is_gzip(path):
            return path.open("rb")
        # A GzipFile reads as a binary file does, without being one by type.
        return cast("IO[bytes]", gzip.open(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def _is_gzip(path: Path) -> bool:
    """Say so from the content: browsers unpack a file and leave its name as it was."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _read(path: Path, file: IO[bytes], size: int) -> bytes:
    try:
        return file.read(size)
    except EOFError:
        raise DataError(f"{path} is cut short: its gzip stream has no end", remedy=_AGAIN) from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}", remedy=_AGAIN) from None
