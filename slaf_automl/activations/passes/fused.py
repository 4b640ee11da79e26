"""The SLAF as one autograd node that keeps its input and O(C·degree) for the backward pass."""

from __future__ import annotations

import ctypes
import functools
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from slaf_automl.activations.passes.compiler import Kernel
from slaf_automl.activations.passes.form import Form, Source, row_terms
from slaf_automl.activations.passes.written import Parameters, Settled, written_out
from slaf_automl.errors import ActivationError

_MANY = 65_536
"""From so many values on, threads earn what they cost."""

_Layout = ctypes.c_int64 * 6
_State = ctypes.c_void_p * 10


Running = tuple[Tensor, Tensor, Tensor] | None
"""Running mean, variance and number of values seen; None where there is no such statistic."""

Buffers = tuple[Running, Running]
"""Running statistics that a pass moves: `(C,)` of the input, `(C, degree)` of the elements."""


@dataclass(frozen=True)
class Plan:
    """Compiled passes and their constant arguments, for one form and one pair of sources."""

    kernel: Kernel
    form: Form
    sources: tuple[Source, Source]
    setting: Any
    address: int
    width: int
    layouts: dict[tuple[Any, ...], tuple[int, int, Any]] = field(default_factory=dict)

    @staticmethod
    def of(
        kernel: Kernel, form: Form, sources: tuple[Source, Source], momentum: float, settle: int
    ) -> Plan:
        """Return the plan; FOLLOW ends after `settle` values, 0 for never."""
        return Plan._with(_setting(form), kernel, form, sources, momentum, settle)

    @staticmethod
    def rectified(
        kernel: Kernel, form: Form, sources: tuple[Source, Source], momentum: float, settle: int
    ) -> Plan:
        """Return the plan of max(x̂, 0), for a form of degree 1: v is clipped from below."""
        setting = _structure(1)()
        setting.matrix[:] = setting.monomials[:] = [0.0, 1.0]
        setting.series[:] = row_terms(1).ravel().tolist()
        # At 0 the slope of ReLU is 0, while a clipped SLAF has one at the ends of its range.
        setting.low, setting.high, setting.edge = 0.0, math.inf, 0.0
        setting.unit, setting.epsilon = 1.0, form.epsilon
        return Plan._with(setting, kernel, form, sources, momentum, settle)

    @staticmethod
    def _with(
        setting: Any,
        kernel: Kernel,
        form: Form,
        sources: tuple[Source, Source],
        momentum: float,
        settle: int,
    ) -> Plan:
        setting.momentum, setting.settle = momentum, settle
        setting.input, setting.element = sources
        address, width = ctypes.addressof(setting), 6 + 3 * form.degree
        return Plan(kernel, form, sources, setting, address, width)

    def layout(self, x: Tensor, channel_dim: int, rows: int) -> tuple[int, int]:
        """Return the address of the C layout of `x`, and its channels; one is kept per shape."""
        key = (x.shape, x.stride(), channel_dim, rows, torch.get_num_threads())
        found = self.layouts.get(key)
        if found is None:
            shape, channels = x.shape, x.shape[channel_dim]
            outer, inner = math.prod(shape[:channel_dim]), math.prod(shape[channel_dim + 1 :])
            if not x.is_contiguous():  # channels last: the channels are innermost
                outer, inner = outer * inner, 1
            threads = key[-1] if x.numel() >= _MANY else 1
            layout = _Layout(outer, channels, inner, rows, threads, channels * inner)
            found = (ctypes.addressof(layout), channels, layout)
            if len(self.layouts) >= 64:  # Ragged batches must not pile up.
                self.layouts.clear()
            self.layouts[key] = found
        return found[0], found[1]


@functools.cache
def _structure(degree: int) -> type[Any]:
    real = ctypes.c_double

    class Setting(ctypes.Structure):
        _fields_ = [
            ("matrix", real * (degree * (degree + 1))),
            ("monomials", real * (degree * (degree + 1))),
            ("series", real * (degree + 1) ** 2),
            *((name, real) for name in ("low", "high", "edge", "unit", "epsilon", "momentum")),
            *((name, ctypes.c_int64) for name in ("settle", "input", "element")),
        ]

    return Setting


def _setting(form: Form) -> Any:
    setting = _structure(form.degree)()
    setting.matrix[:] = form.rows()[1:].ravel().tolist()
    setting.monomials[:] = form.monomials()[1:].ravel().tolist()
    setting.series[:] = row_terms(form.degree).ravel().tolist()
    setting.low, setting.high, setting.edge = -form.limit, form.limit, math.nan
    setting.unit, setting.epsilon = 1.0 / form.reach, form.epsilon
    return setting


def dense(x: Tensor, channel_dim: int) -> Tensor:
    """Return `x` as the passes take it: contiguous, or channels last with channels at 1."""
    if x.is_contiguous():
        return x
    if channel_dim == 1:
        for ndim, layout in ((4, torch.channels_last), (5, torch.channels_last_3d)):
            if x.ndim == ndim and x.is_contiguous(memory_format=layout):
                return x
    return x.contiguous()


