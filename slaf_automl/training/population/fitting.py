"""A population trained to its end: under a Trainer, and of one candidate with several seeds."""

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


def fit_seeds(
    candidate: Candidate,
    data: TableData,
    seeds: Sequence[int],
    *,
    metric: str,
    accelerator: str = "auto",
    stopping: Callable[[], bool] = lambda: False,
) -> list[Fit]:
    """Train one candidate once per seed, all at once; each as `fit(candidate, data, seed=seed)`.

    Args:
        candidate: architecture and recipe.
        data: training and validation rows.
        seeds: of initial weights and batch order, each once.
        metric: name of the validation metric.
        accelerator: Lightning's word for the device.
        stopping: whether to end at the next step; those in training are then `interrupted`.

    Returns:
        What `fit` returns, by seed.
    """
    images = candidate.architecture.image is not None
    population = Population(data, metric=metric, images=images)
    runs = _Runs(population, candidate, list(seeds), stopping)
    train(PopulationModule(population, runs, places=len(seeds)), accelerator)
    for name in population.names:
        runs.take(population.standing(name), "interrupted")
    return [runs.fits[str(seed)] for seed in seeds]


@dataclass
class _Runs:
    """Starts every seed once, and keeps how it ended."""

    population: Population
    candidate: Candidate
    waiting: list[int]
    stop: Callable[[], bool]
    fits: dict[str, Fit] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def start(self, places: int) -> Sequence[Start]:
        """Start the seeds that wait."""
        now, self.waiting = self.waiting[:places], self.waiting[places:]
        return [Start(str(seed), self.candidate, seed, batch_seed=seed) for seed in now]

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
