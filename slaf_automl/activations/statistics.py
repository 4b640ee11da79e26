"""Means and variances: of a batch, running over batches, and estimated once more at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from slaf_automl.activations.channels import Moments, along, batch_moments, normalised
from slaf_automl.errors import ActivationError

EPSILON = 1e-5
"""Added to every variance before its root is taken."""

SETTLED = 4096
"""Values of a channel after which a frozen normaliser stays as it is."""


class RunningMoments(nn.Module):
    """Running mean and biased variance of a statistic, shape `shape`.

    Batches are averaged exponentially: m ← m + momentum·(batch − m), the first batch as it is.
    Within `estimate_statistics` they are pooled exactly instead,
    σ² = Σ nₖ·(σₖ² + (μₖ − μ)²) / Σ nₖ, unless `tracked` says that the statistic only follows the
    training (clip ranges and frozen normalisers, which must stay what the network was trained
    with).

    Args:
        shape: `(C,)` or `(C, degree)`.
        momentum: share of a batch.
        tracked: whether it only follows the training.
        settle: after so many values it stays as it is; 0 for never.

    Buffers: `mean`, `variance` (`shape`) and `rows`, the number of rows seen (0 = never set).
    """

    mean: Tensor
    variance: Tensor
    rows: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        momentum: float = 0.1,
        tracked: bool = False,
        settle: int = 0,
    ) -> None:
        super().__init__()
        self.momentum = momentum
        self.tracked = tracked
        self.settle = settle
        self.epsilon = EPSILON
        self.pooling = False
        self.constant = False
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("variance", torch.ones(shape))
        self.register_buffer("rows", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def observe(self, batch: Moments, rows: int) -> None:
        """Take in the moments of a batch of `rows` rows."""
        if rows == 0 or self.idle:
            return
        mean, variance = (t.detach().to(self.mean) for t in batch)
        # A batch that overflowed must not spoil what the batches before it have settled.
        finite = torch.isfinite(mean) & torch.isfinite(variance)
        mean = torch.where(finite, mean, self.mean)
        variance = torch.where(finite, variance, self.variance)
        seen = self.rows.to(self.mean)
        first = seen == 0
        share = rows / (seen + rows) if self.pooling else torch.full_like(seen, self.momentum)
        if self.settle:
            share = torch.where(seen >= self.settle, 0.0, share)
        step = mean - self.mean
        spread = share * (1 - share) * step**2 if self.pooling else torch.zeros_like(step)
        moved = self.variance + share * (variance - self.variance) + spread
        # The first batch as it is, exactly, whatever was there before.
        self.variance.copy_(torch.where(first, variance, moved))
        self.mean.copy_(torch.where(first, mean, self.mean + share * step))
        # Rows count once every channel could take them in: until then the next batch is the first.
        counted = finite.all() if not self.settle else finite.all() & (seen < self.settle)
        self.rows.add_(rows * counted)

    @property
    def idle(self) -> bool:
        """Whether batches leave it as it is: it is constant, or only follows the training."""
        return self.constant or (self.pooling and self.tracked and bool(self.rows > 0))

    def moments_of(self, x: Tensor, channel_dim: int) -> Moments:
        """Return the moments of a batch that this statistic follows, without a gradient."""
        return batch_moments(x.detach(), channel_dim)

    def buffers_of(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, variance and rows."""
        # nn.Module's own attribute look-up is slow where every microsecond counts.
        found = cast(dict[str, Tensor], self._buffers)
        return found["mean"], found["variance"], found["rows"]

    def require_set(self, slot: str = "") -> None:
        """Raise an `ActivationError` if no batch was ever observed.

        Under torch.compile and torch.func, which cannot look at values, they serve as they are.
        """
        if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
            return
        if self.rows == 0:
            raise ActivationError(
                f"{slot or 'a normalised activation'} is evaluated before its statistics were set",
                remedy="train it, load trained weights, or call estimate_statistics first",
            )

    def snapshot(self) -> tuple[Tensor, Tensor]:
        """Return copies of mean and variance: the buffers may change before a backward pass."""
        return self.mean.clone(), self.variance.clone()


@contextmanager
def pooled_statistics(network: nn.Module) -> Iterator[None]:
    """Within the block, forward passes re-estimate every normaliser's statistics by pooling.

    All else is in evaluation mode: dropout is off, and foreign batch norms keep their averages.
    What saw no row keeps its old statistics; if the block raises, all come back.
    """
    moments = [m for m in network.modules() if isinstance(m, RunningMoments) and not m.constant]
    before = [(m, *m.snapshot(), m.rows.clone()) for m in moments]
    training = {m: m.training for m in network.modules()}
    finished = False
    try:
        network.eval()
        for module in network.modules():
            module.training = any(
                isinstance(c, RunningMoments) and not c.constant for c in module.children()
            )
        for m in moments:
            m.pooling = True
            if not m.tracked:
                m.rows.zero_()
        yield
        finished = True
    finally:
        for m, mean, variance, rows in before:
            m.pooling = False
            if not finished or m.rows == 0:
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
    moments = [m for m in network.modules() if isinstance(m, RunningMoments)]
    if all(m.constant or (m.tracked and bool(m.rows > 0)) for m in moments):
        return
    with pooled_statistics(network):
        for batch in batches:
            network(batch)


def hold_statistics(network: nn.Module) -> None:
    """Keep every normaliser's statistics as they are from here on, in training too.

    What is trained is then what will be deployed: the batches' noise, which hurts small tables,
    is gone. `estimate_statistics` first, so that what is kept is exact.
    """
    for module in network.modules():
        if isinstance(module, RunningMoments):
            module.constant = True


class InputNormaliser(nn.Module):
    """Normalisation of the channels: y = γ·(x − μ)/√(σ² + ε) + β, γ and β learned.

    Batch statistics in training and running ones in evaluation; or `frozen`: running ones that
    settle over the first `SETTLED` values of each channel, carry no gradient and then stay, in
    training and evaluation alike. Biased variances throughout.
    Input and output `(N, C, *)`, the channels at `channel_dim`.
    """

    def __init__(self, channels: int, *, channel_dim: int = 1, frozen: bool = False) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.frozen = frozen
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.moments = RunningMoments((channels,), tracked=frozen, settle=SETTLED if frozen else 0)

    def affine(self) -> tuple[Tensor, Tensor]:
        """Return the evaluation-mode scale and shift, each `(C,)`, in float64."""
        weight, bias = self.weight.detach().double(), self.bias.detach().double()
        scale = weight / torch.sqrt(self.moments.variance.double() + EPSILON)
        return scale, bias - scale * self.moments.mean.double()

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x`."""
        dim, moments = self.channel_dim, self.moments
        live = self.training and not moments.idle
        if live and not self.frozen and dim == 1 and x.ndim > 2 and x.numel():
            y, batch = normalised(x, self.weight, self.bias, EPSILON)
            moments.observe(batch, x.numel() // x.shape[dim])
            return y
        if live:
            batch = batch_moments(x.detach() if self.frozen else x, dim)
            used = batch
            if self.frozen:
                first = moments.rows == 0
                used = Moments(
                    *(
                        torch.where(first, b, s)
                        for b, s in zip(batch, moments.snapshot(), strict=True)
                    )
                )
            moments.observe(batch, x.numel() // x.shape[dim])
        else:
            moments.require_set()
            used = Moments(*moments.snapshot())
        scale = self.weight * torch.rsqrt(used.variance + EPSILON)
        shift = self.bias - scale * used.mean
        return torch.addcmul(along(shift, x, dim), x, along(scale, x, dim))
