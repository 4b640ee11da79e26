"""How a SLAF is evaluated: written out in PyTorch, or fused into a few compiled passes."""

from __future__ import annotations

from slaf_automl.activations.passes.apply import NO_STATISTICS, Passes, Rectifier, Statistics
from slaf_automl.activations.passes.compiler import compiled_ahead
from slaf_automl.activations.passes.fixed import FIXED, RECTIFIED
from slaf_automl.activations.passes.form import Form, Source

__all__ = [
    "FIXED",
    "NO_STATISTICS",
    "RECTIFIED",
    "Form",
    "Passes",
    "Rectifier",
    "Source",
    "Statistics",
    "compiled_ahead",
]
