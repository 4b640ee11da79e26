"""The evaluator that trains many jobs at once."""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from slaf_automl.files import write_bytes
from slaf_automl.spec import Desk, Job, Report, TrialResult
from slaf_automl.training.data import TableData
from slaf_automl.training.population.fitting import train
from slaf_automl.training.population.module import PopulationModule, Start
from slaf_automl.training.population.population import Population
from slaf_automl.training.population.standing import Standing


@dataclass(frozen=True)
class PopulationEvaluator:
    """Trains up to `places` jobs of a desk at once; whoever ends leaves a place for the next.

    Jobs that reach a rung in one epoch are reported together. The state at a rung is kept in each
    job's own checkpoint, so that a resumed job may go on in other company.

    Args:
        data: the table.
        metric: name of the validation metric.
        rungs: epochs at which every job reports.
        places: jobs at once.
        batch_seed: with a job's own epoch, fixes the order of its batches.
        accelerator: Lightning's word for the device.
        images: whether the networks take images.
    """

    data: TableData
    metric: str
    rungs: tuple[int, ...]
    places: int
    batch_seed: int = 0
    accelerator: str = "auto"
    images: bool = False

    def __call__(self, desk: Desk) -> None:
        """Work until the desk has no more jobs."""
        population = Population(
            self.data, batch_seed=self.batch_seed, metric=self.metric, images=self.images
        )
        desk_side = _DeskSide(desk, population)
        module = PopulationModule(population, desk_side, places=self.places, rungs=self.rungs)
        train(module, self.accelerator)
        desk_side.hand_in_interrupted()


@dataclass
class _DeskSide:
    """A desk as a population sees it."""

    desk: Desk
    population: Population
    _jobs: dict[str, Job] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _reported: dict[str, dict[int, float]] = field(default_factory=dict)

    def start(self, places: int) -> Sequence[Start]:
        """Pull jobs; of those that had come to a rung before, go on from there."""
        starts: list[Start] = []
        while not starts:  # Old values may end all of those that were pulled.
            jobs = self.desk.pull(places)
            if not jobs:
                return []
            for job in jobs:
                kept = _readable(job)
                if kept is None:
                    starts.append(self._begin(job, {}, None))
                elif self._passes_again(job, kept["reported"]):
                    starts.append(self._begin(job, kept["reported"], kept["lane"]))
        return starts

    def _begin(self, job: Job, reported: dict[int, float], state: dict[str, Any] | None) -> Start:
        name = f"{job.arm} {job.number}"
        self._jobs[name], self._began[name] = job, time.monotonic()
        self._reported[name] = dict(reported)
        return Start(name, job.candidate, job.seed, state)

    def _passes_again(self, job: Job, reported: dict[int, float]) -> bool:
        """Report under its new number what the interrupted job had reported; may it go on?"""
        for epoch, value in reported.items():
            if not self.desk.report([Report(job, epoch, value)])[0]:
                self.desk.finish([(job, TrialResult("pruned", value, epoch))])
                return False
        return True

    def report(self, standings: Sequence[Standing]) -> Sequence[bool]:
        """Report lanes together, then keep the states of those that go on.

        One that is killed in between begins anew, and reports the same once more.
        """
        for standing in standings:
            self._reported[standing.name][standing.epoch] = standing.value
        going = self.desk.report([Report(self._jobs[s.name], s.epoch, s.value) for s in standings])
        kept = [s.name for s, goes_on in zip(standings, going, strict=True) if goes_on]
        for name, lane in zip(kept, self.population.lane_states(kept), strict=True):
            document = {"lane": lane, "reported": self._reported[name]}
            _keep(Path(self._jobs[name].checkpoint), document)
        return going

    def finish(self, standings: Sequence[Standing], *, pruned: bool) -> None:
        """Hand in how lanes ended."""
        self._hand_in(standings, "pruned" if pruned else "complete")

    def stopping(self) -> bool:
        """Say whether to end at the next step."""
        return self.desk.stopping()

    def hand_in_interrupted(self) -> None:
        """Hand in the lanes that are still there as interrupted."""
        left = [self.population.standing(name) for name in self.population.names]
        self._hand_in(left, "interrupted")

    def _hand_in(self, standings: Sequence[Standing], state: str) -> None:
        if not standings:
            return
        now = time.monotonic()
        results = []
        for one in standings:
            job, began = self._jobs.pop(one.name), self._began.pop(one.name)
            del self._reported[one.name]
            results.append(
                (job, TrialResult(state, one.value, one.epoch, one.diverged, now - began))
            )
        self.desk.finish(results)


def _keep(path: Path, document: dict[str, Any]) -> None:
    """Write a checkpoint atomically."""
    content = io.BytesIO()
    torch.save(document, content)
    write_bytes(path, content.getvalue())


def _readable(job: Job) -> dict[str, Any] | None:
    """Return the job's kept state; None if there is none, or another kind, or a damaged one."""
    if job.resume_from is None:
        return None
    try:
        kept = torch.load(job.resume_from, map_location="cpu", weights_only=True)
        fits = kept["lane"]["candidate"] == job.candidate.to_json()
        return dict(kept) if fits and kept["lane"]["seed"] == job.seed else None
    except (OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError):
        return None
    except pickle.UnpicklingError:
        return None
