"""The Python door: `search(...)` and its result."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError

from slaf_automl.conclusion import Conclusion
from slaf_automl.driver import (
    Arm,
    Driver,
    Halving,
    Identity,
    Interruption,
    ProgressLine,
    RunFolder,
    StepLine,
    stored_budget,
)
from slaf_automl.errors import DataError, SlafError, StudyError
from slaf_automl.export import Bundle, copy_bundle
from slaf_automl.networks import DeployedMLP, count_cost
from slaf_automl.report import result_table
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Budget, Candidate
from slaf_automl.training import SequentialEvaluator, TableData, find_metric
from slaf_automl.training.confirmation import Confirmer
from slaf_automl.training.fit import require_accelerator
from slaf_automl.training.metrics import MetricKind


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Args:
        study: the Optuna study of the mix arm.
        control: the study of the all-ReLU arm, None with `control=False` or where no ReLU network
            can meet the budget.
        best: the winner, architecture and recipe.
        model: the winner's deployed network, in evaluation mode.
        metrics: the evidence, as in `metrics.json`.
        folder: the run folder.
        stopped: why the search ended before its trials were made, None if it did not.

    `print(result)` shows the comparison table.
    """

    study: optuna.Study
    control: optuna.Study | None
    best: Candidate
    model: DeployedMLP
    metrics: Mapping[str, Any]
    folder: Path
    stopped: str | None

    def export(self, path: str | Path) -> Path:
        """Copy the bundle to a new or empty folder and return it.

        Raises:
            BundleError: the folder holds something.
        """
        copy_bundle(self.folder / "best", Path(path))
        return Path(path)

    def __str__(self) -> str:
        return result_table(self.metrics)


def search(
    data: str | Path | TableData,
    *,
    target: str | None = None,
    budget: Budget | int,
    space: str | Path | SearchSpace = "mlp",
    trials: int = 64,
    out: str | Path | None = None,
    seed: int = 0,
    task: str | None = None,
    metric: str | None = None,
    split: int = 0,
    control: bool = True,
    confirmations: int = 5,
    refit: bool = False,
    timeout: float | None = None,
    storage: str | None = None,
    accelerator: str = "auto",
    progress: bool = True,
    log: Callable[[str], None] | None = None,
) -> SearchResult:
    """Find the best SLAF/ReLU mix within a budget, and the best ReLU network beside it.

    Two Optuna studies of `trials` finished trials each, the mix and the all-ReLU control, run in
    turn under the same budget, recipes and normalisers. Both winners are trained again with fresh
    seeds, mean validation decides, and only then are the test rows read. The winner is exported to
    `out/best`. Called again with the same `out`, it resumes or extends.

    Where no ReLU network can meet the budget (a limit on depth, or of no ReLU evaluations), the mix
    is searched alone and compared with the linear predictor.

    Args:
        data: a CSV file, `sklearn:NAME`, or a `TableData`.
        target: column to predict; by default a CSV's last.
        budget: limits on what the deployed network costs; a number limits the values it stores.
        space: a shipped space's name, a YAML file, or a `SearchSpace`.
        trials: finished trials (complete or pruned) of each arm.
        out: run folder; None uses a temporary one that lives as long as the result.
        seed: of sampling, initial weights and batch order.
        task: `"classification"` or `"regression"`; None decides from the target.
        metric: name of the metric; None takes accuracy or RMSE.
        split: number of the random split into training, validation and test rows.
        control: run the all-ReLU arm; without it no gain is claimed.
        confirmations: fresh seeds each winner is trained with.
        refit: train the winner once more on training and validation rows before exporting it.
        timeout: seconds after which the search concludes with what it has.
        storage: an Optuna storage URL; None keeps a journal file in the run folder.
        accelerator: Lightning's word for the device.
        progress: show a progress line where standard error is a terminal.
        log: told in words what happens after the trials.

    Returns:
        The result; `print` shows its table.

    Raises:
        SlafError: bad data, space, budget, metric or folder, or a study of something else; nothing
            that was there before is changed.
    """
    _require_counts(trials, confirmations, timeout, seed)
    table = _table(data, target, task, split, seed)
    plan = _Plan(
        data=table,
        space=space if isinstance(space, SearchSpace) else SearchSpace.load(space),
        budget=budget if isinstance(budget, Budget) else Budget(parameters=budget),
        metric=find_metric(metric, table.info),
        trials=trials,
        seed=seed,
        control=control,
        confirmations=confirmations,
        refit=refit,
        accelerator=accelerator,
        quiet=not progress,
        say=log or (lambda text: None),
    )
    plan.space.distributions(table.info, plan.budget)  # Refuses a budget that is too small.
    require_accelerator(accelerator)
    folder = Path(tempfile.mkdtemp(prefix="slaf_automl-") if out is None else out)
    try:
        with RunFolder(folder, storage) as run, Interruption(timeout) as interruption:
            arms = plan.arms(run)
            stopped = plan.run_trials(run, arms, interruption)
            bundle = plan.conclude(run, arms, interruption)
    except BaseException as error:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, StorageInternalError):
            raise StudyError(
                f"the storage failed: {str(error)[:200]}",
                remedy="run the same command again to go on",
            ) from None
        raise
    result = SearchResult(
        study=arms[0].study,
        control=arms[1].study if len(arms) > 1 else None,
        best=bundle.candidate,
        model=bundle.network,
        metrics=bundle.metrics,
        folder=folder,
        stopped=stopped,
    )
    if out is None:
        weakref.finalize(result, shutil.rmtree, folder, ignore_errors=True)
    return result


