"""The self-learnable activation function."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from slaf_automl.activations.bases import find_basis, require_clip, require_degree
from slaf_automl.activations.fixed import NORMALISERS, FixedActivation
from slaf_automl.activations.folding import Folded
from slaf_automl.activations.passes import NO_STATISTICS, Form, Passes, Source, Statistics
from slaf_automl.activations.passes.written import Parameters
from slaf_automl.activations.projection import fit_activation
from slaf_automl.activations.sharing import require_sharing, trained_rows
from slaf_automl.activations.slaf_folding import fold_slaf
from slaf_automl.activations.statistics import EPSILON, InputNormaliser, RunningMoments
from slaf_automl.errors import ActivationError, NonFiniteError

RIDGE = 0.1
"""Ridge of the starting coefficients: costs a named start at most 0.014 of error at clip 3."""

_NO_AFFINE: dict[str, nn.Parameter | None] = {"weight": None, "bias": None}


@functools.lru_cache(maxsize=16_384)  # Widths are solved by asking again and again.
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
    * `"frozen"`: the same, but μ and σ² settle over the first 4,096 values of a channel, carry no
      gradient and then stay: no batch noise, which hurts small tables;
    * `"element"`: N(φ) = (φ − μᵢ)/√(σᵢ² + ε), each element by its own batch statistics (the
      published form). With a clip range u is x standardised by the running statistics of the
      batches before, without one u = x.

    Statistics are biased; evaluation uses running ones. With `clip` = c, u is limited to ±c, and a
    basis with domain [−1, 1] is evaluated at u/c. Input and output `(N, C, *)`, floating point of
    any precision; the arithmetic is float32, for float64 inputs float64.

    Polynomial families run on a CPU in compiled passes that keep only the input for the backward
    pass; see docs/activations.md for where and when, and for torch.compile, torch.func, autocast
    and DistributedDataParallel.

    Args:
        channels: C.
        basis: name of a family of `slaf_automl.activations.BASES`.
        degree: number of elements, 1 to 16.
        sharing: coefficients per `"channel"`, one row per `"layer"`, or a number of rows, each for
            a group of neighbouring channels.
        normaliser: `"none"`, `"input"`, `"frozen"` or `"element"`.
        hybrid: share of channels that stay ReLU; the first round-half-up((1 − hybrid)·C) channels
            are SLAF, and there must be at least one.
        channel_dim: where the channels are; 1 for `(N, C, *)`, −1 for `(*, C)`.
        clip: c in standard deviations; None leaves the input as it is (then the form under
            `"element"` is the published one to the letter).
        start: the function it starts as (see `fit_activation`), projected on the basis.
        noise: standard deviation of normal noise on the starting coefficients, drawn from
            PyTorch's global generator; the published start is `"identity"` with a little of it.

    Raises:
        ActivationError: an unknown word, a number out of range, or an input of another shape or
            dtype than the layer was built for.
        NonFiniteError: in training, a batch whose statistics or output are not finite (noticed on
            a CPU).

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
        sharing: str | int = "channel",
        normaliser: str = "element",
        hybrid: float = 0.0,
        channel_dim: int = 1,
        clip: float | None = 3.0,
        start: str | Callable[[Tensor], Tensor] = "relu",
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        self.basis = find_basis(basis)
        self.degree = require_degree(degree)
        self.channels = _require_channels(channels)
        self.sharing = require_sharing(sharing)
        self.normaliser = _require_word("normaliser", normaliser, NORMALISERS)
        self.clip = require_clip(clip)
        self.learned = learned_channels(channels, require_hybrid(hybrid))
        if self.learned == 0:
            raise ActivationError(
                f"hybrid {hybrid} leaves no SLAF channel of {channels}",
                remedy="use more channels, a smaller hybrid share, or ReLU",
            )
        self.channel_dim = channel_dim
        self.slot = ""
        self.rectified = False
        rest = channels - self.learned
        element = normaliser == "element"
        affine = normaliser in ("input", "frozen")
        self._input_source = Source.BATCH if normaliser == "input" else Source.FOLLOW
        self.before = (
            InputNormaliser(self.learned, channel_dim=channel_dim, frozen=normaliser == "frozen")
            if affine
            else None
        )
        self.reach = (
            RunningMoments((self.learned,), tracked=True) if element and clip is not None else None
        )
        self.moments = RunningMoments((self.learned, degree)) if element else None
        self.rectifier = (
            FixedActivation(rest, normaliser=normaliser, channel_dim=channel_dim) if rest else None
        )
        rows = trained_rows(self.sharing, self.learned)
        self.coefficients = nn.Parameter(torch.empty(rows, degree))
        self.bias = nn.Parameter(torch.empty(rows))
        self._passes = Passes(self.form)
        self.start_as(start, noise=noise)

    @property
    def form(self) -> Form:
        """What stays fixed while it trains."""
        return Form(self.basis, self.degree, self.clip, EPSILON)

    @torch.no_grad()
    def start_as(
        self,
        target: str | Callable[[Tensor], Tensor],
        *,
        noise: float = 0.0,
        samples: Tensor | None = None,
    ) -> float:
        """Set the coefficients to the projection of `target` (see `fit_activation`; ridge 0.1).

        Args:
            target: a name, or any function of a tensor.
            noise: standard deviation of normal noise on the coefficients.
            samples: standardised inputs to weigh by, of any shape; None for a standard normal.

        Returns:
            The root mean square error of the projection.
        """
        fit = fit_activation(
            target, self.basis.name, self.degree, clip=self.clip, samples=samples, ridge=RIDGE
        )
        coefficients = np.array(fit.coefficients[1:])
        constant = fit.coefficients[0]
        if self.normaliser == "element":
            constant += float(coefficients @ np.array(fit.means))
            coefficients = coefficients * np.sqrt(np.array(fit.deviations) ** 2 + EPSILON)
        self.coefficients.copy_(torch.from_numpy(coefficients).expand_as(self.coefficients))
        self.bias.fill_(constant)
        if noise:
            self.coefficients.add_(noise * torch.randn_like(self.coefficients))
        return fit.error

    def extra_repr(self) -> str:
        """Return what was asked for, for `print`."""
        return (
            f"{self.channels}, basis={self.basis.name!r}, degree={self.degree}, "
            f"sharing={self.sharing!r}, normaliser={self.normaliser!r}, clip={self.clip}"
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation."""
        dim = self._require_input(x)
        if self.learned == self.channels:
            return self._learned(x, dim)
        assert self.rectifier is not None
        if not self.rectified and x.dtype in (torch.float32, torch.float64):
            other = self.rectifier.beside(x.dtype)
            found = None if other is None else self._passes.beside(x, dim, *self._terms(x), other)
            if found is not None:
                return self._required(*found)
        smooth, rest = torch.split(x, [self.learned, self.channels - self.learned], dim)
        return torch.cat([self._learned(smooth, dim), self.rectifier(rest)], dim)

    def _learned(self, x: Tensor, channel_dim: int) -> Tensor:
        if self.rectified:  # see warm_start.py
            return torch.relu(x if self.before is None else self.before(x))
        parameters, statistics = self._terms(x)
        dtype = parameters.bias.dtype
        given = x if x.dtype == dtype else x.to(dtype)
        y = self._required(*self._passes(given, channel_dim, parameters, statistics))
        return y if y.dtype == x.dtype else y.to(x.dtype)

    def _required(self, y: Tensor, finite: bool) -> Tensor:
        if not finite and self.training:
            raise NonFiniteError(
                f"{self.slot or 'a SLAF'} in training: its input or its output is not finite",
                remedy="lower the learning rate or the degree, clip gradients or inputs, "
                "or check the data for NaN",
            )
        return y

    def _terms(self, x: Tensor) -> tuple[Parameters, Statistics]:
        """Return what is learned, in the precision of the arithmetic, and the statistics."""
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        # nn.Module's own attribute look-up is slow where every microsecond counts.
        own, parts = self._parameters, self._modules
        before = cast(InputNormaliser | None, parts.get("before"))
        inputs = parts.get("reach") if before is None else before._modules["moments"]
        affine = _NO_AFFINE if before is None else before._parameters
        parameters = Parameters(
            cast(Tensor, own["coefficients"]),
            cast(Tensor, own["bias"]),
            affine["weight"],
            affine["bias"],
        )
        if parameters.bias.dtype != dtype:
            parameters = parameters.to(dtype)
        elements = parts.get("moments")
        statistics = NO_STATISTICS
        if inputs is not None or elements is not None:
            running = cast(RunningMoments | None, inputs), cast(RunningMoments | None, elements)
            training = self.training if before is None else before.training
            statistics = Statistics.of(running, self._input_source, self.slot, training=training)
        return parameters, statistics

    def _require_input(self, x: Tensor) -> int:
        """Return where the channels are, counted from the front."""
        dim, ndim = self.channel_dim, x.ndim
        if dim < 0:
            dim += ndim
        if not 0 <= dim < ndim or x.shape[dim] != self.channels:
            raise ActivationError(
                f"{self.slot or 'SLAF'}: input of shape {tuple(x.shape)}",
                expected=f"{self.channels} channels at dimension {self.channel_dim}",
                remedy="set channels and channel_dim to those of the layer before",
            )
        if not x.is_floating_point():
            raise ActivationError(
                f"{self.slot or 'SLAF'}: input of dtype {x.dtype}",
                expected="floating point",
                remedy="convert it, as in x.float()",
            )
        return dim

    def fold(self) -> Folded:
        """Take the evaluation-mode function apart for deployment, in float64."""
        return fold_slaf(self)


def name_slots(network: nn.Module) -> None:
    """Tell every SLAF of a network its module path, for messages."""
    for path, module in network.named_modules():
        if isinstance(module, SLAF):
            module.slot = path


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
