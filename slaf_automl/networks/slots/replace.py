"""Puts activations of ours into the slots of a copy of any network."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from slaf_automl.activations.kinds import find_kind, validated
from slaf_automl.activations.slaf import name_slots
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.functional import rewrite_calls as _rewrite_calls
from slaf_automl.networks.slots.in_place import InPlace
from slaf_automl.networks.slots.kinds import function_of, is_stateless, may_be
from slaf_automl.networks.slots.sequence import CallSequence, Restart, caller_of
from slaf_automl.networks.slots.trace import copied
from slaf_automl.spec import ActivationSpec, Placement, Slot

_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
)


def replace(
    model: nn.Module,
    placement: Placement | Mapping[Slot, ActivationSpec],
    *,
    rewrite_calls: bool = False,
) -> nn.Module:
    """Return a copy of a network with the placement's activations in its slots.

    The network itself is left alone. The copy is of the same class and keeps weights, hooks,
    training modes, dtypes and devices; slots that the placement leaves out keep what they have. A
    SLAF starts as its spec's `start` says, so that a trained network goes on from nearly the
    function it was.

    A module that is called several times in a pass becomes a `CallSequence`, which a hook of the
    calling module rewinds before each of its passes. What overwrote an input that is read again is
    followed by an `InPlace`, which does the same.

    Args:
        model: the network in which `find_slots` found the slots, or one with the same modules.
        placement: what goes where.
        rewrite_calls: let torch.fx rewrite the modules whose code calls `F.relu` and the like, for
            slots of the form `"call"`. A rewritten module's class becomes a subclass of its own
            with new code, so it no longer pickles; refused where the new code could do something
            else (see `surface.py`).

    Raises:
        SlafError: a network that cannot be copied, a slot that it does not have, a spec that its
            kind refuses, a bare call without `rewrite_calls`, or code that cannot be rewritten.

    Example:
        >>> from slaf_automl.networks.slots import find_slots
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> slot, = find_slots(model, torch.zeros(1, 4))
        >>> new = replace(model, {slot: find_kind("slaf").spec(degree=2)})
        >>> type(new[1]).__name__, new[1].degree, type(model[1]).__name__
        ('SLAF', 2, 'ReLU')
    """
    placement = placement_of(placement)
    new = copied(model)
    activations: dict[Slot, nn.Module] = {}
    for slot, spec in placement:
        owner, _ = _require_slot(new, slot)
        spec = validated(spec)
        least = find_kind(spec.kind).least_channels(spec)
        if slot.channels < least:
            raise SlafError(
                f"slot {slot.id!r} has {slot.channels} channels",
                expected=f"at least {least} for {spec.kind} of hybrid share "
                f"{spec.parameters.get('hybrid')} and sharing {spec.parameters.get('sharing')}",
            )
        built = find_kind(spec.kind).build(spec, slot.channels, channel_dim=slot.channel_dim)
        activations[slot] = _settled_as(built, new, slot, owner)
    fill_slots(new, activations, rewrite_calls=rewrite_calls)
    name_slots(new)
    return new


def placement_of(placement: Placement | Mapping[Slot, ActivationSpec]) -> Placement:
    """Return a placement, also where it was given as a mapping.

    Raises:
        SlafError: it is neither.
    """
    if not isinstance(placement, (Placement, Mapping)):
        raise SlafError(
            f"a placement of type {type(placement).__name__}",
            expected="a Placement or a mapping of slots to specs",
        )
    if isinstance(placement, Placement):
        return placement
    return Placement(tuple(placement), tuple(placement.values()))


def fill_slots(
    model: nn.Module, activations: Mapping[Slot, nn.Module], *, rewrite_calls: bool = False
) -> None:
    """Put modules into slots, in place; `replace` says what that means.

    Args:
        model: whose slots they are.
        activations: what goes where.
        rewrite_calls: as in `replace`.

    Raises:
        SlafError: a slot that the network does not have, or a bare call that cannot be rewritten.
    """
    by_path: dict[str, list[tuple[Slot, nn.Module]]] = {}
    calls: dict[str, dict[tuple[str, int], nn.Module]] = {}
    for slot, activation in activations.items():
        owner, _ = _require_slot(model, slot)
        if slot.in_place:
            activation = InPlace(activation).train(activation.training)
        if slot.form == "call":
            if not rewrite_calls:
                raise SlafError(
                    f"slot {slot.id!r} is a bare call in the code of {type(owner).__name__}",
                    remedy="put an nn module in its place, or give rewrite_calls=True",
                )
            calls.setdefault(slot.path, {})[slot.activation, slot.call] = activation
        else:
            by_path.setdefault(slot.path, []).append((slot, activation))
    for path, filled in by_path.items():
        _fill(model, path, filled)
    for path, functions in calls.items():
        _rewrite_calls(model.get_submodule(path), path, functions)
    _leave_fast_paths(model)


def _require_slot(model: nn.Module, slot: Slot) -> tuple[nn.Module, str]:
    """Return the module that holds what fills the slot, and under which name."""
    path, name = (slot.path, "") if slot.form == "call" else _split(slot.path)
    try:
        owner = model.get_submodule(path)
        there = None if slot.form == "call" else getattr(owner, name)
    except AttributeError:
        there = owner = None
    fits = {
        "module": isinstance(there, nn.Module) and may_be(there, slot.activation),
        "attribute": function_of(there) == slot.activation,
        "call": owner is not None,
    }[slot.form]
    if owner is None or not fits:
        raise SlafError(
            f"{type(model).__name__} has no slot {slot.id!r} that holds {slot.activation}",
            remedy="find the slots of this very model with find_slots",
        )
    return owner, name


def _fill(model: nn.Module, path: str, filled: list[tuple[Slot, nn.Module]]) -> None:
    parent, name = _split(path)
    owner = model.get_submodule(parent)
    old: Any = getattr(owner, name)
    calls = filled[0][0].calls
    new = filled[0][1]
    if any(slot.calls != calls for slot, _ in filled):
        raise SlafError(
            f"slots of {path!r} that disagree on how often it is called",
            remedy="find the slots of this very model with find_slots",
        )
    if calls > 1:
        kept = _without_hooks(old) if isinstance(old, nn.Module) else _Function(old)
        sequence = [kept] * calls
        for slot, activation in filled:
            sequence[slot.call] = activation
        new = CallSequence(sequence)
        caller, below = caller_of(model, path)
        # The network itself too, in case someone else calls.
        for start, way in {caller: below, "": path}.items():
            hooked = model.get_submodule(start)
            hooked.register_forward_pre_hook(Restart(way), prepend=True)
    if not isinstance(old, nn.Module):
        new.train(owner.training)
        setattr(owner, name, new)
        return
    new.train(old.training)
    for kind in _HOOKS:
        getattr(new, kind).update(getattr(old, kind))
    if old._backward_hooks:
        new._is_full_backward_hook = old._is_full_backward_hook
    if is_stateless(old):
        owner._modules[name] = new
    else:  # Under several names it is one slot.
        put_in_place_of(model, old, new)


def put_in_place_of(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put a module wherever a network holds another."""
    for parent in list(model.modules()):
        for name, child in parent._modules.items():
            if child is old:
                parent._modules[name] = new


