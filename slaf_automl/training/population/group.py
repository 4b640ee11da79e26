"""Lanes that train together, each by its own count of epochs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from slaf_automl.networks import count_cost
from slaf_automl.training.curve import EpochFigures
from slaf_automl.training.population.lane import Lane
from slaf_automl.training.population.losses import Objective
from slaf_automl.training.population.rows import Batch
from slaf_automl.training.population.schedule import epoch_tables

Drawn = Mapping[tuple[int, int], Sequence[Batch]]
"""The batches of every order and epoch that a lane is at."""


class Group(ABC):
    """Lanes that step in one call; their values may live elsewhere until `unload`.

    Args:
        lanes: the lanes.
        objective: loss and metric.
        ordered: () ↦ training rows in order, in large batches `(rows, inputs)`.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        objective: Objective,
        ordered: Callable[[], Iterator[Tensor]],
    ) -> None:
        self.lanes, self.objective, self.ordered = list(lanes), objective, ordered
        self._tables: NDArray[np.float64] = np.zeros(0)
        self._stages: dict[int, list[int]] = {}

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one example, of all lanes: what a step costs."""
        return sum(count_cost(lane.candidate.architecture).macs for lane in self.lanes)

    def begin_epoch(self) -> None:
        """Lay out the rates and stages of every lane's next epoch."""
        self._tables = epoch_tables([x.course for x in self.lanes], [x.epoch for x in self.lanes])
        self._stages = {}
        for k, lane in enumerate(self.lanes):
            held, first = lane.course.held_at, lane.epoch * len(self._tables)
            for step in {lane.course.projected_at, held if held is not None else 0} - {0}:
                if first <= step < first + len(self._tables):
                    self._stages.setdefault(step - first, []).append(k)

    @abstractmethod
    def step(self, index: int, drawn: Drawn) -> Tensor:
        """Train on a batch; returns the lanes' losses before the step, `(lanes,)`.

        Args:
            index: the step's number within the epoch.
            drawn: the batches to choose from.
        """

    @abstractmethod
    def end_epoch(self, validation: Batch, chunk: int) -> Tensor:
        """Estimate statistics, validate, and keep what is best; returns the lanes' losses."""

    @abstractmethod
    def unload(self, wanted: Callable[[Lane], bool] = lambda lane: True) -> None:
        """Write the values of the lanes that are wanted back into them."""

    def _end_epoch_of(
        self,
        lane: Lane,
        value: float,
        loss: float,
        trained: float,
        state: Callable[[], dict[str, Tensor]],
        *,
        finite: bool,
    ) -> None:
        """Count a lane's epoch, and keep its values if they are the best.

        Args:
            lane: the lane.
            value: its validation metric.
            loss: its validation loss.
            trained: the mean loss of its training steps.
            state: () ↦ copies of its values.
            finite: whether all its losses were.
        """
        lane.diverged |= not finite
        lane.epoch += 1
        lane.curve.append(EpochFigures(value, trained))
        rectified = lane.course.projected_at >= lane.epoch * lane.course.steps
        metric = self.objective.metric
        lane.best.take(metric, value, loss, lane.epoch, state, rectified=rectified)
