"""Budgeted search for the best mix of learned activation functions and ReLU in PyTorch networks.

Public names are imported when they are first touched, so that `import slaf_automl` loads neither
torch nor optuna nor lightning.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slaf_automl.activations import SLAF, fit_activation
    from slaf_automl.api import SearchResult, search
    from slaf_automl.errors import SlafError
    from slaf_automl.export import load
    from slaf_automl.front import Front, search_front
    from slaf_automl.networks.slots import deploy_slots, find_slots, replace, sensitivity_order
    from slaf_automl.report.document import write_report
    from slaf_automl.spaces import SearchSpace
    from slaf_automl.spec import (
        ActivationSpec,
        Architecture,
        Budget,
        Candidate,
        Cost,
        DataInfo,
        Placement,
        Recipe,
        Slot,
    )
    from slaf_automl.training import PruningCallback, SlafModule, TableData, fit

__version__ = "0.1.0"

_HOMES = {
    "SLAF": "activations",
    "fit_activation": "activations",
    "SearchResult": "api",
    "search": "api",
    "Front": "front",
    "search_front": "front",
    "SlafError": "errors",
    "load": "export",
    "deploy_slots": "networks.slots",
    "find_slots": "networks.slots",
    "replace": "networks.slots",
    "sensitivity_order": "networks.slots",
    "write_report": "report.document",
    "SearchSpace": "spaces",
    "ActivationSpec": "spec",
    "Architecture": "spec",
    "Budget": "spec",
    "Candidate": "spec",
    "Cost": "spec",
    "DataInfo": "spec",
    "Placement": "spec",
    "Recipe": "spec",
    "Slot": "spec",
    "PruningCallback": "training",
    "SlafModule": "training",
    "TableData": "training",
    "fit": "training",
}

__all__ = [
    "SLAF",
    "ActivationSpec",
    "Architecture",
    "Budget",
    "Candidate",
    "Cost",
    "DataInfo",
    "Front",
    "Placement",
    "PruningCallback",
    "Recipe",
    "SearchResult",
    "SearchSpace",
    "SlafError",
    "SlafModule",
    "Slot",
    "TableData",
    "deploy_slots",
    "find_slots",
    "fit",
    "fit_activation",
    "load",
    "replace",
    "search",
    "search_front",
    "sensitivity_order",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'slaf_automl' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"slaf_automl.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
