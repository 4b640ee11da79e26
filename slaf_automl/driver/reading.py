"""Reading the studies of a run without taking part: nothing is locked, mended or written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend

from slaf_automl.driver.storage import quiet_optuna
from slaf_automl.errors import SlafError, StudyError
from slaf_automl.files import read_json

_SCHEMA = 1


class ReadJournal(BaseJournalBackend):
    """A journal file that another process may be writing; every look takes in what is whole.

    Args:
        path: the file. A last line without its end is left for the next look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = [0]

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the whole records from a number on."""
        first = min(log_number_from, len(self._starts) - 1)
        with self._path.open("rb") as file:
            file.seek(self._starts[first])
            for number, line in enumerate(file, start=first):
                if not line.endswith(b"\n"):
                    return
                if number + 1 == len(self._starts):
                    self._starts.append(self._starts[number] + len(line))
                if number >= log_number_from:
                    yield json.loads(line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuse.

        Raises:
            StudyError: always.
        """
        raise StudyError(f"{self._path} is open for reading only")


@dataclass(frozen=True)
class ReadStudies:
    """The studies of a run, as they are now.

    Args:
        storage: what holds them; a journal file takes no changes through it.
        arms: arm ↦ its study, the mix first.
        identities: arm ↦ what it is a study of, as `run.json` has it.
    """

    storage: BaseStorage
    arms: Mapping[str, optuna.Study]
    identities: Mapping[str, Mapping[str, Any]]


def read_studies(folder: Path, location: str | None = None) -> ReadStudies:
    """Open the studies of a run folder for reading.

    Args:
        folder: the run folder; another search may be running in it.
        location: the Optuna storage URL that the search was given, None for its journal file.

    Raises:
        StudyError: the folder is no run, or one of a newer version, or its storage cannot be
            opened or holds no study of it.
    """
    name, identities = _read_run(folder)
    journal = folder / "study.journal"
    if location is None and not journal.is_file():
        raise StudyError(
            f"{folder} keeps its trials in another storage",
            remedy="give --storage as its search had it",
        )
    with quiet_optuna():
        storage = _open(journal, location)
        there = set(optuna.get_all_study_names(storage))
        arms = {}
        for arm in identities:
            study = arm if location is None else f"{name}/{arm}"
            if study in there:
                arms[arm] = optuna.load_study(study_name=study, storage=storage)
    if not arms:
        where = str(journal) if location is None else f"storage {location!r}"
        raise StudyError(
            f"{where} holds no study of {folder}", remedy="start the search of that folder again"
        )
    return ReadStudies(storage, arms, identities)


def _read_run(folder: Path) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """Return a run's name and the identities of its arms."""
    path = folder / "run.json"
    if not folder.is_dir():
        raise StudyError(f"no folder {folder}", expected="the run folder of a search (its --out)")
    if not path.is_file():
        raise StudyError(
            f"{folder} is not a run folder: it has no run.json",
            expected="the run folder of a search (its --out)",
        )
    try:
        document = read_json(path)
        schema, name = document["schema"], str(document["name"])
        arms = {arm: dict(identity) for arm, identity in document["arms"].items()}
    except (SlafError, KeyError, TypeError, ValueError, AttributeError):
        raise StudyError(f"{path} is damaged", remedy="search in another folder") from None
    if schema != _SCHEMA:
        raise StudyError(
            f"{path} has schema {schema!r}",
            expected=f"schema {_SCHEMA}",
            remedy="read it with the version of slaf_automl that wrote it",
        )
    order = {"mix": 0, "relu": 1}
    return name, {arm: arms[arm] for arm in sorted(arms, key=lambda a: (order.get(a, 2), a))}


def _open(journal: Path, location: str | None) -> BaseStorage:
    try:
        if location is None:
            return JournalStorage(ReadJournal(journal))
        database = Path(location.partition("///")[2])
        if location.startswith("sqlite:") and not database.is_file():  # or it would be made
            raise FileNotFoundError(f"no file {database}")
        return RDBStorage(location, skip_table_creation=True)
    except Exception as error:
        if location is None:
            raise StudyError(f"{journal} is damaged: {str(error)[:200]}") from None
        # Whatever a database driver raises: missing module, refused connection, wrong password.
        raise StudyError(
            f"cannot open storage {location!r}: {type(error).__name__}: {str(error)[:200]}",
            expected="the Optuna storage URL that the search was given",
        ) from None
