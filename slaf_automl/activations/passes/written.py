"""The SLAF written out in PyTorch operations: any basis, any device, every transform."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from slaf_automl.activations.channels import Moments, along, batch_moments, by_channel
from slaf_automl.activations.passes.form import Form, Source


class Parameters(NamedTuple):
    """What is learned: coefficients `(rows, degree)`, bias `(rows,)`, gain and offset `(C,)`."""

    coefficients: Tensor
    bias: Tensor
    gain: Tensor | None
    offset: Tensor | None

    def to(self, dtype: torch.dtype) -> Parameters:
        """Return them in another precision."""
        gain, offset = (None if t is None else t.to(dtype) for t in self[2:])
        return Parameters(self.coefficients.to(dtype), self.bias.to(dtype), gain, offset)


class Settled(NamedTuple):
    """Statistics that a forward pass used: mean and 1/√(σ² + ε), each `(C,)` or `(C, degree)`."""

    mean: Tensor
    inverse: Tensor


def normalised_input(
    x: Tensor, channel_dim: int, parameters: Parameters, settled: Settled | None
) -> Tensor:
    """Return gain·(x − mean)·inverse + offset."""
    if settled is not None:
        inverse = along(settled.inverse, x, channel_dim)
        x = (x - along(settled.mean, x, channel_dim)) * inverse
    if parameters.gain is not None:
        x = x * along(parameters.gain, x, channel_dim)
    if parameters.offset is not None:
        x = x + along(parameters.offset, x, channel_dim)
    return x


def written_out(
    x: Tensor,
    channel_dim: int,
    form: Form,
    sources: tuple[Source, Source],
    parameters: Parameters,
    settled_input: Settled | None,
    settled_elements: Settled | None,
) -> tuple[Tensor, Moments | None, Moments | None]:
    """Evaluate f(x), saving nothing by hand.

    Args:
        x: `(N, C, *)`, channels at `channel_dim`, of the parameters' dtype.
        channel_dim: where the channels are.
        form: what is fixed.
        sources: of the input's and the elements' statistics; under BATCH the settled ones are not
            looked at.
        parameters: what is learned.
        settled_input: used under CONSTANT and FOLLOW.
        settled_elements: used under CONSTANT.

    Returns:
        f(x), and the batch's statistics of input and elements where their source is BATCH.
    """
    input_source, element_source = sources
    of_input: Moments | None = None
    of_elements: Moments | None = None
    if input_source is Source.BATCH:
        of_input = batch_moments(x, channel_dim)
        settled_input = Settled(of_input.mean, torch.rsqrt(of_input.variance + form.epsilon))
    u = normalised_input(x, channel_dim, parameters, settled_input)
    if form.clip is not None:
        u = (u / form.reach).clamp(-1.0, 1.0) * form.stretch
    elements = form.basis.elements(u, form.degree)
    channels = x.shape[channel_dim]
    weight = by_channel(parameters.coefficients, channels)
    constant = by_channel(parameters.bias, channels)
    if element_source is Source.BATCH:
        pairs = [batch_moments(element, channel_dim) for element in elements]
        of_elements = Moments(
            torch.stack([p.mean for p in pairs], 1), torch.stack([p.variance for p in pairs], 1)
        )
        inverse = torch.rsqrt(of_elements.variance + form.epsilon)
        settled_elements = Settled(of_elements.mean, inverse)
    if settled_elements is not None:
        # Centred before it is weighted: the other order cancels digits where means are large.
        elements = [
            e - along(m, x, channel_dim)
            for e, m in zip(elements, settled_elements.mean.unbind(1), strict=True)
        ]
        weight = weight * settled_elements.inverse
    y = along(constant, x, channel_dim)
    for element, row in zip(elements, weight.unbind(1), strict=True):
        y = torch.addcmul(y, along(row, x, channel_dim), element)
    return y, of_input, of_elements
