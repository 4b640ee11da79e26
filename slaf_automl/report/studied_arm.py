"""One arm of a run as a report reads it, and how its trials compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState


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


def slots_of(trial: FrozenTrial) -> dict[str, Mapping[str, Any]] | None:
    """Return what fills each slot of a trial's network by the slot's name, None if nothing says it.

    The names are `inputs`, if these have an activation, and `slot 0`, `slot 1`, …. Each has its
    `kind`, and of a SLAF `basis`, `degree` and `hybrid`. Trials of older versions have no note of
    it; where they were searched slot by slot, their parameters say it.
    """
    noted = trial.user_attrs.get("slots")
    if isinstance(noted, dict):
        # A storage may have sorted the names.
        return dict(sorted(noted.items(), key=lambda item: (len(item[0]), item[0])))
    slots: dict[str, Mapping[str, Any]] = {}
    while (kind := trial.params.get(f"slot{len(slots)}.activation")) is not None:
        name = f"slot{len(slots)}"
        own = {part: trial.params.get(f"{name}.{part}") for part in ("basis", "degree", "hybrid")}
        slot = {"kind": kind, **{part: v for part, v in own.items() if v is not None}}
        slots[f"slot {len(slots)}"] = slot
    return slots or None


def seconds(trials: Sequence[FrozenTrial]) -> list[float]:
    """Return how long each trial trained, of those that say it."""
    return [float(s) for trial in trials if (s := _result(trial).get("seconds")) is not None]


def _diverged(trial: FrozenTrial) -> bool:
    return bool(_result(trial).get("diverged"))


def _result(trial: FrozenTrial) -> Mapping[str, Any]:
    found = trial.user_attrs.get("result")
    return found if isinstance(found, dict) else {}
