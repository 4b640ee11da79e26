"""Training, validation and test rows: fixed by the split's number and what the source says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from slaf_automl.errors import DataError
from slaf_automl.training.data.parts import TEST, TO_SPLIT, TRAINING, VALIDATION

TEST_SHARE = 0.2
VALIDATION_SHARE = 0.2
"""Of the rows that are not test rows."""

LEAST_ROWS = 20


@dataclass(frozen=True)
class Split:
    """Row indices of the three parts."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Given:
    """What the source says of where rows belong, each `(rows,)` or None.

    Args:
        part: of `TO_SPLIT`, `VALIDATION`, `TEST` and `TRAINING`.
        groups: rows of one group stay in one part.
        times: the last rows are the test rows, those before them the validation rows.
    """

    part: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None

    @property
    def nothing(self) -> bool:
        """Whether it says nothing."""
        return self.part is None and self.groups is None and self.times is None


def split_rows(
    rows: int, labels: np.ndarray | None, number: int, given: Given | None = None
) -> Split:
    """Split rows: 20% test, 20% of the rest validation; at random, stratified by `labels`.

    Args:
        rows: number of rows.
        labels: class indices `(rows,)`, or None for regression.
        number: which split; the same number gives the same rows on every machine.
        given: what the source says; given parts stay as they are, groups are split whole, times in
            order (the number then changes nothing).

    Raises:
        DataError: fewer than 20 rows, or classes or groups too small to be in every part.
    """
    if rows < LEAST_ROWS:
        raise DataError(f"{rows} rows", expected=f"at least {LEAST_ROWS}", remedy="add rows")
    if isinstance(number, bool) or not hasattr(number, "__index__") or not 0 <= number < 2**32:
        raise DataError(f"split {number!r}", expected="an integer from 0")
    given, number = given or Given(), int(number)
    cut = _Cut(labels, number, given)
    part = np.full(rows, TO_SPLIT, dtype=np.int8) if given.part is None else given.part
    free = np.flatnonzero(part == TO_SPLIT)
    train, validation, test = (
        np.flatnonzero(part == kind) for kind in (TRAINING, VALIDATION, TEST)
    )
    if not len(test):
        source = free if len(free) else train
        rest, test = cut(source, TEST_SHARE)
        free, train = (rest, train) if len(free) else (free, rest)
    if not len(validation):
        source = free if len(free) else train
        rest, validation = cut(source, VALIDATION_SHARE)
        free, train = (rest, train) if len(free) else (free, rest)
    train = np.concatenate([free, train]) if len(train) else free
    for name, found in (("training", train), ("validation", validation), ("test", test)):
        if not len(found):
            raise DataError(f"no {name} rows", remedy="add rows, or leave the split to the library")
    if labels is not None:
        _require_every_class(labels, train, (validation, test), strict=given.nothing)
    return Split(train, validation, test)


@dataclass(frozen=True)
class _Cut:
    """Cuts a share of some rows off."""

    labels: np.ndarray | None
    number: int
    given: Given

    def __call__(
        self, rows: NDArray[np.int64], share: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rest and the share."""
        if self.given.times is not None:
            order = rows[np.argsort(self.given.times[rows], kind="stable")]
            count = max(1, round(share * len(order)))
            return order[:-count], order[-count:]
        if self.given.groups is not None:
            return self._groups(rows, self.given.groups[rows], share)
        try:
            rest, cut = train_test_split(
                rows,
                test_size=share,
                random_state=self.number,
                stratify=None if self.labels is None else self.labels[rows],
            )
        except ValueError as error:
            raise DataError(
                f"the rows cannot be split by class: {error}",
                remedy="drop or merge the rarest classes, or add rows",
            ) from None
        return rest, cut

    def _groups(
        self, rows: NDArray[np.int64], groups: np.ndarray, share: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if len(np.unique(groups)) < 3:
            raise DataError(
                f"{len(np.unique(groups))} groups", expected="at least 3, one for every part"
            )
        splitter = GroupShuffleSplit(1, test_size=share, random_state=self.number)
        rest, cut = next(splitter.split(rows, groups=groups))
        return rows[rest], rows[cut]


def _require_every_class(
    labels: np.ndarray, train: np.ndarray, others: tuple[np.ndarray, ...], *, strict: bool
) -> None:
    """Every class must be trained; in a split of our own every part must have every class."""
    for index, count in enumerate(np.bincount(labels)):
        parts = (train, *others) if strict else (train,)
        if any(index not in labels[part] for part in parts):
            where = "training, validation and test rows" if strict else "training rows"
            raise DataError(
                f"class number {index} has {count} rows, too few for {where}"
                if strict
                else f"class number {index} has no {where}",
                remedy="drop or merge the rarest classes, or add rows",
            )
