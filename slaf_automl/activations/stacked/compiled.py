"""Parts of a stack through the compiled passes: two calls for all of them."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from slaf_automl.activations.bases.local import TENT
from slaf_automl.activations.passes.compiler import Kernel, kernel
from slaf_automl.activations.passes.fixed import RECTIFIED
from slaf_automl.activations.passes.form import Form, Source
from slaf_automl.activations.passes.plan import Plan
from slaf_automl.activations.passes.tents import serves_tents, tent_plan
from slaf_automl.activations.stacked.memory import Flow, Memory, Running
from slaf_automl.activations.stacked.part import Mode, Part, Statistic
from slaf_automl.errors import ActivationError

_Layout = ctypes.c_int64 * 6
_State = ctypes.c_void_p * 10
_Forward = ctypes.c_void_p * 7
_Backward = ctypes.c_void_p * 11


def compiles(part: Part, like: Tensor) -> bool:
    """Say whether the compiled passes serve a part on the device and in the dtype of `like`."""
    form = part.form
    if like.device.type != "cpu":
        return False
    if form is RECTIFIED or form.basis.polynomial:
        return kernel(form.degree, like.dtype) is not None
    return serves_tents(form, part.sources(Mode.TRAIN), like.dtype)


class CompiledParts:
    """The compiled passes of some parts of one slot, their arguments fixed once.

    Args:
        parts: parts that `compiles` says yes to.
        memory: where their values lie; the vectors must stay where they are.
        mode: what forward passes do with statistics.
        flow: where input, output and gradients lie.

    Attributes:
        status: `(parts,)` int64: not 0 where a forward pass met a value that is not finite.
    """

    def __init__(self, parts: Sequence[Part], memory: Memory, mode: Mode, flow: Flow) -> None:
        self.parts = tuple(parts)
        self.status = torch.zeros(len(parts), dtype=torch.long)
        self._size = memory.parameters.element_size()
        self._kept: list[Any] = [memory, flow]  # What the addresses below point into.
        self._runner: Kernel | None = None
        dtype = memory.parameters.dtype
        # The coefficient and the constant of ReLU, and room for their gradients.
        self._fixed = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=dtype)
        forward, backward = [], []
        for part in parts:
            plan = _plan(part, mode, dtype)
            self._runner = plan.kernel
            one, other = self._calls(part, plan, memory, mode, flow)
            forward.append(one)
            backward.append(other)
        self._forward = (_Forward * len(parts))(*forward)
        self._backward = (_Backward * len(parts))(*backward)

    def forward(self) -> None:
        """Write the outputs, and move the statistics as the mode says."""
        if self._runner is not None:
            status = self.status.data_ptr()
            if self._runner.forwards(self._forward, len(self.parts), status) < 0:
                raise _no_memory()

    def backward(self) -> None:
        """Write the gradients of input and parameters after a forward pass."""
        if self._runner is not None and self._runner.backwards(self._backward, len(self.parts)) < 0:
            raise _no_memory()

    def _calls(
        self, part: Part, plan: Plan, memory: Memory, mode: Mode, flow: Flow
    ) -> tuple[Any, Any]:
        _, rows, width = flow.x.shape
        layout = _Layout(rows, part.channels, 1, part.rows, 1, width)
        table = torch.empty(part.channels, plan.width, dtype=torch.float64)
        state = _State(*self._parameters(part, memory.parameters, 0))
        for at, statistic in ((4, part.inputs), (7, part.elements)):
            if statistic is not None:
                state[at], state[at + 1], state[at + 2] = self._statistic(statistic, memory, mode)
        self._kept += [plan, layout, table, state]
        where = part.lane * rows * width + part.first
        x, y, gy, gx = (
            t.data_ptr() + where * self._size if t.numel() else None
            for t in (flow.x, flow.y, flow.gy, flow.gx)
        )
        addresses = [ctypes.addressof(item) for item in (layout, state)]
        forward = _Forward(
            _address(plan.kernel.forward), plan.address, *addresses, x, y, table.data_ptr()
        )
        backward = _Backward(
            _address(plan.kernel.backward),
            *(plan.address, addresses[0], x, gy, gx, table.data_ptr()),
            *self._parameters(part, memory.gradients, 2),
        )
        return forward, backward

    def _parameters(self, part: Part, values: Tensor, fixed: int) -> list[int | None]:
        places = [part.coefficients, part.bias, part.gain, part.offset]
        found = [None if p is None else values.data_ptr() + p * self._size for p in places]
        if not part.learned:
            found[0] = self._fixed.data_ptr() + fixed * self._size
            found[1] = self._fixed.data_ptr() + (fixed + 1) * self._size
        return found

    def _statistic(self, statistic: Statistic, memory: Memory, mode: Mode) -> tuple[int, int, int]:
        source = statistic.source_in(mode)
        pooled = mode is Mode.POOL and source is not Source.CONSTANT
        running: Running = memory.batch if pooled else memory.running
        return (
            running.means.data_ptr() + statistic.start * self._size,
            running.variances.data_ptr() + statistic.start * self._size,
            running.counters.data_ptr() + statistic.counter * running.counters.element_size(),
        )


def _plan(part: Part, mode: Mode, dtype: torch.dtype) -> Plan:
    moving = part.inputs or part.elements
    momentum, settle = (0.0, 0) if moving is None else (moving.momentum, moving.settle)
    return _plan_of(part.form, part.sources(mode), momentum, settle, dtype)


@functools.lru_cache(maxsize=1024)
def _plan_of(
    form: Form, sources: tuple[Source, Source], momentum: float, settle: int, dtype: torch.dtype
) -> Plan:
    """Remember what many lanes ask for: a plan takes as long as a step of a lane."""
    if form.basis == TENT:
        return tent_plan(form, sources, momentum, settle, dtype)
    found = kernel(form.degree, dtype)
    assert found is not None
    if form is not RECTIFIED:
        return Plan.of(found, form, sources, momentum, settle)
    return Plan.rectified(found, form, sources, momentum, settle)


def _address(function: Any) -> int:
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def _no_memory() -> ActivationError:
    return ActivationError(
        "a stack of SLAFs found no memory for its sums", remedy="use fewer lanes"
    )
