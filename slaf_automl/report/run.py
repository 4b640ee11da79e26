"""A run as a report reads it: studies, evidence, bundle, and what of it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from slaf_automl.driver import read_studies
from slaf_automl.errors import SlafError, StudyError
from slaf_automl.files import read_json
from slaf_automl.report.figure_data import read_figure_data
from slaf_automl.report.studied_arm import StudiedArm
from slaf_automl.report.verdict import SCHEMA
from slaf_automl.spec import Architecture, Candidate, DataInfo

ARMS = ("mix", "relu")

_NEEDED = {
    *("metric", "direction", "winner", "parameters", "budget", "exported", "test", "mix", "relu"),
    *("gain", "linear", "constant", "test_openings"),
}
"""What every version of `metrics.json` has."""

_SEEDS = {"mean", "spread", "values"}
_WITHIN = {
    "mix": _SEEDS | {"parameters", "trials", "slots", "widths", "validation"},
    "relu": _SEEDS | {"parameters", "trials", "slots", "widths", "validation"},
    "test": _SEEDS,
    "exported": {"seed", "validation", "test"},
    "linear": {"parameters", "validation", "test"},
    "constant": {"parameters", "validation", "test"},
}
"""And in these of its entries."""

_NULL = {"budget", "relu", "exported.validation", *(f"{name}.spread" for name in _WITHIN)}
"""What may be null: no limit on parameters, no control, a refit, a single seed."""


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


def _finished(study: optuna.Study) -> tuple[FrozenTrial, ...]:
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return tuple(study.get_trials(deepcopy=False, states=states))


def _decision(folder: Path) -> Any:
    try:
        return read_json(folder / "evidence.json")["decision"]
    except (SlafError, KeyError, TypeError):
        return None


def _absent(metrics: Mapping[str, Any]) -> str | None:
    """Return an entry of `metrics.json` that is missing or null, None of a whole one."""
    entries = {name: metrics[name] for name in _NEEDED & set(metrics)}
    needed = set(_NEEDED)
    for name, keys in _WITHIN.items():
        if isinstance(within := entries.get(name), Mapping):
            entries |= {f"{name}.{key}": within[key] for key in keys & set(within)}
            needed |= {f"{name}.{key}" for key in keys}
        elif within is not None:
            return name
    there = {name for name, entry in entries.items() if entry is not None or name in _NULL}
    return min(needed - there, default=None)


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
    if (absent := _absent(metrics)) is not None:
        raise StudyError(
            f"{bundle / 'metrics.json'} has no {absent!r}", remedy="search again to export anew"
        )
    document = read_json(bundle / "candidate.json")
    try:
        candidate = Candidate.from_json(document["candidate"])
        return metrics, candidate, DataInfo.from_json(document["data"])
    except (KeyError, TypeError):
        raise StudyError(
            f"{bundle / 'candidate.json'} is damaged", remedy="search again to export anew"
        ) from None
