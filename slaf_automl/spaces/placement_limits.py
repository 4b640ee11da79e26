"""Holds a placement to limits: what was chosen, less what does not fit, more what must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from optuna.distributions import CategoricalDistribution

from slaf_automl.activations.bases import find_basis
from slaf_automl.activations.kinds import find_kind
from slaf_automl.errors import BudgetError
from slaf_automl.networks.model_cost import ModelCost
from slaf_automl.spaces.dimensions import Constant, Dimension, Searched
from slaf_automl.spaces.encodings import Choices
from slaf_automl.spaces.placement_file import PlacementFile
from slaf_automl.spec import COSTS, ActivationSpec, Budget, Placement, Slot

Cheapest = Callable[[Slot], ActivationSpec]
"""Slot ↦ the spec that it gets where a limit leaves no choice."""


@dataclass(frozen=True)
class Limits:
    """What a placement may cost.

    Args:
        total: limits of the whole network, the user's own part included; None for none.
        extra: limits of what the placement adds in parameters and macs; None for none.
    """

    total: Budget | None = None
    extra: Budget | None = None

    def allows(self, cost: ModelCost, placement: Placement) -> bool:
        """Say whether a placement is within the limits."""
        whole = cost.of(placement)
        if self.total is not None and not self.total.allows(whole):
            return False
        if self.extra is None:
            return True
        alone = cost.of().totals
        return all(
            whole.totals[name] - alone[name] <= limit for name, limit in self.extra.limits.items()
        )

    def forcing(self, cost: ModelCost) -> tuple[str, ...]:
        """Return which of `relus` and `depth` the network exceeds until slots are filled."""
        if self.total is None:
            return ()
        exceeded = self.total.exceeded(cost.of().totals)
        return tuple(name for name in ("relus", "depth") if name in exceeded)


def require_limits(limits: Limits) -> None:
    """Raise a `BudgetError` for limits on additions that no addition can have."""
    if limits.extra is not None and (bad := {"relus", "depth"} & set(limits.extra.limits)):
        raise BudgetError(
            f"a limit on extra {sorted(bad)[0]}",
            expected="extra parameters or macs",
            remedy="limit relus and depth of the whole network by the budget",
        )


def limited_file(file: PlacementFile, cost: ModelCost, limits: Limits) -> PlacementFile:
    """Return the space without what the limits rule out for every slot.

    Where the network as it is has too many ReLU evaluations, SLAFs must be without clip; where it
    is too deep, every slot must be a SLAF, without clip and hybrid share, on a polynomial basis.

    Raises:
        BudgetError: the space lacks a value that the limits leave no choice but to take.
    """
    forcing = limits.forcing(cost)
    wanted: list[tuple[str, Callable[[object], bool], str]] = []
    if forcing:
        wanted.append(("clip", lambda value: value is None, "null"))
        if "slot.activation" in file.dimensions:
            wanted.append(("slot.activation", lambda value: value != "relu", "keep or slaf"))
    if "depth" in forcing:
        wanted += [
            ("slot.hybrid", lambda value: value == 0.0, "0.0"),
            ("slot.basis", lambda value: find_basis(value).polynomial, "a polynomial basis"),
        ]
        if "slot.activation" in file.dimensions:
            wanted.append(("slot.activation", lambda value: value == "slaf", "slaf"))
        if "pattern" in file.dimensions:
            wanted.append(("pattern", lambda value: value == "all", "all"))
    dimensions = dict(file.dimensions)
    for name, fits, word in wanted:
        dimensions[name] = _kept(file, name, dimensions[name], fits, word, forcing[-1])
    return replace(file, dimensions=dimensions)


def _kept(
    file: PlacementFile,
    name: str,
    dimension: Dimension,
    fits: Callable[[object], bool],
    word: str,
    limit: str,
) -> Dimension:
    kept = [value for value in dimension.values() if fits(value)]
    if not kept:
        raise BudgetError(
            f"{name} of space {file.name!r} without {word}, which the limit on "
            f"{COSTS[limit].word} needs",
            remedy=f"add {word} to its choices, or leave that limit out",
        )
    if len(kept) == 1:
        return Constant(kept[0])
    return Searched(CategoricalDistribution(kept))


def fitted(
    slots: tuple[Slot, ...],
    choices: Choices,
    cost: ModelCost,
    limits: Limits,
    cheapest: Cheapest | None,
) -> Placement:
    """Return the placement of the choices, held to the limits.

    In order of use each slot takes what was chosen if the slots after it can still be completed
    within the limits, either by keeping all of them or by filling all of them as cheaply as the
    space can; else it keeps what it has; else it is filled as cheaply. A choice that a slot has too
    few channels for is kept out likewise.

    Args:
        slots: in order of use.
        choices: what was chosen for each.
        cost: of the network.
        limits: to hold.
        cheapest: fills slots where the network as it is exceeds a limit; None where it does not.

    Raises:
        BudgetError: neither the network as it is nor the one with all slots filled is within the
            limits; the message names what each of them costs.
    """
    fills: list[ActivationSpec | None] = [None] * len(slots)
    if cheapest is not None:
        specs = [cheapest(slot) for slot in slots]
        fills = [s if _has_room(slot, s) else None for slot, s in zip(slots, specs, strict=True)]

    def placement(
        done: list[ActivationSpec | None], rest: list[ActivationSpec | None]
    ) -> Placement:
        pairs = [(s, c) for s, c in zip(slots, [*done, *rest], strict=True) if c is not None]
        return Placement(tuple(s for s, _ in pairs), tuple(c for _, c in pairs))

    def possible(done: list[ActivationSpec | None]) -> bool:
        left = len(slots) - len(done)
        rests: tuple[list[ActivationSpec | None], ...] = ([None] * left, fills[len(done) :])
        return any(limits.allows(cost, placement(done, rest)) for rest in rests)

    if not possible([]):
        raise _nothing_fits(cost, limits, placement([], list(fills)))
    done: list[ActivationSpec | None] = []
    for slot, choice, fill in zip(slots, choices, fills, strict=True):
        options = [choice, None, fill]
        if choice is not None and not _has_room(slot, choice):
            options = options[1:]
        done = next([*done, option] for option in options if possible([*done, option]))
    return placement(done, [])


def _has_room(slot: Slot, spec: ActivationSpec) -> bool:
    return find_kind(spec.kind).least_channels(spec) <= slot.channels


def _nothing_fits(cost: ModelCost, limits: Limits, filled: Placement) -> BudgetError:
    alone, full = cost.of().totals, cost.of(filled).totals
    budgets = [b for b in (limits.total, limits.extra) if b is not None]
    names = [name for name in COSTS if any(name in budget.limits for budget in budgets)]

    def words(totals: dict[str, float]) -> str:
        return " and ".join(f"{totals[name]:,.10g} {COSTS[name].word}" for name in names)

    return BudgetError(
        "a budget of "
        + " and ".join(b.in_words() + (" more" if b is limits.extra else "") for b in budgets),
        expected=f"at least what the network has as it is ({words(alone)}) or with every slot "
        f"filled as cheaply as the space can ({words(full)})",
        remedy="raise the budget or widen the space",
    )
