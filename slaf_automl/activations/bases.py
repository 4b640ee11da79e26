"""The table of polynomial bases: one three-term recurrence each.

Every family here satisfies φ₀ = 1, φ₁ = x and

    φᵢ₊₁(x) = αᵢ·x·φᵢ(x) − γᵢ·φᵢ₋₁(x),   i ≥ 1,

so one evaluation and one conversion serve them all. Elements are evaluated on tensors of any shape
and dtype; the matrices to the monomials are float64 NumPy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from slaf_automl.errors import ActivationError

FloatArray = NDArray[np.float64]

MAX_DEGREE = 16
"""Above this degree float32 powers and conversions lose the digits a network needs."""


@dataclass(frozen=True)
class Basis:
    """A family of polynomials on the line.

    Args:
        name: the word used in specs, space files and dimension values.
        formula: the family's definition, for people.
        source: where the family and its recurrence are described.
        recurrence: i ↦ (αᵢ, γᵢ) for i ≥ 1.
        unit_domain: the natural domain is [−1, 1]: a clipped input is divided by its clip range
            before the elements are evaluated. False: the family wants a standard normal input.
    """

    name: str
    formula: str
    source: str
    recurrence: Callable[[int], tuple[float, float]]
    unit_domain: bool

    def elements(self, x: Tensor, degree: int) -> list[Tensor]:
        """Evaluate φ₁ … φ_degree at `x`, each of the shape and dtype of `x`.

        Example:
            >>> import torch
            >>> [e.item() for e in BASES["chebyshev"].elements(torch.tensor(0.5), 3)]
            [0.5, -0.5, -1.0]
        """
        elements = [x]
        for i in range(1, degree):
            alpha, gamma = self.recurrence(i)
            raised = x * elements[-1] if alpha == 1.0 else (alpha * x) * elements[-1]
            if gamma:
                raised = raised - (gamma * elements[-2] if i > 1 else gamma)
            elements.append(raised)
        return elements

    def to_monomials(self, degree: int) -> FloatArray:
        """Return M, (degree+1, degree+1) float64, with φᵢ(x) = Σⱼ M[i, j]·xʲ."""
        matrix = np.zeros((degree + 1, degree + 1))
        matrix[0, 0] = 1.0
        if degree >= 1:
            matrix[1, 1] = 1.0
        for i in range(1, degree):
            alpha, gamma = self.recurrence(i)
            matrix[i + 1, 1:] = alpha * matrix[i, :-1]
            matrix[i + 1] -= gamma * matrix[i - 1]
        return matrix


def _monomial(i: int) -> tuple[float, float]:
    return 1.0, 0.0


def _chebyshev(i: int) -> tuple[float, float]:
    return 2.0, 1.0


def _legendre(i: int) -> tuple[float, float]:
    return (2 * i + 1) / (i + 1), i / (i + 1)


def _hermite(i: int) -> tuple[float, float]:
    return 1 / math.sqrt(i + 1), math.sqrt(i / (i + 1))


BASES: dict[str, Basis] = {
    basis.name: basis
    for basis in (
        Basis(
            "monomial",
            "φᵢ(x) = xⁱ",
            "Goyal, Goyal, Lall 2019, arXiv:1906.09529",
            _monomial,
            unit_domain=True,
        ),
        Basis(
            "chebyshev",
            "φᵢ(x) = Tᵢ(x), Tᵢ(cos t) = cos(i·t)",
            "Abramowitz & Stegun 1964, 22.7.4",
            _chebyshev,
            unit_domain=True,
        ),
        Basis(
            "legendre",
            "φᵢ(x) = Pᵢ(x), (i+1)·Pᵢ₊₁ = (2i+1)·x·Pᵢ − i·Pᵢ₋₁",
            "Abramowitz & Stegun 1964, 22.7.10",
            _legendre,
            unit_domain=True,
        ),
        Basis(
            "hermite",
            "φᵢ(x) = Heᵢ(x)/√(i!), orthonormal under N(0, 1)",
            "Abramowitz & Stegun 1964, 22.7.14, normalised",
            _hermite,
            unit_domain=False,
        ),
    )
}
"""All bases by name."""


def find_basis(name: object) -> Basis:
    """Return the basis called `name`.

    Raises:
        ActivationError: no such basis; the message lists those that exist.

    Example:
        >>> find_basis("hermite").name
        'hermite'
    """
    if not isinstance(name, str) or name not in BASES:
        raise ActivationError(f"unknown basis {name!r}", expected="one of " + ", ".join(BASES))
    return BASES[name]


def require_degree(degree: object) -> int:
    """Return `degree` if it is an int of 1 … `MAX_DEGREE`, else raise an `ActivationError`."""
    if not isinstance(degree, int) or isinstance(degree, bool) or not 1 <= degree <= MAX_DEGREE:
        raise ActivationError(f"degree {degree!r}", expected=f"an integer of 1 to {MAX_DEGREE}")
    return degree


def require_clip(clip: object) -> float | None:
    """Return the clip range if it is None or a positive number, else raise an `ActivationError`."""
    if clip is None:
        return None
    if isinstance(clip, (int, float)) and not isinstance(clip, bool) and 0.0 < clip < math.inf:
        return float(clip)
    raise ActivationError(f"clip {clip!r}", expected="a positive number or null")
