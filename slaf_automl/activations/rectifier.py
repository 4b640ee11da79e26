"""ReLU with the same choice of normalisers that SLAF has, so that comparisons are fair."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slaf_automl.activations.channels import Moments, along, batch_moments, normalised
from slaf_automl.activations.folding import Affine, Folded
from slaf_automl.activations.passes import RECTIFIED, Passes, Rectifier, Source, Statistics
from slaf_automl.activations.statistics import EPSILON, InputNormaliser, RunningMoments
from slaf_automl.errors import ActivationError

NORMALISERS = ("none", "input", "frozen", "element")
"""none: as it is; input: batch norm before; frozen: the same by statistics that settle and stay;
element: each basis element normalised by itself."""


class NormalisedReLU(nn.Module):
    """ReLU under a normaliser: max(x, 0), max(BN(x), 0), or (max(x, 0) − μ)/√(σ² + ε).

    The last form is a SLAF whose one element is ReLU; the next linear layer takes its weight, so
    all deploy as a plain ReLU. Input and output `(N, C, *)`.
    """

    def __init__(self, channels: int, *, normaliser: str = "none", channel_dim: int = 1) -> None:
        super().__init__()
        if normaliser not in NORMALISERS:
            raise ActivationError(
                f"unknown normaliser {normaliser!r}", expected="one of " + ", ".join(NORMALISERS)
            )
        self.channels = channels
        self.channel_dim = channel_dim
        self.before = (
            InputNormaliser(channels, channel_dim=channel_dim, frozen=normaliser == "frozen")
            if normaliser in ("input", "frozen")
            else None
        )
        self.after = RunningMoments((channels,)) if normaliser == "element" else None
        self._passes = Passes(RECTIFIED)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the normalised ReLU."""
        y = torch.relu(x if self.before is None else self.before(x))
        if self.after is None:
            return y
        live = self.training and not self.after.idle
        if live and self.channel_dim == 1 and x.ndim > 2 and x.numel():
            z, batch = normalised(y, None, None, EPSILON)
            self.after.observe(batch, y.numel() // max(self.channels, 1))
            return z
        if live:
            mean, variance = batch_moments(y, self.channel_dim)
            self.after.observe(Moments(mean, variance), y.numel() // max(self.channels, 1))
            scale = torch.rsqrt(variance + EPSILON)
        else:
            self.after.require_set()
            mean, variance = self.after.snapshot()
            scale = torch.rsqrt(variance + EPSILON)
        return along(scale, y, self.channel_dim) * (y - along(mean, y, self.channel_dim))

    def beside(self, dtype: torch.dtype) -> Rectifier | None:
        """Return what it takes to evaluate it with a SLAF in one go; None in another precision."""
        before = self.before
        affine: tuple[Tensor | None, Tensor | None] = (None, None)
        inputs = None if before is None else before.moments
        source = Source.BATCH if before is None or not before.frozen else Source.FOLLOW
        if before is not None:
            if before.weight.dtype != dtype:
                return None
            affine = before.weight, before.bias
        training = self.training if before is None else before.training
        statistics = Statistics.of((inputs, self.after), source, "", training=training)
        return Rectifier(self._passes, self.channels, affine, statistics)

    def fold(self) -> Folded:
        """Take the evaluation-mode function apart: affine, ReLU, affine."""
        before, after = Affine.identity(self.channels), Affine.identity(self.channels)
        if self.before is not None:
            self.before.moments.require_set()
            before = Affine(*self.before.affine())
        if self.after is not None:
            self.after.require_set()
            scale = 1 / torch.sqrt(self.after.variance.double() + EPSILON)
            after = Affine(scale, -scale * self.after.mean.double())
        return Folded(before, nn.ReLU(), after)
