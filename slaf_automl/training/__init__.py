"""Training: data modules, the LightningModule, routines, metrics, and the fit of one candidate."""

from slaf_automl.training.data import TableData, read_inputs, read_table
from slaf_automl.training.evaluator import SequentialEvaluator
from slaf_automl.training.fit import Fit, Supervision, fit
from slaf_automl.training.metrics import METRICS, find_metric
from slaf_automl.training.module import SlafModule
from slaf_automl.training.pruning import PruningCallback

__all__ = [
    "METRICS",
    "Fit",
    "PruningCallback",
    "SequentialEvaluator",
    "SlafModule",
    "Supervision",
    "TableData",
    "find_metric",
    "fit",
    "read_inputs",
    "read_table",
]
