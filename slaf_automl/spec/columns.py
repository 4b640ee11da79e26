"""What a network's inputs are made of: the columns of a table as a user has them."""

from __future__ import annotations

from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.codec import require_type, require_types


@dataclass(frozen=True)
class Column:
    """One column of a table and the network inputs it gives.

    A number gives one input, and a second one, 1 where the number is missing, if it has gaps. A
    category gives an input for each level, 1 where the row has it; with `other` one more for all
    other levels, those that training never saw included. Without `other` they give zeros.

    Args:
        name: of the column.
        levels: of a category; empty for a number.
        other: whether a category's other levels have an input.
        gaps: whether a number may be missing.

    Raises:
        SpecError: a number with `other`, a category with gaps, or a repeated level.

    Example:
        >>> Column("colour", ("blue", "red"), other=True).inputs
        ('colour=blue', 'colour=red', 'colour: other')
        >>> Column("age", gaps=True).inputs
        ('age', 'age is missing')
    """

    name: str
    levels: tuple[str, ...] = ()
    other: bool = False
    gaps: bool = False

    def __post_init__(self) -> None:
        require_type("Column.name", self.name, str)
        require_types(f"levels of column {self.name!r}", self.levels, str)
        require_type("Column.other", self.other, bool)
        require_type("Column.gaps", self.gaps, bool)
        if len(set(self.levels)) != len(self.levels):
            raise SpecError(f"a repeated level of column {self.name!r}")
        if self.gaps if self.levels else self.other:
            raise SpecError(
                f"column {self.name!r} with {'gaps' if self.gaps else 'other levels'}",
                expected="gaps of a number, other levels of a category",
            )

    @property
    def is_category(self) -> bool:
        """Whether it is a category."""
        return bool(self.levels)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network inputs it gives."""
        if not self.levels:
            return (self.name, f"{self.name} is missing") if self.gaps else (self.name,)
        named = tuple(f"{self.name}={level}" for level in self.levels)
        return (*named, f"{self.name}: other") if self.other else named