def _without_hooks(module: nn.Module) -> nn.Module:
    """Return a module with the same parameters but no hooks: those of its sequence are enough."""
    bare = copy.copy(module)
    for kind in _HOOKS:
        setattr(bare, kind, OrderedDict())
    return bare


def _leave_fast_paths(model: nn.Module) -> None:
    """Keep torch's transformers from evaluating without their activation modules."""
    for layer in model.modules():
        if isinstance(layer, nn.TransformerEncoderLayer):
            torchs = isinstance(layer.activation, (nn.ReLU, nn.GELU))
            if isinstance(layer.activation, nn.Module) and not torchs:
                layer.activation_relu_or_gelu = 0
    for encoder in model.modules():
        if isinstance(encoder, nn.TransformerEncoder):
            layers = encoder.layers.modules()
            if any(getattr(layer, "activation_relu_or_gelu", 1) == 0 for layer in layers):
                encoder.use_nested_tensor = False  # which only the fast path takes


def _settled_as(built: nn.Module, model: nn.Module, slot: Slot, owner: nn.Module) -> nn.Module:
    """Return the module on the device, in the dtype and the mode of what is around it."""
    near = slot.path.split(".") if slot.path else []
    for depth in range(len(near), -1, -1):
        try:
            around = model.get_submodule(".".join(near[:depth]))
        except AttributeError:  # the attribute itself
            continue
        tensor = next((p for p in around.parameters() if p.is_floating_point()), None)
        if tensor is not None:
            built = built.to(device=tensor.device, dtype=tensor.dtype)
            break
    return built.train(owner.training)


def _split(path: str) -> tuple[str, str]:
    parent, _, name = path.rpartition(".")
    return parent, name


class _Function(nn.Module):
    """A function as a module, where it is one of several calls."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Call the function."""
        found: torch.Tensor = self.function(x)
        return found
