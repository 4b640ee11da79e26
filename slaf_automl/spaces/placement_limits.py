"""Holds a placement to limits: what was chosen, less what does not fit, more what must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from optuna.distributions import CategoricalDistribution

from slaf_automl.activations.bases import find_basis
from slaf_automl.activations.kinds import find_kind
from slaf_automl.errors import BudgetError
from slaf_automl.networks.model_cost import ModelCost, slot_cost
from slaf_automl.spaces.dimensions import Constant, Searched
from slaf_automl.spaces.encodings import Choices, Encoding
from slaf_automl.spaces.placement_file import ACTIVATIONS, SHARED, PlacementFile
from slaf_automl.spec import COSTS, ActivationSpec, Budget, Placement, Scalar, Slot
from slaf_automl.spec.budget import require_budget


@dataclass(frozen=True)
class Limits:
    """What a placement may cost.

    Args:
        total: limits of the whole network, the user's own part included; None for none.
        extra: limits of what the placement adds in parameters and macs; None for none.

    Raises:
        BudgetError: a limit on additions that no addition can have.
    """

    total: Budget | None = None
    extra: Budget | None = None

    def __post_init__(self) -> None:
        for name, budget in (("budget", self.total), ("extra", self.extra)):
            if budget is not None:
                require_budget(name, budget)
        if self.extra is not None and (bad := {"relus", "depth"} & set(self.extra.limits)):
            raise BudgetError(
                f"a limit on extra {sorted(bad)[0]}",
                expected="extra parameters or macs",
                remedy="limit relus and depth of the whole network by the budget",
            )

    def of(self, cost: ModelCost) -> dict[str, float]:
        """Return the limits of the whole network by the name of their cost."""
        limits: dict[str, float] = {} if self.total is None else dict(self.total.limits)
        alone = {"parameters": cost.parameters, "macs": cost.macs}
        for name, more in ({} if self.extra is None else self.extra.limits).items():
            limits[name] = min(limits.get(name, math.inf), alone[name] + more)
        return limits

    def forcing(self, cost: ModelCost) -> tuple[str, ...]:
        """Return which of `relus` and `depth` the network exceeds until slots are filled."""
        if self.total is None or not {"relus", "depth"} & set(self.total.limits):
            return ()
        exceeded = self.total.exceeded(cost.of().totals)
        return tuple(name for name in ("relus", "depth") if name in exceeded)


def limited_file(
    file: PlacementFile, cost: ModelCost, limits: Limits
) -> tuple[PlacementFile, BudgetError | None]:
    """Return the space without what the limits rule out for every slot, and what it lacks.

    Where the network as it is has too many ReLU evaluations, SLAFs are without clip; where it is
    too deep, every slot is a SLAF, without clip and hybrid share, on a polynomial basis. A space
    that cannot do so stays as it is there; should nothing fit then, the error says why.
    """
    forcing = limits.forcing(cost)
    wanted: list[tuple[str, Callable[[object], bool], str]] = []
    if forcing:
        wanted.append(("clip", lambda value: value is None, "null"))
    if "depth" in forcing:
        wanted += [
            ("slot.hybrid", lambda value: value == 0.0, "0.0"),
            ("slot.basis", lambda value: find_basis(value).polynomial, "a polynomial basis"),
            ("slot.activation", lambda value: value == "slaf", "slaf"),
            ("pattern", lambda value: value == "all", "all"),
        ]
    dimensions, lacking = dict(file.dimensions), None
    for name, fits, word in wanted:
        if name not in dimensions:
            continue
        kept = [value for value in dimensions[name].values() if fits(value)]
        if kept:
            found = Searched(CategoricalDistribution(kept))
            dimensions[name] = Constant(kept[0]) if len(kept) == 1 else found
        elif lacking is None:
            lacking = BudgetError(
                f"{name} of space {file.name!r} without {word}, which the limit on "
                f"{COSTS[forcing[-1]].word} needs",
                remedy=f"add {word} to its choices, or leave that limit out",
            )
    return replace(file, dimensions=dimensions), lacking


class Filling(NamedTuple):
    """What one slot holds, None for what it has, and what that costs for one example."""

    spec: ActivationSpec | None
    parameters: int
    macs: int
    relus: int
    depth: int | None


_NEEDED = {"keep": set(), "relu": {"normaliser"}, "slaf": set(SHARED)}

Fillings = Sequence[Filling]
"""One for each slot, in order of use."""


class Ledger:
    """Adds up what the fillings of all slots cost, as `ModelCost.of` does.

    Args:
        cost: of the network.
        slots: those that may be filled, in order of use.
        limits: to hold.
    """

    def __init__(self, cost: ModelCost, slots: tuple[Slot, ...], limits: Limits) -> None:
        self.cost, self.slots, self.limits = cost, slots, limits.of(cost)
        own = set(slots)
        self._others = [slot for slot in cost.slots if slot not in own]
        self._known: dict[tuple[int, ActivationSpec | None], Filling] = {}

    @property
    def keeping_is_cheapest(self) -> bool:
        """Whether no filling can save what is limited: slots are taken away, never filled."""
        return not self.cost.own and self.limits.keys() <= {"parameters", "macs"}

    def filling(self, i: int, spec: ActivationSpec | None) -> Filling:
        """Return what slot number i costs with a spec."""
        if (i, spec) not in self._known:
            stored, cost = slot_cost(self.slots[i], spec)
            self._known[i, spec] = Filling(spec, stored, cost.macs, cost.relus, cost.depth)
        return self._known[i, spec]

    def has_room(self, i: int, spec: ActivationSpec) -> bool:
        """Say whether slot number i has channels enough for a spec."""
        return find_kind(spec.kind).least_channels(spec) <= self.slots[i].channels

    def relus(self, fillings: Fillings) -> int:
        """Return the network's ReLU evaluations."""
        others = sum(slot_cost(slot, None)[1].relus for slot in self._others)
        return others + sum(filling.relus for filling in fillings)

    def allows(self, fillings: Fillings) -> bool:
        """Say whether a network with these fillings is within the limits."""
        return all(self.total(name, fillings) <= limit for name, limit in self.limits.items())

    def total(self, name: str, fillings: Fillings) -> float:
        """Return one cost of the network, by its name in `COSTS`."""
        if name == "macs":
            return self.cost.macs + sum(filling.macs for filling in fillings)
        if name == "relus":
            return self.relus(fillings)
        pairs = list(zip(self.slots, fillings, strict=True))
        if name == "depth":
            levels = {slot.id: filling.depth for slot, filling in pairs}
            return self.cost.graph.depth({**dict.fromkeys(s.id for s in self._others), **levels})
        gone = 0
        if self.cost.own:
            gone = self.cost.replaced({s: f.spec for s, f in pairs if f.spec is not None})
        return self.cost.parameters - gone + sum(filling.parameters for filling in fillings)

    def placement(self, fillings: Fillings) -> Placement:
        """Return the fillings as a placement."""
        specs = [(s, f.spec) for s, f in zip(self.slots, fillings, strict=True)]
        filled = [(slot, spec) for slot, spec in specs if spec is not None]
        return Placement(tuple(slot for slot, _ in filled), tuple(spec for _, spec in filled))


