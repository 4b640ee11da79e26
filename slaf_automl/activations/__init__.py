"""Learned activation functions: bases, the SLAF module, starting coefficients, folding."""

from slaf_automl.activations.bases import BASES, Basis, find_basis, register_basis
from slaf_automl.activations.kinds import ActivationKind, find_kind, register
from slaf_automl.activations.projection import Projection, fit_activation
from slaf_automl.activations.slaf import SLAF
from slaf_automl.activations.statistics import estimate_statistics, hold_statistics

__all__ = [
    "BASES",
    "SLAF",
    "ActivationKind",
    "Basis",
    "Projection",
    "estimate_statistics",
    "find_basis",
    "find_kind",
    "fit_activation",
    "hold_statistics",
    "register",
    "register_basis",
]
