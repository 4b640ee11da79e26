"""Which part of the data each row belongs to, where its source says so."""

from __future__ import annotations

import numpy as np

TO_SPLIT = 0
"""The library decides: it draws the parts that were not given from these rows."""

VALIDATION = 1
TEST = 2

TRAINING = 3
"""A training row that stays one, because validation and test rows were given with it."""


def given_parts(training: int, validation: int = 0, test: int = 0) -> np.ndarray | None:
    """Return the parts of rows in the order training, validation, test.

    With both validation and test rows, nothing is left to draw: the training rows stay what they
    are. Without one of them, it is drawn from the training rows.

    Args:
        training: number of training rows.
        validation: number of validation rows.
        test: number of test rows.

    Returns:
        `(rows,)` int8, or None where only training rows were given.

    Example:
        >>> given_parts(2, 1, 1)
        array([3, 3, 1, 2], dtype=int8)
        >>> given_parts(2, test=1)
        array([0, 0, 2], dtype=int8)
    """
    if not validation and not test:
        return None
    first = TRAINING if validation and test else TO_SPLIT
    return np.repeat(
        np.array([first, VALIDATION, TEST], dtype=np.int8), [training, validation, test]
    )
