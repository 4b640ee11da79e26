"""The multiplicative depth of anyone's network, along its longest path."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from slaf_automl.networks.model_pass import own_copy, plain_pass, tensors_in
from slaf_automl.networks.operators import LEVELS, LINEAR
from slaf_automl.networks.slots.replace import fill_slots
from slaf_automl.networks.slots.trace import Example, copied
from slaf_automl.networks.slots.unshare import unshare
from slaf_automl.spec import Slot

Weight = int | str | None
"""Levels that a step adds: a number, those of the slot of this id, or None for no polynomial."""


@dataclass(frozen=True)
class LevelGraph:
    """The steps of a pass: which steps each takes its inputs from, and how many levels it adds.

    Convention: a linear layer, a convolution, a matrix product or a product of tensors is one
    level, an n-th power ⌈log₂ n⌉, a slot what its activation says. Additions, means, average
    pooling, batch normalisation in evaluation (which folds), products with a plain number and what
    only moves numbers are none. Anything else (softmax, layer normalisation, max-pooling, a kept
    activation, a number read out of a tensor) is no polynomial: infinite.

    Args:
        inputs: for each step, the steps before it.
        weights: for each step, what it adds.
        ends: the steps whose results the network returns.
        unknown: names of torch's operators that are no polynomial.
    """

    inputs: tuple[tuple[int, ...], ...]
    weights: tuple[Weight, ...]
    ends: tuple[int, ...]
    unknown: tuple[str, ...]

    @classmethod
    def of(
        cls,
        model: nn.Module,
        example_input: Example,
        slots: tuple[Slot, ...],
        *,
        rewrite_calls: bool = False,
    ) -> LevelGraph:
        """Run a copy of a network once in evaluation mode and note its steps.

        Args:
            model: left as it is.
            example_input: as for `find_slots`.
            slots: of the network.
            rewrite_calls: whether bare calls can be filled, as in `replace`; without it they stay
                the operators that they are.

        Raises:
            SlafError: the network refuses the input, or code that cannot be rewritten.
        """
        steps = _Steps()
        twin = copied(model).eval()
        mark_slots(twin, slots, steps, rewrite_calls=rewrite_calls)
        example = own_copy(example_input)
        for tensor in tensors_in(example):
            steps.add((), 0, tensor)
        tensors = tensors_in(plain_pass(twin, example, steps))
        known = {steps.step_of(tensor) for tensor in tensors}
        ends = {step for step in known if step is not None} | steps.read
        if not tensors:  # The network returns an object that nobody can look into.
            ends = set(range(len(steps.weights)))
        unknown = tuple(sorted(steps.unknown))
        return cls(tuple(steps.inputs), tuple(steps.weights), tuple(sorted(ends)), unknown)

    def depth(self, levels: Mapping[str, int | None]) -> float:
        """Return the depth of the longest path, `math.inf` where it is no polynomial.

        Args:
            levels: slot id ↦ levels of what fills it, None for no polynomial.
        """
        found: list[float] = []
        for before, weight in zip(self.inputs, self.weights, strict=True):
            level = levels[weight] if isinstance(weight, str) else weight
            start = max((found[i] for i in before), default=0.0)
            found.append(math.inf if level is None else start + level)
        return max((found[i] for i in self.ends), default=0.0)


def mark_slots(
    model: nn.Module,
    slots: tuple[Slot, ...],
    steps: _Steps | None = None,
    *,
    rewrite_calls: bool = False,
) -> None:
    """Put marks, which pass on what they are given, in the place of a network's activations.

    Bare calls get marks with `rewrite_calls` only.
    """
    unshare(model)
    marks = {s: _Mark(steps, s.id) for s in slots if rewrite_calls or s.form != "call"}
    fill_slots(model, marks, rewrite_calls=rewrite_calls)


class _Steps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operator of a pass as a step.

    A step is known by the memory that it writes, so that views and writes in place are followed;
    what no step has written (weights, constants) is level 0.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.inputs: list[tuple[int, ...]] = []
        self.weights: list[Weight] = []
        self.unknown: set[str] = set()
        self.read: set[int] = set()  # steps whose numbers Python has read
        self.paused = False
        self._written: dict[Any, int] = {}
        self._kept: list[Tensor] = []

    def step_of(self, tensor: Tensor) -> int | None:
        """Return the step that wrote a tensor last, None if no step has."""
        return self._written.get(self._memory(tensor))

    def add(self, before: tuple[int, ...], weight: Weight, *results: Tensor) -> None:
        """Note a step and the tensors that it writes."""
        self.inputs.append(before)
        self.weights.append(weight)
        for tensor in results:
            self._written[self._memory(tensor)] = len(self.weights) - 1

    def _memory(self, tensor: Tensor) -> Any:
        try:
            # Addresses alone are used again.
            return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
        except (NotImplementedError, RuntimeError):  # sparse tensors have none
            self._kept.append(tensor)
            return id(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        with self:  # In inference mode composite operators come in one piece.
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        given = tensors_in((args, kwargs))
        name = func.overloadpacket.__name__
        taken = [] if name.endswith("_like") or name.startswith("new_") else given
        steps = [
            (step, t.is_floating_point()) for t in taken if (step := self.step_of(t)) is not None
        ]
        memories = {self._memory(tensor) for tensor in given}
        result = func(*args, **kwargs)
        # A view of what was given is no step.
        made = [t for t in tensors_in(result) if self._memory(t) not in memories]
        made += _written(func, args, kwargs)
        read = name == "_local_scalar_dense"
        if not steps or not (made or read):
            return result
        weight: Weight = 0  # Indices and masks are plain numbers, as long as what made them is.
        if any(floating for _, floating in steps):
            weight = None if read else self._weight(name, func, args, kwargs, len(given))
        if weight is None:
            self.unknown.add(name)
        self.add(tuple(sorted({step for step, _ in steps})), weight, *made)
        if read:
            self.read.add(len(self.weights) - 1)
        return result

    def _weight(
        self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: int
    ) -> int | None:
        if name in LEVELS:
            return LEVELS[name]
        if name in ("mul", "mul_"):
            return int(tensors > 1)
        if name in ("div", "div_"):
            return 0 if tensors == 1 and not kwargs.get("rounding_mode") else None
        if name in ("pow", "pow_"):
            power = args[1]
            whole = isinstance(power, (int, float)) and power >= 1 and power == int(power)
            return math.ceil(math.log2(power)) if whole else None
        statistics = _argument(func, "training", args, kwargs) is True
        return 0 if name in LINEAR and not statistics else None


class _Mark(nn.Module):
    """Stands in a slot and notes that it was passed."""

    def __init__(self, steps: _Steps | None, slot: str) -> None:
        super().__init__()
        self.steps, self.slot = steps, slot

    def __deepcopy__(self, memo: object) -> _Mark:
        return self

    def forward(self, x: Tensor) -> Tensor:
        if self.steps is None:
            return x.clone()
        self.steps.paused = True  # What the mark itself does is no step.
        passed = x.clone()
        self.steps.paused = False
        step = self.steps.step_of(x)
        self.steps.add(() if step is None else (step,), self.slot, passed)
        return passed


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the tensors that an operator writes in place."""
    found = []
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            found.append(args[i] if i < len(args) else kwargs.get(argument.name))
    return tensors_in(found)


def _argument(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    names = [argument.name for argument in func._schema.arguments[: len(args)]]
    return args[names.index(name)] if name in names else kwargs.get(name)
