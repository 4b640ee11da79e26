"""How a SLAF is evaluated: written out in PyTorch, or fused into a few compiled passes."""

from __future__ import annotations

from slaf_automl.activations.passes.apply import NO_STATISTICS, Passes, Rectifier, Statistics
from slaf_automl.activations.passes.compiler import compiled_ahead
from slaf_automl.activations.passes.form import Form, Source
from slaf_automl.activations.passes.rectified import RECTIFIED

__all__ = [
    "NO_STATISTICS",
    "RECTIFIED",
    "Form",
    "Passes",
    "Rectifier",
    "Source",
    "Statistics",
    "compiled_ahead",
]
