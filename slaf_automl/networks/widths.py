"""Widths from a budget: the largest network of a shape that fits, then every layer topped up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slaf_automl.activations.kinds import find_kind
from slaf_automl.errors import BudgetError
from slaf_automl.networks.cost import count_cost
from slaf_automl.spec import COSTS, ActivationSpec, Architecture, Budget

SHAPES = {"constant": 1.0, "decreasing": 0.5, "increasing": 2.0}
"""Width of each hidden layer as a multiple of the one before."""

Widths = tuple[int, ...]


@dataclass(frozen=True)
class WidthLimits:
    """The narrowest and the widest a layer may be."""

    least: int
    most: int


def solve_widths(
    shape: str,
    least: Widths,
    build: Callable[[Widths], Architecture],
    budget: Budget,
    most: int,
) -> Architecture:
    """Return the architecture whose widths use the budget up.

    Widths start as round(w·rˡ) for the shape's ratio r and the largest w that fits; then the layers
    grow one unit each in turn until none can without passing a limit of the budget or `most`. No
    cost falls as a layer grows, so bisection finds the largest.

    Args:
        shape: a name of `SHAPES`.
        least: the narrowest layers; see `least_widths`.
        build: widths ↦ architecture.
        budget: the limits.
        most: the widest that a layer may be.

    Raises:
        BudgetError: even the narrowest network is over the budget; the message says by which limit.
    """
    ratio = SHAPES[shape]

    def shaped(base: float) -> Widths:
        widths = (round(base * ratio**i) for i in range(len(least)))
        return tuple(min(max(w, low), most) for w, low in zip(widths, least, strict=True))

    def fits(widths: Widths) -> bool:
        return budget.allows(count_cost(build(widths)))

    if not fits(least):
        what = "the narrowest network of this depth and placement"
        raise too_small(budget, count_cost(build(least)).totals, what)
    widest = round(most / min(1.0, ratio ** (len(least) - 1)))
    base = _largest(widest, lambda base: fits(shaped(base)))
    return build(_top_up(shaped(base), fits, most))


def least_widths(
    placement: tuple[ActivationSpec, ...], owners: tuple[int, ...], limits: WidthLimits
) -> Widths:
    """Return the narrowest layers that the limits and the slots' specs allow.

    Args:
        placement: the spec of each slot.
        owners: for each slot, the number of the width that it has.
        limits: the narrowest and widest layer.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> half, none = find_kind("slaf").spec(hybrid=0.75), find_kind("relu").spec()
        >>> least_widths((none, half, none), (0, 0, 1), WidthLimits(1, 8))
        (2, 1)
    """
    least = [limits.least] * (max(owners) + 1)
    for spec, owner in zip(placement, owners, strict=True):
        least[owner] = max(least[owner], find_kind(spec.kind).least_channels(spec))
    return tuple(least)


def too_small(budget: Budget, needed: Mapping[str, float], what: str) -> BudgetError:
    """Return the error that says which limits are too small, and the smallest that would do.

    Args:
        budget: the budget.
        needed: what the cheapest possible network costs; passes the budget.
        what: that network, in words.

    Example:
        >>> print(too_small(Budget(5), {"parameters": 31}, "this table"))
        a budget of 5 parameters; expected at least 31 for this table; raise the budget
        >>> needed = {"parameters": 31, "macs": 20}
        >>> print(too_small(Budget(40, macs=9), needed, "this table"))  # doctest: +ELLIPSIS
        a budget of 40 parameters and 9 macs; expected at least 20 macs for this table; raise ...
    """
    names = budget.exceeded(needed)
    given = f"a budget of {budget.in_words()}"
    if any(needed[name] == math.inf for name in names):
        return BudgetError(
            given,
            expected=f"polynomials without ReLU and without clip in every slot of {what}",
            remedy="change the slots, or leave the depth limit out",
        )
    alone = len(budget.limits) == 1
    parts = [f"{needed[name]:,}" + ("" if alone else f" {COSTS[name].word}") for name in names]
    expected = f"at least {' and '.join(parts)} for {what}"
    return BudgetError(given, expected=expected, remedy="raise the budget")


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to `most` that fits; 0 does, and none beyond one that does not.

    Example:
        >>> _largest(100, lambda n: n * n <= 50)
        7
    """
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _top_up(widths: Widths, fits: Callable[[Widths], bool], most: int) -> Widths:
    """Grow the layers one unit each in turn until none can.

    What cannot grow once never can again, so whole rounds of those that can are made at once: under
    a limit that holds one layer back, another may have thousands of units to go.
    """
    grown = list(widths)
    growing = [i for i, width in enumerate(grown) if width < most]

    def after(rounds: int) -> list[int]:
        return [width + rounds * (i in growing) for i, width in enumerate(grown)]

    while growing:
        rounds = min(most - grown[i] for i in growing)
        grown = after(_largest(rounds, lambda rounds: fits(tuple(after(rounds)))))
        still = []
        for i in growing:
            wider = (*grown[:i], grown[i] + 1, *grown[i + 1 :])
            if grown[i] < most and fits(wider):
                grown = list(wider)
                still.append(i)
        growing = still
    return tuple(grown)
