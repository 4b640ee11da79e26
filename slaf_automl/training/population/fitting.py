"""A population trained to its end: under a Trainer, and of candidates with seeds of their own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from slaf_automl.spec import Candidate, TrialResult
from slaf_automl.training.data import TableData
from slaf_automl.training.fit import Fit, bare_trainer, quiet_lightning
from slaf_automl.training.heap import kept_heap
from slaf_automl.training.population.module import PopulationModule, Start
from slaf_automl.training.population.population import Population
from slaf_automl.training.population.standing import Standing
from slaf_automl.training.population.workers import Workers


def train(module: PopulationModule, accelerator: str) -> None:
    """Let a Trainer train a population until nothing is left to train, or it is stopped."""
    with quiet_lightning(), kept_heap(module.population.images):
        trainer = bare_trainer(-1, accelerator, [])
        # Lightning leaves at SIGTERM; whoever supervises decides what that means.
        with Workers(torch.get_num_threads()) as workers, contextlib.suppress(SIGTERMException):
            module.population.workers = workers
            trainer.fit(module)


def fit_together(
    runs: Sequence[tuple[Candidate, int]],
    data: TableData,
    *,
    metric: str,
    accelerator: str = "auto",
    stopping: Callable[[], bool] = lambda: False,
) -> list[Fit]:
    """Train candidates with seeds, all at once; each as `fit(candidate, data, seed=seed)`.

    Args:
        runs: candidates of one batch size, each with the seed of its initial weights and batch
            order; at least one.
        data: training and validation rows.
        metric: name of the validation metric.
        accelerator: Lightning's word for the device.
        stopping: whether to end at the next step; those in training are then `interrupted`.

    Returns:
        What `fit` returns, run by run.
    """
    images = runs[0][0].architecture.image is not None
    population = Population(data, metric=metric, images=images)
    waiting = [
        Start(str(place), candidate, seed, batch_seed=seed)
        for place, (candidate, seed) in enumerate(runs)
    ]
    desk = _Runs(population, waiting, stopping)
    train(PopulationModule(population, desk, places=len(runs)), accelerator)
    for name in population.names:
        desk.take(population.standing(name), "interrupted")
    return [desk.fits[str(place)] for place in range(len(runs))]


@dataclass
class _Runs:
    """Starts every run once, and keeps how it ended."""

    population: Population
    waiting: list[Start]
    stop: Callable[[], bool]
    fits: dict[str, Fit] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def start(self, places: int) -> Sequence[Start]:
        """Start the runs that wait."""
        now, self.waiting = self.waiting[:places], self.waiting[places:]
        return now

    def report(self, standings: Sequence[Standing]) -> Sequence[bool]:
        """Let all go on."""
        return [True] * len(standings)

    def finish(self, standings: Sequence[Standing], *, pruned: bool) -> None:
        """Keep the networks."""
        for standing in standings:
            self.take(standing, "complete")

    def stopping(self) -> bool:
        """Say whether to end."""
        return self.stop()

    def take(self, standing: Standing, state: str) -> None:
        """Keep a lane's network at its best epoch."""
        seconds = time.monotonic() - self.began
        result = TrialResult(state, standing.value, standing.epoch, standing.diverged, seconds)
        module = self.population.unstack(standing.name, best=True)
        fit = Fit(module.cpu().eval().pruned(), result, standing.best_epoch, list(standing.curve))
        self.fits[standing.name] = fit
