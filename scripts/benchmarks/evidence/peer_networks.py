"""Networks of other learned activations: splines on every edge (KAN), and rational functions.

Both take standardised inputs `(N, inputs)` and return `(N, outputs)`; both state how many values
they store before they are built, so that their widths follow from a budget.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slaf_automl.networks.widths import SHAPES

ORDER = 3
"""Degree of the splines' pieces."""

LEAKY_NUMERATOR = (0.0447765, 0.505009, 1.238830, 1.128223, 0.391851, 0.0480118)
LEAKY_DENOMINATOR = (0.0, 2.234040, 0.0, 0.0950697)
"""The rational function closest to leaky ReLU (slope 0.01) on 801 points of [−4, 4] in least
squares; it is off by at most 0.045, at 0."""

Widths = tuple[int, ...]


def spread_widths(
    depth: int, shape: str, cost: Callable[[Widths], int], budget: int
) -> Widths | None:
    """Return hidden widths that use a budget up, None where not even single units fit.

    As the `mlp` space does: the largest network of the shape, then one unit each in turn until no
    layer can grow.

    Args:
        depth: hidden layers.
        shape: a name of `SHAPES`.
        cost: widths ↦ values stored; never falls as a layer grows.
        budget: the most values that may be stored.

    Example:
        >>> spread_widths(2, "constant", lambda widths: 10 * widths[0] + widths[1], 58)
        (5, 8)
    """
    if cost((1,) * depth) > budget:
        return None
    widths = [1] * depth
    base = 1
    while depth and cost(shaped := _shaped(base, depth, shape)) <= budget:
        widths, base = list(shaped), base + 1
    growing = list(range(depth))
    while growing:
        for i in list(growing):
            widths[i] += 1
            if cost(tuple(widths)) > budget:
                widths[i] -= 1
                growing.remove(i)
    return tuple(widths)


def _shaped(base: int, depth: int, shape: str) -> Widths:
    return tuple(max(1, round(base * SHAPES[shape] ** i)) for i in range(depth))


def dense_cost(inputs: int, outputs: int, widths: Widths, each: int = 0) -> int:
    """Return the values of linear layers with biases, and `each` more for every hidden layer.

    Example:
        >>> dense_cost(4, 1, (3,))
        19
    """
    sizes = (inputs, *widths, outputs)
    pairs = itertools.pairwise(sizes)
    return sum((a + 1) * b for a, b in pairs) + each * len(widths)


def kan_cost(inputs: int, outputs: int, widths: Widths, grid: int) -> int:
    """Return the values of a KAN: a base weight and grid + 3 coefficients for every edge.

    Example:
        >>> kan_cost(4, 1, (3,), 5)
        135
    """
    sizes = (inputs, *widths, outputs)
    edges = sum(a * b for a, b in itertools.pairwise(sizes))
    return edges * (1 + grid + ORDER)


def cubic_splines(x: Tensor, grid: int, half: float) -> Tensor:
    """Return the uniform cubic B-splines of a grid on [−half, half], `(*, grid + 3)` of `x` `(*)`.

    With h = 2·half/grid and u = |x + half − (i − 1)·h|/h, the spline i = 0, …, grid + 2 is
    ((2 − u)₊³ − 4·(1 − u)₊³)/6 (de Boor, A Practical Guide to Splines, 2001, ch. IX). They add up
    to 1 on the grid and are 0 from three steps beyond it on.
    """
    step = 2 * half / grid
    centres = torch.arange(-1, grid + ORDER - 1, dtype=x.dtype, device=x.device)
    u = ((x.unsqueeze(-1) + half) / step - centres).abs()
    return F.relu(2 - u) ** 3 / 6 - F.relu(1 - u) ** 3 * (2 / 3)


