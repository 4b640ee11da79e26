"""What the networks need to know of the data, and nothing of where it came from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from slaf_automl.errors import SpecError
from slaf_automl.spec.codec import (
    Value,
    optional_field,
    require_choice,
    require_integer,
    require_type,
    require_types,
)
from slaf_automl.spec.columns import Column

TASKS = ("binary", "multiclass", "regression")


@dataclass(frozen=True)
class DataInfo(Value):
    """Shapes, task, classes and columns of a table.

    Args:
        features: names of the network's inputs, in order.
        target: name of the target column; of several, joined by commas.
        task: one of `TASKS`.
        classes: the class labels in the order of the probabilities; empty for regression.
        rows: number of training rows (batch sizes and epochs follow from it).
        centred_inputs: some column lies so far from zero that the inputs are centred first.
        image: channels, height and width where the features are an image's pixels, channel by
            channel and row by row; None for a table.
        columns: the columns that the features are made of; None where each feature is a column
            of numbers without gaps.
        targets: names of the target columns where there are several; None for one.

    Raises:
        SpecError: no features, columns that do not give them, or classes that do not fit the task.
    """

    features: tuple[str, ...]
    target: str
    task: str
    classes: tuple[int | str, ...]
    rows: int
    centred_inputs: bool = False
    image: tuple[int, int, int] | None = optional_field()
    columns: tuple[Column, ...] | None = optional_field()
    targets: tuple[str, ...] | None = optional_field()

    def __post_init__(self) -> None:
        require_choice("task", self.task, TASKS)
        require_integer("DataInfo.rows", self.rows, 1)
        require_types("DataInfo.features", self.features, str)
        require_types("DataInfo.classes", self.classes, (int, str))
        require_type("DataInfo.target", self.target, str)
        require_type("DataInfo.centred_inputs", self.centred_inputs, bool)
        if not self.features:
            raise SpecError("DataInfo.features ()", expected="at least one input column")
        if self.image is not None:
            require_image("DataInfo.image", self.image, len(self.features))
        if self.columns is not None:
            require_types("DataInfo.columns", self.columns, Column)
            if tuple(name for c in self.columns for name in c.inputs) != self.features:
                raise SpecError("DataInfo.columns", expected="the columns that give the features")
        if self.targets is not None:
            require_types("DataInfo.targets", self.targets, str)
            if self.task != "regression" or len(self.targets) < 2:
                raise SpecError(
                    f"{len(self.targets)} targets for task {self.task}",
                    expected="two or more, and regression",
                )
        expected = {"binary": "exactly 2", "multiclass": "at least 3", "regression": "no"}[
            self.task
        ]
        count = len(self.classes)
        fits = {"binary": count == 2, "multiclass": count >= 3, "regression": count == 0}[self.task]
        if not fits:
            raise SpecError(f"{count} classes for task {self.task}", expected=f"{expected} classes")

    @property
    def outputs(self) -> int:
        """Number of network outputs: one a class, a single one for two classes, one a target."""
        if self.targets is not None:
            return len(self.targets)
        return len(self.classes) if self.task == "multiclass" else 1

    @property
    def filled(self) -> tuple[int, ...] | None:
        """Places of the inputs whose gaps are filled; None where there are none."""
        places, start = [], 0
        for column in self.columns or ():
            places += [start] * column.gaps
            start += len(column.inputs)
        return tuple(places) or None

    @property
    def batch_size(self) -> int:
        """Rows a training step: a power of two from 16 to 512, near 1/18 of the training rows."""
        return min(max(1 << round(math.log2(max(self.rows / 18, 1))), 16), 512)


def require_image(where: str, image: object, features: int) -> None:
    """Raise a `SpecError` unless `image` is a shape (channels, height, width) of the features."""
    require_types(where, image, int)
    assert isinstance(image, tuple)
    if len(image) != 3 or min(image) < 1 or math.prod(image) != features:
        raise SpecError(
            f"{where} {image!r} of {features} features",
            expected="channels, height and width whose product they are",
        )
