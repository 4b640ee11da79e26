"""What fills one slot: a tagged union of a kind and its parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.codec import Value

Scalar = bool | int | float | str | None
"""What a parameter may be: plain JSON, nothing nested."""


class Parameters(Mapping[str, Scalar]):
    """An immutable, hashable mapping of parameter names to scalars, ordered by name."""

    def __init__(self, items: Mapping[str, Scalar]) -> None:
        for name, value in items.items():
            scalar = isinstance(value, (bool, int, float, str, type(None)))
            finite = not isinstance(value, float) or math.isfinite(value)
            if not isinstance(name, str) or not scalar or not finite:
                given = f"activation parameter {name!r}: {value!r}"
                raise SpecError(given, expected="a finite scalar")
        self._items = dict(sorted(items.items()))

    def __getitem__(self, name: str) -> Scalar:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._items == dict(other)

    def __repr__(self) -> str:
        return repr(self._items)


@dataclass(frozen=True)
class ActivationSpec(Value):
    """What fills one slot: a `kind` (`"relu"`, `"slaf"`, …) and that kind's parameters.

    The registered kind (`slaf_automl.activations.kinds`) validates the parameters and fills in the
    defaults; use its constructors rather than this class where a literal is wanted.

    Raises:
        SpecError: the kind is not a name or a parameter is not a scalar.

    Example:
        >>> ActivationSpec("relu", {"normaliser": "none"})["normaliser"]
        'none'
    """

    kind: str
    parameters: Mapping[str, Scalar]

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or not self.kind.isidentifier():
            raise SpecError(f"activation kind {self.kind!r}", expected="a name such as 'relu'")
        if not isinstance(self.parameters, Mapping):
            raise SpecError(f"activation parameters {self.parameters!r}", expected="a mapping")
        object.__setattr__(self, "parameters", Parameters(self.parameters))

    def __getitem__(self, name: str) -> Scalar:
        return self.parameters[name]
