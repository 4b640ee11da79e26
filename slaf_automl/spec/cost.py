"""Budgets, and what a deployed network costs."""

from __future__ import annotations

from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.codec import Value, require_integer, require_type, require_types


@dataclass(frozen=True)
class Cost(Value):
    """What the deployed network stores, part by part.

    Args:
        parts: name and number of stored values of each tensor, in order of use.

    Example:
        >>> Cost((("layers.0.weight", 12), ("layers.0.bias", 3))).parameters
        15
    """

    parts: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        require_types("Cost.parts", self.parts, tuple)
        for part in self.parts:
            if len(part) != 2:
                raise SpecError(f"Cost part {part!r}", expected="a name and a count")
            name, count = part
            require_type("Cost part's name", name, str)
            require_integer(f"Cost of {name}", count, 0)

    @property
    def parameters(self) -> int:
        """Number of values the deployed network stores."""
        return sum(count for _, count in self.parts)


@dataclass(frozen=True)
class Budget(Value):
    """Upper limit on what the deployed network stores.

    Args:
        parameters: the largest number of stored values.

    Raises:
        SpecError: not an integer of at least 1.

    Example:
        >>> Budget(parameters=5_000).allows(Cost((("layers.0.weight", 5_000),)))
        True
    """

    parameters: int

    def __post_init__(self) -> None:
        require_integer("Budget.parameters", self.parameters, 1)

    def allows(self, cost: Cost) -> bool:
        """Say whether a network of this cost is within the budget."""
        return cost.parameters <= self.parameters
