"""A run folder: its lock, its storage and its studies."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal

import optuna

from slaf_automl.driver.identity import Identity, claim_study, require_same
from slaf_automl.driver.journal import HeldJournal
from slaf_automl.driver.sampling import pruner_for
from slaf_automl.driver.storage import open_storage, quiet_optuna, try_lock
from slaf_automl.errors import StudyError
from slaf_automl.files import make_folder, read_json, write_json

Direction = Literal["minimize", "maximize"]

_RUN = "run.json"


class RunFolder:
    """An open run folder; one search at a time may hold it.

    As a context manager it takes the folder's lock, which the kernel releases should the process
    die.

    Args:
        folder: made if it is not there.
        storage: an Optuna storage URL; None keeps a journal file in the folder.
    """

    def __init__(self, folder: Path, storage: str | None = None) -> None:
        self.folder = folder
        self._location = storage
        self._lock: IO[Any] | None = None
        self._journal: HeldJournal | None = None

    @property
    def checkpoints(self) -> Path:
        """Folder of the states at rungs."""
        return self.folder / "checkpoints"

    @property
    def confirmation(self) -> Path:
        """Folder of the confirmation's networks."""
        return self.folder / "confirmation"

    @property
    def bundle(self) -> Path:
        """Folder of the exported model."""
        return self.folder / "best"

    def __enter__(self) -> RunFolder:
        make_folder(self.folder)
        self._lock = (self.folder / "run.lock").open("ab")
        if not try_lock(self._lock):
            self._lock.close()
            raise StudyError(
                f"another search is running in {self.folder}",
                remedy="wait for it, stop it, or choose another folder",
            )
        try:
            for folder in (self.checkpoints, self.confirmation):
                make_folder(folder)
            self._storage, self._journal = open_storage(self._location, self.folder)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if self._journal is not None:
                self._journal.release()
        finally:
            self._unlock()

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Within the block, the journal is written when the function that it gives is called.

        A storage of another kind writes everything at once.
        """
        if self._journal is None:
            yield lambda: None
            return
        self._journal.hold()
        try:
            yield self._journal.flush
        finally:
            self._journal.release()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @property
    def alone(self) -> bool:
        """Whether the folder's lock proves that no other driver has the studies open."""
        return self._location is None

    def holds(self, arm: str) -> bool:
        """Say whether a search of this folder has used an arm of this name."""
        path = self.folder / _RUN
        return path.exists() and arm in read_json(path).get("arms", {})

    def _claim_folder(self, identity: Identity) -> None:
        """Write the identity into the folder, or check it: a storage elsewhere may be another."""
        path = self.folder / _RUN
        document: dict[str, Any] = {"schema": 1, "name": "", "arms": {}}
        if path.exists():
            document = read_json(path)
        stored = document["arms"].get(identity.arm)
        if stored is not None:
            require_same(stored, identity, str(self.folder))
            return
        document["name"] = (
            document["name"] or f"{self.folder.absolute().name}-{uuid.uuid4().hex[:8]}"
        )
        document["arms"][identity.arm] = asdict(identity)
        write_json(path, document)

    def _read_name(self) -> str:
        return str(read_json(self.folder / _RUN)["name"])

    def study(
        self,
        identity: Identity,
        direction: Direction | tuple[Direction, ...],
        reduction: int | None,
        *,
        folds: bool = False,
    ) -> optuna.Study:
        """Open or create the study of one arm.

        Args:
            identity: what it is a study of.
            direction: of its objective, or of each of several.
            reduction: 1/reduction of the trials at a rung go on; None: all do.
            folds: trials report single folds, and are pruned by them.

        Raises:
            StudyError: the study there is of another space, budget, data, metric or seed.
        """
        self._claim_folder(identity)
        name = identity.arm if self.alone else f"{self._read_name()}/{identity.arm}"
        pruner = pruner_for(reduction, folds=folds)
        directions = direction if isinstance(direction, tuple) else (direction,)
        # Looked up first: a journal keeps a line even of a creation that it refuses.
        with quiet_optuna():
            if name not in optuna.get_all_study_names(self._storage):
                optuna.create_study(
                    storage=self._storage, study_name=name, directions=list(directions)
                )
            study = optuna.load_study(study_name=name, storage=self._storage, pruner=pruner)
        claim_study(study, identity, str(self.folder))
        return study
