"""Rows of one part that repeat rows of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 2**19
"""Numbers of a table that are turned into fingerprints at a time."""


def repeated_rows(
    x: np.ndarray, y: np.ndarray, train: np.ndarray, others: np.ndarray
) -> NDArray[np.int64]:
    """Return those of the other rows that some training row equals bit by bit, target included.

    Rows are told apart by 64 random bits each: of a million rows two different ones are taken for
    the same with a chance of one in ten million.

    Args:
        x: `(rows, features)`.
        y: `(rows,)` or `(rows, targets)`.
        train: numbers of the training rows.
        others: numbers of validation or test rows.

    Example:
        >>> x, y = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]), np.array([0, 1, 0])
        >>> repeated_rows(x, y, np.array([0, 1]), np.array([2]))
        array([2])
    """
    marks = _marks(x)
    target = np.unique(y, return_inverse=True, axis=0)[1].reshape(-1).astype(np.uint64)
    marks = marks * np.uint64(0x9E3779B97F4A7C15) + _mixed(target)
    found: NDArray[np.int64] = others[np.isin(marks[others], marks[train])]
    return found


def _marks(x: np.ndarray) -> NDArray[np.uint64]:
    """Return 64 bits a row: the sum of its cells, each mixed and times a random odd number."""
    kind = np.dtype(f"u{x.dtype.itemsize}")
    factors = np.random.default_rng(0).integers(0, 2**63, x.shape[1], dtype=np.uint64) * 2 + 1
    rows = max(1, _AT_ONCE // max(1, x.shape[1]))
    found = np.empty(len(x), dtype=np.uint64)
    for start in range(0, len(x), rows):
        bits = np.ascontiguousarray(x[start : start + rows]).view(kind).astype(np.uint64)
        found[start : start + rows] = _mixed(_mixed(bits) * factors).sum(1, dtype=np.uint64)
    return found


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all others (the finaliser of MurmurHash3, Appleby 2011)."""
    bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return bits ^ (bits >> np.uint64(33))
