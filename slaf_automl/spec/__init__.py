"""Frozen, validated values that every room shares; standard library only."""

from slaf_automl.spec.activation import ActivationSpec, Parameters, Scalar
from slaf_automl.spec.budget import Budget
from slaf_automl.spec.candidate import (
    FAMILIES,
    HEADS,
    POOLINGS,
    ROUTINES,
    Architecture,
    Candidate,
    Recipe,
)
from slaf_automl.spec.codec import SCHEMA, Value, dumps
from slaf_automl.spec.columns import Column
from slaf_automl.spec.cost import COSTS, Cost, CostKind, Operations
from slaf_automl.spec.data import TASKS, DataInfo
from slaf_automl.spec.placement import FORMS, Placement, Slot
from slaf_automl.spec.trial import Desk, Evaluator, Job, Report, TrialResult

__all__ = [
    "COSTS",
    "FAMILIES",
    "FORMS",
    "HEADS",
    "POOLINGS",
    "ROUTINES",
    "SCHEMA",
    "TASKS",
    "ActivationSpec",
    "Architecture",
    "Budget",
    "Candidate",
    "Column",
    "Cost",
    "CostKind",
    "DataInfo",
    "Desk",
    "Evaluator",
    "Job",
    "Operations",
    "Parameters",
    "Placement",
    "Recipe",
    "Report",
    "Scalar",
    "Slot",
    "TrialResult",
    "Value",
    "dumps",
]