def evaluate(
    plan: Plan,
    x: Tensor,
    channel_dim: int,
    parameters: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
    buffers: Buffers,
) -> tuple[Tensor, Tensor, bool]:
    """Evaluate a dense `x` without autograd and move the buffers; returns y, the table, finite?"""
    coefficients, bias, gain, offset = parameters
    address, channels = plan.layout(x, channel_dim, bias.shape[0])
    y = torch.empty_like(x)
    table = torch.empty(channels, plan.width, dtype=torch.float64)
    state = _State(coefficients.data_ptr(), bias.data_ptr())
    if gain is not None and offset is not None:
        state[2], state[3] = gain.data_ptr(), offset.data_ptr()
    inputs, elements = buffers
    if inputs is not None:
        state[4], state[5], state[6] = (t.data_ptr() for t in inputs)
    if elements is not None:
        state[7], state[8], state[9] = (t.data_ptr() for t in elements)
    status = plan.kernel.forward(
        plan.address, address, state, x.data_ptr(), y.data_ptr(), table.data_ptr()
    )
    if status < 0:
        raise _no_memory()
    return y, table, status == 0


def _no_memory() -> ActivationError:
    return ActivationError("a SLAF found no memory for its sums", remedy="use fewer channels")


class Call:
    """What one call of `Fused` needs besides tensors, and learns: one argument instead of four."""

    __slots__ = ("buffers", "channel_dim", "finite", "plan")

    def __init__(self, plan: Plan, channel_dim: int, buffers: Buffers) -> None:
        self.plan, self.channel_dim, self.buffers = plan, channel_dim, buffers
        self.finite = True


class Fused(Function):
    """The compiled passes as an autograd node; a second derivative runs through the formula."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        coefficients: Tensor,
        bias: Tensor,
        gain: Tensor | None,
        offset: Tensor | None,
        call: Call,
    ) -> Tensor:
        """Return f(x); the call learns whether all of it is finite."""
        parameters = (coefficients, bias, gain, offset)
        y, table, call.finite = evaluate(call.plan, x, call.channel_dim, parameters, call.buffers)
        ctx.call = call
        if gain is None:  # Every saved tensor costs, None as well.
            ctx.save_for_backward(x, table, coefficients, bias)
        else:
            ctx.save_for_backward(x, table, coefficients, bias, gain, offset)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the gradients of x, coefficients, bias, gain and offset."""
        plan, channel_dim = ctx.call.plan, ctx.call.channel_dim
        x, table, coefficients, bias, *affine = ctx.saved_tensors
        gain, offset = affine or (None, None)
        if torch.is_grad_enabled():  # create_graph
            parameters = Parameters(coefficients, bias, gain, offset)
            return _differentiable(plan, x, channel_dim, parameters, table, gradients[0])
        g = gradients[0]
        if g.stride() != x.stride():
            g = torch.empty_like(x).copy_(g)
        address, _ = plan.layout(x, channel_dim, bias.shape[0])
        gx, ga, gb = torch.empty_like(x), torch.empty_like(coefficients), torch.empty_like(bias)
        gg = go = None
        if gain is not None:
            gg, go = torch.empty_like(gain), torch.empty_like(gain)
        status = plan.kernel.backward(
            plan.address,
            address,
            x.data_ptr(),
            g.data_ptr(),
            gx.data_ptr(),
            table.data_ptr(),
            ga.data_ptr(),
            gb.data_ptr(),
            None if gg is None else gg.data_ptr(),
            None if go is None else go.data_ptr(),
        )
        if status < 0:
            raise _no_memory()
        return gx, ga, gb, gg, go, None


def _differentiable(
    plan: Plan, x: Tensor, channel_dim: int, parameters: Parameters, table: Tensor, g: Tensor
) -> tuple[Tensor | None, ...]:
    """The same gradients from the written-out formula, with a graph of their own."""
    degree = plan.form.degree
    settled_input = settled_elements = None
    if plan.sources[0] is not Source.NONE:
        settled_input = Settled(table[:, 0].to(x), table[:, 1].to(x))
    if plan.sources[1] is not Source.NONE:
        means, inverses = table[:, 6 + degree : 6 + 2 * degree], table[:, 6 + 2 * degree :]
        settled_elements = Settled(means.to(x), inverses.to(x))
    inputs = [t for t in (x, *parameters) if t is not None and t.requires_grad]
    y, _, _ = written_out(
        x, channel_dim, plan.form, plan.sources, parameters, settled_input, settled_elements
    )
    found = iter(torch.autograd.grad(y, inputs, g, create_graph=True))
    return (
        *(next(found) if t is not None and t.requires_grad else None for t in (x, *parameters)),
        None,
    )
