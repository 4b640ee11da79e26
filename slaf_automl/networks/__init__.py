"""Network families, their deployed form, their cost, and widths from a budget."""

from slaf_automl.networks.cost import count_cost
from slaf_automl.networks.deployed import DeployedNetwork
from slaf_automl.networks.deploying import deploy
from slaf_automl.networks.families import FAMILIES
from slaf_automl.networks.fitting import require_complete, require_fit
from slaf_automl.networks.network import Network
from slaf_automl.networks.widths import SHAPES, WidthLimits, solve_widths

__all__ = [
    "FAMILIES",
    "SHAPES",
    "DeployedNetwork",
    "Network",
    "WidthLimits",
    "count_cost",
    "deploy",
    "require_complete",
    "require_fit",
    "solve_widths",
]
