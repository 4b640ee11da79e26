"""Turns the trained activations of anyone's network into what is stored of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from torch import Tensor, nn

from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.slaf import SLAF, learned_channels, require_hybrid
from slaf_automl.activations.standalone import deploy_alone
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.functional import attribute_of
from slaf_automl.networks.slots.in_place import InPlace
from slaf_automl.networks.slots.replace import placement_of, put_in_place_of
from slaf_automl.networks.slots.sequence import CallSequence
from slaf_automl.networks.slots.trace import require_plain
from slaf_automl.spec import ActivationSpec, Placement, Slot


def deploy_slots(
    model: nn.Module, placement: Placement | Mapping[Slot, ActivationSpec]
) -> nn.Module:
    """Return a copy of a network that `replace` made, its activations deployed, in evaluation mode.

    Each filled slot becomes a `Standalone`: plain polynomials and affine maps without statistics,
    which export like any other operation. Forward hooks, dtype and device stay. The numbers that
    the copy's state holds are those that `ModelCost.of(placement).parameters` counts.

    Args:
        model: what `replace(…, placement)` returned, trained.
        placement: the placement.

    Raises:
        SlafError: no network or no placement; a slot that does not hold what the placement says, or
            whose statistics were never set.
    """
    placement = placement_of(placement)
    require_plain(model)
    new = copy.deepcopy(model).eval()
    for slot, spec in placement:
        trained = _filled(new, slot)
        if trained is None or not _says(slot, spec, trained):
            raise SlafError(
                f"slot {slot.id!r} of {type(model).__name__} does not hold what the placement says",
                remedy="give the network that replace returned for this placement",
            )
        alone = deploy_alone(trained, spec, slot.channels, channel_dim=slot.channel_dim)
        if (like := next(_numbers(trained), None)) is not None:
            alone.to(like)
        for name, hooks in vars(trained).items():
            if name.startswith("_forward_") and "hooks" in name:
                getattr(alone, name).update(hooks)
        put_in_place_of(new, trained, alone)
    return new


def _filled(model: nn.Module, slot: Slot) -> nn.Module | None:
    """Return the module that fills a slot."""
    try:
        found: object = model.get_submodule(slot.path)
        if slot.form == "call":
            found = getattr(found, attribute_of(slot.activation, slot.call))
    except AttributeError:
        return None
    if slot.form != "call" and (slot.calls > 1) != isinstance(found, CallSequence):
        return None
    if isinstance(found, CallSequence):
        if len(found.activations) != slot.calls:
            return None
        found = found.activations[slot.call]
    found = found.activation if isinstance(found, InPlace) else found
    return found if isinstance(found, nn.Module) else None


def _numbers(module: nn.Module) -> Iterator[Tensor]:
    return (t for t in module.state_dict().values() if t.is_floating_point())


def _says(slot: Slot, spec: ActivationSpec, module: nn.Module) -> bool:
    """Say whether a module is what the spec builds for the slot, whatever it has learned."""
    given = spec.parameters
    if isinstance(module, SLAF) and spec.kind == "slaf":
        # By hand: to build another one would project its start once more.
        learned = learned_channels(slot.channels, require_hybrid(given.get("hybrid")))
        words = ("degree", "sharing", "normaliser", "clip")
        alike = all(getattr(module, word) == given.get(word) for word in words)
        alike = alike and module.basis.name == given.get("basis") and module.learned == learned
        return alike and not module.rectified and _lies(slot, module)
    if isinstance(module, FixedActivation) and spec.kind == module.function:
        normaliser = given.get("normaliser")
        alike = (module.after is not None) == (normaliser == "element")
        alike = alike and (module.before is not None) == (normaliser in ("input", "frozen"))
        return alike and _lies(slot, module)
    return False


def _lies(slot: Slot, module: SLAF | FixedActivation) -> bool:
    return (module.channels, module.channel_dim) == (slot.channels, slot.channel_dim)
