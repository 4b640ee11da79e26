"""Files that are either whole or not there: temporary file, fsync, rename."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from slaf_automl.errors import SlafError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        SlafError: the path is a folder's, or the folder cannot be written or is full; an older file
            stays as it was.
    """
    if not path.name:  # "." and "/"
        raise SlafError(f"{path} is a folder", expected="a file to write")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise cannot_write(path, error) from None


def write_json(path: Path, document: Any) -> None:
    """Write plain data as readable JSON, atomically; NaN and infinity are refused."""
    try:
        text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    except ValueError as error:
        raise SlafError(f"{path}: a value is not finite: {error}") from None
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        SlafError: it cannot be read or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SlafError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise SlafError(f"{path} is not JSON: {error}") from None


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and check that a file can be written there.

    Raises:
        SlafError: it is a file, or cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None
    probe = path / f".probe.{os.getpid()}"
    write_bytes(probe, b"x" * 4096)
    probe.unlink(missing_ok=True)


def make_room_for(path: Path) -> None:
    """Make the folder of a file that is written later, and check both.

    Raises:
        SlafError: the path is a folder's, or its folder cannot be made or written.
    """
    if path.is_dir():
        raise SlafError(f"{path} is a folder", expected="a file to write")
    make_folder(path.absolute().parent)


def replace_folder(partial: Path, final: Path) -> None:
    """Put a finished folder in the place of another, which is removed afterwards."""
    old = final.with_name(f".{final.name}.old")
    try:
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
            os.replace(final, old)
        os.replace(partial, final)
    except OSError as error:
        if old.exists() and not final.exists():
            os.replace(old, final)
        raise cannot_write(final, error) from None
    shutil.rmtree(old, ignore_errors=True)


def cannot_write(path: Path, error: OSError) -> SlafError:
    """Return the one-line error for a failed write."""
    reason = error.strerror or str(error)
    return SlafError(
        f"cannot write {path}: {reason}", remedy="choose another folder or free some space"
    )
