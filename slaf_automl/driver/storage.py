"""Where studies are kept: a journal file in the run folder, or a storage of the user's.

Measured with TPE (`scripts/benchmarks/storage.py`), a journal file costs a fraction of SQLite's
time per trial, so it is the default.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from slaf_automl.driver.journal import HeldJournal
from slaf_automl.errors import StudyError
from slaf_automl.files import cannot_write

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(file: IO[Any]) -> bool:
    """Take a kernel lock on an open file without waiting; True too where the system has none."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class KernelFileLock:
    """A lock for Optuna's journal that the kernel releases when its process dies, however it dies.

    Optuna's own locks are files that a killed process leaves behind; the next start would wait
    half a minute for them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[Any] | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._file = self._path.open("ab")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_storage(location: str | None, folder: Path) -> tuple[BaseStorage, HeldJournal | None]:
    """Open the storage at `location` (an Optuna URL), by default `study.journal` in the folder.

    Returns:
        The storage, and the journal behind it if it is one.

    Raises:
        StudyError: it cannot be opened.
    """
    try:
        if location is not None:
            return RDBStorage(location), None
        journal = HeldJournal(_open_journal(folder / "study.journal"))
        return JournalStorage(journal), journal
    except OSError as error:
        raise cannot_write(folder, error) from None
    except Exception as error:
        if location is None:
            raise StudyError(
                f"{folder / 'study.journal'} is damaged: {error}",
                remedy="start in another folder",
            ) from None
        # Whatever a database driver raises: missing module, refused connection, wrong password.
        raise StudyError(
            f"cannot open storage {location!r}: {type(error).__name__}: {str(error)[:200]}",
            expected="an Optuna storage URL such as postgresql://user@host/name",
        ) from None


def _open_journal(path: Path) -> JournalFileBackend:
    if fcntl is None:
        return JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path)))
    lock = KernelFileLock(path.with_name("study.lock"))
    lock.acquire()
    try:
        _drop_torn_line(path)
    finally:
        lock.release()
    # Optuna asks of a lock only that it can be acquired and released; its base class is private.
    return JournalFileBackend(str(path), lock_obj=lock)  # type: ignore[arg-type]


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a kill in the middle of a write left without its end.

    The record was never acknowledged to anyone; the next append would glue to it and damage both.
    """
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        start = max(0, end - 1_048_576)
        file.seek(start)
        tail = file.read()
        if tail and not tail.endswith(b"\n"):
            file.truncate(start + tail.rfind(b"\n") + 1)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Within the block Optuna logs only errors: the progress line says what it would say."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
