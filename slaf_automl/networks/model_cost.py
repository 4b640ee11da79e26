"""What anyone's network costs, with any placement in its slots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.standalone import scaled_channels, standalone_values
from slaf_automl.errors import SlafError
from slaf_automl.networks.model_depth import LevelGraph, mark_slots
from slaf_automl.networks.model_pass import own_copy, plain_pass
from slaf_automl.networks.operators import MOVES
from slaf_automl.networks.slots.find import batch_of
from slaf_automl.networks.slots.kinds import FUNCTIONS, MODULES
from slaf_automl.networks.slots.trace import Example, copied
from slaf_automl.spec import ActivationSpec, Cost, Operations, Placement, Slot

COMPARISONS = {
    "relu": 1,
    "leaky_relu": 1,
    "rrelu": 1,
    "prelu": 1,
    "elu": 1,
    "celu": 1,
    "selu": 1,
    "relu6": 2,
    "hardtanh": 2,
    "hardswish": 2,
}
"""Comparisons that an activation of torch's makes for one number."""

_KNOWN = {*FUNCTIONS.values(), *MODULES.values()}


@dataclass(frozen=True)
class ModelCost:
    """A network's own cost, to which a placement adds.

    Conventions. `parameters`: the floating-point numbers of its state dict (a tensor under several
    names once), without those of activations that are replaced, and what `Standalone` stores for
    each filled slot: in a network that is not ours, affine maps and constants are not folded into
    neighbours. `macs`: half of what torch's FlopCounterMode counts for one example, and degree for
    each number that a SLAF is applied to, and one for each number that is scaled before or after.
    `relus`: comparisons of the slots' activations (`COMPARISONS`), 1 for each number of a ReLU
    channel and 2 for each clipped one. `depth`: the longest path; see `LevelGraph`.

    Args:
        parameters: stored by the network itself.
        macs: of the network itself, for one example.
        slots: its slots.
        graph: how its slots follow one another.
        uncounted: what none of the counters knows: operators of torch's, and activations that are
            not torch's, by name.
        own: numbers that activations store themselves, such as PReLU's, by the paths of those that
            hold them: gone once all of these are filled.
    """

    parameters: int
    macs: int
    slots: tuple[Slot, ...]
    graph: LevelGraph
    uncounted: tuple[str, ...]
    own: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def of(self, placement: Placement | None = None) -> Cost:
        """Return the whole cost with a placement: the network's part first, then slot by slot.

        Raises:
            SlafError: a slot that the network does not have.
        """
        filled = dict(placement) if placement is not None else {}
        if strange := [slot.id for slot in filled if slot not in self.slots]:
            raise SlafError(
                f"a placement in slot {strange[0]!r}",
                expected="slots of the network whose cost this is",
            )
        costs = {slot: slot_cost(slot, filled.get(slot)) for slot in self.slots}
        parts = [("network", self.parameters - self.replaced(filled))]
        parts += [(slot.id, costs[slot][0]) for slot in filled]
        operations = [Operations("network", macs=self.macs)]
        operations += [Operations(c.name, c.macs, c.relus) for _, c in costs.values()]
        depth = self.graph.depth({slot.id: cost.depth for slot, (_, cost) in costs.items()})
        whole = Operations("longest path", depth=None if math.isinf(depth) else int(depth))
        return Cost(tuple(parts), (*operations, whole))

    def replaced(self, filled: Mapping[Slot, ActivationSpec]) -> int:
        """Return how many numbers of the network itself these fillings take the place of."""
        if not self.own:
            return 0
        kept = {slot.path for slot in self.slots if slot.form == "module" and slot not in filled}
        return sum(stored for paths, stored in self.own.items() if kept.isdisjoint(paths))


@lru_cache(maxsize=65_536)
def slot_cost(slot: Slot, spec: ActivationSpec | None) -> tuple[int, Operations]:
    """Return what one slot stores, and computes for one example, filled or (None) as it is."""
    if spec is None:
        return 0, Operations(slot.id, 0, COMPARISONS.get(slot.activation, 0) * slot.values, None)
    stored = standalone_values(spec, slot.channels)
    kind = find_kind(spec.kind)
    times = slot.values // slot.channels
    macs = (kind.macs(spec, slot.channels) + scaled_channels(spec, slot.channels)) * times
    relus = kind.relus(spec, slot.channels) * times
    return stored, Operations(slot.id, macs, relus, kind.depth(spec, slot.channels))


def measure_model(
    model: nn.Module,
    example_input: Example,
    slots: tuple[Slot, ...],
    *,
    rewrite_calls: bool = False,
) -> ModelCost:
    """Count what a network costs before anything is placed in it.

    Args:
        model: left as it is.
        example_input: as for `find_slots`.
        slots: what `find_slots` found.
        rewrite_calls: as in `replace`: whether bare calls are slots that can be filled.

    Raises:
        SlafError: the network refuses the input.

    Example:
        >>> import torch
        >>> from slaf_automl.networks.slots import find_slots
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> x = torch.zeros(1, 4)
        >>> cost = measure_model(model, x, find_slots(model, x)).of()
        >>> cost.parameters, cost.macs, cost.relus
        (58, 48, 8)
    """
    twin = copied(model).eval()
    for parameter in twin.parameters():
        # Torch's counter trips over a module that returns a view of what has gradients.
        if not is_lazy(parameter):
            parameter.requires_grad_(False)
    stored, own = _stored(twin), _own(twin, slots)
    mark_slots(twin, slots)
    counter = FlopCounterMode(display=False)
    operators = _Operators()
    # The counter comes last: it takes apart what the operators are to be noted of.
    plain_pass(twin, own_copy(example_input), _Activations(operators), operators, counter)
    counts = counter.get_flop_counts().get("Global", {})
    counted = {str(op).rsplit(".", 1)[-1] for op in counts}
    unknown = {slot.activation for slot in slots} - _KNOWN
    graph = LevelGraph.of(model, example_input, slots, rewrite_calls=rewrite_calls)
    return ModelCost(
        parameters=_numbers(stored),
        macs=sum(counts.values()) // 2 // batch_of(example_input),
        slots=slots,
        graph=graph,
        uncounted=tuple(sorted((operators.names - counted - MOVES) | unknown)),
        own={paths: number for paths, tensors in own.items() if (number := _numbers(tensors))},
    )


def _stored(model: nn.Module) -> list[Tensor]:
    """Return the tensors of a network's state dict, one under several names once."""
    state = model.state_dict(keep_vars=True).values()
    return list({id(t): t for t in state if isinstance(t, Tensor)}.values())


def _numbers(tensors: list[Tensor]) -> int:
    return sum(t.numel() for t in tensors if t.is_floating_point())


def _own(model: nn.Module, slots: tuple[Slot, ...]) -> dict[tuple[str, ...], list[Tensor]]:
    """Return the parameters that only activations hold, by the paths of those."""
    paths = {model.get_submodule(slot.path): slot.path for slot in slots if slot.form == "module"}
    holders: dict[Tensor, set[str | None]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            holders.setdefault(parameter, set()).add(paths.get(module))
    found: dict[tuple[str, ...], list[Tensor]] = {}
    for tensor, held in holders.items():
        if None not in held:
            found.setdefault(tuple(sorted(map(str, held))), []).append(tensor)
    return found


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the names of the operators that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self.paused = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if not self.paused:
            self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class _Activations(TorchFunctionMode):
    """Pauses the notes within bare calls of activations, which are slots."""

    def __init__(self, operators: _Operators) -> None:
        super().__init__()
        self.operators = operators

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.operators.paused = func in FUNCTIONS
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.operators.paused = False
