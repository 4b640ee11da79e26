"""How much each slot of a trained network minds being replaced."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.projection import TARGETS
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.replace import replace
from slaf_automl.spec import Slot


def own_start(slot: Slot) -> str:
    """Return the function that a SLAF starts as to continue what a slot holds, else ReLU.

    Example:
        >>> own_start(Slot("act", 0, 1, "gelu", 8, 1, 8)), own_start(Slot("a", 0, 1, "x", 8, 1, 8))
        ('gelu', 'relu')
    """
    return slot.activation if slot.activation in TARGETS else "relu"


def sensitivity_order(
    model: nn.Module,
    slots: tuple[Slot, ...],
    loss: Callable[[nn.Module], float],
    *,
    degree: int = 3,
    rewrite_calls: bool = False,
) -> tuple[int, ...]:
    """Return slot numbers in the order in which the search space's encoding `share` takes them.

    Each slot alone is replaced by the SLAF closest to what it holds; the slot whose replacement
    raises the loss least comes first.

    Args:
        model: trained, left as it is.
        slots: of this model.
        loss: network ↦ its loss on some batches, lower is better; called once a slot.
        degree: of the SLAF.
        rewrite_calls: as in `replace`.

    Raises:
        SlafError: a loss that is no number.
    """
    losses = []
    for slot in slots:
        spec = find_kind("slaf").spec(degree=degree, normaliser="none", start=own_start(slot))
        found = float(loss(replace(model, {slot: spec}, rewrite_calls=rewrite_calls)))
        # What no longer computes anything minds most.
        losses.append(math.inf if math.isnan(found) else found)
    if all(math.isinf(value) for value in losses):
        raise SlafError(
            f"the loss of {type(model).__name__} is not finite whichever slot is replaced",
            remedy="check the loss function on the network as it is",
        )
    return tuple(sorted(range(len(slots)), key=lambda i: losses[i]))
