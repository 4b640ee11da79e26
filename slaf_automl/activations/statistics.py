"""Means and variances: of a batch, running over batches, and estimated once more at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from slaf_automl.errors import ActivationError

EPSILON = 1e-5
"""Added to every variance before its root is taken."""


def batch_moments(x: Tensor, channel_dim: int) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance over every dimension but `channel_dim`, each `(C,)`."""
    if x.numel() == 0:
        channels = x.shape[channel_dim]
        return x.new_zeros(channels), x.new_ones(channels)
    dims = [d for d in range(x.ndim) if d != channel_dim % x.ndim]
    variance, mean = torch.var_mean(x, dim=dims, correction=0)
    return mean, variance


class RunningMoments(nn.Module):
    """Running mean and biased variance of a statistic, shape `shape`.

    Batches are averaged exponentially: m ← m + momentum·(batch − m), the first batch as it is.
    Within `estimate_statistics` they are pooled exactly instead,
    σ² = Σ nₖ·(σₖ² + (μₖ − μ)²) / Σ nₖ, unless `tracked` says that the statistic only follows the
    training (the clip ranges, which must stay what the network was trained with).

    Buffers: `mean`, `variance` (`shape`) and `rows`, the number of rows seen (0 = never set).
    """

    mean: Tensor
    variance: Tensor
    rows: Tensor

    def __init__(
        self, shape: tuple[int, ...], *, momentum: float = 0.1, tracked: bool = False
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.tracked = tracked
        self.pooling = False
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("variance", torch.ones(shape))
        self.register_buffer("rows", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def observe(self, mean: Tensor, variance: Tensor, rows: int) -> None:
        """Take in the moments of a batch of `rows` rows."""
        if rows == 0 or (self.pooling and self.tracked and self.rows > 0):
            return
        mean, variance = mean.detach().to(self.mean), variance.detach().to(self.variance)
        # A batch that overflowed must not spoil what the batches before it have settled.
        finite = torch.isfinite(mean) & torch.isfinite(variance)
        mean = torch.where(finite, mean, self.mean)
        variance = torch.where(finite, variance, self.variance)
        seen = self.rows.to(self.mean)
        share = rows / (seen + rows) if self.pooling else torch.full_like(seen, self.momentum)
        step = mean - self.mean
        spread = share * (1 - share) * step**2 if self.pooling else torch.zeros_like(step)
        first = seen == 0
        self.variance.copy_(
            torch.where(
                first, variance, self.variance + share * (variance - self.variance) + spread
            )
        )
        self.mean.copy_(torch.where(first, mean, self.mean + share * step))
        self.rows.add_(rows)

    def require_set(self) -> None:
        """Raise an `ActivationError` if no batch was ever observed."""
        if self.rows == 0:
            raise ActivationError(
                "a normalised activation is evaluated before its statistics were set",
                remedy="train it, load trained weights, or call estimate_statistics first",
            )

    def snapshot(self) -> tuple[Tensor, Tensor]:
        """Return copies of mean and variance: the buffers may change before a backward pass."""
        return self.mean.clone(), self.variance.clone()

    def scale(self) -> Tensor:
        """Return 1/√(variance + ε)."""
        return torch.rsqrt(self.variance + EPSILON)


@contextmanager
def pooled_statistics(network: nn.Module) -> Iterator[None]:
    """Within the block, forward passes re-estimate every normaliser's statistics by pooling.

    All else is in evaluation mode: dropout is off, and foreign batch norms keep their averages.
    Without a row, or if the block raises, the old statistics come back.
    """
    moments = [m for m in network.modules() if isinstance(m, RunningMoments)]
    before = [(m, *m.snapshot(), m.rows.clone()) for m in moments]
    training = {m: m.training for m in network.modules()}
    whole = False
    try:
        network.eval()
        for module in network.modules():
            module.training = any(isinstance(c, RunningMoments) for c in module.children())
        for m in moments:
            m.pooling = True
            if not m.tracked:
                m.rows.zero_()
        yield
        whole = all(bool(m.rows > 0) for m in moments)
    finally:
        for m, mean, variance, rows in before:
            m.pooling = False
            if not whole:
                m.mean.copy_(mean)
                m.variance.copy_(variance)
                m.rows.copy_(rows)
        for module, was in training.items():
            module.training = was


@torch.no_grad()
def estimate_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Estimate every normaliser's statistics once more, from scratch, over `batches` of inputs.

    Running averages of high powers have heavy tails and lag behind the weights; validation, export
    and prediction use these estimates instead. With all rows in one batch they are exact; with
    several, each batch passes normalised by its own moments, as in training.
    """
    if not any(isinstance(m, RunningMoments) and not m.tracked for m in network.modules()):
        return
    with pooled_statistics(network):
        for batch in batches:
            network(batch)


class InputNormaliser(nn.Module):
    """Batch normalisation of the channels: y = γ·(x − μ)/√(σ² + ε) + β, γ and β learned.

    Batch statistics in training, running ones in evaluation; biased variances throughout.
    Input and output `(N, C, *)`, the channels at `channel_dim`.
    """

    def __init__(self, channels: int, *, channel_dim: int = 1) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.moments = RunningMoments((channels,))

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the evaluation-mode scale and shift, each `(C,)`, in float64."""
        weight, bias = self.weight.detach().double(), self.bias.detach().double()
        scale = weight / torch.sqrt(self.moments.variance.double() + EPSILON)
        return scale, bias - scale * self.moments.mean.double()

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x`."""
        if self.training:
            mean, variance = batch_moments(x, self.channel_dim)
            self.moments.observe(mean, variance, x.numel() // x.shape[self.channel_dim])
            scale = self.weight * torch.rsqrt(variance + EPSILON)
        else:
            self.moments.require_set()
            mean, variance = self.moments.snapshot()
            scale = self.weight * torch.rsqrt(variance + EPSILON)
        shift = self.bias - scale * mean
        return torch.addcmul(
            along(shift, x, self.channel_dim), x, along(scale, x, self.channel_dim)
        )


def along(values: Tensor, like: Tensor, channel_dim: int) -> Tensor:
    """View per-channel `values` `(C,)` so that they broadcast along the channels of `like`."""
    shape = [1] * like.ndim
    shape[channel_dim] = -1
    return values.reshape(shape)
