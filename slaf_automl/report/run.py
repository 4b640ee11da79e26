"""A run as a report reads it: studies, evidence, bundle, and what of it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from slaf_automl.driver import read_studies
from slaf_automl.errors import SlafError, StudyError
from slaf_automl.files import read_json
from slaf_automl.report.figure_data import read_figure_data
from slaf_automl.report.verdict import SCHEMA
from slaf_automl.spec import Architecture, Candidate, DataInfo

ARMS = ("mix", "relu")


@dataclass(frozen=True)
class StudiedArm:
    """One arm of a run.

    Args:
        name: `mix` or `relu`.
        study: its Optuna study.
        trials: its finished trials (complete or pruned), by number.
    """

    name: str
    study: optuna.Study
    trials: tuple[FrozenTrial, ...]

    @property
    def complete(self) -> list[FrozenTrial]:
        """The complete trials, by number."""
        return [trial for trial in self.trials if trial.state == TrialState.COMPLETE]

    @property
    def pruned(self) -> list[FrozenTrial]:
        """The trials that were stopped at a rung, by number; their value is the last reported."""
        return [t for t in self.trials if t.state == TrialState.PRUNED and t.values is not None]

    @property
    def diverged(self) -> int:
        """How many trials diverged."""
        return sum(map(_diverged, self.trials))

    @property
    def ranked(self) -> list[FrozenTrial]:
        """The trials, the best first.

        First the complete ones by their value, then those that came to later rungs, then those that
        diverged.
        """
        sign = -1.0 if self.study.directions[0].name == "MAXIMIZE" else 1.0

        def place(trial: FrozenTrial) -> tuple[bool, bool, int, float, int]:
            pruned = trial.state == TrialState.PRUNED
            steps = -(trial.last_step or 0) if pruned else 0
            return _diverged(trial), pruned, steps, sign * float(trial.values[0]), trial.number

        return sorted([*self.complete, *self.pruned], key=place)

    def compared(self) -> Compared:
        """Return the trials by the last value that all of them have.

        Values of trials that were stopped at different rungs do not compare; those at a rung that
        all came to do. One that diverged before has the constant predictor's value.
        """
        trials = [*self.complete, *self.pruned]
        sound = [trial for trial in trials if not _diverged(trial)]
        if all(trial.state == TrialState.COMPLETE for trial in sound):
            return Compared(None, tuple((trial, float(trial.values[0])) for trial in trials))
        shared = set.intersection(*(set(trial.intermediate_values) for trial in sound))
        if not shared:
            found = tuple((trial, float(trial.values[0])) for trial in self.complete)
            return Compared(None, found)
        step = max(shared)
        found = tuple(
            (trial, float(trial.intermediate_values.get(step, trial.values[0]))) for trial in trials
        )
        return Compared(step, found)


@dataclass(frozen=True)
class Compared:
    """Trials by a value that they can be compared by.

    Args:
        step: what was reported at this epoch (or fold, from 0 on); None: the final value.
        trials: each with its value.
    """

    step: int | None
    trials: tuple[tuple[FrozenTrial, float], ...]


@dataclass(frozen=True)
class Run:
    """What a run folder says.

    Args:
        folder: the folder.
        metric: name of the metric.
        direction: `maximize` or `minimize`.
        data: where the data came from.
        folds: whether trials were trained on folds.
        identity: what the study of the mix is a study of.
        arms: the studies with a finished trial, the mix first.
        metrics: `metrics.json` of the bundle; None before a conclusion.
        candidate: what the bundle holds, None before a conclusion.
        info: the data it takes, None before a conclusion.
        figures: arm ↦ what its figures need (see `arm_data`); empty where nothing was written.
    """

    folder: Path
    metric: str
    direction: str
    data: str
    folds: bool
    identity: Mapping[str, Any]
    arms: tuple[StudiedArm, ...]
    metrics: Mapping[str, Any] | None
    candidate: Candidate | None
    info: DataInfo | None
    figures: Mapping[str, Mapping[str, Any]]

    def when(self, step: int | None) -> str:
        """Say what trials are compared by.

        Args:
            step: of `Compared`.
        """
        if step is None:
            return "at their end"
        return f"on fold {step + 1}" if self.folds else f"after {step} epochs"

    @property
    def mix(self) -> StudiedArm | None:
        """The arm of the mix, None where it has no finished trial."""
        return next((arm for arm in self.arms if arm.name == "mix"), None)

    def architecture(self, arm: str) -> Architecture | None:
        """Return the architecture of an arm's winner, None where nothing says it."""
        if arm in self.figures:
            return Candidate.from_json(self.figures[arm]["candidate"]).architecture
        if self.candidate is not None and self.metrics is not None:
            return self.candidate.architecture if self.metrics["winner"] == arm else None
        return None


