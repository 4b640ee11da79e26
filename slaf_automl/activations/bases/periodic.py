"""Sines and cosines."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from slaf_automl.activations.bases.basis import Basis
from slaf_automl.activations.bases.recurrences import UNIT


def fourier_elements(x: Tensor, degree: int) -> list[Tensor]:
    """Evaluate sin(πx/2), cos(πx/2), sin(πx), cos(πx), …: sine and cosine of kπx/2 for k = 1, 2, ….

    The period is 4, twice the length of [−1, 1], so that a function need not meet itself at the
    ends.

    Args:
        x: any shape, floating point.
        degree: number of elements.

    Returns:
        `degree` tensors of the shape and dtype of `x`.

    Example:
        >>> import torch
        >>> [round(e.item(), 4) for e in fourier_elements(torch.tensor(1 / 3), 4)]
        [0.5, 0.866, 0.866, 0.5]
    """
    elements: list[Tensor] = []
    for k in range(1, (degree + 1) // 2 + 1):
        angle = (0.5 * math.pi * k) * x
        elements += [torch.sin(angle), torch.cos(angle)]
    return elements[:degree]


FOURIER = Basis(
    name="fourier",
    formula="φ₂ₖ₋₁(x) = sin(kπx/2), φ₂ₖ(x) = cos(kπx/2)",
    source="Huybrechs 2010, On the Fourier extension of nonperiodic functions, SINUM 47(6)",
    domain=UNIT,
    unit_domain=True,
    evaluate=fourier_elements,
)
"""Trigonometric functions of period 4."""
