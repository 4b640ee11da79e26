"""Values per channel: how they broadcast, repeat, and are averaged from a batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Moments(NamedTuple):
    """Mean and biased variance, each `(C,)` or `(C, degree)`."""

    mean: Tensor
    variance: Tensor


def along(values: Tensor, like: Tensor, channel_dim: int) -> Tensor:
    """View per-channel `values` `(C,)` so that they broadcast along the channels of `like`."""
    shape = [1] * like.ndim
    shape[channel_dim] = -1
    return values.reshape(shape)


def batch_moments(x: Tensor, channel_dim: int) -> Moments:
    """Return mean and biased variance over every dimension but `channel_dim`, each `(C,)`."""
    if x.numel() == 0:
        channels = x.shape[channel_dim]
        return Moments(x.new_zeros(channels), x.new_ones(channels))
    dims = [d for d in range(x.ndim) if d != channel_dim % x.ndim]
    variance, mean = torch.var_mean(x, dim=dims, correction=0)
    return Moments(mean, variance)


def by_channel(rows: Tensor, channels: int) -> Tensor:
    """Repeat rows `(R, *)` for their channels, `(C, *)`: channel c takes row ⌊c·R/C⌋.

    Example:
        >>> by_channel(torch.tensor([10, 20]), 5)
        tensor([10, 10, 10, 20, 20])
    """
    count = rows.shape[0]
    if count == channels:
        return rows
    if count == 1:
        return rows.expand(channels, *rows.shape[1:])
    return rows[torch.arange(channels, device=rows.device) * count // channels]


def normalised(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Moments]:
    """Return γ·(x − μ)/√(σ² + ε) + β by the batch's own moments, and these without a gradient.

    Torch's batch normalisation: for maps several times as fast as its parts one after another.

    Args:
        x: `(N, C, *)`, the channels at 1.
        weight: γ, `(C,)`; None for 1.
        bias: β, `(C,)`; None for 0.
        epsilon: ε.
    """
    y, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, epsilon)
    variance = (inverse.detach() ** -2 - epsilon).clamp_min(0.0)
    return y, Moments(mean.detach(), variance)
