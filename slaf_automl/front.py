"""The Python door to Pareto fronts: `search_front(...)`, a metric against one or two costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from slaf_automl.driver import Arm, Driver, Identity, ProgressLine, stored_budget
from slaf_automl.driver.run import Direction
from slaf_automl.errors import SlafError
from slaf_automl.files import write_json
from slaf_automl.networks import count_cost
from slaf_automl.plan import (
    evaluator_for,
    load_table,
    open_run,
    passes_ahead,
    require_counts,
)
from slaf_automl.report.front import front_table, plot_front
from slaf_automl.spaces import SearchSpace, SizedSpace
from slaf_automl.spec import COSTS, Budget, Candidate
from slaf_automl.spec.trial import require_population
from slaf_automl.training import TableData, find_metric, fit
from slaf_automl.training.data.sources import Source
from slaf_automl.training.fit import Fit, require_accelerator

_JSON = "front.json"
_DOWN: Direction = "minimize"


@dataclass(frozen=True)
class FrontPoint:
    """One candidate of a front.

    Args:
        arm: `mix` or `relu`.
        number: of its trial.
        value: its validation metric.
        costs: what it costs, by name; depth None where it is not a polynomial.
        seed: of its initial weights.
        candidate: architecture and recipe.
    """

    arm: str
    number: int
    value: float
    costs: dict[str, float | None]
    seed: int
    candidate: Candidate


@dataclass(frozen=True)
class Front:
    """What a search for a front found: points that no other of their arm beats in everything.

    Args:
        metric: name of the validation metric.
        costs: names of the costs it is held against.
        mix: the front of SLAF/ReLU mixes, the cheapest first.
        relu: the front of all-ReLU networks; empty where none can meet the budget.
        study: the Optuna study of the mix.
        control: that of the ReLU networks, None where there is none.
        folder: the run folder, with the points in `front.json`.
        stopped: why it ended before its trials were made, None if it did not.

    `print(front)` shows both fronts. Values are of validation rows; test rows are not read.
    """

    metric: str
    costs: tuple[str, ...]
    mix: tuple[FrontPoint, ...]
    relu: tuple[FrontPoint, ...]
    study: optuna.Study
    control: optuna.Study | None
    folder: Path
    stopped: str | None
    _data: TableData
    _batch_seed: int

    def fit(self, point: FrontPoint) -> Fit:
        """Train a point again by its trial's seed: `.module.deployed()` is its network."""
        return fit(
            point.candidate,
            self._data,
            seed=point.seed,
            batch_seed=self._batch_seed,
            metric=self.metric,
        )

    def plot(self, path: str | Path) -> Path:
        """Draw both fronts over all trials as an HTML page that needs no network.

        Raises:
            SlafError: plotly is not installed.
        """
        fronts, trials = {"mix": self.mix}, {"mix": _seen(self.study)}
        if self.control is not None:
            fronts["relu"], trials["relu"] = self.relu, _seen(self.control)
        plot_front(self.metric, self.costs, fronts, trials, Path(path))
        return Path(path)

    def __str__(self) -> str:
        return front_table(self.metric, self.costs, self.mix, self.relu)


