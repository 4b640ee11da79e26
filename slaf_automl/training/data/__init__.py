"""Tables: sources, columns, splits and the data module."""

from slaf_automl.training.data.batches import TensorBatches
from slaf_automl.training.data.module import TableData
from slaf_automl.training.data.sources import BUNDLED, read_features, read_table
from slaf_automl.training.data.statistics import TableStatistics
from slaf_automl.training.data.table import Table

__all__ = [
    "BUNDLED",
    "Table",
    "TableData",
    "TableStatistics",
    "TensorBatches",
    "read_features",
    "read_table",
]
