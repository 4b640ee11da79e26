"""A SLAF and a ReLU on the two parts of one tensor's channels, as one autograd node.

Cutting the channels apart and joining them again copies every map four times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from slaf_automl.activations.passes.fused import (
    Buffers,
    Part,
    differentiable,
    run_backward,
    run_forward,
)
from slaf_automl.activations.passes.plan import Plan
from slaf_automl.activations.passes.written import Parameters


@dataclass
class Beside:
    """What one call of `FusedBeside` needs besides tensors, and learns.

    Args:
        plans: of the SLAF and of the ReLU.
        channel_dim: where the channels are.
        learned: how many of them, the first ones, are the SLAF's.
        buffers: the running statistics that each moves.
    """

    plans: tuple[Plan, Plan]
    channel_dim: int
    learned: int
    buffers: tuple[Buffers, Buffers]
    finite: bool = True

    def parts(self, x: Tensor) -> tuple[Part, Part]:
        """Return the channels of each."""
        channels = x.shape[self.channel_dim]
        return Part(0, self.learned), Part(self.learned, channels - self.learned)


class FusedBeside(Function):
    """The compiled passes of a SLAF and of a ReLU, each on its part of the channels.

    The ReLU is a SLAF of one element (`RECTIFIED`) whose coefficient is 1 and whose bias is 0.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        coefficients: Tensor,
        bias: Tensor,
        gain: Tensor | None,
        offset: Tensor | None,
        other_gain: Tensor | None,
        other_offset: Tensor | None,
        call: Beside,
    ) -> Tensor:
        """Return both parts; the call learns whether all of it is finite."""
        y = torch.empty_like(x)
        first = Parameters(coefficients, bias, gain, offset)
        second = _rectifiers(x, other_gain, other_offset)
        tables = []
        for k, (part, parameters) in enumerate(zip(call.parts(x), (first, second), strict=True)):
            table, finite = run_forward(
                call.plans[k], x, y, call.channel_dim, part, parameters, call.buffers[k]
            )
            tables.append(table)
            call.finite = call.finite and finite
        ctx.call = call
        ctx.save_for_backward(x, *first, other_gain, other_offset, *tables)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the gradients of x and of all parameters."""
        call: Beside = ctx.call
        x, *values, other_gain, other_offset, table, other_table = ctx.saved_tensors
        first, second = Parameters(*values), _rectifiers(x, other_gain, other_offset)
        (g,), (part, other) = gradients, call.parts(x)
        if torch.is_grad_enabled():  # create_graph
            dim = call.channel_dim
            found = [
                differentiable(plan, x.narrow(dim, *p), dim, parameters, kept, g.narrow(dim, *p))
                for plan, p, parameters, kept in (
                    (call.plans[0], part, first, table),
                    (call.plans[1], other, second, other_table),
                )
            ]
            (gx, *own), (rest, _, _, *affine) = found
            joined = None if gx is None or rest is None else torch.cat([gx, rest], dim)
            return joined, *own, *affine, None
        if g.stride() != x.stride():
            g = torch.empty_like(x).copy_(g)
        gx = torch.empty_like(x)
        tensors = x, g, gx
        dim = call.channel_dim
        of_slaf = run_backward(call.plans[0], tensors, dim, part, first, table)
        of_relu = run_backward(call.plans[1], tensors, dim, other, second, other_table)
        return gx, *of_slaf, *of_relu[2:], None


def _rectifiers(x: Tensor, gain: Tensor | None, offset: Tensor | None) -> Parameters:
    return Parameters(x.new_ones(1, 1), x.new_zeros(1), gain, offset)