def fitted(
    ledger: Ledger, choices: Fillings, ways: Sequence[Fillings], *, may_keep: bool
) -> Fillings | None:
    """Return the choices, held to the limits.

    Choices within the limits are taken as they are. Otherwise, in order of use, each slot takes
    what was chosen if the slots after it can still be completed within the limits, by what was
    chosen or in one of the ways; else, if it may, it keeps what it has; else it takes what
    completes the slots before.

    Args:
        ledger: counts.
        choices: what was chosen for each slot.
        ways: fillings of all slots by which the limits may be held.
        may_keep: whether a slot may keep what it has.

    Returns:
        None if none of the ways holds the limits.
    """
    if ledger.allows(choices):
        return choices
    rest = next((way for way in ways if ledger.allows(way)), None)
    if rest is None:
        return None
    done: list[Filling] = []
    for i, choice in enumerate(choices):
        options = [choice, ledger.filling(i, None)] if may_keep else [choice]
        tried = ([*done, o, *way[i + 1 :]] for o in options for way in (choices, rest, *ways))
        rest = next((fillings for fillings in tried if ledger.allows(fillings)), rest)
        done.append(rest[i])
    return done


def ways_of(
    encoding: Encoding, ledger: Ledger, shared: Mapping[str, Scalar]
) -> tuple[Fillings, ...]:
    """Return fillings of all slots by which limits may be held, the one to fall back on first.

    Every slot keeps what it has; or is our ReLU; or is the cheapest SLAF of the space; or as few
    slots are that as bring the ReLU evaluations within their limit; or every slot is the SLAF with
    the most ReLU channels. A slot with too few channels for a SLAF has what it has in the first of
    these that the space allows.

    Args:
        encoding: says what the space allows.
        ledger: counts.
        shared: what filled slots share; empty if none is filled.
    """
    ways: list[Fillings] = []
    for kind in ACTIVATIONS:
        if kind in encoding.kinds and shared.keys() >= _NEEDED[kind]:
            ways.append(fillings_of(ledger, encoding.every(kind, shared), ways[:1]))
    if len(ways) > 1 and "relus" in ledger.limits:
        ways.append(_fewest(ledger, ways[0], ways[-1]))
    if "slaf" in encoding.kinds and shared.keys() >= _NEEDED["slaf"]:
        specs = encoding.every("slaf", shared, mostly_relu=True)
        ways.append(fillings_of(ledger, specs, ways[:1]))
    return tuple(ways)


