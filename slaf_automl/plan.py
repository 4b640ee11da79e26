"""The validated arguments of a search, and its two halves: trials, then the conclusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from optuna.exceptions import StorageInternalError

from slaf_automl.activations.passes import compiled_ahead
from slaf_automl.activations.stacked import RECTIFIED
from slaf_automl.conclusion import Conclusion
from slaf_automl.driver import (
    Arm,
    Driver,
    Identity,
    Interruption,
    ProgressLine,
    RunFolder,
    StepLine,
    stored_budget,
)
from slaf_automl.errors import DataError, SlafError, StudyError
from slaf_automl.export import Bundle
from slaf_automl.networks import FAMILIES, count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Budget, Evaluator
from slaf_automl.training import SequentialEvaluator, TableData
from slaf_automl.training.confirmation import Confirmer
from slaf_automl.training.cross_validation import FoldsEvaluator
from slaf_automl.training.data.folds import folds
from slaf_automl.training.metrics import MetricKind
from slaf_automl.training.population import PopulationEvaluator
from slaf_automl.training.population.adamw import compile_update


@dataclass(frozen=True)
class Plan:
    """A search: its arguments, its arms, its trials and its conclusion."""

    data: TableData
    space: SearchSpace
    budget: Budget
    metric: MetricKind
    trials: int
    population: int
    seed: int
    control: bool
    confirmations: int
    refit: bool
    accelerator: str
    quiet: bool
    say: Callable[[str], None]
    folds: int | None = None
    latency: bool = False

    @property
    def twin(self) -> bool:
        """Whether a ReLU network can meet the budget."""
        return self.space.has_twin(self.data, self.budget)

    def arms(self, run: RunFolder) -> list[Arm]:
        """Open the studies, the mix first."""
        if not self.control and run.holds("relu"):
            raise StudyError(
                f"{run.folder} was searched with its ReLU control",
                remedy="leave control on, or choose another folder",
            )
        spaces = {"mix": self.space, "relu": self.space.control()}
        return [
            self._arm(run, name, space)
            for name, space in spaces.items()
            if name == "mix" or (self.control and self.twin)
        ]

    def _arm(self, run: RunFolder, name: str, space: SearchSpace) -> Arm:
        identity = Identity(
            arm=name,
            space=space.name,
            space_version=space.file.version,
            space_identity=space.identity(),
            budget=stored_budget(self.budget),
            data=self.data.table.source,
            data_identity=self.data.fingerprint() + (f" {self.folds} folds" if self.folds else ""),
            metric=self.metric.name,
            seed=self.seed,
            population=self.population,
        )
        reduction = space.file.schedule.reduction if space.rungs(self.data) else None
        return Arm(
            name,
            run.study(identity, self.metric.direction, reduction, folds=bool(self.folds)),
            suggest=lambda trial: space.suggest(trial, self.data, self.budget),
            decode=lambda parameters: space.decode(parameters, self.data, self.budget),
        )

    def run_trials(self, run: RunFolder, arms: list[Arm], interruption: Interruption) -> str | None:
        """Make the trials that are missing; return why they were not all made, if so."""
        done = sum(len(arm.finished()) for arm in arms)
        progress = ProgressLine(self.trials * len(arms), done, self.metric.name, quiet=self.quiet)
        with run.held() as flush:
            driver = Driver(
                arms,
                trials=self.trials,
                seed=self.seed,
                checkpoints=run.checkpoints,
                parameters=lambda candidate: count_cost(candidate.architecture).parameters,
                stopping=interruption.stopping,
                progress=progress,
                alone=run.alone,
                flush=flush,
            )
            driver.run(self._evaluator())
        if all(len(arm.finished()) >= self.trials for arm in arms):
            return None
        self.say(_stopped_in_words(str(interruption.reason), arms, self.trials))
        return interruption.reason

    def _evaluator(self) -> Evaluator:
        def of(data: TableData, rungs: tuple[int, ...]) -> Evaluator:
            return evaluator_for(
                self.space,
                data,
                self.metric.name,
                rungs,
                self.population,
                self.seed,
                self.accelerator,
            )

        if self.folds is None:
            return of(self.data, self.space.rungs(self.data))
        every = folds(self.data, self.folds)
        return FoldsEvaluator(every, lambda fold: of(fold, ()), self.population)

    def conclude(self, run: RunFolder, arms: list[Arm], interruption: Interruption) -> Bundle:
        """Confirm, decide, read the test rows, export."""
        interruption.conclude()
        steps = StepLine(self.confirmations * len(arms) + self.refit, quiet=self.quiet)
        confirmer = Confirmer(
            data=self.data,
            metric=self.metric,
            folder=run.confirmation,
            accelerator=self.accelerator,
            stopping=interruption.abandoning,
            progress=steps.begin,
        )
        try:
            return Conclusion(
                run=run,
                arms=arms,
                data=self.data,
                budget=self.budget,
                twin=self.twin,
                confirmer=confirmer,
                seed=self.seed,
                confirmations=self.confirmations,
                refit=self.refit,
                latency=self.latency,
            ).conclude()
        finally:
            steps.close()


@contextmanager
def open_run(
    folder: Path, storage: str | None, timeout: float | None
) -> Iterator[tuple[RunFolder, Interruption]]:
    """Hold a run folder, and listen for what ends a search early.

    Raises:
        StudyError: the folder is in use, or its storage failed.
    """
    try:
        with RunFolder(folder, storage) as run, Interruption(timeout) as interruption:
            yield run, interruption
    except StorageInternalError as error:
        raise StudyError(
            f"the storage failed: {str(error)[:200]}",
            remedy="run the same command again to go on",
        ) from None


def evaluator_for(
    space: SearchSpace,
    data: TableData,
    metric: str,
    rungs: tuple[int, ...],
    population: int,
    seed: int,
    accelerator: str,
) -> Evaluator:
    """Return what trains the candidates: many at once, or one by one."""
    if population == 1:
        return SequentialEvaluator(data, metric, rungs, seed, accelerator)
    images = FAMILIES[space.file.family].images
    return PopulationEvaluator(data, metric, rungs, population, seed, accelerator, images)


def passes_ahead(
    space: SearchSpace, accelerator: str, population: int = 1
) -> AbstractContextManager[None]:
    """Return a context in which the space's compiled passes are made, if it trains on a CPU."""
    if accelerator != "cpu" and torch.cuda.is_available():
        return compiled_ahead(())
    if population > 1:
        return compiled_ahead((RECTIFIED.degree, *space.degrees), (compile_update,))
    return compiled_ahead(space.degrees)


