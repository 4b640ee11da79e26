"""A journal that writes many records at once, for the one process that has a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from optuna.storages.journal import BaseJournalBackend


class HeldJournal(BaseJournalBackend):
    """Holds records back until `flush`, which appends them to another backend in one write.

    A suggestion is a dozen records, and each that is appended alone waits for the disk. What is
    held back reads as if it were written; a kill loses it, and leaves everything before it whole.
    Only for a journal that no other process writes.

    Args:
        backend: where records go.
    """

    def __init__(self, backend: BaseJournalBackend) -> None:
        self._backend = backend
        self._held: list[dict[str, Any]] = []
        self._stored: int | None = None
        self._holding = False

    def hold(self) -> None:
        """From here on hold records back."""
        self._holding = True

    def flush(self) -> None:
        """Write what was held back."""
        if self._held:
            # Counted first: what a failed write left of them is for the next reader to find.
            held, self._held = self._held, []
            self._stored = None if self._stored is None else self._stored + len(held)
            self._backend.append_logs(held)

    def release(self) -> None:
        """Write what was held back, and from here on every record at once."""
        self._holding = False
        self.flush()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Take records in."""
        # As they would come back from a file, so that nothing depends on when they are written.
        self._held += json.loads(json.dumps(logs))
        if not self._holding:
            self.flush()

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the records from a number on, written or held back."""
        if self._stored is None or log_number_from < self._stored or not self._holding:
            found = list(self._backend.read_logs(log_number_from))
            self._stored = log_number_from + len(found)
            yield from found
        yield from self._held[max(0, log_number_from - self._stored) :]
