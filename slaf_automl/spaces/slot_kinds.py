"""How the file of a network family says what its slots hold: slot by slot, or by a pattern."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from optuna.distributions import IntDistribution

from slaf_automl.spaces.patterns import COUNTED, counted_patterns, pattern_slots
from slaf_automl.spaces.schema import SpaceFile
from slaf_automl.spec import Scalar

SLOT = ("basis", "degree", "hybrid")
"""Dimensions of a SLAF slot: each has its own under `slots`, all have the same otherwise."""

Kinds = tuple[str, ...]
"""What each slot holds, by the name of its kind."""

_EVERY: dict[str, dict[str, tuple[str, Scalar]]] = {
    "slots": {"relu": ("slot.activation", "relu"), "slaf": ("slot.activation", "slaf")},
    "pattern": {"relu": ("pattern", "none"), "slaf": ("pattern", "all")},
}


def every_slot(file: SpaceFile, kind: str) -> tuple[str, Scalar]:
    """Return the dimension, and its value, that makes every slot `relu` or `slaf`."""
    return _EVERY[file.encoding][kind]


def public_names(file: SpaceFile, name: str, layers: int) -> tuple[str, ...]:
    """Return the Optuna names of a dimension of the file, for up to so many layers."""
    part = name.removeprefix("slot.")
    if part == name or file.encoding == "pattern":
        return (part,)
    return tuple(f"slot{i}.{part}" for i in range(layers))


def counts_slots(file: SpaceFile) -> bool:
    """Say whether some pattern of the file takes a number of slots."""
    return file.encoding == "pattern" and not set(COUNTED).isdisjoint(_patterns(file))


def slot_counts(layers: int) -> IntDistribution:
    """Return how many slots a pattern may count: one distribution, whatever the depth."""
    return IntDistribution(1, layers)


def extreme_kinds(file: SpaceFile, slots: int) -> tuple[Kinds, ...]:
    """Return what so many slots hold where no fewer of them can be SLAF, and last where most are.

    Every placement has the SLAFs of one of the first and perhaps more, and the last has them all.
    So none costs more than the costliest of these: each cost grows, or falls, with each SLAF,
    whatever the slot.
    """
    if file.encoding == "pattern":
        found = counted_patterns(_patterns(file), slots)
        taken = [frozenset(pattern_slots(*one, slots)) for one in found]
    else:
        kinds = file.dimensions["slot.activation"].values()
        ends = range(0 if "relu" in kinds else slots), range(slots if "slaf" in kinds else 0)
        taken = [frozenset(end) for end in ends]
    taken = sorted(set(taken), key=lambda learned: (len(learned), sorted(learned)))
    fewest = [one for one in taken if not any(other < one for other in taken)]
    return tuple(_kinds(one, slots) for one in (*fewest, taken[-1]))


def choose_slots(
    file: SpaceFile,
    choose: Callable[..., Any],
    layers: int,
    most: int,
) -> list[dict[str, Any]]:
    """Ask for what each slot holds: its `activation`, and a SLAF's own values.

    Args:
        file: the space.
        choose: asked with a dimension's name and its public name.
        layers: how many slots there are.
        most: how many there are in the deepest network of the space.
    """
    if file.encoding == "slots":
        slots = []
        for i in range(layers):
            slot = {"activation": choose("slot.activation", f"slot{i}.activation")}
            if slot["activation"] == "slaf":
                slot.update({name: choose(f"slot.{name}", f"slot{i}.{name}") for name in SLOT})
            slots.append(slot)
        return slots
    pattern = choose("pattern")
    count = choose("count", distribution=slot_counts(most)) if pattern in COUNTED else 1
    kinds = _kinds(pattern_slots(pattern, count, layers), layers)
    one = {name: choose(f"slot.{name}", name) for name in SLOT} if "slaf" in kinds else {}
    return [{"activation": kind, **(one if kind == "slaf" else {})} for kind in kinds]


def pattern_answers(file: SpaceFile, kinds: Kinds) -> dict[str, Scalar]:
    """Return the first pattern of the file, and its count, that gives these kinds; {} if none."""
    if file.encoding == "slots":
        return {}
    for pattern, count in counted_patterns(_patterns(file), len(kinds)):
        if _kinds(pattern_slots(pattern, count, len(kinds)), len(kinds)) == kinds:
            return {"pattern": pattern, "count": count}
    return {}


def _patterns(file: SpaceFile) -> list[str]:
    return [str(value) for value in file.dimensions["pattern"].values()]


def _kinds(learned: Collection[int], layers: int) -> Kinds:
    return tuple("slaf" if i in learned else "relu" for i in range(layers))
