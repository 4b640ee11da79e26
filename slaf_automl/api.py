"""The Python door: `search(...)` and its result."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from slaf_automl.export import copy_bundle
from slaf_automl.networks import DeployedNetwork
from slaf_automl.plan import Plan, load_table, open_run, passes_ahead, require_counts
from slaf_automl.report import result_table
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Budget, Candidate
from slaf_automl.spec.trial import require_population
from slaf_automl.training import TableData, find_metric
from slaf_automl.training.data.folds import folds as cut_folds
from slaf_automl.training.data.sources import Source
from slaf_automl.training.fit import require_accelerator


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
    model: DeployedNetwork
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
    data: Source | TableData,
    *,
    target: str | Sequence[str] | None = None,
    budget: Budget | int,
    space: str | Path | SearchSpace = "mlp",
    trials: int = 64,
    population: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    task: str | None = None,
    metric: str | None = None,
    split: int = 0,
    folds: int | None = None,
    control: bool = True,
    confirmations: int = 8,
    refit: bool = False,
    latency: bool = False,
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
        data: what `read_table` takes (files, frames, arrays, a data module), or a `TableData`,
            which has more options for reading and splitting.
        target: column to predict, or several; by default a table's last.
        budget: limits on what the deployed network costs; a number limits the values it stores.
        space: a shipped space's name, a YAML file, or a `SearchSpace`.
        trials: finished trials (complete or pruned) of each arm.
        population: candidates asked for, and trained, at once; None takes the space's number.
        out: run folder; None uses a temporary one that lives as long as the result.
        seed: of sampling, initial weights and batch order.
        task: `"classification"` or `"regression"`; None decides from the target.
        metric: name of the metric; None takes accuracy or RMSE.
        split: number of the random split into training, validation and test rows.
        folds: train each candidate on so many folds of the training and validation rows, and take
            the mean; None takes the validation rows alone. For small tables.
        control: run the all-ReLU arm; without it no gain is claimed.
        confirmations: fresh seeds each winner is trained with.
        refit: train the winner once more on training and validation rows before exporting it.
        latency: time both winners in onnxruntime, side by side, when they are concluded; some two
            seconds. A conclusion that stands already stays as it is.
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
    require_counts(trials, seed, timeout, confirmations)
    if population is not None:
        require_population(population)
    table = load_table(data, target, task, split, seed)
    found = space if isinstance(space, SearchSpace) else SearchSpace.load(space)
    plan = Plan(
        data=table,
        space=found,
        budget=budget if isinstance(budget, Budget) else Budget(parameters=budget),
        metric=find_metric(metric, table.info),
        trials=trials,
        population=found.file.population if population is None else population,
        seed=seed,
        control=control,
        confirmations=confirmations,
        refit=refit,
        accelerator=accelerator,
        quiet=not progress,
        say=log or (lambda text: None),
        folds=folds,
        latency=latency,
    )
    plan.space.distributions(table.info, plan.budget)  # Refuses a budget that is too small.
    require_accelerator(accelerator)
    if folds is not None:
        cut_folds(table, folds)  # Refuses a number that cannot be.
    folder = Path(tempfile.mkdtemp(prefix="slaf_automl-") if out is None else out)
    try:
        with (
            open_run(folder, storage, timeout) as (run, interruption),
            passes_ahead(plan.space, accelerator, plan.population),
        ):
            arms = plan.arms(run)
            for note in table.notes:
                plan.say(f"note: {note}")
            stopped = plan.run_trials(run, arms, interruption)
            bundle = plan.conclude(run, arms, interruption)
    except BaseException:
        if out is None:
            shutil.rmtree(folder, ignore_errors=True)
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
