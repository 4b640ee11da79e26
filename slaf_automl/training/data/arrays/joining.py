"""Arrays of several pieces put one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slaf_automl.errors import DataError


def join(source: str, names: Sequence[str], pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Return the pieces `(rows, *shape)` as one array; a single one as it is, without a copy.

    Args:
        source: where they came from, for people.
        names: what each piece is called there.
        pieces: at least one array.

    Raises:
        DataError: pieces whose rows differ in shape, or integers beside floats or text.

    Example:
        >>> join("made up", ["a", "b"], [np.zeros((2, 3)), np.ones((1, 3))]).shape
        (3, 3)
    """
    first = pieces[0]
    for name, piece in zip(names, pieces, strict=True):
        if piece.shape[1:] != first.shape[1:]:
            raise DataError(
                f"{source}: the rows of {names[0]} have the shape {first.shape[1:]}, those of "
                f"{name} {piece.shape[1:]}",
                expected="one shape",
            )
        # Pixels from 0 to 255 beside pixels from 0 to 1 would be learned from without a word.
        if _kind(piece) != _kind(first):
            raise DataError(
                f"{source}: {names[0]} holds {first.dtype}, {name} {piece.dtype}",
                expected="one kind of values",
                remedy="convert one of them",
            )
    return first if len(pieces) == 1 else np.concatenate(pieces)


def _kind(array: np.ndarray) -> str:
    return array.dtype.kind.replace("u", "i")
