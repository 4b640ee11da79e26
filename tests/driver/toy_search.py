"""A search without torch: a quadratic over two dimensions, evaluated in an instant."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from optuna.trial import Trial

from slaf_automl.driver import Arm, Driver, Identity, ProgressLine, RunFolder
from slaf_automl.spec import (
    ActivationSpec,
    Architecture,
    Candidate,
    Desk,
    Job,
    Recipe,
    Report,
    TrialResult,
)

RUNGS = (2, 6)
EPOCHS = 18


def candidate(rate: float, width: int) -> Candidate:
    relu = ActivationSpec("relu", {"normaliser": "none"})
    return Candidate(Architecture("mlp", 2, 1, (width,), (relu,)), Recipe(learning_rate=rate))


def suggest(trial: Trial) -> Candidate:
    return candidate(trial.suggest_float("rate", 0.1, 1.0), trial.suggest_int("width", 1, 9))


def loss(job: Job) -> float:
    return (job.candidate.recipe.learning_rate - 0.3) ** 2 + job.candidate.architecture.widths[0]


def identity(arm: str, **changes: object) -> Identity:
    fields = {
        "space": "toy",
        "space_version": 1,
        "space_identity": "abc",
        "budget": 100,
        "data": "toy.csv",
        "data_identity": "def",
        "metric": "rmse",
        "seed": 0,
    }
    return Identity(arm=arm, **{**fields, **changes})  # type: ignore[arg-type]


def open_arms(run: RunFolder, names: tuple[str, ...] = ("mix", "relu")) -> list[Arm]:
    return [
        Arm(
            name,
            run.study(identity(name), "minimize", 3),
            suggest,
            lambda p: candidate(p["rate"], p["width"]),
        )
        for name in names
    ]


def make_driver(run: RunFolder, arms: list[Arm], trials: int, **changes: object) -> Driver:
    settings = {
        "trials": trials,
        "seed": 0,
        "checkpoints": run.checkpoints,
        "parameters": lambda c: c.architecture.widths[0],
        "stopping": lambda: False,
        "progress": ProgressLine(trials * len(arms), 0, "rmse", quiet=True),
        "alone": run.alone,
    }
    return Driver(arms, **{**settings, **changes})  # type: ignore[arg-type]


@dataclass
class ToyEvaluator:
    """Trains by counting; keeps what it was given and what it finished."""

    at_once: int = 1
    backwards: bool = False
    seconds: float = 0.0
    jobs: list[Job] = field(default_factory=list)
    trained: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, desk: Desk) -> None:
        while jobs := desk.pull(self.at_once):
            self.jobs += jobs
            for job in reversed(jobs) if self.backwards else jobs:
                self.train(desk, job)

    def train(self, desk: Desk, job: Job) -> None:
        epoch = 0
        if job.resume_from is not None:
            epoch = int(Path(job.resume_from).read_text())
            passed = [rung for rung in RUNGS if rung <= epoch]
            if not all(desk.report([Report(job, rung, loss(job))])[0] for rung in passed):
                desk.finish([(job, TrialResult("pruned", loss(job), epoch))])
                return
        while epoch < EPOCHS:
            time.sleep(self.seconds)
            if desk.stopping():
                desk.finish([(job, TrialResult("interrupted", loss(job), epoch))])
                return
            epoch += 1
            self.trained.append((job.arm, job.number, epoch))
            if epoch in RUNGS:
                partial = Path(job.checkpoint).with_suffix(".partial")
                partial.write_text(str(epoch))
                os.replace(partial, job.checkpoint)
                if not desk.report([Report(job, epoch, loss(job))])[0]:
                    desk.finish([(job, TrialResult("pruned", loss(job), epoch))])
                    return
        desk.finish([(job, TrialResult("complete", loss(job), epoch))])


def main(folder: str, trials: str, seconds: str, log: str) -> None:
    """Run a search that writes every trained epoch to `log`, to be killed from outside."""
    with RunFolder(Path(folder)) as run, Path(log).open("a", buffering=1) as file:
        arms = open_arms(run)
        evaluator = ToyEvaluator(seconds=float(seconds))
        evaluator.trained = _Lines(file)  # type: ignore[assignment]
        make_driver(run, arms, int(trials)).run(evaluator)


class _Lines(list):  # type: ignore[type-arg]
    """A list that writes every entry to a file at once, so that a kill loses none."""

    def __init__(self, file: object) -> None:
        super().__init__()
        self.file = file

    def append(self, entry: object) -> None:
        print(*entry, file=self.file, flush=True)  # type: ignore[misc]


if __name__ == "__main__":
    main(*sys.argv[1:])