def search_front(
    data: Source | TableData,
    *,
    costs: tuple[str, ...] = ("parameters",),
    budget: Budget | int,
    out: str | Path,
    target: str | Sequence[str] | None = None,
    space: str | Path | SearchSpace = "mlp",
    trials: int = 64,
    population: int | None = None,
    seed: int = 0,
    task: str | None = None,
    metric: str | None = None,
    split: int = 0,
    timeout: float | None = None,
    storage: str | None = None,
    accelerator: str = "auto",
    progress: bool = True,
) -> Front:
    """Find how much of a metric each size of network can give, for mixes and for ReLU alone.

    Two Optuna studies with several objectives, the metric and the costs, of `trials` trials each;
    nothing is pruned, for trials of different sizes cannot be compared half-way. Sizes go from the
    smallest network of the space to the budget, which holds by construction; how far each trial
    stays below each limit is set as its constraint too (`Trial.set_constraint`). Called again with
    the same `out`, it resumes or extends.

    Args:
        data: what `read_table` takes, or a `TableData`.
        costs: one or two of `parameters`, `macs`, `relus`.
        budget: the greatest limits; a number limits parameters.
        out: run folder.
        target: column to predict; by default a CSV's last.
        space: a shipped space's name, a YAML file, or a `SearchSpace`.
        trials: finished trials of each arm.
        population: candidates asked for, and trained, at once; None takes the space's number.
        seed: of sampling, initial weights and batch order.
        task: `"classification"` or `"regression"`; None decides from the target.
        metric: name of the metric; None takes accuracy or RMSE.
        split: number of the random split into training, validation and test rows.
        timeout: seconds after which the search ends with what it has.
        storage: an Optuna storage URL; None keeps a journal file in the run folder.
        accelerator: Lightning's word for the device.
        progress: show a progress line where standard error is a terminal.

    Raises:
        SlafError: bad data, space, budget, costs, metric or folder, or a study of something else.
    """
    names = _require_costs(costs)
    require_counts(trials, seed, timeout)
    table = load_table(data, target, task, split, seed)
    found = space if isinstance(space, SearchSpace) else SearchSpace.load(space)
    at_once = require_population(found.file.population if population is None else population)
    limits = budget if isinstance(budget, Budget) else Budget(parameters=budget)
    sized = SizedSpace(found, table.info, limits)
    kind = find_metric(metric, table.info)
    require_accelerator(accelerator)
    spaces = {"mix": sized}
    if found.has_twin(table, limits):
        spaces["relu"] = sized.control()
    with (
        open_run(Path(out), storage, timeout) as (run, interruption),
        passes_ahead(found, accelerator, at_once),
    ):
        arms = []
        for name, part in spaces.items():
            identity = Identity(
                arm=f"front-{name}",
                space=found.name,
                space_version=found.file.version,
                space_identity=part.space.identity(),
                budget=stored_budget(limits),
                data=table.table.source,
                data_identity=table.fingerprint(),
                metric=f"{kind.name} against {' and '.join(names)}",
                seed=seed,
                population=at_once,
            )
            directions: tuple[Direction, ...] = (kind.direction, *[_DOWN] * len(names))
            study = run.study(identity, directions, None)
            arms.append(_arm(f"front-{name}", study, part, names, limits))
        done = sum(len(arm.finished()) for arm in arms)
        evaluator = evaluator_for(found, table, kind.name, (), at_once, seed, accelerator)
        with run.held() as flush:
            Driver(
                arms,
                trials=trials,
                seed=seed,
                checkpoints=run.checkpoints,
                parameters=lambda candidate: count_cost(candidate.architecture).parameters,
                stopping=interruption.stopping,
                progress=ProgressLine(trials * len(arms), done, kind.name, quiet=not progress),
                alone=run.alone,
                flush=flush,
            ).run(evaluator)
        ended = all(len(arm.finished()) >= trials for arm in arms)
        fronts = [_points(arm) for arm in arms]
        front = Front(
            metric=kind.name,
            costs=names,
            mix=fronts[0],
            relu=fronts[1] if len(fronts) > 1 else (),
            study=arms[0].study,
            control=arms[1].study if len(arms) > 1 else None,
            folder=run.folder,
            stopped=None if ended else str(interruption.reason),
            _data=table,
            _batch_seed=seed,
        )
        _write(front)
    return front


def _require_costs(costs: object) -> tuple[str, ...]:
    """Return the costs, or raise a `SlafError`: depth is a number of whole levels, no scale."""
    allowed = tuple(name for name in COSTS if name != "depth")
    given = costs if isinstance(costs, (tuple, list)) else ()
    fits = 1 <= len(given) <= 2 and len(set(given)) == len(given)
    if not fits or any(name not in allowed for name in given):
        raise SlafError(f"costs {costs!r}", expected="one or two of " + ", ".join(allowed))
    return tuple(given)


def _arm(
    name: str, study: optuna.Study, space: SizedSpace, costs: tuple[str, ...], limits: Budget
) -> Arm:
    def suggest(trial: optuna.Trial) -> Candidate:
        candidate = space.suggest(trial)
        totals = count_cost(candidate.architecture).totals
        for limited, limit in limits.limits.items():
            trial.set_constraint(limited, totals[limited] - limit)
        return candidate

    def measure(candidate: Candidate) -> tuple[float, ...]:
        totals = count_cost(candidate.architecture).totals
        return tuple(totals[cost] for cost in costs)

    return Arm(name, study, suggest, space.decode, measure)


def _points(arm: Arm) -> tuple[FrontPoint, ...]:
    """Return the points of an arm that no other dominates, the cheapest first."""
    complete = [t for t in arm.finished() if t.state == TrialState.COMPLETE]
    best: list[FrozenTrial] = arm.study.best_trials if complete else []
    points = []
    for trial in sorted(best, key=lambda t: (*t.values[1:], t.number)):
        candidate = arm.decode(trial.params)
        totals = count_cost(candidate.architecture).totals
        points.append(
            FrontPoint(
                arm=arm.name.removeprefix("front-"),
                number=trial.number,
                value=trial.values[0],
                costs={n: None if v == float("inf") else v for n, v in totals.items()},
                seed=int(trial.user_attrs["seed"]),
                candidate=candidate,
            )
        )
    return tuple(points)


def _write(front: Front) -> None:
    """Write the points as JSON."""
    arms = {
        arm: [
            {
                "trial": point.number,
                "value": point.value,
                "costs": point.costs,
                "seed": point.seed,
                "candidate": point.candidate.to_json(),
            }
            for point in points
        ]
        for arm, points in (("mix", front.mix), ("relu", front.relu))
    }
    document = {"schema": 1, "metric": front.metric, "costs": list(front.costs), **arms}
    write_json(front.folder / _JSON, document)


def _seen(study: optuna.Study) -> list[tuple[float, ...]]:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return [tuple(trial.values) for trial in complete]
