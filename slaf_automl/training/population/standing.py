"""How far a lane has come, as whoever supervises it sees it."""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    name: str
    epoch: int
    value: float
    best_epoch: int
    finished: bool
    diverged: bool
