"""What a deployed network costs, part by part, in each of a small registry of costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.codec import Value, require_integer, require_type, require_types


@dataclass(frozen=True)
class CostKind:
    """One way in which a deployed network costs something.

    A further cost (bytes, …) is an entry in `COSTS`, a property of `Cost` and a field of `Budget`
    of the same name.

    Args:
        name: the word used in budgets and files.
        word: its unit in messages, in the plural.
        least: the smallest limit that means anything.
        convention: what is counted and what is not.
    """

    name: str
    word: str
    least: int
    convention: str


COSTS: Mapping[str, CostKind] = {
    kind.name: kind
    for kind in (
        CostKind(
            "parameters",
            "parameters",
            1,
            "Values that the deployed network stores: the elements of its state. Normalisers, "
            "standardisation, clip ranges and the SLAFs' constants count nothing where they fold "
            "into a layer.",
        ),
        CostKind(
            "macs",
            "macs",
            1,
            "Multiply-accumulates for one example: weights × places of a layer, degree for "
            "each learned channel, Horner and Clenshaw counted alike. Not counted: biases, "
            "centring, and what the elements of a basis that is not polynomial take inside.",
        ),
        CostKind(
            "relus",
            "ReLU evaluations",
            0,
            "ReLU and comparison evaluations for one example: 1 for each ReLU channel, 2 for each "
            "learned channel that is clipped (a minimum and a maximum), 3 for a maximum over 2×2, "
            "1 over 1×2. Not counted: comparisons inside the elements of a basis that is not "
            "polynomial.",
        ),
        CostKind(
            "depth",
            "levels of multiplicative depth",
            1,
            "Multiplications one after another: 1 for a linear layer and ⌈log₂(degree+1)⌉ for a "
            "slot, the least that any evaluation of its polynomial needs (Horner's rule itself "
            "takes degree). Infinite with any ReLU channel, clip or basis that is not polynomial.",
        ),
    )
}
"""Every cost that a budget can limit, by name."""


@dataclass(frozen=True)
class Operations:
    """What a layer or a slot computes for one example.

    Args:
        name: the layer or slot, such as `layers.0`.
        macs: multiply-accumulates.
        relus: ReLU and comparison evaluations.
        depth: multiplicative depth; None where it is not a polynomial.

    Raises:
        SpecError: a count that is no integer of at least 0.
    """

    name: str
    macs: int = 0
    relus: int = 0
    depth: int | None = 0

    def __post_init__(self) -> None:
        require_type("Operations.name", self.name, str)
        require_integer(f"Operations.macs of {self.name}", self.macs, 0)
        require_integer(f"Operations.relus of {self.name}", self.relus, 0)
        if self.depth is not None:
            require_integer(f"Operations.depth of {self.name}", self.depth, 0)


@dataclass(frozen=True)
class Cost(Value):
    """What the deployed network stores and computes, part by part, in order of use.

    `COSTS` states the convention of each total.

    Args:
        parts: name and number of stored values of each tensor.
        operations: what each layer and slot computes for one example.

    Raises:
        SpecError: a part without a name and a count, or a count below 0.

    Example:
        >>> layer = Operations("layers.0", macs=12, depth=1)
        >>> cost = Cost((("layers.0.weight", 12), ("layers.0.bias", 3)), (layer,))
        >>> cost.parameters, cost.macs, cost.relus, cost.depth
        (15, 12, 0, 1)
    """

    parts: tuple[tuple[str, int], ...]
    operations: tuple[Operations, ...] = ()

    def __post_init__(self) -> None:
        require_types("Cost.parts", self.parts, tuple)
        for part in self.parts:
            if len(part) != 2:
                raise SpecError(f"Cost part {part!r}", expected="a name and a count")
            name, count = part
            require_type("Cost part's name", name, str)
            require_integer(f"Cost of {name}", count, 0)
        require_types("Cost.operations", self.operations, Operations)

    @property
    def parameters(self) -> int:
        """Number of values the deployed network stores."""
        return sum(count for _, count in self.parts)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one example."""
        return sum(part.macs for part in self.operations)

    @property
    def relus(self) -> int:
        """ReLU and comparison evaluations for one example."""
        return sum(part.relus for part in self.operations)

    @property
    def depth(self) -> float:
        """Multiplicative depth from input to output, `math.inf` where not polynomial."""
        levels = [part.depth for part in self.operations]
        return math.inf if None in levels else sum(level or 0 for level in levels)

    @property
    def totals(self) -> dict[str, float]:
        """Every total by the name of its cost."""
        return {name: getattr(self, name) for name in COSTS}
