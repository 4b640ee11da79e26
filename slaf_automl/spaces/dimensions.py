"""The values a dimension may take, and how one is chosen from a trial or from stored parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from slaf_automl.errors import SpaceError
from slaf_automl.spec import Scalar


@dataclass(frozen=True)
class Constant:
    """A dimension that is not searched."""

    value: Scalar

    def values(self) -> tuple[Scalar, ...]:
        """Return the one value."""
        return (self.value,)


@dataclass(frozen=True)
class Searched:
    """A dimension that Optuna searches: a distribution under a public name."""

    distribution: BaseDistribution

    def values(self) -> tuple[Scalar, ...]:
        """Return the choices, or the two ends of a range."""
        if isinstance(self.distribution, CategoricalDistribution):
            return tuple(self.distribution.choices)
        assert isinstance(self.distribution, (IntDistribution, FloatDistribution))
        return (self.distribution.low, self.distribution.high)


Dimension = Constant | Searched

_OTHERS = ("dynamic value space", "different distribution kind", "different log configuration")
"""What Optuna says where a study has another distribution under the same name."""


class Chooser(Protocol):
    """Chooses one value for a named distribution."""

    def choose(self, name: str, distribution: BaseDistribution) -> Scalar:
        """Return the value."""


@dataclass(frozen=True)
class TrialChooser:
    """Lets an Optuna trial suggest.

    Raises:
        SpaceError: it is no trial, or its study has other values under a dimension's name.
    """

    trial: BaseTrial

    def __post_init__(self) -> None:
        if not isinstance(self.trial, BaseTrial):
            raise SpaceError(
                f"a trial of type {type(self.trial).__name__}",
                expected="the optuna.trial.Trial that Optuna hands to the objective",
            )

    def choose(self, name: str, distribution: BaseDistribution) -> Scalar:
        """Return the trial's suggestion."""
        try:
            return self._suggested(name, distribution)
        except ValueError as error:
            if not any(words in str(error) for words in _OTHERS):
                raise
            raise SpaceError(
                f"dimension {name!r} has other values in this study: another space, budget or data "
                "has used it",
                expected=described(distribution),
                remedy="give each a study of its own",
            ) from error

    def _suggested(self, name: str, distribution: BaseDistribution) -> Scalar:
        if isinstance(distribution, CategoricalDistribution):
            return self.trial.suggest_categorical(name, distribution.choices)
        if isinstance(distribution, IntDistribution):
            return self.trial.suggest_int(
                name, distribution.low, distribution.high, log=distribution.log
            )
        assert isinstance(distribution, FloatDistribution)
        return self.trial.suggest_float(
            name, distribution.low, distribution.high, log=distribution.log
        )


@dataclass(frozen=True)
class StoredChooser:
    """Reads stored parameters; one that is missing or out of range raises a `SpaceError`."""

    parameters: Mapping[str, Scalar]

    def choose(self, name: str, distribution: BaseDistribution) -> Scalar:
        """Return the stored value."""
        if name not in self.parameters:
            raise SpaceError(f"parameter {name!r} is missing", expected=described(distribution))
        value = self.parameters[name]
        if not contains(distribution, value):
            raise SpaceError(f"{name} = {value!r}", expected=described(distribution))
        if isinstance(distribution, IntDistribution) and isinstance(value, float):
            return int(value)  # JSON of other languages may have made 3 a 3.0.
        return value


def contains(distribution: BaseDistribution, value: Scalar) -> bool:
    """Say whether a stored value is in a distribution, by type and range."""
    if isinstance(distribution, CategoricalDistribution):
        return any(type(value) is type(c) and value == c for c in distribution.choices)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    if not distribution.low <= value <= distribution.high:
        return False
    return isinstance(distribution, FloatDistribution) or value == int(value)


def dimension_lines(dimensions: Mapping[str, Dimension], encoding: str) -> list[str]:
    """Return the public name and the values of each dimension of a space file, one a line.

    Example:
        >>> print(*dimension_lines({"slot.degree": Constant(3)}, "slots"))
          slot<i>.degree       always 3
    """
    slot = "slot<i>." if encoding == "slots" else ""
    lines = []
    for name, dimension in dimensions.items():
        values = (
            f"always {dimension.value}"
            if isinstance(dimension, Constant)
            else described(dimension.distribution)
        )
        lines.append(f"  {name.replace('slot.', slot):20} {values}")
    return lines


def described(distribution: BaseDistribution) -> str:
    """Say in a few words which values a distribution holds.

    Example:
        >>> described(IntDistribution(1, 3))
        'an integer from 1 to 3'
    """
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(map(str, distribution.choices))
    assert isinstance(distribution, (IntDistribution, FloatDistribution))
    noun = "an integer" if isinstance(distribution, IntDistribution) else "a number"
    scale = ", log scale" if distribution.log else ""
    return f"{noun} from {distribution.low:g} to {distribution.high:g}{scale}"
