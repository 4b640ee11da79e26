"""The SLAF as one autograd node that keeps its input and O(C·degree) for the backward pass."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from slaf_automl.activations.passes.form import Source
from slaf_automl.activations.passes.plan import Plan
from slaf_automl.activations.passes.written import Parameters, Settled, written_out
from slaf_automl.errors import ActivationError

_State = ctypes.c_void_p * 10


Running = tuple[Tensor, Tensor, Tensor] | None
"""Running mean, variance and number of values seen; None where there is no such statistic."""

Buffers = tuple[Running, Running]
"""Running statistics that a pass moves: `(C,)` of the input, `(C, degree)` of the elements."""


class Part(NamedTuple):
    """Some channels of a tensor that lie side by side."""

    first: int
    channels: int


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
    y = torch.empty_like(x)
    part = Part(0, x.shape[channel_dim])
    table, finite = run_forward(plan, x, y, channel_dim, part, parameters, buffers)
    return y, table, finite


def run_forward(
    plan: Plan,
    x: Tensor,
    y: Tensor,
    channel_dim: int,
    part: Part,
    parameters: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
    buffers: Buffers,
) -> tuple[Tensor, bool]:
    """Evaluate a part of a dense `x` into the same part of `y`; returns the table, finite?"""
    coefficients, bias, gain, offset = parameters
    address, inner = plan.layout(x, channel_dim, bias.shape[0], part.channels)
    start = part.first * inner * x.element_size()
    table = torch.empty(part.channels, plan.width, dtype=torch.float64)
    state = _State(coefficients.data_ptr(), bias.data_ptr())
    if gain is not None and offset is not None:
        state[2], state[3] = gain.data_ptr(), offset.data_ptr()
    inputs, elements = buffers
    if inputs is not None:
        state[4], state[5], state[6] = (t.data_ptr() for t in inputs)
    if elements is not None:
        state[7], state[8], state[9] = (t.data_ptr() for t in elements)
    status = plan.kernel.forward(
        plan.address, address, state, x.data_ptr() + start, y.data_ptr() + start, table.data_ptr()
    )
    if status < 0:
        raise _no_memory()
    return table, status == 0


def run_backward(
    plan: Plan,
    tensors: tuple[Tensor, Tensor, Tensor],
    channel_dim: int,
    part: Part,
    parameters: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
    table: Tensor,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Write the gradient of a part of x; returns those of the parameters.

    Args:
        plan: the plan of the forward pass.
        tensors: x, the gradient of y, and where that of x is written to, all with x's strides.
        channel_dim: where the channels are.
        part: of the channels.
        parameters: those of the forward pass.
        table: what the forward pass returned.
    """
    coefficients, bias, gain, offset = parameters
    x = tensors[0]
    address, inner = plan.layout(x, channel_dim, bias.shape[0], part.channels)
    start = part.first * inner * x.element_size()
    ga, gb = torch.empty_like(coefficients), torch.empty_like(bias)
    gg = None if gain is None else torch.empty_like(gain)
    go = None if offset is None else torch.empty_like(offset)
    status = plan.kernel.backward(
        plan.address,
        address,
        *(tensor.data_ptr() + start for tensor in tensors),
        table.data_ptr(),
        ga.data_ptr(),
        gb.data_ptr(),
        None if gg is None else gg.data_ptr(),
        None if go is None else go.data_ptr(),
    )
    if status < 0:
        raise _no_memory()
    return ga, gb, gg, go


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
        parameters = Parameters(coefficients, bias, gain, offset)
        if torch.is_grad_enabled():  # create_graph
            found = differentiable(plan, x, channel_dim, parameters, table, gradients[0])
            return *found, None
        g = gradients[0]
        if g.stride() != x.stride():
            g = torch.empty_like(x).copy_(g)
        gx, part = torch.empty_like(x), Part(0, x.shape[channel_dim])
        found = run_backward(plan, (x, g, gx), channel_dim, part, parameters, table)
        return gx, *found, None


def differentiable(
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
    return tuple(
        next(found) if t is not None and t.requires_grad else None for t in (x, *parameters)
    )
