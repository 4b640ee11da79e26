"""Turns the trained activations of anyone's network into what is stored of them."""

from __future__ import annotations

import copy

from torch import nn

from slaf_automl.activations.standalone import deploy_alone
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.functional import attribute_of
from slaf_automl.networks.slots.in_place import InPlace
from slaf_automl.networks.slots.replace import put_in_place_of
from slaf_automl.networks.slots.sequence import CallSequence
from slaf_automl.spec import Placement, Slot


def deploy_slots(model: nn.Module, placement: Placement) -> nn.Module:
    """Return a copy of a network that `replace` made, its activations deployed, in evaluation mode.

    Each filled slot becomes a `Standalone`: plain polynomials and affine maps without statistics,
    which export like any other operation. The numbers that the copy's state holds are those that
    `ModelCost.of(placement).parameters` counts.

    Args:
        model: what `replace(…, placement)` returned, trained.
        placement: the placement.

    Raises:
        SlafError: a slot that does not hold what the placement says, or whose statistics were never
            set.
    """
    new = copy.deepcopy(model).eval()
    for slot, spec in placement:
        trained = _filled(new, slot)
        if trained is None:
            raise SlafError(
                f"slot {slot.id!r} of {type(model).__name__} holds no activation of ours",
                remedy="give the network that replace returned for this placement",
            )
        device = next((t.device for t in trained.state_dict().values()), None)
        alone = deploy_alone(trained, spec, slot.channels, channel_dim=slot.channel_dim)
        put_in_place_of(new, trained, alone if device is None else alone.to(device))
    return new


def _filled(model: nn.Module, slot: Slot) -> nn.Module | None:
    """Return the module that fills a slot."""
    try:
        if slot.form == "call":
            found = getattr(
                model.get_submodule(slot.path), attribute_of(slot.activation, slot.call)
            )
        else:
            found = model.get_submodule(slot.path)
    except AttributeError:
        return None
    if isinstance(found, CallSequence) and slot.form != "call":
        found = found.activations[slot.call]
    found = found.activation if isinstance(found, InPlace) else found
    return found if isinstance(found, nn.Module) else None
