"""How far a lane has come, as whoever supervises it sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from slaf_automl.training.curve import Curve
from slaf_automl.training.metrics import MetricKind
from slaf_automl.training.population.lane import Lane


@dataclass(frozen=True)
class Standing:
    """How far a lane has come.

    Args:
        name: the lane.
        epoch: epochs trained.
        value: best validation metric so far, no worse than the constant predictor's; of a diverged
            lane the constant predictor's.
        best_epoch: epochs trained when that value was reached.
        finished: its training is over: all epochs, out of patience, or diverged.
        diverged: a value stopped being finite.
        curve: what each epoch came to.
    """

    name: str
    epoch: int
    value: float
    best_epoch: int
    finished: bool
    diverged: bool
    curve: Curve = field(default_factory=list, compare=False, repr=False)

    @staticmethod
    def of(lane: Lane, metric: MetricKind, constant: float) -> Standing:
        """Return how far a lane has come.

        Args:
            lane: the lane.
            metric: what it is measured by.
            constant: the constant predictor's value.
        """
        value = metric.floored(lane.best.value, constant)
        return Standing(
            lane.name,
            lane.epoch,
            constant if lane.diverged else value,
            lane.best.epoch,
            lane.finished,
            lane.diverged,
            lane.curve,
        )
