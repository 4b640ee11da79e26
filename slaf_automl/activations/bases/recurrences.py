"""Polynomial families of one three-term recurrence each.

With φ₋₁ = 0 and φ₀ = 1,

    φᵢ₊₁(x) = αᵢ·x·φᵢ(x) − γᵢ·φᵢ₋₁(x),   i ≥ 0,

so one evaluation and one conversion serve them all. They are objects rather than closures: two
copies of a basis compare equal, and a module that holds one can be pickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from slaf_automl.activations.bases.basis import Basis, FloatArray

UNIT = "clipped to [−c, c], then divided by c"
"""How inputs come to [−1, 1]."""

Step = Callable[[int], tuple[float, float]]
"""i ↦ (αᵢ, γᵢ) for i ≥ 0; γ₀ is not used."""


@dataclass(frozen=True)
class Elements:
    """The evaluation of a recurrence: (x, degree) ↦ [φ₁(x), …, φ_degree(x)].

    Example:
        >>> import torch
        >>> [e.item() for e in Elements(lambda i: (3.0, 1.0))(torch.tensor(1.0), 3)]
        [3.0, 8.0, 21.0]
    """

    step: Step

    def __call__(self, x: Tensor, degree: int) -> list[Tensor]:
        """Evaluate on a tensor of any shape and floating dtype."""
        elements: list[Tensor] = []
        for i in range(degree):
            alpha, gamma = self.step(i)
            raised = x if alpha == 1.0 else alpha * x
            if i > 0:
                raised = raised * elements[-1]
                if gamma:
                    raised = raised - (gamma * elements[-2] if i > 1 else gamma)
            elements.append(raised)
        return elements


@dataclass(frozen=True)
class Monomials:
    """The conversion of a recurrence: degree ↦ M with φᵢ(x) = Σⱼ M[i, j]·xʲ.

    Example:
        >>> Monomials(lambda i: (3.0, 1.0))(2).tolist()
        [[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [-1.0, 0.0, 9.0]]
    """

    step: Step

    def __call__(self, degree: int) -> FloatArray:
        """Return M, (degree+1, degree+1) float64."""
        matrix = np.zeros((degree + 1, degree + 1))
        matrix[0, 0] = 1.0
        for i in range(degree):
            alpha, gamma = self.step(i)
            matrix[i + 1, 1:] = alpha * matrix[i, :-1]
            if i > 0:
                matrix[i + 1] -= gamma * matrix[i - 1]
        return matrix


def _monomial(i: int) -> tuple[float, float]:
    return 1.0, 0.0


def _chebyshev(i: int) -> tuple[float, float]:
    return (2.0 if i > 0 else 1.0), 1.0


def _chebyshev_second(i: int) -> tuple[float, float]:
    return 2.0, 1.0


def _legendre(i: int) -> tuple[float, float]:
    return (2 * i + 1) / (i + 1), i / (i + 1)


def _hermite(i: int) -> tuple[float, float]:
    return 1 / math.sqrt(i + 1), math.sqrt(i / (i + 1))


MONOMIAL = Basis(
    name="monomial",
    formula="φᵢ(x) = xⁱ",
    source="Goyal, Goyal, Lall 2019, arXiv:1906.09529",
    domain=UNIT,
    unit_domain=True,
    evaluate=Elements(_monomial),
    monomials=Monomials(_monomial),
)
"""Powers."""

CHEBYSHEV = Basis(
    name="chebyshev",
    formula="φᵢ(x) = Tᵢ(x), Tᵢ(cos t) = cos(i·t)",
    source="Abramowitz & Stegun 1964, 22.7.4",
    domain=UNIT,
    unit_domain=True,
    evaluate=Elements(_chebyshev),
    monomials=Monomials(_chebyshev),
)
"""Chebyshev polynomials of the first kind: between −1 and 1 on [−1, 1]."""

CHEBYSHEV_SECOND = Basis(
    name="chebyshev_second",
    formula="φᵢ(x) = Uᵢ(x), Uᵢ(cos t) = sin((i+1)·t)/sin t",
    source="Abramowitz & Stegun 1964, 22.7.5",
    domain=UNIT,
    unit_domain=True,
    evaluate=Elements(_chebyshev_second),
    monomials=Monomials(_chebyshev_second),
)
"""Chebyshev polynomials of the second kind: up to i+1 at the ends of [−1, 1]."""

LEGENDRE = Basis(
    name="legendre",
    formula="φᵢ(x) = Pᵢ(x), (i+1)·Pᵢ₊₁ = (2i+1)·x·Pᵢ − i·Pᵢ₋₁",
    source="Abramowitz & Stegun 1964, 22.7.10",
    domain=UNIT,
    unit_domain=True,
    evaluate=Elements(_legendre),
    monomials=Monomials(_legendre),
)
"""Legendre polynomials: orthogonal under the uniform weight on [−1, 1]."""

HERMITE = Basis(
    name="hermite",
    formula="φᵢ(x) = Heᵢ(x)/√(i!), orthonormal under N(0, 1)",
    source="Abramowitz & Stegun 1964, 22.7.14, normalised",
    domain="standard normal, clipped to [−c, c]",
    unit_domain=False,
    evaluate=Elements(_hermite),
    monomials=Monomials(_hermite),
)
"""Probabilists' Hermite polynomials at unit variance."""
