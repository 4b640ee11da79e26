"""Budgets: upper limits on what the deployed network costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.codec import Value, optional_field, require_integer
from slaf_automl.spec.cost import COSTS, Cost


@dataclass(frozen=True)
class Budget(Value):
    """Upper limits on what the deployed network costs, all of which hold.

    `COSTS` states what each counts. What is None has no limit, and is not written to JSON.

    Args:
        parameters: the largest number of stored values.
        macs: the most multiply-accumulates for one example.
        relus: the most ReLU and comparison evaluations for one example.
        depth: the greatest multiplicative depth.

    Raises:
        SpecError: no limit at all, or one that is no integer of at least 1 (`relus`: 0).

    Example:
        >>> Budget(5_000).in_words(), Budget(macs=20_000, relus=0).in_words()
        ('5,000 parameters', '20,000 macs and 0 ReLU evaluations')
        >>> Budget(parameters=5_000).allows(Cost((("layers.0.weight", 5_000),)))
        True
    """

    parameters: int | None = optional_field()
    macs: int | None = optional_field()
    relus: int | None = optional_field()
    depth: int | None = optional_field()

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            require_integer(f"Budget.{name}", limit, COSTS[name].least)
        if not self.limits:
            raise SpecError(
                "Budget without a limit", expected="at least one of " + ", ".join(COSTS)
            )

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are set, by the name of their cost."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: limit for name, limit in values.items() if limit is not None}

    def exceeded(self, totals: Mapping[str, float]) -> tuple[str, ...]:
        """Return the names of the costs whose limits these totals pass.

        Example:
            >>> Budget(parameters=100, relus=5).exceeded({"parameters": 99, "relus": 6})
            ('relus',)
        """
        return tuple(name for name, limit in self.limits.items() if totals[name] > limit)

    def allows(self, cost: Cost) -> bool:
        """Say whether a network of this cost is within the budget."""
        return not self.exceeded(cost.totals)

    def in_words(self) -> str:
        """Return the limits with their units, as messages name them."""
        parts = [f"{limit:,} {COSTS[name].word}" for name, limit in self.limits.items()]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def require_budget(where: str, value: object) -> None:
    """Raise a `SpecError` unless `value` is a `Budget`."""
    if not isinstance(value, Budget):
        raise SpecError(
            f"{where} {value!r}", expected="a Budget", remedy="such as Budget(parameters=300)"
        )
