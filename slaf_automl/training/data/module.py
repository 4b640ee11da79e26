"""The data module: a table's splits as tensors, ready for any Lightning Trainer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from slaf_automl.errors import DataError
from slaf_automl.spec import DataInfo
from slaf_automl.training.data.batches import TensorBatches, evaluation_rows
from slaf_automl.training.data.encoding import choose_encoding
from slaf_automl.training.data.repeats import repeated_rows
from slaf_automl.training.data.sources import Source, read_table
from slaf_automl.training.data.splits import Given, split_rows
from slaf_automl.training.data.statistics import TableStatistics, balanced_weights, measure
from slaf_automl.training.data.table import Table
from slaf_automl.training.data.target import encode_target, find_task

CLASS_WEIGHTS = ("balanced",)
"""How classes may be weighed."""


class TableData(LightningDataModule):
    """Training, validation and test rows of any data, in memory.

    Everything learned from the data (`statistics`, `info`) comes from the training rows. Test rows
    are counted: every look at them raises `test_openings` by one.

    Args:
        table: features and target.
        task: `"classification"` or `"regression"`; None decides: text, booleans and integers with
            at most 20 distinct values are classes.
        split: number of the random split.
        seed: of the batch order.
        batch_size: rows a training batch; None takes `info.batch_size`.
        class_weights: `"balanced"` weighs each class the same in the loss; None each row.

    Attributes:
        rows: which rows of the table each part holds.
        notes: in words, what was left out or deserves a look.

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
        class_weights: str | None = None,
    ) -> None:
        super().__init__()
        self.table, self.seed, self.batch_size = table, seed, batch_size
        kind = find_task(table, task)
        classes, y = encode_target(table, kind)
        given = Given(table.part, table.groups, table.times)
        rows = split_rows(len(table.x), y if classes else None, split, given)
        self.split, self.rows = int(split), rows
        encoding = choose_encoding(table, rows.train)
        encoded = encoding.encode(table)
        statistics = measure(
            table, encoding.features, encoded[rows.train], None if classes else y[rows.train]
        )
        self._weighing = _require_weights(class_weights, classes)
        if class_weights is not None:
            weights = balanced_weights(y[rows.train], len(classes))
            statistics = replace(statistics, class_weights=weights)
        self.statistics: TableStatistics = statistics
        x = torch.from_numpy(encoded.astype(np.float32, copy=False))
        target = torch.from_numpy(y if classes else y.astype(np.float32))
        self.info = DataInfo(
            features=encoding.features,
            target=table.target,
            task=kind,
            classes=classes,
            rows=len(rows.train),
            centred_inputs=statistics.centred,
            image=table.image,
            columns=None if encoding.plain else encoding.columns,
            targets=table.targets,
        )
        self.training = (x[rows.train], target[rows.train])
        self.validation = (x[rows.validation], target[rows.validation])
        self._test = (x[rows.test], target[rows.test])
        self.test_rows = len(rows.test)
        self.test_openings = 0
        self.notes: tuple[str, ...] = encoding.notes
        others = np.concatenate([rows.validation, rows.test])
        if repeated := len(repeated_rows(table.x, y, rows.train, others)):
            self.notes += (
                f"{repeated:,} of {len(others):,} validation and test rows repeat training rows "
                "exactly",
            )

    @classmethod
    def load(
        cls,
        source: Source,
        target: str | Sequence[str] | None = None,
        *,
        task: str | None = None,
        split: int = 0,
        seed: int = 0,
        class_weights: str | None = None,
        categorical: Sequence[str] = (),
        group: str | None = None,
        time: str | None = None,
        shape: Sequence[int] | None = None,
        validation: Source | None = None,
        test: Source | None = None,
    ) -> TableData:
        """Read data (see `read_table`) and split them."""
        table = read_table(
            source,
            target,
            categorical=categorical,
            group=group,
            time=time,
            shape=shape,
            validation=validation,
            test=test,
            split=split,
        )
        return cls(table, task=task, split=split, seed=seed, class_weights=class_weights)

    def fingerprint(self) -> str:
        """Return a hash of the cells, names, task and split: the data's identity in a study."""
        digest = hashlib.sha256()
        table = self.table
        digest.update(repr((table.features, table.target, self.info.task)).encode())
        digest.update(repr((self.split, table.x.shape, self.info.classes)).encode())
        digest.update(np.ascontiguousarray(table.x).data)
        y = table.y
        digest.update(y.tobytes() if y.dtype.kind in "if" else "\0".join(y.tolist()).encode())
        # What older studies could not have adds nothing where it is not used.
        more: tuple[Any, ...] = (table.levels, self._weighing)
        arrays = [table.part, table.groups, table.times]
        if any(part is not None for part in (*more, *arrays)):
            digest.update(repr(more).encode())
            for array in arrays:
                digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
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


def _require_weights(class_weights: str | None, classes: Sequence[Any]) -> str | None:
    if class_weights is None:
        return None
    if class_weights not in CLASS_WEIGHTS:
        raise DataError(f"class weights {class_weights!r}", expected="balanced, or none")
    if not classes:
        raise DataError("class weights for regression", expected="a classification target")
    return class_weights
