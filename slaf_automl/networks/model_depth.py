"""The multiplicative depth of anyone's network, along its longest path."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.random import fork_rng
from torch.utils._python_dispatch import TorchDispatchMode

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots.replace import fill_slots
from slaf_automl.networks.slots.trace import Example, arguments, copied
from slaf_automl.networks.slots.unshare import unshare
from slaf_automl.spec import Slot

_LEVELS = {
    "convolution": 1, "mm": 1, "addmm": 1, "bmm": 1, "baddbmm": 1, "addbmm": 1, "mv": 1, "addmv": 1,
    "dot": 1, "vdot": 1, "addr": 1, "addcmul": 1, "linear": 1, "matmul": 1, "_trilinear": 2,
}  # fmt: skip

MOVES = {
    "view", "_unsafe_view", "reshape", "permute", "transpose", "transpose_", "t", "t_", "expand",
    "slice", "select", "unsqueeze", "unsqueeze_", "squeeze", "squeeze_", "split", "unbind", "alias",
    "split_with_sizes", "unsafe_split", "unsafe_chunk", "as_strided", "detach", "detach_", "unfold",
    "lift_fresh", "cat", "stack", "clone", "copy", "copy_", "_to_copy", "repeat", "roll", "flip",
    "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "narrow",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "index", "_unsafe_index",
    "index_select", "gather", "embedding", "take", "where", "masked_fill", "masked_fill_", "tril",
    "triu", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_nearest3d", "slice_scatter", "select_scatter", "zero_", "fill_",
    "empty", "empty_like", "empty_strided", "new_empty", "zeros", "zeros_like", "new_zeros", "ones",
    "ones_like", "new_ones", "full", "full_like", "new_full", "arange", "scalar_tensor",
    "_local_scalar_dense", "add", "add_", "sub", "sub_", "rsub", "neg", "neg_", "sum", "cumsum",
    "col2im", "index_add", "index_add_",
}  # fmt: skip
"""Operators of torch's that move numbers, or cost additions alone."""

_LINEAR = MOVES | {
    "mean", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d", "upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d",
    "upsample_bicubic2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
    "native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training",
    "cudnn_batch_norm", "miopen_batch_norm",
}  # fmt: skip

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
        for tensor in _tensors(example):
            steps.add((), 0, tensor)
        tensors = _tensors(plain_pass(twin, example, steps))
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


def plain_pass(model: nn.Module, example_input: Example, *modes: Any) -> Any:
    """Run a network without torch's fused attention, which would hide modules and products.

    The caller's random state is left as it is.

    Args:
        model: run once, which may change it and the example.
        example_input: as for `find_slots`.
        modes: context managers around the pass, the first one outermost.

    Raises:
        SlafError: the network refuses the input.
    """
    args, kwargs = arguments(example_input)
    cuda = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    try:
        with ExitStack() as stack:
            for mode in (fork_rng(sorted(cuda)), torch.no_grad(), _unfused(), *modes):
                stack.enter_context(mode)
            return model(*args, **kwargs)
    except SlafError:
        raise
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise SlafError(f"{type(model).__name__} refuses the example input: {words}") from error


def own_copy(example_input: Example) -> Example:
    """Return a copy of an example whose tensors belong to no graph."""
    return copy.deepcopy(
        example_input, {id(t): t.detach().clone() for t in _tensors(example_input)}
    )


@contextmanager
def _unfused() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


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
        given = _tensors((args, kwargs))
        name = func.overloadpacket.__name__
        taken = [] if name.endswith("_like") or name.startswith("new_") else given
        steps = [
            (step, t.is_floating_point()) for t in taken if (step := self.step_of(t)) is not None
        ]
        memories = {self._memory(tensor) for tensor in given}
        result = func(*args, **kwargs)
        # A view of what was given is no step.
        made = [t for t in _tensors(result) if self._memory(t) not in memories]
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
        if name in _LEVELS:
            return _LEVELS[name]
        if name in ("mul", "mul_"):
            return int(tensors > 1)
        if name in ("div", "div_"):
            return 0 if tensors == 1 and not kwargs.get("rounding_mode") else None
        if name in ("pow", "pow_"):
            power = args[1]
            whole = isinstance(power, (int, float)) and power >= 1 and power == int(power)
            return math.ceil(math.log2(power)) if whole else None
        statistics = _argument(func, "training", args, kwargs) is True
        return 0 if name in _LINEAR and not statistics else None


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
    return _tensors(found)


def _argument(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    names = [argument.name for argument in func._schema.arguments[: len(args)]]
    return args[names.index(name)] if name in names else kwargs.get(name)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = list(vars(value).values())
    return [t for item in value for t in _tensors(item)] if isinstance(value, (tuple, list)) else []
