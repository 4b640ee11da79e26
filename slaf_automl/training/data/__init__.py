"""Data of any kind: sources, columns, splits and the data module."""

from slaf_automl.training.data.arrays import ArraySet
from slaf_automl.training.data.batches import TensorBatches
from slaf_automl.training.data.bundled import BUNDLED
from slaf_automl.training.data.inputs import read_inputs
from slaf_automl.training.data.module import TableData
from slaf_automl.training.data.sources import read_table
from slaf_automl.training.data.statistics import TableStatistics
from slaf_automl.training.data.table import Table

__all__ = [
    "BUNDLED",
    "ArraySet",
    "Table",
    "TableData",
    "TableStatistics",
    "TensorBatches",
    "read_inputs",
    "read_table",
]
