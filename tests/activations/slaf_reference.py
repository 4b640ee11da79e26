"""Independent references: NumPy's polynomials, and the formulas of the room written out."""

import math

import numpy as np
import torch
from numpy.polynomial import chebyshev, hermite_e, legendre, polynomial
from torch import Tensor, nn

EPSILON = 1e-5
AVERAGED = 1e-12
"""Tolerance of whatever a running average enters."""

BASIS_NAMES = ("monomial", "chebyshev", "legendre", "hermite")
UNIT_DOMAIN = {"monomial": True, "chebyshev": True, "legendre": True, "hermite": False}

_SERIES = {
    "monomial": (polynomial.polyval, np.asarray),
    "chebyshev": (chebyshev.chebval, chebyshev.cheb2poly),
    "legendre": (legendre.legval, legendre.leg2poly),
    "hermite": (hermite_e.hermeval, hermite_e.herme2poly),
}


def reference_series(basis: str, i: int) -> np.ndarray:
    """Coefficients of φᵢ in NumPy's series of the same family."""
    return np.eye(i + 1)[i] / (math.sqrt(math.factorial(i)) if basis == "hermite" else 1.0)


def reference_elements(basis: str, x: np.ndarray, degree: int) -> np.ndarray:
    """φ₁ … φ_degree at `x`, stacked along the first dimension."""
    evaluate = _SERIES[basis][0]
    return np.stack([evaluate(x, reference_series(basis, i)) for i in range(1, degree + 1)])


def reference_matrix(basis: str, degree: int) -> np.ndarray:
    """Row i: φᵢ in powers of x."""
    matrix = np.zeros((degree + 1, degree + 1))
    for i in range(degree + 1):
        powers = _SERIES[basis][1](reference_series(basis, i))
        matrix[i, : len(powers)] = powers
    return matrix


def torch_elements(basis: str, x: Tensor, degree: int) -> list[Tensor]:
    """φ₁ … φ_degree as sums of powers of `x`, so that autograd can differentiate them."""
    powers = [x**j for j in range(degree + 1)]
    matrix = reference_matrix(basis, degree)
    return [
        sum((float(row[j]) * powers[j] for j in np.flatnonzero(row)), torch.zeros_like(x))
        for row in matrix[1:]
    ]


def published(
    elements: list[Tensor],
    coefficients: Tensor,
    bias: Tensor,
    statistics: list[tuple[Tensor, Tensor]] | None = None,
) -> Tensor:
    """b + Σ aᵢ·BatchNorm(φᵢ) for elements (N, C, *); batch statistics unless some are given."""
    shape = [1, -1] + [1] * (elements[0].ndim - 2)
    y = bias.reshape(shape) * torch.ones_like(elements[0])
    for i, element in enumerate(elements):
        mean, variance = (None, None) if statistics is None else statistics[i]
        normalised = nn.functional.batch_norm(
            element, mean, variance, training=statistics is None, eps=EPSILON
        )
        y = y + coefficients[:, i].reshape(shape) * normalised
    return y


class Average:
    """m ← m + 0.1·(batch − m) of mean and biased variance, the first batch as it is."""

    def __init__(self) -> None:
        self.values: tuple[Tensor, Tensor] | None = None

    def update(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Take in a batch (N, C)."""
        mean = x.mean(0)
        batch = (mean, ((x - mean) ** 2).mean(0))
        if self.values is None:
            self.values = batch
        else:
            pairs = zip(self.values, batch, strict=True)
            self.values = tuple(0.9 * old + 0.1 * new for old, new in pairs)
        return self.values

    def before(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Take in a batch and return what was settled before it, for the first batch its own."""
        settled = self.values
        return self.update(x) if settled is None else (self.update(x), settled)[1]


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers of their own seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def quantiles(count: int) -> Tensor:
    """`count` equally likely standard normal values: a batch with no sampling noise."""
    return torch.special.ndtri((torch.arange(count, dtype=torch.float64) + 0.5) / count)


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every trainable parameter normal values, so that no factor hides behind a 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=generator)
    return module


def settled(module: nn.Module, channels: int) -> nn.Module:
    """Random parameters, running statistics of two unlike batches, evaluation mode."""
    randomised(module).train()
    dtype = next(module.parameters(), torch.zeros(())).dtype
    with torch.no_grad():
        module(1.5 * normal(64, channels, seed=1, dtype=dtype) + 0.5)
        module(2.0 * normal(32, channels, seed=2, dtype=dtype) - 0.3)
    return module.eval()


def assert_near(actual: Tensor, wanted: Tensor, tolerance: float) -> None:
    """Compare relative to the largest wanted value (the output scale), and the dtype-free shape."""
    assert actual.shape == wanted.shape
    scale = max(wanted.abs().max().item(), 1e-30)
    error = (actual.double() - wanted.double()).abs().max().item()
    assert error <= tolerance * scale, f"off by {error / scale:.2e} of the scale {scale:.2e}"
