"""Plain ways to write a learned activation, for comparison: none of them is part of the package."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NaiveSLAF(nn.Module):
    """The published form to the letter: one BatchNorm2d or BatchNorm1d for each power."""

    def __init__(self, channels: int, degree: int) -> None:
        super().__init__()
        self.flat = nn.ModuleList(nn.BatchNorm1d(channels, affine=False) for _ in range(degree))
        self.deep = nn.ModuleList(nn.BatchNorm2d(channels, affine=False) for _ in range(degree))
        self.coefficients = nn.Parameter(torch.full((degree, channels), 0.3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shape = [1, -1] + [1] * (x.ndim - 2)
        norms = self.flat if x.ndim == 2 else self.deep
        y = self.bias.reshape(shape)
        for i, (norm, row) in enumerate(zip(norms, self.coefficients, strict=True)):
            y = y + row.reshape(shape) * norm(x ** (i + 1))
        return y


class PowerByPower(nn.Module):
    """b + Σ aᵢ·xⁱ under autograd, per channel."""

    def __init__(self, channels: int, degree: int) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.full((degree, channels), 0.3))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shape = [1, -1] + [1] * (x.ndim - 2)
        y = self.bias.reshape(shape)
        for i, row in enumerate(self.coefficients):
            y = y + row.reshape(shape) * x ** (i + 1)
        return y


class Rational(nn.Module):
    """Padé activation unit P(x)/(1 + |Q(x)|), one for the layer (Molina et al. 2020, version A)."""

    def __init__(self, upper: int, lower: int) -> None:
        super().__init__()
        self.upper = nn.Parameter(torch.full((upper + 1,), 0.3))
        self.lower = nn.Parameter(torch.full((lower,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        powers = [torch.ones_like(x), x]
        while len(powers) <= max(len(self.upper) - 1, len(self.lower)):
            powers.append(powers[-1] * x)
        above = sum(a * power for a, power in zip(self.upper, powers, strict=False))
        below = sum((b * power).abs() for b, power in zip(self.lower, powers[1:], strict=False))
        return above / (1.0 + below)