class SplineLayer(nn.Module):
    """Sums a learned function of each input: yⱼ = Σᵢ wᵢⱼ·silu(xᵢ) + Σᵢₖ cᵢₖⱼ·Bₖ(xᵢ).

    The Kolmogorov–Arnold layer of Liu et al. 2024 (arXiv:2404.19756, section 2.2) with the
    splines' scale within their coefficients, as one matrix product over silu and splines of the
    inputs (the form known as efficient KAN). Base weights start as Xavier's, coefficients as normal
    noise of 0.1/√inputs.

    Args:
        inputs: features.
        outputs: sums.
        grid: intervals of the splines.
        half: the grid reaches from −half to half.
        generator: source of the initial weights.
    """

    def __init__(
        self, inputs: int, outputs: int, grid: int, half: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.grid, self.half = grid, half
        weight = torch.empty(outputs, inputs, 1 + grid + ORDER)
        weight.normal_(0.0, 0.1 / math.sqrt(inputs), generator=generator)
        bound = math.sqrt(6 / (inputs + outputs))
        weight[:, :, 0].uniform_(-bound, bound, generator=generator)
        self.weight = nn.Parameter(weight.flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate `(N, inputs)` to `(N, outputs)`."""
        splines = cubic_splines(x, self.grid, self.half)
        expanded = torch.cat([F.silu(x).unsqueeze(-1), splines], -1)
        return F.linear(expanded.flatten(1), self.weight)


def kan_network(sizes: Widths, grid: int, half: float, generator: torch.Generator) -> nn.Sequential:
    """Return spline layers one after the other, without biases, all on the same fixed grid.

    The published networks move their grids to where the hidden units lie. Batch-normalising
    the units instead, which keeps them on the grid, is left out: at the best of five learning rates
    (grid 3, one seed, one and two hidden layers) concrete, energy and vowel were no better with it.

    Args:
        sizes: inputs, hidden widths, outputs.
        grid: intervals of the splines.
        half: the grid reaches from −half to half.
        generator: source of the initial weights.
    """
    pairs = itertools.pairwise(sizes)
    return nn.Sequential(*(SplineLayer(a, b, grid, half, generator) for a, b in pairs))


class _RationalPass(torch.autograd.Function):
    """P(x)/(1 + |Q(x)|), with sums over all of `x` as matrix products of its powers."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
        square = x * x
        cube, fourth = square * x, square * square
        powers = torch.stack((torch.ones_like(x), x, square, cube, fourth, fourth * x)).flatten(1)
        inner = lower @ powers[1:5]
        below = 1 + inner.abs()
        y = (upper @ powers) / below
        ctx.save_for_backward(powers, inner, below, y, upper, lower)
        return y.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        powers, inner, below, y, upper, lower = ctx.saved_tensors
        above = gradients[0].reshape(-1) / below
        inside = -above * y * inner.sign()
        order = torch.arange(1, 6, dtype=powers.dtype)
        slope = (upper[1:] * order) @ powers[:5] * above + (lower * order[:4]) @ powers[:4] * inside
        return slope.view_as(gradients[0]), powers @ above, powers[1:5] @ inside


class Rational(nn.Module):
    """A learned rational function, one for all units: (Σ₀⁵ aᵢxⁱ)/(1 + |Σ₁⁴ bᵢxⁱ|).

    The safe Padé activation unit of Molina, Schramowski and Kersting 2020 (arXiv:1907.06732);
    see also Boullé, Nakatsukasa and Townsend 2020 (arXiv:2004.01902). It starts as leaky ReLU.
    """

    def __init__(self) -> None:
        super().__init__()
        self.upper = nn.Parameter(torch.tensor(LEAKY_NUMERATOR))
        self.lower = nn.Parameter(torch.tensor(LEAKY_DENOMINATOR))

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate elementwise."""
        return _RationalPass.apply(x, self.upper, self.lower)


RATIONAL_VALUES = len(LEAKY_NUMERATOR) + len(LEAKY_DENOMINATOR)


def rational_network(sizes: Widths, generator: torch.Generator) -> nn.Sequential:
    """Return linear layers with a rational function between them; He weights, biases 0.

    Args:
        sizes: inputs, hidden widths, outputs.
        generator: source of the initial weights.
    """
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        linear = nn.utils.skip_init(nn.Linear, a, b)
        with torch.no_grad():
            linear.weight.normal_(0.0, math.sqrt(2 / a), generator=generator)
            linear.bias.zero_()
        layers += [linear, Rational()]
    return nn.Sequential(*layers[:-1])
