"""What the driver hands to an evaluator, what comes back, and the talk between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from slaf_automl.errors import SpecError
from slaf_automl.spec.candidate import Candidate
from slaf_automl.spec.codec import Value, require_choice, require_integer, require_number

MOST_AT_ONCE = 1_024
"""The largest population."""

STATES = ("complete", "pruned", "interrupted")


@dataclass(frozen=True)
class Job:
    """One candidate to evaluate.

    Args:
        arm: name of the arm (study) that asked for it.
        number: the trial's number in that arm.
        candidate: what to train.
        seed: seed of the trial's own generator (initial weights).
        checkpoint: where the state at each rung is kept while the trial runs.
        resume_from: a rung's checkpoint of the same candidate to go on from, if there is one.
    """

    arm: str
    number: int
    candidate: Candidate
    seed: int
    checkpoint: str
    resume_from: str | None = None


@dataclass(frozen=True)
class TrialResult(Value):
    """How one candidate ended.

    Args:
        state: `complete`, `pruned` (told to stop) or `interrupted` (the search is ending).
        value: the validation metric; of a diverged candidate the constant predictor's.
        epochs: epochs trained.
        diverged: the loss or a prediction stopped being finite.
        seconds: wall time of the training.
    """

    state: str
    value: float
    epochs: int
    diverged: bool = False
    seconds: float = 0.0

    def __post_init__(self) -> None:
        require_choice("trial state", self.state, STATES)
        require_number("TrialResult.value", self.value, low=float("-inf"))
        require_integer("TrialResult.epochs", self.epochs, 0)
        require_number("TrialResult.seconds", self.seconds, low=0)


@dataclass(frozen=True)
class Report:
    """The value of a job at a rung.

    Args:
        job: the job.
        epoch: epochs trained.
        value: the best validation metric so far.
    """

    job: Job
    epoch: int
    value: float


class Desk(Protocol):
    """Where an evaluator pulls jobs from and reports to.

    A lock-step, a refilling or a remote evaluator differs only in how many jobs it pulls at once
    and in which order it reports.
    """

    def pull(self, count: int = 1) -> list[Job]:
        """Return up to `count` jobs; none when the search is over or ending."""

    def report(self, reports: Sequence[Report]) -> list[bool]:
        """Record values at rungs, then decide: for each True to go on, False to stop this job.

        Those that are reported together are compared with one another too.
        """

    def finish(self, results: Sequence[tuple[Job, TrialResult]]) -> None:
        """Hand in how jobs ended."""

    def stopping(self) -> bool:
        """Say whether running jobs should end now and be handed in as `interrupted`."""


Evaluator = Callable[[Desk], None]
"""Pulls jobs from a desk until none are left."""


def require_population(population: object) -> int:
    """Return how many candidates are asked for at once, if it is a number that can be.

    Raises:
        SpecError: no integer from 1 to `MOST_AT_ONCE`.
    """
    if type(population) is int and 1 <= population <= MOST_AT_ONCE:
        return population
    raise SpecError(
        f"a population of {population!r}",
        expected=f"an integer from 1 to {MOST_AT_ONCE:,}",
        remedy="32 is enough for small networks; 1 trains one after the other",
    )
