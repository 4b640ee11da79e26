"""Network families, their deployed form, their cost, and widths from a budget."""

from slaf_automl.networks.cost import count_cost
from slaf_automl.networks.deployed import DeployedMLP, deploy
from slaf_automl.networks.fitting import require_complete, require_fit
from slaf_automl.networks.mlp import MLP
from slaf_automl.networks.widths import SHAPES, WidthLimits, solve_widths

__all__ = [
    "MLP",
    "SHAPES",
    "DeployedMLP",
    "WidthLimits",
    "count_cost",
    "deploy",
    "require_complete",
    "require_fit",
    "solve_widths",
]