@dataclass(frozen=True)
class _Plan:
    """The validated arguments of a search, and its two halves."""

    data: TableData
    space: SearchSpace
    budget: Budget
    metric: MetricKind
    trials: int
    seed: int
    control: bool
    confirmations: int
    refit: bool
    accelerator: str
    quiet: bool
    say: Callable[[str], None]

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
            data_identity=self.data.fingerprint(),
            metric=self.metric.name,
            seed=self.seed,
        )
        rungs = space.rungs(self.data)
        halving = Halving(rungs[0], space.file.schedule.reduction) if rungs else None
        return Arm(
            name,
            run.study(identity, self.metric.direction, halving),
            suggest=lambda trial: space.suggest(trial, self.data, self.budget),
            decode=lambda parameters: space.decode(parameters, self.data, self.budget),
        )

    def run_trials(self, run: RunFolder, arms: list[Arm], interruption: Interruption) -> str | None:
        """Make the trials that are missing; return why they were not all made, if so."""
        done = sum(len(arm.finished()) for arm in arms)
        driver = Driver(
            arms,
            trials=self.trials,
            seed=self.seed,
            checkpoints=run.checkpoints,
            parameters=lambda candidate: count_cost(candidate.architecture).parameters,
            stopping=interruption.stopping,
            progress=ProgressLine(
                self.trials * len(arms), done, self.metric.name, quiet=self.quiet
            ),
            alone=run.alone,
        )
        rungs = self.space.rungs(self.data)
        driver.run(
            SequentialEvaluator(
                self.data,
                self.metric.name,
                rungs,
                batch_seed=self.seed,
                accelerator=self.accelerator,
            )
        )
        if all(len(arm.finished()) >= self.trials for arm in arms):
            return None
        self.say(_stopped_in_words(str(interruption.reason), arms, self.trials))
        return interruption.reason

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
            ).conclude()
        finally:
            steps.close()


def _table(data: Any, target: str | None, task: str | None, split: int, seed: int) -> TableData:
    if isinstance(data, TableData):
        if target is not None or task is not None or split not in (0, data.split):
            raise DataError(
                "target, task or split beside a TableData, which has its own",
                remedy="give them to TableData, or give the file",
            )
        return data
    if not isinstance(data, (str, Path)):
        raise DataError(
            f"data of type {type(data).__name__}",
            expected="a CSV file, sklearn:NAME, or a TableData of a Table in memory",
        )
    return TableData.load(data, target, task=task, split=split, seed=seed)


def _require_counts(trials: int, confirmations: int, timeout: float | None, seed: int) -> None:
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
