"""How a placement is written as search dimensions: slot by slot, by a pattern, or by a share.

All three decode to the same thing: for each slot the activation chosen, or None to keep what the
network has there.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from optuna.distributions import BaseDistribution, IntDistribution

from slaf_automl.activations.kinds import find_kind
from slaf_automl.spaces.dimensions import Chooser, Constant, Dimension, Searched
from slaf_automl.spaces.patterns import COUNTED, counted_patterns, pattern_slots
from slaf_automl.spaces.placement_file import (
    OWN,
    OWN_START,
    SHARED,
    SLOT,
    PlacementFile,
)
from slaf_automl.spec import ActivationSpec, Scalar

_OWN_NAMES = tuple(name.removeprefix("slot.") for name in SLOT)

Choices = tuple[ActivationSpec | None, ...]
"""What each slot gets, in order of use; None keeps what is there."""


class Chosen(NamedTuple):
    """For each slot the kind that was chosen and a SLAF's own values, and those of `SHARED`."""

    kinds: tuple[str, ...]
    own: tuple[Mapping[str, Scalar], ...]
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

    @property
    def kinds(self) -> tuple[str, ...]:
        """What a slot may hold, of `ACTIVATIONS`."""
        if self.file.encoding == "slots":
            return tuple(map(str, self.file.dimensions["slot.activation"].values()))
        patterns = self.file.dimensions.get("pattern", Constant("all")).values()
        return ("keep",) if set(patterns) == {"none"} else ("keep", "slaf")

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return every dimension by its public name."""
        found: dict[str, BaseDistribution] = {}
        own = (*OWN[self.file.encoding], *(SLOT if "slaf" in self.kinds else ()))
        for i in range(self.slots if self.file.encoding == "slots" else 1):
            for name in own:
                self._note(found, name, self._slot_name(name, i))
        if self._counted():
            found[f"{self.prefix}count"] = self._counts()
        for name in self._shared(self.kinds):
            self._note(found, name, name)
        return found

    def _note(self, found: dict[str, BaseDistribution], name: str, public: str) -> None:
        dimension = self.file.dimensions[name]
        if not isinstance(dimension, Constant):
            found[f"{self.prefix}{public}"] = dimension.distribution

    def _counted(self) -> bool:
        """Whether some placement is told by a number of slots."""
        if self.file.encoding == "pattern":
            return bool(set(COUNTED) & set(self.file.dimensions["pattern"].values()))
        return self.file.encoding == "share"

    def choose(self, chooser: Chooser, *, shared_always: bool = False) -> Chosen:
        """Ask the chooser for what the placement needs, in order of use.

        Args:
            chooser: is asked.
            shared_always: ask what filled slots share even if no slot is chosen to be filled.
        """
        kinds: list[str] = []
        own: list[Mapping[str, Scalar]] = []
        if self.file.encoding == "slots":
            for i in range(self.slots):
                kinds.append(str(self._ask(chooser, "slot.activation", f"slot{i}.activation")))
                own.append(self._slot(chooser, i) if kinds[i] == "slaf" else {})
        else:
            kinds = self._kinds(chooser)
            one = self._slot(chooser, 0) if "slaf" in kinds else {}
            own = [one if kind == "slaf" else {} for kind in kinds]
        names = self._shared(self.kinds if shared_always else kinds)
        shared = {name: self._ask(chooser, name, name) for name in names}
        return Chosen(tuple(kinds), tuple(own), shared)

    @staticmethod
    def _shared(kinds: Collection[str]) -> tuple[str, ...]:
        """Return the names of the values that slots of these kinds share."""
        return SHARED if "slaf" in kinds else ("normaliser",) if "relu" in kinds else ()

    def specs(self, chosen: Chosen, shared: Mapping[str, Scalar]) -> Choices:
        """Return what was chosen for each slot, with these shared values."""
        return tuple(
            slot_spec(kind, slot, shared, start)
            for kind, slot, start in zip(chosen.kinds, chosen.own, self.starts, strict=True)
        )

    def every(
        self, kind: str, shared: Mapping[str, Scalar], *, mostly_relu: bool = False
    ) -> Choices:
        """Return the cheapest specs of one kind for all slots; see `least`."""
        least = self.least(mostly_relu=mostly_relu)
        return tuple(slot_spec(kind, least, shared, start) for start in self.starts)

    def least(self, *, mostly_relu: bool = False) -> dict[str, Scalar]:
        """Return the cheapest values of a slot's own dimensions.

        Args:
            mostly_relu: with the greatest hybrid share, which has the fewest coefficients, rather
                than the smallest, which has the fewest ReLUs.
        """
        values = {name: self.file.dimensions[f"slot.{name}"].values() for name in _OWN_NAMES}
        return {
            "basis": values["basis"][0],
            "degree": min(int(v or 1) for v in values["degree"]),
            "hybrid": (max if mostly_relu else min)(float(v or 0.0) for v in values["hybrid"]),
        }

    def every_shared(self) -> Iterator[dict[str, Scalar]]:
        """Yield all shared values, of ranges the ends."""
        values = [self.file.dimensions[name].values() for name in SHARED]
        for found in itertools.product(*values):
            yield dict(zip(SHARED, found, strict=True))

    def _kinds(self, chooser: Chooser) -> list[str]:
        if self.file.encoding == "share":
            count = int(chooser.choose(f"{self.prefix}count", self._counts()) or 0)
            taken = set(self.order[:count])
        else:
            pattern = str(self._ask(chooser, "pattern", "pattern"))
            count = 0
            if pattern in COUNTED:
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

    def answers(self, choices: Choices, *, only_less: bool) -> Iterator[dict[str, Scalar]]:
        """Yield sets of answers, among which is one that leads to these choices if any does.

        The first says what they are. The others, under `pattern` and `share`, say what limits may
        have turned into them: slots may have been taken away, or filled more cheaply.

        Args:
            choices: what each slot holds.
            only_less: the limits do nothing but take slots away.
        """
        learned = [
            (spec, start)
            for spec, start in zip(choices, self.starts, strict=True)
            if spec is not None and spec.kind == "slaf"
        ]
        some = learned[0][0] if learned else next((spec for spec in choices if spec), None)
        common: dict[str, Scalar] = {n: self.file.dimensions[n].values()[0] for n in SHARED}
        if some is not None:
            common |= {name: some[name] for name in SHARED if name in some.parameters}
        own = bool(learned) and all(spec["start"] == start for spec, start in learned)
        if own and OWN_START in self.file.dimensions["start"].values():
            common["start"] = OWN_START
        if self.file.encoding == "slots":
            for i, spec in enumerate(choices):
                kind = "keep" if spec is None else spec.kind
                # A slot that must be a SLAF, and is too narrow for any, keeps what it has.
                common[f"slot{i}.activation"] = kind if kind in self.kinds else "slaf"
                common |= self._slot_answers(self.least() if spec is None else spec.parameters, i)
            yield self._prefixed(common)
            return
        filled = {i for i, spec in enumerate(choices) if spec is not None}
        told = self._likely_first(filled)
        least = self.least()
        found = [{name: spec[name] for name in least} for spec, _ in learned] or [least]
        tried = [(common, slot) for i, slot in enumerate(found) if slot not in found[:i]]
        cheap = [least, self.least(mostly_relu=True)]
        if only_less and learned:
            told = [one for one in told if filled <= set(self._taken(*one))]
            tried = tried if len(tried) == 1 else []  # One form for all slots is as chosen.
        elif all(slot in cheap for slot in found):  # What was chosen may have gone without a trace.
            shares = [common] if learned else self.every_shared()
            tried += itertools.product(shares, self._costliest_first())
        for shared, slot in tried:
            for pattern, count in told:
                answers = {**shared, **self._slot_answers(slot, 0)}
                yield self._prefixed({**answers, "pattern": pattern, "count": count})

    def _counted_patterns(self) -> list[tuple[str, int]]:
        if self.file.encoding == "share":
            return [("share", count) for count in range(self.slots + 1)]
        return counted_patterns(map(str, self.file.dimensions["pattern"].values()), self.slots)

    def _likely_first(self, filled: set[int]) -> list[tuple[str, int]]:
        """Return the patterns and counts, those first that limits may most simply have turned into.

        Limits take slots away more often than they add some, and few of either. The patterns take
        turns, so that the counts of one do not keep the others waiting.
        """

        def rank(told: tuple[str, int]) -> tuple[bool, int]:
            taken = set(self._taken(*told))
            return not taken >= filled, len(taken ^ filled)

        turns: Counter[str] = Counter()
        found = []
        for pattern, count in sorted(self._counted_patterns(), key=rank):
            found.append((turns[pattern], pattern, count))
            turns[pattern] += 1
        return [(pattern, count) for _, pattern, count in sorted(found, key=lambda told: told[0])]

    def _taken(self, pattern: str, count: int) -> Sequence[int]:
        if pattern == "share":
            return self.order[:count]
        return pattern_slots(pattern, count, self.slots)

    def _costliest_first(self) -> list[dict[str, Scalar]]:
        values = [_all(self.file.dimensions[name]) for name in SLOT]
        found = [dict(zip(_OWN_NAMES, own, strict=True)) for own in itertools.product(*values)]
        return sorted(found, key=lambda own: (-int(own["degree"] or 0), float(own["hybrid"] or 0)))

    def _slot_answers(self, own: Mapping[str, Scalar], i: int) -> dict[str, Scalar]:
        return {self._slot_name(f"slot.{n}", i): own[n] for n in _OWN_NAMES if n in own}

    def _prefixed(self, answers: dict[str, Scalar]) -> dict[str, Scalar]:
        return {f"{self.prefix}{name}": value for name, value in answers.items()}


def _all(dimension: Dimension) -> Sequence[Scalar]:
    """Return all values of a dimension, of a range of numbers that are not whole the ends."""
    if isinstance(dimension, Searched) and isinstance(dimension.distribution, IntDistribution):
        return range(dimension.distribution.low, dimension.distribution.high + 1)
    return dimension.values()


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
