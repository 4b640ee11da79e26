"""Activations of many networks side by side, each with its own formula, in a few calls."""

from __future__ import annotations

from slaf_automl.activations.passes.fixed import RECTIFIED
from slaf_automl.activations.stacked.activation import StackedActivation
from slaf_automl.activations.stacked.memory import Flow, Memory, Running
from slaf_automl.activations.stacked.part import Mode, Part, Places, Statistic, parts_of

__all__ = [
    "RECTIFIED",
    "Flow",
    "Memory",
    "Mode",
    "Part",
    "Places",
    "Running",
    "StackedActivation",
    "Statistic",
    "parts_of",
]