def read_run(folder: Path, storage: str | None = None) -> Run:
    """Read a run folder without changing it.

    Args:
        folder: the run folder; its search may still be running.
        storage: the Optuna storage URL of the search, None for the journal in the folder.

    Raises:
        StudyError: no run, a run of Pareto fronts, or one without a finished trial.
        SlafError: a file of it is of a newer version.
    """
    found = read_studies(folder, storage)
    if not set(ARMS) & set(found.identities):
        raise StudyError(
            f"{folder} is a run of Pareto fronts",
            remedy="draw those with slaf-automl front … --plot FILE",
        )
    arms = tuple(
        StudiedArm(name, found.arms[name], _finished(found.arms[name]))
        for name in ARMS
        if name in found.arms
    )
    arms = tuple(arm for arm in arms if arm.trials)
    if not arms:
        raise StudyError(
            f"{folder} has no finished trial yet",
            expected="at least one",
            remedy="run the search longer: the same command again goes on",
        )
    identity = next(found.identities[arm] for arm in ARMS if arm in found.identities)
    metrics, candidate, info = _read_bundle(folder)
    direction = "maximize" if arms[0].study.directions[0].name == "MAXIMIZE" else "minimize"
    return Run(
        folder=folder,
        metric=str(identity.get("metric", "value")),
        direction=direction,
        data=str(identity.get("data", "unknown data")),
        identity=identity,
        folds=str(identity.get("data_identity", "")).endswith(" folds"),
        arms=arms,
        metrics=metrics,
        candidate=candidate,
        info=info,
        figures=read_figure_data(folder, _decision(folder)) or {},
    )


def slots_of(trial: FrozenTrial) -> list[Mapping[str, Any]] | None:
    """Return what fills each slot of a trial's network, None where nothing says it.

    Each slot has its `kind`, and of a SLAF `basis`, `degree` and `hybrid`. Trials of older versions
    have no note of it; where they were searched slot by slot, their parameters say it.
    """
    noted = trial.user_attrs.get("slots")
    if noted is not None:
        return list(noted)
    slots = []
    while (kind := trial.params.get(f"slot{len(slots)}.activation")) is not None:
        name = f"slot{len(slots)}"
        own = {part: trial.params.get(f"{name}.{part}") for part in ("basis", "degree", "hybrid")}
        slots.append({"kind": kind, **{part: v for part, v in own.items() if v is not None}})
    depth = trial.params.get("depth")
    return slots[:depth] if slots else None


def seconds(trials: Sequence[FrozenTrial]) -> list[float]:
    """Return how long each trial trained, of those that say it."""
    return [float(s) for trial in trials if (s := _result(trial).get("seconds")) is not None]


def _diverged(trial: FrozenTrial) -> bool:
    return bool(_result(trial).get("diverged"))


def _result(trial: FrozenTrial) -> Mapping[str, Any]:
    found = trial.user_attrs.get("result")
    return found if isinstance(found, dict) else {}


def _finished(study: optuna.Study) -> tuple[FrozenTrial, ...]:
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return tuple(study.get_trials(deepcopy=False, states=states))


def _decision(folder: Path) -> Any:
    try:
        return read_json(folder / "evidence.json")["decision"]
    except (SlafError, KeyError, TypeError):
        return None


def _read_bundle(
    folder: Path,
) -> tuple[Mapping[str, Any] | None, Candidate | None, DataInfo | None]:
    """Return figures, candidate and data of the bundle, all None where there is none."""
    bundle = folder / "best"
    if not (bundle / "metrics.json").is_file():
        return None, None, None
    metrics = read_json(bundle / "metrics.json")
    schema = metrics.get("schema") if isinstance(metrics, dict) else None
    if schema != SCHEMA:
        raise StudyError(
            f"{bundle / 'metrics.json'} has schema {schema!r}",
            expected=f"schema {SCHEMA}",
            remedy="read it with the version of slaf_automl that wrote it",
        )
    document = read_json(bundle / "candidate.json")
    try:
        candidate = Candidate.from_json(document["candidate"])
        return metrics, candidate, DataInfo.from_json(document["data"])
    except (KeyError, TypeError):
        raise StudyError(
            f"{bundle / 'candidate.json'} is damaged", remedy="search again to export anew"
        ) from None
