"""Frozen, validated values that every room shares; standard library only."""

from slaf_automl.spec.activation import ActivationSpec, Parameters, Scalar
from slaf_automl.spec.candidate import ROUTINES, Architecture, Candidate, Recipe
from slaf_automl.spec.codec import SCHEMA, Value, dumps
from slaf_automl.spec.cost import Budget, Cost
from slaf_automl.spec.data import TASKS, DataInfo
from slaf_automl.spec.trial import Desk, Evaluator, Job, TrialResult

__all__ = [
    "ROUTINES",
    "SCHEMA",
    "TASKS",
    "ActivationSpec",
    "Architecture",
    "Budget",
    "Candidate",
    "Cost",
    "DataInfo",
    "Desk",
    "Evaluator",
    "Job",
    "Parameters",
    "Recipe",
    "Scalar",
    "TrialResult",
    "Value",
    "dumps",
]
