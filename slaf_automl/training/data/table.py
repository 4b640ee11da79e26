"""A table in memory: columns of numbers and categories, and what is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slaf_automl.errors import DataError

MISSING = "(missing)"
"""The level of a category's empty cells."""

_SHOWN = 8


@dataclass(frozen=True)
class Table:
    """Features and target of one table, as its source has them.

    Args:
        source: where it came from, for people.
        features: column names in order.
        x: `(rows, features)` of any kind of number; NaN where a number is missing, and the number
            of the level in a category.
        target: name of the target column; of several, joined by commas.
        y: `(rows,)`: int64, float64 or str, as the source had it; several targets are
            `(rows, targets)` float64.
        image: channels, height and width where the features are an image's pixels, channel by
            channel and row by row; None for a table.
        levels: for each feature its levels if it is a category, None if it is a number; None where
            all are numbers.
        part: `(rows,)`, where each row belongs, of `TO_SPLIT`, `VALIDATION`, `TEST` and `TRAINING`;
            None where the source does not say.
        groups: `(rows,)`; rows of one group stay in one part. None where there are none.
        times: `(rows,)`, increasing in time; the test rows are the last. None for a random split.
        targets: names of several target columns; None for one.

    Raises:
        DataError: shapes that do not fit together, or a number that is infinite.
    """

    source: str
    features: tuple[str, ...]
    x: np.ndarray
    target: str
    y: np.ndarray
    image: tuple[int, int, int] | None = None
    levels: tuple[tuple[str, ...] | None, ...] | None = None
    part: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    targets: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        rows = len(self.y)
        wanted = (rows,) if self.targets is None else (rows, len(self.targets))
        if self.x.shape != (rows, len(self.features)) or self.y.shape != wanted:
            raise DataError(
                f"{self.source}: features {self.x.shape}, target {self.y.shape}",
                expected=f"({rows}, {len(self.features)}) and {wanted}",
            )
        if self.levels is not None and len(self.levels) != len(self.features):
            raise DataError(f"{self.source}: levels for {len(self.levels)} columns")
        for name in ("part", "groups", "times"):
            given = getattr(self, name)
            if given is not None and given.shape != (rows,):
                raise DataError(f"{self.source}: {name} {given.shape}", expected=f"({rows},)")
        if self.x.dtype.kind == "f":
            require_finite(self.source, self.x, self.features)

    def is_category(self, feature: int) -> bool:
        """Whether a feature is a category."""
        return self.levels is not None and self.levels[feature] is not None


def require_finite(source: str, x: np.ndarray, names: tuple[str, ...]) -> None:
    """Raise a `DataError` that names the first infinite cell of `x` `(rows, names)`."""
    for start in range(0, len(x), 65_536):  # A mask of a large table would take a quarter of it.
        infinite = np.isinf(x[start : start + 65_536])
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise DataError(
                f"{source}: row {start + row + 1}, column {names[column]!r}: "
                f"{x[start + row, column]}",
                expected="a finite number that float32 can hold",
                remedy="correct or drop the row",
            )


def shown(names: tuple[str, ...]) -> str:
    """Join column names for a message, cut after a few."""
    listed = ", ".join(repr(name) for name in names[:_SHOWN])
    return listed + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
