"""What a space file promises: the distributions of its dimensions, and every degree of a SLAF."""

from __future__ import annotations

from optuna.distributions import BaseDistribution, IntDistribution

from slaf_automl.spaces.candidates import unused_dimensions
from slaf_automl.spaces.dimensions import Constant
from slaf_automl.spaces.inputs import may_learn_inputs
from slaf_automl.spaces.narrowest import depth_range, most_blocks, searches_slaf, slot_owners
from slaf_automl.spaces.schema import INPUTS, SpaceFile
from slaf_automl.spaces.slot_kinds import counts_slots, public_names, slot_counts


def promised_distributions(file: SpaceFile) -> dict[str, BaseDistribution]:
    """Return every dimension's distribution by its public name; what has no choice is none.

    Args:
        file: what `limit_space` left of the space for some data and budget.
    """
    unused = unused_dimensions(file)
    most = len(slot_owners(file, depth_range(file)[1], most_blocks(file)))
    found: dict[str, BaseDistribution] = {}
    for name, dimension in file.dimensions.items():
        if not isinstance(dimension, Constant) and name not in unused:
            found.update(dict.fromkeys(public_names(file, name, most), dimension.distribution))
    if counts_slots(file):
        found["count"] = slot_counts(most)
    return found


def promised_degrees(file: SpaceFile) -> tuple[int, ...]:
    """Return every degree that a SLAF in a slot, or a polynomial one of the inputs, may have."""
    found: set[int] = set()
    for name, some in (
        ("slot.degree", searches_slaf(file)),
        (INPUTS[2], may_learn_inputs(file, polynomials=True)),
    ):
        if some:
            dimension = file.dimensions[name]
            values = [int(value or 1) for value in dimension.values()]
            ranged = isinstance(getattr(dimension, "distribution", None), IntDistribution)
            found.update(range(min(values), max(values) + 1) if ranged else values)
    return tuple(sorted(found))
