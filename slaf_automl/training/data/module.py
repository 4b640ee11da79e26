"""The data module: a table's splits as tensors, ready for any Lightning Trainer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from slaf_automl.errors import DataError
from slaf_automl.spec import TASKS, DataInfo
from slaf_automl.training.data.batches import TensorBatches, evaluation_rows
from slaf_automl.training.data.sources import read_table
from slaf_automl.training.data.splits import split_rows
from slaf_automl.training.data.statistics import TableStatistics, measure
from slaf_automl.training.data.table import Table

MOST_INTEGER_CLASSES = 20
"""An integer target with at most this many distinct values is taken for class labels."""


class TableData(LightningDataModule):
    """Training, validation and test rows of a table, in memory.

    Everything learned from the data (`statistics`, `info`) comes from the training rows. Test rows
    are counted: every look at them raises `test_openings` by one.

    Args:
        table: features and target.
        task: `"classification"` or `"regression"`; None decides: text, booleans and integers with
            at most 20 distinct values are classes.
        split: number of the random split.
        seed: of the batch order.
        batch_size: rows a training batch; None takes `info.batch_size`.

    Raises:
        DataError: a target of one class or one value, or too few rows.

    Example:
        >>> data = TableData.load("sklearn:iris")
        >>> data.info.task, data.info.classes, data.info.rows
        ('multiclass', ('setosa', 'versicolor', 'virginica'), 96)
    """

    def __init__(
        self,
        table: Table,
        *,
        task: str | None = None,
        split: int = 0,
        seed: int = 0,
        batch_size: int | None = None,
    ) -> None:
        super().__init__()
        self.table, self.seed, self.batch_size = table, seed, batch_size
        kind = _task(table, task)
        classes, y = _encode_target(table, kind)
        rows = split_rows(len(table.x), y if classes else None, split)
        self.split = int(split)
        self.statistics: TableStatistics = measure(
            table, table.x[rows.train], None if classes else y[rows.train]
        )
        x = torch.from_numpy(table.x.astype(np.float32))
        target = torch.from_numpy(y if classes else y.astype(np.float32))
        self.info = DataInfo(
            features=table.features,
            target=table.target,
            task=kind,
            classes=classes,
            rows=len(rows.train),
            centred_inputs=self.statistics.centred,
            image=table.image,
        )
        self.training = (x[rows.train], target[rows.train])
        self.validation = (x[rows.validation], target[rows.validation])
        self._test = (x[rows.test], target[rows.test])
        self.test_rows = len(rows.test)
        self.test_openings = 0

    @classmethod
    def load(
        cls,
        source: str | Path,
        target: str | None = None,
        *,
        task: str | None = None,
        split: int = 0,
        seed: int = 0,
    ) -> TableData:
        """Read a CSV file or `sklearn:NAME` (see `read_table`) and split it."""
        return cls(read_table(source, target), task=task, split=split, seed=seed)

    def fingerprint(self) -> str:
        """Return a hash of the cells, names, task and split: the data's identity in a study."""
        digest = hashlib.sha256()
        y = self.table.y
        digest.update(repr((self.table.features, self.table.target, self.info.task)).encode())
        digest.update(repr((self.split, self.table.x.shape, self.info.classes)).encode())
        digest.update(np.ascontiguousarray(self.table.x).tobytes())
        digest.update(y.tobytes() if y.dtype.kind in "if" else "\0".join(y.tolist()).encode())
        return digest.hexdigest()[:16]

    def open_test(self) -> tuple[Tensor, Tensor]:
        """Return the test rows, and count that they were looked at."""
        self.test_openings += 1
        return self._test

    def batches(self, batch_size: int, seed: int) -> TensorBatches:
        """Return shuffled training batches."""
        return TensorBatches(*self.training, batch_size, seed)

    def train_dataloader(self) -> TensorBatches:
        """Return the training batches for a Trainer."""
        return self.batches(self.batch_size or self.info.batch_size, self.seed)

    def val_dataloader(self) -> TensorBatches:
        """Return the validation rows in large ordered batches."""
        x, y = self.validation
        return TensorBatches(x, y, evaluation_rows(x))

    def test_dataloader(self) -> TensorBatches:
        """Return the test rows in large ordered batches; counts as a look at them."""
        x, y = self.open_test()
        return TensorBatches(x, y, evaluation_rows(x))


def _task(table: Table, task: str | None) -> str:
    """Return the task of `TASKS`, decided from the target where `task` is None."""
    if task not in (None, "classification", "regression"):
        raise DataError(f"unknown task {task!r}", expected="classification or regression")
    distinct = len(np.unique(table.y))
    integers = table.y.dtype.kind == "i" and distinct <= MOST_INTEGER_CLASSES
    if task is None:
        task = "classification" if table.y.dtype.kind == "U" or integers else "regression"
    if task == "regression":
        return TASKS[2]
    if distinct < 2:
        raise DataError(
            f"{table.source}: target {table.target!r} has one class, {table.y[0]!s}",
            expected="at least two",
            remedy="choose another target column",
        )
    return TASKS[0] if distinct == 2 else TASKS[1]


def _encode_target(table: Table, task: str) -> tuple[tuple[int | str, ...], np.ndarray]:
    if task == "regression":
        if table.y.dtype.kind == "U":
            raise DataError(
                f"{table.source}: target {table.target!r} holds text such as {str(table.y[0])!r}",
                expected="numbers for regression",
            )
        return (), table.y.astype(np.float64)
    labels, y = np.unique(table.y, return_inverse=True)
    if labels.dtype.kind == "f":
        if not np.array_equal(labels, np.round(labels)):
            raise DataError(
                f"{table.source}: target {table.target!r} holds fractions such as "
                f"{labels[labels != np.round(labels)][0]}",
                expected="class labels for classification",
                remedy="use task regression",
            )
        labels = labels.astype(np.int64)
    classes = tuple(str(v) if labels.dtype.kind == "U" else int(v) for v in labels)
    return classes, y.astype(np.int64).reshape(-1)
