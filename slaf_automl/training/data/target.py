"""What is to be predicted: which task it is, and its classes."""

from __future__ import annotations

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.spec import TASKS
from slaf_automl.training.data.table import Table

MOST_INTEGER_CLASSES = 20
"""An integer target with at most this many distinct values is taken for class labels."""


def find_task(table: Table, task: str | None) -> str:
    """Return the task of `TASKS`, decided from the target where `task` is None.

    Raises:
        DataError: an unknown task, one that the target does not fit, or a single class.
    """
    if task not in (None, "classification", "regression"):
        raise DataError(f"unknown task {task!r}", expected="classification or regression")
    if table.targets is not None:
        if task == "classification":
            raise DataError(
                f"{len(table.targets)} targets for classification",
                expected="one target, or regression",
            )
        return TASKS[2]
    distinct = len(np.unique(table.y))
    few = distinct <= MOST_INTEGER_CLASSES or table.image is not None
    integers = table.y.dtype.kind == "i" and few
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
    if 2 * distinct > len(table.y):
        raise DataError(
            f"{table.source}: target {table.target!r} has {distinct:,} classes in "
            f"{len(table.y):,} rows",
            expected="several rows of each class",
            remedy="choose another target column, or task regression if it holds numbers",
        )
    return TASKS[0] if distinct == 2 else TASKS[1]


def encode_target(table: Table, task: str) -> tuple[tuple[int | str, ...], np.ndarray]:
    """Return the classes and the target as class indices, or no classes and float64 values.

    Raises:
        DataError: text for regression, or fractions for classification.
    """
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
