"""The Python door: `search(...)` and its result."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

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
)
from slaf_automl.driver.run import Direction
from slaf_automl.errors import SlafError
from slaf_automl.export import Bundle, copy_bundle
from slaf_automl.networks import DeployedMLP, count_cost
from slaf_automl.report import result_table
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Budget, Candidate
from slaf_automl.training import SequentialEvaluator, TableData, find_metric
from slaf_automl.training.confirmation import Confirmer


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Args:
        study: the Optuna study of the mix arm.
        control: the study of the all-ReLU arm, None with `control=False`.
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
    _bundle: Path = field(repr=False)
    _temporary: tempfile.TemporaryDirectory[str] | None = field(repr=False)

    def export(self, path: str | Path) -> Path:
        """Copy the bundle to a new or empty folder and return it.

        Raises:
            BundleError: the folder holds something.
        """
        copy_bundle(self._bundle, Path(path))
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
    """Find the best SLAF/ReLU mix within a parameter budget, and the best ReLU network beside it.

    Two Optuna studies of `trials` finished trials each, the mix and the all-ReLU control, run in
    turn under the same budget, recipes and normalisers. Both winners are trained again with fresh
    seeds, mean validation decides, and only then are the test rows read. The winner is exported to
    `out/best`. Called again with the same `out`, it resumes or extends.

    Args:
        data: a CSV file, `sklearn:NAME`, or a `TableData`.
        target: column to predict; by default a CSV's last.
        budget: limit on the values the deployed network stores.
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
    table = data if isinstance(data, TableData) else _load(data, target, task, split, seed)
    limit = budget if isinstance(budget, Budget) else Budget(parameters=budget)
    searched = space if isinstance(space, SearchSpace) else SearchSpace.load(space)
    searched.distributions(table.info, limit)  # Refuses a budget that is too small.
    kind = find_metric(metric, table.info)
    say = log or (lambda text: None)
    temporary = tempfile.TemporaryDirectory(prefix="slaf_automl-") if out is None else None
    folder = Path(temporary.name if temporary is not None else str(out))
    with RunFolder(folder, storage) as run, Interruption(timeout) as interruption:
        spaces = {"mix": searched, **({"relu": searched.control()} if control else {})}
        rungs = searched.rungs(table)
        halving = Halving(rungs[0], searched.file.schedule.reduction) if rungs else None
        arms = [
            _arm(run, name, arm_space, table, limit, kind.name, kind.direction, seed, halving)
            for name, arm_space in spaces.items()
        ]
        done = sum(len(arm.finished()) for arm in arms)
        driver = Driver(
            arms,
            trials=trials,
            seed=seed,
            checkpoints=run.checkpoints,
            parameters=lambda candidate: count_cost(candidate.architecture).parameters,
            stopping=interruption.stopping,
            progress=ProgressLine(trials * len(arms), done, kind.name, quiet=not progress),
        )
        driver.run(SequentialEvaluator(table, kind.name, rungs, accelerator))
        stopped = None if all(len(a.finished()) >= trials for a in arms) else interruption.reason
        if stopped is not None:
            say(_stopped_in_words(stopped, arms, trials))
        interruption.conclude()
        steps = StepLine(confirmations * len(arms) + refit, quiet=not progress)
        confirmer = Confirmer(
            table, kind, run.confirmation, accelerator, interruption.abandoning, steps.begin
        )
        conclusion = Conclusion(
            run=run,
            arms=arms,
            data=table,
            budget=limit,
            confirmer=confirmer,
            seed=seed,
            confirmations=confirmations,
            refit=refit,
        )
        try:
            bundle = conclusion.conclude()
        finally:
            steps.close()
    return _result(bundle, arms, run, stopped, temporary)


def _arm(
    run: RunFolder,
    name: str,
    space: SearchSpace,
    data: TableData,
    budget: Budget,
    metric: str,
    direction: Direction,
    seed: int,
    halving: Halving | None,
) -> Arm:
    identity = Identity(
        arm=name,
        space=space.name,
        space_version=space.file.version,
        space_identity=space.identity(),
        budget=budget.parameters,
        data=data.table.source,
        data_identity=data.fingerprint(),
        metric=metric,
        seed=seed,
    )
    study = run.study(identity, direction, halving)
    return Arm(
        name,
        study,
        suggest=lambda trial: space.suggest(trial, data, budget),
        decode=lambda parameters: space.decode(parameters, data, budget),
    )


def _load(
    data: str | Path, target: str | None, task: str | None, split: int, seed: int
) -> TableData:
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


def _result(
    bundle: Bundle,
    arms: list[Arm],
    run: RunFolder,
    stopped: str | None,
    temporary: tempfile.TemporaryDirectory[str] | None,
) -> SearchResult:
    return SearchResult(
        study=arms[0].study,
        control=arms[1].study if len(arms) > 1 else None,
        best=bundle.candidate,
        model=bundle.network,
        metrics=bundle.metrics,
        folder=run.folder,
        stopped=stopped,
        _bundle=run.bundle,
        _temporary=temporary,
    )
