"""How a placement is written as search dimensions: slot by slot, by a pattern, or by a share.

All three decode to the same thing: for each slot the activation chosen, or None to keep what the
network has there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, IntDistribution

from slaf_automl.activations.kinds import find_kind
from slaf_automl.spaces.dimensions import Chooser, Constant
from slaf_automl.spaces.placement_file import (
    OWN,
    OWN_START,
    PATTERNS,
    SHARED,
    SLOT,
    PlacementFile,
)
from slaf_automl.spec import ActivationSpec, Scalar

Choices = tuple[ActivationSpec | None, ...]
"""What each slot gets, in order of use; None keeps what is there."""


class Chosen(NamedTuple):
    """What each slot gets, and the values of `SHARED` that were asked for."""

    choices: Choices
    shared: Mapping[str, Scalar]


@dataclass(frozen=True)
class Encoding:
    """A placement file applied to a number of slots.

    Args:
        file: the space.
        starts: for each slot the function that `start: own` stands for.
        order: slot numbers in the order in which the encoding `share` takes them.
        prefix: before every dimension's name.
    """

    file: PlacementFile
    starts: tuple[str, ...]
    order: tuple[int, ...]
    prefix: str = ""

    @property
    def slots(self) -> int:
        """How many slots there are."""
        return len(self.starts)

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return every dimension by its public name."""
        found: dict[str, BaseDistribution] = {}
        own = OWN[self.file.encoding]
        for i in range(self.slots if self.file.encoding == "slots" else 1):
            for name in (*own, *SLOT):
                self._note(found, name, self._slot_name(name, i))
        if self._counted():
            found[f"{self.prefix}count"] = self._counts()
        for name in SHARED:
            self._note(found, name, name)
        return found

    def _note(self, found: dict[str, BaseDistribution], name: str, public: str) -> None:
        dimension = self.file.dimensions[name]
        if not isinstance(dimension, Constant):
            found[f"{self.prefix}{public}"] = dimension.distribution

    def _counted(self) -> bool:
        """Whether some placement is told by a number of slots."""
        if self.file.encoding == "pattern":
            return bool({"first", "last"} & set(self.file.dimensions["pattern"].values()))
        return self.file.encoding == "share"

    def choose(self, chooser: Chooser, *, shared_always: bool = False) -> Chosen:
        """Ask the chooser for what the placement needs, in order of use.

        Args:
            chooser: is asked.
            shared_always: ask what filled slots share even if no slot is chosen to be SLAF.
        """
        chosen: list[str] = []
        if self.file.encoding == "slots":
            own: list[dict[str, Scalar]] = []
            for i in range(self.slots):
                kind = str(self._ask(chooser, "slot.activation", f"slot{i}.activation"))
                chosen.append(kind)
                own.append(self._slot(chooser, i) if kind == "slaf" else {})
        else:
            chosen = self._kinds(chooser)
            one = self._slot(chooser, 0) if "slaf" in chosen else {}
            own = [one if kind == "slaf" else {} for kind in chosen]
        shared: dict[str, Scalar] = {}
        if "slaf" in chosen or shared_always:
            shared = {name: self._ask(chooser, name, name) for name in SHARED}
        elif "relu" in chosen:
            shared = {"normaliser": self._ask(chooser, "normaliser", "normaliser")}
        choices = tuple(
            slot_spec(kind, slot, shared, start)
            for kind, slot, start in zip(chosen, own, self.starts, strict=True)
        )
        return Chosen(choices, shared)

    def _kinds(self, chooser: Chooser) -> list[str]:
        if self.file.encoding == "share":
            count = int(chooser.choose(f"{self.prefix}count", self._counts()) or 0)
            taken = set(self.order[:count])
        else:
            pattern = str(self._ask(chooser, "pattern", "pattern"))
            count = 0
            if pattern in ("first", "last"):
                count = int(chooser.choose(f"{self.prefix}count", self._counts()) or 0)
            taken = set(pattern_slots(pattern, count, self.slots))
        return ["slaf" if i in taken else "keep" for i in range(self.slots)]

    def _slot(self, chooser: Chooser, i: int) -> dict[str, Scalar]:
        return {
            name.removeprefix("slot."): self._ask(chooser, name, self._slot_name(name, i))
            for name in SLOT
        }

    def _slot_name(self, name: str, i: int) -> str:
        part = name.removeprefix("slot.")
        return f"slot{i}.{part}" if self.file.encoding == "slots" else part

    def _ask(self, chooser: Chooser, name: str, public: str) -> Scalar:
        dimension = self.file.dimensions[name]
        if isinstance(dimension, Constant):
            return dimension.value
        return chooser.choose(f"{self.prefix}{public}", dimension.distribution)

    def _counts(self) -> IntDistribution:
        return IntDistribution(0 if self.file.encoding == "share" else 1, self.slots)

    def answers(self, choices: Choices) -> Iterator[dict[str, Scalar]]:
        """Yield sets of answers, among which is one that leads to these choices if any does."""
        learned = [
            (spec, start)
            for spec, start in zip(choices, self.starts, strict=True)
            if spec is not None and spec.kind == "slaf"
        ]
        some = learned[0][0] if learned else next((spec for spec in choices if spec), None)
        common = {} if some is None else {name: some.parameters.get(name) for name in SHARED}
        own = bool(learned) and all(spec["start"] == start for spec, start in learned)
        if own and OWN_START in self.file.dimensions["start"].values():
            common["start"] = OWN_START
        if self.file.encoding == "slots":
            for i, spec in enumerate(choices):
                common[f"slot{i}.activation"] = "keep" if spec is None else spec.kind
                common.update(self._slot_answers(spec, i))
            yield self._prefixed(common)
            return
        # Limits may have taken slots away or filled them more cheaply, so all are tried.
        for spec in dict.fromkeys([spec for spec, _ in learned]) or [None]:
            for pattern in PATTERNS:
                for count in range(self.slots + 1):
                    yield self._prefixed(
                        {
                            **common,
                            **self._slot_answers(spec, 0),
                            "pattern": pattern,
                            "count": count,
                        }
                    )
                    if pattern not in ("first", "last") and self.file.encoding == "pattern":
                        break

    def _slot_answers(self, spec: ActivationSpec | None, i: int) -> dict[str, Scalar]:
        if spec is None or spec.kind != "slaf":
            return {}
        return {self._slot_name(name, i): spec[name.removeprefix("slot.")] for name in SLOT}

    def _prefixed(self, answers: dict[str, Scalar]) -> dict[str, Scalar]:
        return {f"{self.prefix}{name}": value for name, value in answers.items()}


def pattern_slots(pattern: str, count: int, slots: int) -> Sequence[int]:
    """Return which slots a pattern fills.

    Example:
        >>> [list(pattern_slots(p, 2, 5)) for p in ("none", "all", "first", "last", "alternate")]
        [[], [0, 1, 2, 3, 4], [0, 1], [3, 4], [0, 2, 4]]
    """
    taken: dict[str, Callable[[], range]] = {
        "none": lambda: range(0),
        "all": lambda: range(slots),
        "first": lambda: range(min(count, slots)),
        "last": lambda: range(max(0, slots - count), slots),
        "alternate": lambda: range(0, slots, 2),
    }
    return taken[pattern]()


def slot_spec(
    kind: str, slot: Mapping[str, Scalar], shared: Mapping[str, Scalar], own_start: str
) -> ActivationSpec | None:
    """Return the spec of one slot from its own and the shared values; None for `keep`."""
    if kind == "keep":
        return None
    parameters: dict[str, Any] = {**shared, **slot}
    if parameters.get("start") == OWN_START:
        parameters["start"] = own_start
    if kind == "relu":
        parameters = {"normaliser": shared["normaliser"]}
    return find_kind(kind).spec(**parameters)
