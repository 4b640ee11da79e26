"""The self-learnable activation function."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import torch
from numpy.polynomial import chebyshev
from torch import Tensor, nn

from slaf_automl.activations.bases import FloatArray, find_basis, require_clip, require_degree
from slaf_automl.activations.folding import Affine, Folded
from slaf_automl.activations.polynomial import HORNER_DEGREE, Polynomial
from slaf_automl.activations.projection import fit_activation
from slaf_automl.activations.rectifier import NORMALISERS, NormalisedReLU
from slaf_automl.activations.statistics import (
    EPSILON,
    InputNormaliser,
    RunningMoments,
    along,
    batch_moments,
)
from slaf_automl.errors import ActivationError

SHARING = ("layer", "channel")
"""One row of coefficients for the whole layer, or one per channel."""


def learned_channels(channels: int, hybrid: float) -> int:
    """Return how many of `channels` are SLAF when a share `hybrid` stays ReLU, halves rounded up.

    Example:
        >>> [learned_channels(c, 0.5) for c in (1, 2, 5)]
        [1, 1, 3]
    """
    # Exact: in floats (1 − 0.9)·5 + 0.5 falls short of 1.
    return math.floor((1 - Fraction(str(hybrid))) * channels + Fraction(1, 2))


class SLAF(nn.Module):
    """Self-learnable activation function: a learned weighted sum of normalised basis elements.

    f(x) = b + Σ_{i=1}^{degree} aᵢ·N(φᵢ(u(x))), with aᵢ and b learned (Goyal, Goyal, Lall 2019,
    arXiv:1906.09529). Normalisers N, all per channel:

    * `"none"`: N(φ) = φ and u = x;
    * `"input"`: N(φ) = φ and u = γ·(x − μ)/√(σ² + ε) + β, a batch normalisation of the input;
    * `"element"`: N(φ) = (φ − μᵢ)/√(σᵢ² + ε), each element by its own batch statistics (the
      published form). With a clip range u is x standardised by running statistics, without u = x.

    Statistics are biased; evaluation uses running ones. With `clip` = c, u is limited to ±c, and a
    basis with domain [−1, 1] is evaluated at u/c. Input and output `(N, C, *)`, floating point.

    Args:
        channels: C.
        basis: `"monomial"`, `"chebyshev"`, `"legendre"` or `"hermite"`.
        degree: number of elements, 1 to 16.
        sharing: coefficients per `"channel"` or one row per `"layer"`.
        normaliser: `"none"`, `"input"` or `"element"`.
        hybrid: share of channels that stay ReLU; the first round-half-up((1 − hybrid)·C) channels
            are SLAF, and there must be at least one.
        channel_dim: where the channels are.
        clip: c in standard deviations; None leaves the input as it is (then the form under
            `"element"` is the published one to the letter).
        start: the function it starts as (see `fit_activation`), projected on the basis.

    Raises:
        ActivationError: an unknown word, a number out of range, or an input of another shape or
            dtype than the layer was built for.

    Example:
        >>> slaf = SLAF(3, basis="hermite", degree=2, normaliser="none", start="identity")
        >>> slaf(torch.tensor([[-1.0, 0.5, 2.0]])).detach().round(decimals=2)
        tensor([[-1.0000,  0.5000,  2.0000]])
    """

    def __init__(
        self,
        channels: int,
        *,
        basis: str = "chebyshev",
        degree: int = 3,
        sharing: str = "channel",
        normaliser: str = "element",
        hybrid: float = 0.0,
        channel_dim: int = 1,
        clip: float | None = 3.0,
        start: str = "relu",
    ) -> None:
        super().__init__()
        self.basis = find_basis(basis)
        self.degree = require_degree(degree)
        self.channels = _require_channels(channels)
        self.sharing = _require_word("sharing", sharing, SHARING)
        self.normaliser = _require_word("normaliser", normaliser, NORMALISERS)
        self.clip = require_clip(clip)
        self.learned = learned_channels(channels, require_hybrid(hybrid))
        if self.learned == 0:
            raise ActivationError(
                f"hybrid {hybrid} leaves no SLAF channel of {channels}",
                remedy="use more channels, a smaller hybrid share, or ReLU",
            )
        self.channel_dim = channel_dim
        rest = channels - self.learned
        element = normaliser == "element"
        self.before = (
            InputNormaliser(channels, channel_dim=channel_dim) if normaliser == "input" else None
        )
        self.reach = (
            RunningMoments((self.learned,), tracked=True) if element and clip is not None else None
        )
        self.moments = RunningMoments((self.learned, degree)) if element else None
        self.rectifier = (
            NormalisedReLU(
                rest, normaliser="element" if element else "none", channel_dim=channel_dim
            )
            if rest
            else None
        )
        rows = self.learned if sharing == "channel" else 1
        self.coefficients = nn.Parameter(torch.empty(rows, degree))
        self.bias = nn.Parameter(torch.empty(rows))
        self.start_as(start)

    @torch.no_grad()
    def start_as(self, target: str) -> None:
        """Set the coefficients to the projection of `target` (see `fit_activation`)."""
        fit = fit_activation(target, self.basis.name, self.degree, clip=self.clip)
        coefficients = np.array(fit.coefficients[1:])
        constant = fit.coefficients[0]
        if self.normaliser == "element":
            constant += float(coefficients @ np.array(fit.means))
            coefficients = coefficients * np.sqrt(np.array(fit.deviations) ** 2 + EPSILON)
        self.coefficients.copy_(torch.from_numpy(coefficients).expand_as(self.coefficients))
        self.bias.fill_(constant)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation."""
        self._require_input(x)
        if self.before is not None:
            x = self.before(x)
        if self.rectifier is None:
            return self._learned(x)
        sizes = [self.learned, self.channels - self.learned]
        smooth, rest = torch.split(x, sizes, self.channel_dim)
        return torch.cat([self._learned(smooth), self.rectifier(rest)], self.channel_dim)

    def _learned(self, x: Tensor) -> Tensor:
        elements = self.basis.elements(self._domain(x), self.degree)
        weight: Tensor = self.coefficients
        constant: Tensor = self.bias
        if self.moments is not None:
            mean, variance = self._element_moments(elements)
            weight = weight * torch.rsqrt(variance + EPSILON)
            constant = constant - (weight * mean).sum(1)
        y = along(constant, x, self.channel_dim)
        for element, row in zip(elements, weight.unbind(1), strict=True):
            y = torch.addcmul(y, along(row, x, self.channel_dim), element)
        return y

    def _domain(self, x: Tensor) -> Tensor:
        if self.clip is None:
            return x
        if self.reach is not None:
            if self.training:
                moments = batch_moments(x.detach(), self.channel_dim)
                self.reach.observe(*moments, x.numel() // self.learned)
            else:
                self.reach.require_set()
            mean = along(self.reach.mean, x, self.channel_dim)
            x = (x - mean) * along(self.reach.scale(), x, self.channel_dim)
        if self.basis.unit_domain:
            return (x / self.clip).clamp(-1.0, 1.0)
        return x.clamp(-self.clip, self.clip)

    def _element_moments(self, elements: list[Tensor]) -> tuple[Tensor, Tensor]:
        assert self.moments is not None
        if not self.training:
            self.moments.require_set()
            return self.moments.snapshot()
        pairs = [batch_moments(element, self.channel_dim) for element in elements]
        mean = torch.stack([m for m, _ in pairs], 1)
        variance = torch.stack([v for _, v in pairs], 1)
        self.moments.observe(mean, variance, elements[0].numel() // self.learned)
        return mean, variance

    def _require_input(self, x: Tensor) -> None:
        if not x.is_floating_point():
            raise ActivationError(f"SLAF input of dtype {x.dtype}", expected="floating point")
        if not -x.ndim <= self.channel_dim < x.ndim or x.shape[self.channel_dim] != self.channels:
            raise ActivationError(
                f"SLAF input of shape {tuple(x.shape)}",
                expected=f"{self.channels} channels at dimension {self.channel_dim}",
            )

    def fold(self) -> Folded:
        """Take the evaluation-mode function apart for deployment, in float64."""
        inner, weight, constant = self._fold_learned()
        rows = 1 if self.sharing == "layer" and self.moments is None else self.learned
        function = Polynomial(
            rows,
            self.degree,
            self.learned,
            clipped=self.clip is not None,
            channel_dim=self.channel_dim,
        )
        function.coefficients.data = weight[:rows].to(self.coefficients.dtype)
        function.to(self.coefficients.device)
        before = Affine.identity(self.channels)
        if self.before is not None:
            self.before.moments.require_set()
            before = Affine(*(t.cpu() for t in self.before.affine()))
        after = Affine(torch.ones_like(constant), constant)
        if self.rectifier is not None:
            rest = self.rectifier.fold()
            inner = _concatenate(inner, rest.input)
            after = _concatenate(after, rest.output)
        return Folded(inner.after(before), function, after)

    def _fold_learned(self) -> tuple[Affine, Tensor, Tensor]:
        """Return the input map, the deployed rows (learned, degree) and the constants."""
        weight = self.coefficients.detach().double().cpu().expand(self.learned, -1)
        constant = self.bias.detach().double().cpu().expand(self.learned)
        if self.moments is not None:
            self.moments.require_set()
            weight = weight / torch.sqrt(self.moments.variance.double().cpu() + EPSILON)
            constant = constant - (weight * self.moments.mean.double().cpu()).sum(1)
        inner = Affine.identity(self.learned)
        if self.reach is not None:
            self.reach.require_set()
            scale = 1 / torch.sqrt(self.reach.variance.double().cpu() + EPSILON)
            inner = Affine(scale, -scale * self.reach.mean.double().cpu())
        stretch = 1.0
        if self.clip is not None:
            inner = Affine(inner.scale / self.clip, inner.shift / self.clip)
            stretch = 1.0 if self.basis.unit_domain else self.clip
        matrix = _deployed_matrix(self.basis.to_monomials(self.degree), stretch)
        full = torch.cat([constant[:, None], weight], 1) @ torch.from_numpy(matrix)
        return inner, full[:, 1:], full[:, 0]


def _deployed_matrix(to_monomials: FloatArray, stretch: float) -> FloatArray:
    """Map coefficients of φᵢ(stretch·v) to monomials of v, above Horner's degree to Tⱼ(v)."""
    degree = len(to_monomials) - 1
    matrix: FloatArray = to_monomials * stretch ** np.arange(degree + 1)
    if degree <= HORNER_DEGREE:
        return matrix
    converted = np.zeros_like(matrix)
    for i, row in enumerate(matrix):
        series = chebyshev.poly2cheb(row)
        converted[i, : len(series)] = series
    return converted


def _concatenate(first: Affine, second: Affine) -> Affine:
    second = Affine(second.scale.cpu(), second.shift.cpu())
    return Affine(torch.cat([first.scale, second.scale]), torch.cat([first.shift, second.shift]))


def _require_channels(channels: object) -> int:
    if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
        raise ActivationError(f"{channels!r} channels", expected="an integer of at least 1")
    return channels


def _require_word(what: str, word: object, words: tuple[str, ...]) -> str:
    if not isinstance(word, str) or word not in words:
        raise ActivationError(f"unknown {what} {word!r}", expected="one of " + ", ".join(words))
    return word


def require_hybrid(hybrid: object) -> float:
    """Return the hybrid share if it is a number in [0, 1), else raise an `ActivationError`."""
    if isinstance(hybrid, (int, float)) and not isinstance(hybrid, bool) and 0.0 <= hybrid < 1.0:
        return float(hybrid)
    raise ActivationError(
        f"hybrid {hybrid!r}",
        expected="a share from 0 to below 1",
        remedy="use ReLU for a slot without SLAF channels",
    )
