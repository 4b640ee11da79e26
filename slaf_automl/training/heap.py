"""Keeps freed memory for the next step, where the C library would return it to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt (malloc.h)."""

_KEPT = 2**31 - 1, 2**30
"""Bytes at the heap's end that are kept, and of a request that still comes from the heap."""

_GIVEN_BACK = 2**26, 2**25
"""Where glibc's own adjustment of the two ends once maps of 32 MB were freed."""


@contextmanager
def kept_heap(wanted: bool) -> Iterator[None]:
    """Within the block the heap does not shrink; after it what is free goes back to the system.

    The maps of a convolutional network's step take tens of megabytes, which glibc returns to the
    system at the step's end and the next step gets anew, page by page, every page cleared: a third
    of the step's time. Elsewhere than on Linux with glibc nothing is done.

    Args:
        wanted: False does nothing.
    """
    library = _glibc() if wanted else None
    if library is None:
        yield
        return
    mallopt, trim = library
    _set(mallopt, _KEPT)
    try:
        yield
    finally:
        _set(mallopt, _GIVEN_BACK)
        trim(0)


def _set(mallopt: Callable[[int, int], int], limits: tuple[int, int]) -> None:
    mallopt(_TRIM_THRESHOLD, limits[0])
    mallopt(_MMAP_THRESHOLD, limits[1])


def _glibc() -> tuple[Callable[[int, int], int], Callable[[int], int]] | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    if not all(hasattr(library, name) for name in ("gnu_get_libc_version", "mallopt")):
        return None
    return library.mallopt, library.malloc_trim
