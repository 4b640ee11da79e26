"""What is fixed about a SLAF while it trains: its basis, degree and clip range."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev

from slaf_automl.activations.bases import Basis, FloatArray

HORNER_DEGREE = 5
"""Up to here a polynomial is kept as a row of powers (Horner), above as a Chebyshev row (Clenshaw).

A float32 row of powers of degree 12 errs by 5e-4."""


class Source(enum.IntEnum):
    """Where a statistic comes from; the numbers are the compiled passes' own.

    FOLLOW uses what was settled before the batch, which then joins it without a gradient; the
    first batch is used at once. BATCH uses the batch itself, and its gradient.
    """

    NONE = 0
    CONSTANT = 1
    FOLLOW = 2
    BATCH = 3


@dataclass(frozen=True)
class Form:
    """f(x) = b + Σᵢ aᵢ·N(φᵢ(clamp(unit·x̂, ±limit))), x̂ the normalised input.

    Args:
        basis: the family φ.
        degree: number of elements.
        clip: the clip range of x̂ in standard deviations, or None.
        epsilon: added to every variance.
    """

    basis: Basis
    degree: int
    clip: float | None
    epsilon: float

    @property
    def reach(self) -> float:
        """What a clipped x̂ is divided by so that it lies in [−1, 1]."""
        return 1.0 if self.clip is None else self.clip

    @property
    def stretch(self) -> float:
        """φᵢ is evaluated at stretch·v for v in [−1, 1]."""
        return self.reach if not self.basis.unit_domain else 1.0

    @property
    def limit(self) -> float:
        """Upper limit of |v|."""
        return math.inf if self.clip is None else 1.0

    def monomials(self) -> FloatArray:
        """Return M, `(degree+1, degree+1)`: φᵢ(stretch·v) = Σₖ M[i, k]·vᵏ."""
        powers = self.stretch ** np.arange(self.degree + 1)
        matrix: FloatArray = self.basis.to_monomials(self.degree) * powers
        return matrix

    def rows(self) -> FloatArray:
        """Return the same in the deployed row's terms: vᵏ, above Horner's degree Tₖ(v)."""
        matrix: FloatArray = self.monomials() @ row_terms(self.degree)
        return matrix


def row_terms(degree: int) -> FloatArray:
    """Return K, `(degree+1, degree+1)`: vʲ = Σₖ K[j, k]·zₖ(v), with zₖ the deployed row's terms."""
    if degree <= HORNER_DEGREE:
        return np.eye(degree + 1)
    matrix = np.zeros((degree + 1, degree + 1))
    for j in range(degree + 1):
        series = chebyshev.poly2cheb(np.eye(degree + 1)[j])
        matrix[j, : len(series)] = series
    return matrix
