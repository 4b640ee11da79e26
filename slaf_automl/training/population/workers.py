"""Threads that step a population's groups side by side."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import torch

T = TypeVar("T")


class Workers:
    """Runs independent jobs on as many threads as torch would use, each with one of torch's own.

    Small matrices gain nothing from being cut among threads, and wait for them; whole groups of
    lanes do gain. As a context manager it gives torch its threads back.

    Args:
        count: threads; 1 runs everything where it is called.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._before = 1
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Workers:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)
        if self.count > 1:
            self._pool = ThreadPoolExecutor(self.count - 1, "slaf_automl population")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        torch.set_num_threads(self._before)

    def run(self, jobs: Sequence[Callable[[], T]]) -> list[T]:
        """Return what each job returns, in order; whoever is free takes the next job."""
        if self._pool is None or len(jobs) < 2:
            return [job() for job in jobs]
        found: dict[int, T] = {}
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for i in range(len(jobs)):
            waiting.put(i)

        def work() -> None:
            while True:
                try:
                    i = waiting.get_nowait()
                except queue.Empty:
                    return
                found[i] = jobs[i]()

        others = [self._pool.submit(work) for _ in range(min(self.count, len(jobs)) - 1)]
        try:
            work()
        finally:
            errors = [other.exception() for other in others]  # waits for them
        for error in errors:
            if error is not None:
                raise error
        return [found[i] for i in range(len(jobs))]