def fillings_of(ledger: Ledger, specs: Choices, ways: Sequence[Fillings]) -> Fillings:
    """Return what was chosen, in slots too narrow for it what the first way says."""
    found = []
    for i, spec in enumerate(specs):
        narrow = spec is not None and not ledger.has_room(i, spec)
        instead = ways[0][i] if ways else ledger.filling(i, None)
        found.append(instead if narrow else ledger.filling(i, spec))
    return found


def _fewest(ledger: Ledger, kept: Fillings, filled: Fillings) -> Fillings:
    limit = ledger.limits["relus"]
    found = list(kept)
    for i in sorted(range(len(kept)), key=lambda i: filled[i].relus - kept[i].relus):
        if ledger.relus(found) <= limit:
            break
        found[i] = filled[i]
    return found


def nothing_fits(limits: Limits, ledger: Ledger, ways: Sequence[Fillings]) -> BudgetError:
    """Return the error that says what the network costs at least, in each of the ways."""
    budgets = [b for b in (limits.total, limits.extra) if b is not None]
    found: list[str] = []
    for way in ways:
        placement = ledger.placement(way)
        totals = ledger.cost.of(placement).totals
        numbers = " and ".join(f"{totals[n]:,.10g} {COSTS[n].word}" for n in ledger.limits)
        kinds = sorted({spec.kind for _, spec in placement})
        slots = f"{len(placement)} slot{'s' * (len(placement) != 1)}"
        what = f"with {' and '.join(kinds)} in {slots}" if kinds else "as it is"
        if (words := f"{what} ({numbers})") not in found:
            found.append(words)
    remedy = "raise the budget or widen the space"
    if "depth" in ledger.limits and (unknown := ledger.cost.graph.unknown):
        remedy = f"leave out the depth: {', '.join(unknown)} of the network are no polynomials"
    return BudgetError(
        "a budget of "
        + " and ".join(b.in_words() + (" more" if b is limits.extra else "") for b in budgets),
        expected="at least what the network has " + " or ".join(found),
        remedy=remedy,
    )
