"""An open NumPy archive whose every complaint is one line."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.table import shown

_ADVICE = "numpy.savez(path, X=features, y=target)"
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


class Archive:
    """The arrays of a `.npz` file by name; nothing is unpickled.

    Raises:
        DataError: no such file, another kind of file, or a damaged one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise DataError(f"no such file: {path}", expected="a NumPy archive (.npz)")
        if path.is_dir():
            raise DataError(f"{path} is a folder", expected="a NumPy archive (.npz)")
        try:
            # NumPy would leave a file of its own open where it cannot read it.
            self.handle = path.open("rb")
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
        try:
            self.file = self._loaded()
        except DataError:
            self.handle.close()
            raise

    def _loaded(self) -> Any:
        path, start = self.path, self.handle.read(6)
        self.handle.seek(0)
        if start == b"\x93NUMPY" or path.suffix.lower() == ".npy":
            raise DataError(
                f"{path} is a single array",
                expected="an archive (.npz) with features and target",
                remedy=f"write it with {_ADVICE}",
            )
        if not start.startswith(b"PK"):
            raise DataError(f"{path} is not a NumPy archive", remedy=f"write one with {_ADVICE}")
        try:
            return np.load(self.handle, allow_pickle=False)
        except _UNREADABLE as error:
            raise self._damaged(error) from None

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.file.close()
        self.handle.close()

    def __contains__(self, key: str) -> bool:
        return key in self.file.files

    def first(self, keys: tuple[str, ...]) -> str:
        """Return the first of the names that is there; the very first if none is."""
        return next((key for key in keys if key in self), keys[0])

    def array(self, key: str) -> np.ndarray:
        """Read one array."""
        if key not in self:
            raise DataError(
                f"{self.path} holds no array {key!r}",
                expected="X and y, or X_train, y_train, X_test and y_test",
                remedy=f"it holds {shown(tuple(self.file.files)) or 'none'}: rename them, or name "
                "the target with --target",
            )
        try:
            value = self.file[key]
        except _UNREADABLE as error:
            if "allow_pickle" in str(error):
                raise DataError(
                    f"{self.path}: {key!r} holds pickled objects, which are not read",
                    expected="numbers or text",
                    remedy="convert it, such as by X.astype(float) or y.astype(str)",
                ) from None
            raise self._damaged(error) from None
        if not isinstance(value, np.ndarray):
            raise DataError(f"{self.path}: {key!r} is not an array")
        return value

    def pair(self, x_key: str, y_key: str) -> tuple[np.ndarray, np.ndarray]:
        """Read features and target, and check that they have as many rows."""
        x, y = self.array(x_key), self.array(y_key)
        for key, value in ((x_key, x), (y_key, y)):
            if value.ndim == 0:
                raise DataError(f"{self.path}: {key!r} is a single value", expected="rows")
        if len(x) != len(y):
            raise DataError(
                f"{self.path}: {x_key!r} has {len(x)} rows, {y_key!r} {len(y)}", expected="as many"
            )
        return x, y

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Read names; None where there are none."""
        if key not in self:
            return None
        value = self.array(key)
        if value.ndim != 1 or value.dtype.kind != "U":
            raise DataError(
                f"{self.path}: {key!r} holds {value.dtype} of the shape {value.shape}",
                expected="text (names,)",
            )
        return tuple(value.tolist())

    def indices(self, key: str) -> tuple[int, ...]:
        """Read indices of columns; none where there are none."""
        if key not in self:
            return ()
        value = self.array(key)
        if value.ndim != 1 or (value.dtype.kind not in "iu" and value.size):
            raise DataError(
                f"{self.path}: {key!r} holds {value.dtype} of the shape {value.shape}",
                expected="integers (columns,)",
            )
        return tuple(int(i) for i in value)

    def _damaged(self, error: BaseException) -> DataError:
        reason = str(error) or type(error).__name__
        if "allow_pickle" in reason:  # NumPy's guess at what it cannot read, and bad advice.
            reason = "not a whole archive"
        return DataError(
            f"{self.path} is damaged or cut short: {reason}",
            remedy="write or download it again",
        )
