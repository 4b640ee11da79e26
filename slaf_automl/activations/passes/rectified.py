"""ReLU as a SLAF of one element whose coefficient is 1: what lets both share every pass."""

from __future__ import annotations

import torch
from torch import Tensor

from slaf_automl.activations.bases import Basis
from slaf_automl.activations.passes.form import Form
from slaf_automl.activations.statistics import EPSILON


def _elements(x: Tensor, degree: int) -> list[Tensor]:
    return [torch.relu(x)]


RECTIFIED = Form(
    Basis(
        name="rectifier",
        formula="φ₁(x) = max(x, 0)",
        source="Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
        domain="all numbers",
        unit_domain=False,
        evaluate=_elements,
    ),
    degree=1,
    clip=None,
    epsilon=EPSILON,
)
"""f(x) = N(max(x̂, 0)), x̂ the normalised input."""
