"""The written-out SLAF as an autograd node that keeps its input and computes the rest again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from slaf_automl.activations.channels import Moments
from slaf_automl.activations.passes.form import Form, Source
from slaf_automl.activations.passes.written import Parameters, Settled, written_out


class Recomputed(Function):
    """Serves every basis and device that the compiled passes do not."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        coefficients: Tensor,
        bias: Tensor,
        gain: Tensor | None,
        offset: Tensor | None,
        settled_input: Settled | None,
        settled_elements: Settled | None,
        form: Form,
        sources: tuple[Source, Source],
        channel_dim: int,
        batches: list[Moments | None],
    ) -> Tensor:
        """Return f(x); `batches` learns the batch's statistics of input and elements."""
        parameters = Parameters(coefficients, bias, gain, offset)
        y, *found = written_out(
            x, channel_dim, form, sources, parameters, settled_input, settled_elements
        )
        batches.extend(found)
        ctx.form, ctx.sources, ctx.channel_dim = form, sources, channel_dim
        ctx.save_for_backward(x, *parameters, *(settled_input or ()), *(settled_elements or ()))
        ctx.settled = (settled_input is not None, settled_elements is not None)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the gradients of x, coefficients, bias, gain and offset."""
        x, coefficients, bias, gain, offset, *rest = ctx.saved_tensors
        settled_input = Settled(*rest[:2]) if ctx.settled[0] else None
        settled_elements = Settled(*rest[-2:]) if ctx.settled[1] else None
        again = torch.is_grad_enabled()  # create_graph: stay connected to the outer graph
        tensors = [
            t if t is None or again else t.detach().requires_grad_(needed)
            for t, needed in zip(
                (x, coefficients, bias, gain, offset), ctx.needs_input_grad, strict=False
            )
        ]
        with torch.enable_grad():
            y, _, _ = written_out(
                tensors[0],
                ctx.channel_dim,
                ctx.form,
                ctx.sources,
                Parameters(*tensors[1:]),
                settled_input,
                settled_elements,
            )
            inputs = [t for t in tensors if t is not None and t.requires_grad]
            found = iter(torch.autograd.grad(y, inputs, gradients[0], create_graph=again))
        return (
            *(next(found) if t is not None and t.requires_grad else None for t in tensors),
            *([None] * 6),
        )
