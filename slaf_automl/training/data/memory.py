"""Whether a table fits into memory, asked before it is read."""

from __future__ import annotations

import os

from slaf_automl.errors import DataError

LARGE = 2**24
"""From so many numbers on a table is kept in float32, which halves it."""

COPIES = 3
"""Of the float32 array: as it is read, its parts, and the standardised inputs."""


def require_memory(source: str, rows: int, columns: int) -> None:
    """Raise a `DataError` if three float32 copies of a table are more than the free memory.

    Args:
        source: what to call it.
        rows: its rows.
        columns: its columns.
    """
    free, needed = free_memory(), COPIES * 4 * rows * columns
    if free is not None and needed > free:
        raise DataError(
            f"{source}: {rows:,} rows × {columns:,} columns take {needed / 2**30:.1f} GiB to train",
            expected=f"at most the {free / 2**30:.1f} GiB that are free",
            remedy="train on a part of the rows or columns, or on a larger machine",
        )


def free_memory() -> int | None:
    """Return the bytes that new data may take; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
