"""Fixed activations under the same choice of normalisers that SLAF has, for fair comparisons."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slaf_automl.activations.channels import Moments, along, batch_moments, normalised
from slaf_automl.activations.folding import Affine, Folded
from slaf_automl.activations.passes import FIXED, Form, Passes, Rectifier, Source, Statistics
from slaf_automl.activations.statistics import EPSILON, InputNormaliser, RunningMoments
from slaf_automl.errors import ActivationError

NORMALISERS = ("none", "input", "frozen", "element")
"""none: as it is; input: batch norm before; frozen: the same by statistics that settle and stay;
element: each basis element normalised by itself."""


class FixedActivation(nn.Module):
    """ReLU, SiLU or GELU φ under a normaliser: φ(x), φ(BN(x)), or (φ(x) − μ)/√(σ² + ε).

    The last form is a SLAF whose one element is φ; the next linear layer takes its weight, so
    all deploy as a plain φ. Input and output `(N, C, *)`.

    Args:
        channels: C.
        function: `relu`, `silu` or `gelu`.
        normaliser: of `NORMALISERS`.
        channel_dim: where the channels are.

    Raises:
        ActivationError: an unknown function or normaliser.

    Example:
        >>> FixedActivation(2, function="silu")(torch.zeros(1, 2)).tolist()
        [[0.0, 0.0]]
    """

    def __init__(
        self,
        channels: int,
        *,
        function: str = "relu",
        normaliser: str = "none",
        channel_dim: int = 1,
    ) -> None:
        super().__init__()
        for what, word, words in (
            ("activation", function, FIXED),
            ("normaliser", normaliser, NORMALISERS),
        ):
            if word not in words:
                expected = "one of " + ", ".join(words)
                raise ActivationError(f"unknown {what} {word!r}", expected=expected)
        self.channels = channels
        self.channel_dim = channel_dim
        self.function = function
        self.before = (
            InputNormaliser(channels, channel_dim=channel_dim, frozen=normaliser == "frozen")
            if normaliser in ("input", "frozen")
            else None
        )
        self.after = RunningMoments((channels,)) if normaliser == "element" else None
        self._passes = Passes(self.form)

    @property
    def form(self) -> Form:
        """The same as a SLAF of one element whose coefficient is 1."""
        return FIXED[self.function]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the normalised activation."""
        (y,) = self.form.basis.elements(x if self.before is None else self.before(x), 1)
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
        """Take the evaluation-mode function apart: affine, activation, affine."""
        before, after = Affine.identity(self.channels), Affine.identity(self.channels)
        if self.before is not None:
            self.before.moments.require_set()
            before = Affine(*self.before.affine())
        if self.after is not None:
            self.after.require_set()
            scale = 1 / torch.sqrt(self.after.variance.double() + EPSILON)
            after = Affine(scale, -scale * self.after.mean.double())
        return Folded(before, plain_activation(self.function), after)


def plain_activation(function: str) -> nn.Module:
    """Return PyTorch's own module of a fixed activation.

    Example:
        >>> plain_activation("gelu")
        GELU(approximate='none')
    """
    modules: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}
    return modules[function]()
