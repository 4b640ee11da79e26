"""Finds the slots of any network."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping

from torch import nn

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.channel_dims import tensors_in
from slaf_automl.networks.slots.sequence import caller_of
from slaf_automl.networks.slots.trace import Call, Example, arguments, watch
from slaf_automl.spec import Slot


def find_slots(
    model: nn.Module,
    example_input: Example,
    *,
    channel_dims: Mapping[str, int] | None = None,
    training: bool = False,
) -> tuple[Slot, ...]:
    """Return where activations sit in a network, in order of use.

    A copy of the network, hooks included, runs once on the example; the random state stays as it
    was. An activation is a module of torch's (ReLU, LeakyReLU, GELU, SiLU, Tanh, Hardswish, …), a
    module of anyone's that calls such activations on each number alone, a function kept in an
    attribute, or a bare call such as `F.relu(x)`. Sigmoids and softmaxes are gates and outputs, and
    no slots; nor are our own activations, what acts on weights, and what acts on a single number. A
    module that its caller calls several times has one slot for each call; an object under several
    names has one for each name, unless it has weights.

    Where the channels are follows from the layers before: 1 after a convolution or batch
    normalisation, −1 after a linear layer or layer normalisation.

    Args:
        model: left as it is.
        example_input: what it takes: a tensor, a tuple of positional arguments, or a mapping of
            keyword arguments. Its first tensor's dimension 0 is the batch.
        channel_dims: slot id ↦ where its channels are, for slots where that cannot be followed.
        training: look in training mode, for slots that evaluation leaves out.

    Raises:
        SlafError: the network refuses the input or cannot be copied; it has no slot; or for a slot
            it is not known where its channels are.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
        >>> slot, = find_slots(model, torch.zeros(1, 3, 6, 6))
        >>> slot.id, slot.channels, slot.channel_dim, slot.values
        ('1#0', 8, 1, 128)
    """
    given = dict(channel_dims or {})
    places: dict[tuple[str, str, str, int], list[Call]] = {}
    counts: dict[tuple[str, str, str], Counter[tuple[str, int]]] = {}
    for call in watch(model, example_input, training=training):
        place = (call.path, call.form, call.activation if call.form == "call" else "")
        passes = counts.setdefault(place, Counter())
        number = passes[call.caller, call.invocation]
        passes[call.caller, call.invocation] += 1
        places.setdefault((*place, number), []).append(call)
    if not places:
        raise SlafError(
            f"{type(model).__name__} has no activation that could be a slot",
            expected="ReLU, GELU, SiLU, tanh or another of slaf_automl.networks.slots.MODULES",
            remedy="check that the example input reaches them",
        )
    for (path, form, _), passes in counts.items():
        if form != "call":
            _require_even(model, path, passes)
    batch = batch_of(example_input)
    slots, unknown = [], []
    for (*among, number), calls in places.items():
        first, most = calls[0], max(counts[among[0], among[1], among[2]].values())
        draft = Slot(first.path, number, most, first.activation, 1, 1, 0, first.form)
        dim = _channel_dim(draft.id, calls, given)
        if dim is None:
            unknown.append((draft.id, first.shape))
        else:
            slots.append(_complete(draft, calls, dim, batch))
    if unknown:
        shapes = ", ".join(f"{slot!r} with its input {shape}" for slot, shape in unknown)
        wanted = dict(channel_dims or {})
        wanted |= {slot: min(1, len(shape) - 1) for slot, shape in unknown}
        raise SlafError(
            f"slot {shapes}: it cannot be followed which dimension holds the channels",
            remedy=f"say it: find_slots(..., channel_dims={wanted})",
        )
    if given:
        raise SlafError(
            f"channel_dims names {next(iter(given))!r}",
            expected="ids of slots: " + ", ".join(slot.id for slot in slots),
        )
    return tuple(slots)


def _require_even(model: nn.Module, path: str, passes: Counter[tuple[str, int]]) -> None:
    """Raise unless it is clear at every call which one of its pass it is.

    A module's own calls begin anew with each of its passes; calls by others are only counted.
    """
    own, _ = caller_of(model, path)
    if len(set(passes.values())) > 1 and any(caller != own for caller, _ in passes):
        raise SlafError(
            f"{path} is called by {' and '.join(repr(c) for c in sorted({c for c, _ in passes}))}, "
            "not always equally often",
            expected="calls by the module that holds it",
            remedy="give each caller a module of its own",
        )


def _channel_dim(slot: str, calls: list[Call], given: dict[str, int]) -> int | None:
    """Return where a slot's channels are, −1 for last, or None if unknown."""
    ndim = len(calls[0].shape)
    if slot in given:
        dim = given.pop(slot)
        if type(dim) is not int or not -ndim <= dim < ndim:
            raise SlafError(
                f"channel_dims[{slot!r}] = {dim!r} for an input of shape {calls[0].shape}",
                expected=f"a dimension from {-ndim} to {ndim - 1}",
            )
        return -1 if dim in (-1, ndim - 1) and ndim != 2 else dim % ndim
    dims = {call.channel_dim for call in calls}
    if dims != {1} and all(call.channel_dim == len(call.shape) - 1 for call in calls):
        return -1
    return dims.pop() if len(dims) == 1 else None


def _complete(draft: Slot, calls: list[Call], dim: int, batch: int) -> Slot:
    channels = {call.shape[dim] if dim < len(call.shape) else 0 for call in calls}
    if len(channels) > 1:
        raise SlafError(
            f"slot {draft.id!r} is used with {' and '.join(map(str, sorted(channels)))} channels",
            expected="one number of channels wherever it is used",
            remedy="give the model a module of its own for each use",
        )
    return dataclasses.replace(
        draft,
        channels=channels.pop(),
        channel_dim=dim,
        values=sum(math.prod(call.shape) for call in calls) // batch,
        uses=len(calls),
        in_place=any(c.overwriting is not None and c.overwriting.read for c in calls),
    )


def batch_of(example_input: Example) -> int:
    """Return the number of examples: dimension 0 of the first tensor."""
    for tensor in tensors_in(arguments(example_input)):
        if tensor.ndim > 0:
            return max(1, tensor.shape[0])
    return 1
