"""Fixed activations as SLAFs of one element whose coefficient is 1: what lets all share passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from slaf_automl.activations.bases import Basis
from slaf_automl.activations.passes.form import Form
from slaf_automl.activations.statistics import EPSILON


# Functions of the module: copies of an activation must be equal, and can be pickled.
def _relu(x: Tensor, degree: int) -> list[Tensor]:
    return [torch.relu(x)]


def _silu(x: Tensor, degree: int) -> list[Tensor]:
    return [F.silu(x)]


def _gelu(x: Tensor, degree: int) -> list[Tensor]:
    return [F.gelu(x)]


def _form(
    name: str, formula: str, source: str, evaluate: Callable[[Tensor, int], list[Tensor]]
) -> Form:
    basis = Basis(
        name=name,
        formula=f"φ₁(x) = {formula}",
        source=source,
        domain="all numbers",
        unit_domain=False,
        evaluate=evaluate,
    )
    return Form(basis, degree=1, clip=None, epsilon=EPSILON)


RECTIFIED = _form(
    "rectifier",
    "max(x, 0)",
    "Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
    _relu,
)
"""f(x) = N(max(x̂, 0)), x̂ the normalised input; the only one that the compiled passes know."""

FIXED: Mapping[str, Form] = MappingProxyType(
    {
        "relu": RECTIFIED,
        "silu": _form(
            "silu",
            "x/(1 + e⁻ˣ)",
            "Elfwing, Uchibe, Doya 2018, Sigmoid-weighted linear units, arXiv:1702.03118",
            _silu,
        ),
        "gelu": _form(
            "gelu",
            "x·Φ(x), Φ the standard normal distribution function",
            "Hendrycks, Gimpel 2016, Gaussian error linear units, arXiv:1606.08415",
            _gelu,
        ),
    }
)
"""The fixed activations by name."""
