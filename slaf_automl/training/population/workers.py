"""Threads that step a population's groups side by side."""

from __future__ import annotations

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
        """Return what each job returns, in order; the first runs in the calling thread."""
        if self._pool is None or len(jobs) < 2:
            return [job() for job in jobs]
        others = [self._pool.submit(job) for job in jobs[1:]]
        return [jobs[0](), *(other.result() for other in others)]


def balanced(weights: Sequence[float], count: int) -> list[list[int]]:
    """Share out numbers 0 … n − 1 of these weights so that the heaviest share is light.

    Example:
        >>> balanced([5.0, 1.0, 4.0, 3.0], 2)
        [[0, 1], [2, 3]]
    """
    shares: list[list[int]] = [[] for _ in range(max(1, min(count, len(weights))))]
    totals = [0.0] * len(shares)
    for i in sorted(range(len(weights)), key=lambda i: -weights[i]):
        lightest = totals.index(min(totals))
        shares[lightest].append(i)
        totals[lightest] += weights[i]
    return shares
