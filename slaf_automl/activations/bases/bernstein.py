"""Bernstein polynomials on [−1, 1]."""

from __future__ import annotations

from math import comb

import numpy as np
from torch import Tensor

from slaf_automl.activations.bases.basis import Basis, FloatArray
from slaf_automl.activations.bases.recurrences import UNIT


def bernstein_elements(x: Tensor, degree: int) -> list[Tensor]:
    """Evaluate B_{i,degree}(t) = C(degree, i)·tⁱ·(1 − t)^(degree−i), i ≥ 1, at t = (x + 1)/2.

    Args:
        x: any shape, floating point.
        degree: number of elements.

    Returns:
        `degree` tensors of the shape and dtype of `x`.

    Example:
        >>> import torch
        >>> [e.item() for e in bernstein_elements(torch.tensor(0.0), 2)]
        [0.5, 0.25]
    """
    # Products of t and 1 − t, never a sum: no digit cancels between the ends.
    rising = _powers(0.5 * (x + 1.0), degree)
    falling = _powers(0.5 * (1.0 - x), degree - 1)
    elements = [
        comb(degree, i) * (rising[i - 1] * falling[degree - i - 1]) for i in range(1, degree)
    ]
    return [*elements, rising[-1]]


def bernstein_monomials(degree: int) -> FloatArray:
    """Return M, (degree+1, degree+1) float64, with B_{i,degree}((x+1)/2) = Σⱼ M[i, j]·xʲ for i ≥ 1.

    M[i, j] = C(n, i)/2ⁿ · Σₖ C(i, k)·C(n−i, j−k)·(−1)^(j−k) for n = degree: an integer over a power
    of two, so float64 holds it exactly.

    Example:
        >>> bernstein_monomials(2).tolist()
        [[1.0, 0.0, 0.0], [0.5, 0.0, -0.5], [0.25, 0.5, 0.25]]
    """
    matrix = np.zeros((degree + 1, degree + 1))
    matrix[0, 0] = 1.0
    for i in range(1, degree + 1):
        for j in range(degree + 1):
            matrix[i, j] = comb(degree, i) * _coefficient(i, degree - i, j) / 2**degree
    return matrix


def _coefficient(rising: int, falling: int, j: int) -> int:
    """Coefficient of xʲ in (1 + x)^rising · (1 − x)^falling."""
    return sum(
        comb(rising, k) * comb(falling, j - k) * (-1) ** (j - k) for k in range(min(rising, j) + 1)
    )


def _powers(x: Tensor, highest: int) -> list[Tensor]:
    """Return x¹ … x^highest by products, whose gradient has no pole at 0."""
    powers = [x]
    for _ in range(highest - 1):
        powers.append(powers[-1] * x)
    return powers[:highest]


BERNSTEIN = Basis(
    name="bernstein",
    formula="φᵢ(x) = C(n,i)·tⁱ·(1−t)ⁿ⁻ⁱ, t = (x+1)/2, n = degree; φ₀ left out",
    source="Farouki 2012, The Bernstein polynomial basis: a centennial retrospective, CAGD 29(6)",
    domain=UNIT,
    unit_domain=True,
    evaluate=bernstein_elements,
    monomials=bernstein_monomials,
)
"""Bernstein polynomials; B₀ = 1 − Σᵢ Bᵢ is left out, as the constant spans it with the others."""