def load_table(
    data: Any, target: str | Sequence[str] | None, task: str | None, split: int, seed: int
) -> TableData:
    """Return the table of a search's `data`, or raise a `DataError`."""
    if isinstance(data, TableData):
        if target is not None or task is not None or split not in (0, data.split):
            raise DataError(
                "target, task or split beside a TableData, which has its own",
                remedy="give them to TableData, or give the file",
            )
        return data
    return TableData.load(data, target, task=task, split=split, seed=seed)


def require_counts(trials: int, seed: int, timeout: float | None, confirmations: int = 1) -> None:
    """Raise a `SlafError` unless a search can make so many trials in so much time."""
    for name, value, least in (
        ("trials", trials, 1),
        ("confirmations", confirmations, 1),
        ("seed", seed, 0),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise SlafError(f"{name} {value!r}", expected=f"an integer of at least {least}")
    if timeout is not None and not timeout > 0:
        raise SlafError(f"timeout {timeout!r}", expected="a positive number of seconds")


def _stopped_in_words(reason: str, arms: list[Arm], trials: int) -> str:
    done = " and ".join(f"{len(arm.finished())} {arm.name}" for arm in arms)
    return (
        f"stopped by {reason} after {done} trials of {trials} each; confirming what is finished "
        "(the same command again goes on)"
    )
