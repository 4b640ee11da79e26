"""Widths from a budget: the largest network of a shape that fits, then every layer topped up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from slaf_automl.activations.kinds import find_kind
from slaf_automl.errors import BudgetError
from slaf_automl.networks.cost import count_cost
from slaf_automl.spec import ActivationSpec, Architecture, Budget

SHAPES = {"constant": 1.0, "decreasing": 0.5, "increasing": 2.0}
"""Width of each hidden layer as a multiple of the one before."""


@dataclass(frozen=True)
class WidthLimits:
    """The narrowest and the widest a layer may be."""

    least: int
    most: int


def solve_widths(
    shape: str,
    placement: tuple[ActivationSpec, ...],
    build: Callable[[tuple[int, ...]], Architecture],
    budget: Budget,
    limits: WidthLimits,
) -> Architecture:
    """Return the architecture whose widths use the budget up.

    Widths start as round(w·rˡ) for the shape's ratio r and the largest w that fits; then the layers
    grow one unit each in turn until none can without passing the budget or `limits.most`.

    Args:
        shape: a name of `SHAPES`.
        placement: the spec of each hidden layer; its length is the depth.
        build: widths ↦ architecture.
        budget: the limit.
        limits: the narrowest and widest layer.

    Raises:
        BudgetError: even the narrowest network is over the budget.
    """
    ratio = SHAPES[shape]
    least = least_widths(placement, limits)

    def shaped(base: float) -> tuple[int, ...]:
        widths = (round(base * ratio**i) for i in range(len(placement)))
        return tuple(min(max(w, low), limits.most) for w, low in zip(widths, least, strict=True))

    def fits(widths: tuple[int, ...]) -> bool:
        return budget.allows(count_cost(build(widths)))

    if not fits(least):
        needed = count_cost(build(least)).parameters
        raise BudgetError(
            f"a budget of {budget.parameters:,} parameters",
            expected=f"at least {needed:,} for the narrowest network of this depth and placement",
            remedy="raise the budget",
        )
    low, high = 0, round(limits.most / min(1.0, ratio ** (len(placement) - 1)))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(shaped(middle)) else (low, middle - 1)
    return build(_top_up(shaped(low), fits, limits.most))


def least_widths(placement: tuple[ActivationSpec, ...], limits: WidthLimits) -> tuple[int, ...]:
    """Return the narrowest layers that the limits and the slots' specs allow."""
    return tuple(max(limits.least, find_kind(spec.kind).least_channels(spec)) for spec in placement)


def _top_up(
    widths: tuple[int, ...], fits: Callable[[tuple[int, ...]], bool], most: int
) -> tuple[int, ...]:
    grown = list(widths)
    growing = True
    while growing:
        growing = False
        for i in range(len(grown)):
            if grown[i] < most:
                grown[i] += 1
                if fits(tuple(grown)):
                    growing = True
                else:
                    grown[i] -= 1
    return tuple(grown)
