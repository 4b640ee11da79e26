"""Arrays in memory: rows of any shape and their targets, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.labels import canonical_target
from slaf_automl.training.data.parts import TEST, TO_SPLIT, TRAINING, VALIDATION
from slaf_automl.training.data.table import shown

_LARGEST = float(np.finfo(np.float32).max)
_SCANNED = 2**20
"""Numbers that are checked at once, so that checking needs no memory to speak of."""


@dataclass(frozen=True, eq=False)
class ArraySet:
    """Rows of a data set that is not a table of columns: arrays, series, images.

    Args:
        source: where they came from, for people.
        x: `(rows, columns)`, `(rows, height, width)` or `(rows, channels, height, width)` of
            integers, floats or booleans, kept in their own dtype and not copied.
        y: `(rows,)` or `(rows, targets)`; held as int64, float64 or str (see `canonical_target`).
        part: `(rows,)` int8 of `TO_SPLIT`, `VALIDATION`, `TEST` and `TRAINING`; None is
            `TO_SPLIT` throughout.
        target: name of the target.
        features: a name for each number of a row; None where they have none.
        categorical: indices of the columns whose numbers are codes.

    Raises:
        DataError: shapes that do not fit together, fewer than two rows, a dtype that holds no
            numbers, a number that float32 cannot hold, NaN outside a table, or parts without a
            row to train on.

    Example:
        >>> ArraySet("made up", np.zeros((6, 8, 8), np.uint8), np.arange(6)).image
        (1, 8, 8)
    """

    source: str
    x: np.ndarray
    y: np.ndarray
    part: np.ndarray | None = None
    target: str = "label"
    features: tuple[str, ...] | None = None
    categorical: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._check_x()
        object.__setattr__(self, "y", canonical_target(self.source, self.target, self.y))
        if len(self.y) != len(self.x):
            raise DataError(
                f"{self.source}: {len(self.x)} rows of features, {len(self.y)} of target "
                f"{self.target!r}",
                expected="as many",
            )
        if len(self.x) < 2:
            raise DataError(
                f"{self.source} has {'no rows' if len(self.x) == 0 else '1 row'}",
                expected="at least two rows",
            )
        self._check_names()
        self._check_numbers()
        self._check_part()

    @property
    def image(self) -> tuple[int, int, int] | None:
        """Channels, height and width; None for a table's rows."""
        if self.x.ndim == 2:
            return None
        channels, height, width = (1, *self.x.shape[1:])[-3:]
        return channels, height, width

    def rows(self) -> np.ndarray:
        """Return the rows `(rows, numbers)`, channel by channel: a view of contiguous arrays."""
        return self.x.reshape(len(self.x), -1)

    def with_shape(self, shape: tuple[int, ...]) -> ArraySet:
        """Return the same numbers as rows of another shape.

        Args:
            shape: channels, height and width; or channels and length of a series (an image of
                height 1); or the number of columns.

        Raises:
            DataError: a row does not hold as many numbers, or a table's rows with gaps or codes
                are to become images.

        Example:
            >>> series = ArraySet("made up", np.zeros((6, 40)), np.arange(6))
            >>> series.with_shape((1, 40)).image, series.with_shape((2, 4, 5)).image
            ((1, 1, 40), (2, 4, 5))
        """
        sizes = tuple(shape)
        numbers = math.prod(self.x.shape[1:])
        whole = all(hasattr(n, "__index__") and not isinstance(n, bool) and n > 0 for n in sizes)
        if not whole or not 1 <= len(sizes) <= 3 or math.prod(sizes) != numbers:
            raise DataError(
                f"{self.source}: the shape {' x '.join(map(str, sizes)) or 'of nothing'} for rows "
                f"of {numbers} numbers",
                expected=f"channels x height x width or channels x length whose product is "
                f"{numbers}",
            )
        if len(sizes) == 2:
            sizes = (sizes[0], 1, sizes[1])
        return replace(self, x=self.x.reshape(len(self.x), *sizes))

    def _check_x(self) -> None:
        x = self.x
        if not isinstance(x, np.ndarray) or x.dtype.kind not in "biuf" or x.itemsize > 8:
            held = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
            raise DataError(
                f"{self.source}: the features are {held}",
                expected="an array of integers, floats or booleans",
                remedy="turn it into numbers, or read it as a table",
            )
        if x.ndim not in (2, 3, 4) or 0 in x.shape[1:]:
            raise DataError(
                f"{self.source}: features of the shape {x.shape}",
                expected="(rows, columns), (rows, height, width) or "
                "(rows, channels, height, width)",
            )
        # Torch reads the machine's own byte order only.
        object.__setattr__(self, "x", x.astype(x.dtype.newbyteorder("="), copy=False))

    def _check_names(self) -> None:
        numbers = math.prod(self.x.shape[1:])
        if self.features is not None:
            if len(self.features) != numbers:
                raise DataError(
                    f"{self.source}: {len(self.features)} names for {numbers} features",
                    expected="one name a feature",
                )
            if len(set(self.features)) < numbers or not all(self.features):
                raise DataError(
                    f"{self.source}: a name is empty or repeated among {shown(self.features)}",
                    expected="a name of its own for each feature",
                )
        if not self.categorical:
            return
        fits = all(0 <= column < numbers for column in self.categorical)
        if self.x.ndim != 2 or not fits or len(set(self.categorical)) < len(self.categorical):
            raise DataError(
                f"{self.source}: categorical columns {self.categorical} of rows of the shape "
                f"{self.x.shape[1:]}",
                expected="distinct indices of a table's columns",
            )

    def _check_numbers(self) -> None:
        x = self.x
        if x.dtype.kind != "f":
            return
        step = max(1, _SCANNED // math.prod(x.shape[1:]))
        for start in range(0, len(x), step):
            block = x[start : start + step]
            bad = ~np.isfinite(block)
            if x.itemsize > 4:
                bad |= np.abs(block) > _LARGEST
            if x.ndim == 2:
                bad &= ~np.isnan(block)
            if bad.any():
                place = tuple(int(i) for i in np.argwhere(bad)[0])
                raise self._bad_number((start + place[0], *place[1:]))

    def _bad_number(self, place: tuple[int, ...]) -> DataError:
        if self.features is None or len(place) > 2:
            where = f" at x[{', '.join(map(str, place))}]"
        else:
            where = f", column {self.features[place[1]]!r}"
        return DataError(
            f"{self.source}: row {place[0] + 1}{where}: {self.x[place]}",
            expected="a finite number that float32 can hold",
            remedy="correct or drop the row",
        )

    def _check_part(self) -> None:
        if self.part is None:
            return
        part = np.asarray(self.part)
        known = np.isin(part, (TO_SPLIT, VALIDATION, TEST, TRAINING))
        if part.shape != self.x.shape[:1] or not known.all():
            raise DataError(
                f"{self.source}: parts of the shape {part.shape} with values "
                f"{np.unique(part)[:8].tolist()}",
                expected=f"({len(self.x)},) of 0 to split, 1 validation, 2 test, 3 training",
            )
        if not np.isin(part, (TO_SPLIT, TRAINING)).any():
            raise DataError(
                f"{self.source}: every row is a validation or test row", remedy="add training rows"
            )
        object.__setattr__(self, "part", part.astype(np.int8, copy=False))
