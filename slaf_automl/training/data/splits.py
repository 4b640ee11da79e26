"""Training, validation and test rows: fixed by the split's number alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from slaf_automl.errors import DataError

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
"""Of the rows that are not test rows."""

_LEAST_ROWS = 20


@dataclass(frozen=True)
class Split:
    """Row indices of the three parts."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(rows: int, labels: np.ndarray | None, number: int) -> Split:
    """Split rows at random: 20% test, 20% of the rest validation; stratified by `labels`.

    Args:
        rows: number of rows.
        labels: class indices `(rows,)`, or None for regression.
        number: which split; the same number gives the same rows on every machine.

    Raises:
        DataError: fewer than 20 rows, or classes too small to be in every part.
    """
    if rows < _LEAST_ROWS:
        raise DataError(f"{rows} rows", expected=f"at least {_LEAST_ROWS}", remedy="add rows")
    if isinstance(number, bool) or not hasattr(number, "__index__") or not 0 <= number < 2**32:
        raise DataError(f"split {number!r}", expected="an integer from 0")
    number = int(number)
    indices = np.arange(rows)
    try:
        rest, test = train_test_split(
            indices, test_size=TEST_SHARE, random_state=number, stratify=labels
        )
        train, validation = train_test_split(
            rest,
            test_size=VALIDATION_SHARE,
            random_state=number,
            stratify=None if labels is None else labels[rest],
        )
    except ValueError as error:
        raise DataError(
            f"the rows cannot be split by class: {error}",
            remedy="drop or merge the rarest classes, or add rows",
        ) from None
    if labels is not None:
        _require_every_class(labels, (train, validation, test))
    return Split(train, validation, test)


def _require_every_class(labels: np.ndarray, parts: tuple[np.ndarray, ...]) -> None:
    for index, count in enumerate(np.bincount(labels)):
        if any(index not in labels[part] for part in parts):
            raise DataError(
                f"class number {index} has {count} rows, too few for training, validation and "
                "test rows",
                remedy="drop or merge the rarest classes, or add rows",
            )
