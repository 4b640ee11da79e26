"""What the trials say about each slot: who filled it, and how well such networks did."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import TrialState

from slaf_automl.report.studied_arm import StudiedArm, slots_of

SHOWN = 20
"""Trials of the heat map, the best first."""

INPUTS = "inputs"
"""The name of the slot before the first layer, which few networks have."""


@dataclass(frozen=True)
class SlotFacts:
    """One slot over the trials whose networks have it.

    Args:
        name: the slot, or `inputs`, which every network has.
        best: how many of the best trials have it.
        best_relu: in how many of these it is ReLU; of the inputs, without an activation.
        relu: the values of the trials in which it is ReLU; of the inputs, without an activation.
        learned: the values of the trials in which it is a SLAF, hybrid or not.
    """

    name: str
    best: int
    best_relu: int
    relu: tuple[float, ...]
    learned: tuple[float, ...]

    @property
    def medians(self) -> tuple[float | None, float | None]:
        """The median value with ReLU and with SLAF in the slot, None where no trial has it."""
        first, second = (statistics.median(v) if v else None for v in (self.relu, self.learned))
        return first, second


@dataclass(frozen=True)
class Placement:
    """What fills the slots of one trial.

    Args:
        number: of the trial.
        complete: whether it was trained to its end.
        slots: what fills each, by name; see `slots_of`.
        value: what it is compared by.
    """

    number: int
    complete: bool
    slots: Mapping[str, Mapping[str, Any]]
    value: float | None


@dataclass(frozen=True)
class Placements:
    """What fills the slots of an arm's trials.

    Args:
        trials: the finished trials that say it, the best first.
        unknown: how many do not.
        step: of `Compared`: what the values are of.
    """

    trials: tuple[Placement, ...]
    unknown: int
    step: int | None

    @property
    def shown(self) -> tuple[Placement, ...]:
        """The best trials, for the heat map."""
        return self.trials[:SHOWN]

    @property
    def slots(self) -> list[str]:
        """The names of all slots that some trial has, from the inputs on."""
        return _in_order({name for trial in self.trials for name in trial.slots})

    @property
    def shown_slots(self) -> list[str]:
        """Those that some of the best trials has."""
        return _in_order({name for trial in self.shown for name in trial.slots})

    def facts(self) -> list[SlotFacts]:
        """Return what the trials say about each slot."""
        return [self._facts(name) for name in self.slots]

    def _facts(self, name: str) -> SlotFacts:
        def is_relu(trial: Placement) -> bool:
            return name not in trial.slots or trial.slots[name]["kind"] == "relu"

        has = [trial for trial in self.trials if name in trial.slots or name == INPUTS]
        best = [trial for trial in self.shown if trial in has]

        def values(relu: bool) -> tuple[float, ...]:
            return tuple(t.value for t in has if is_relu(t) is relu and t.value is not None)

        return SlotFacts(name, len(best), sum(map(is_relu, best)), values(True), values(False))


def _in_order(names: set[str]) -> list[str]:
    """Return the inputs' slot first, then the others by number."""
    return sorted(names, key=lambda name: (name != INPUTS, len(name), name))


def placements_of(arm: StudiedArm) -> Placements:
    """Return what fills the slots of an arm's trials, the best first."""
    compared = arm.compared()
    values = {trial.number: value for trial, value in compared.trials}
    ranked = arm.ranked
    known = [
        Placement(
            trial.number,
            trial.state == TrialState.COMPLETE,
            slots,
            values.get(trial.number),
        )
        for trial in ranked
        if (slots := slots_of(trial)) is not None
    ]
    return Placements(tuple(known), len(ranked) - len(known), compared.step)


def why_in_words(facts: SlotFacts, metric: str, direction: str, when: str) -> str:
    """Say how networks with ReLU in a slot did beside those with a SLAF there, and no more.

    Args:
        facts: of the slot.
        metric: name of the metric.
        direction: `maximize` or `minimize`.
        when: in words, what the values are of; see `Run.when`.

    Example:
        >>> facts = SlotFacts("slot 1", 4, 3, relu=(0.9, 0.8, 0.7), learned=(0.5, 0.6))
        >>> print(why_in_words(facts, "accuracy", "maximize", "after 6 epochs"))
        ReLU in 3 of the 4 best trials that have this slot, and in 3 of all 5. Median validation \
accuracy after 6 epochs: 0.8 with ReLU (3 trials), 0.55 with SLAF (2 trials); ReLU did better.
    """
    count = len(facts.relu) + len(facts.learned)
    inputs = facts.name == INPUTS
    plain, what = ("none", "No activation") if inputs else ("ReLU", "ReLU")
    words = f"None of the best trials has this slot. {what} in "
    if facts.best:
        having = "" if inputs else " that have this slot"
        words = f"{what} in {facts.best_relu} of the {facts.best} best trials{having}, and in "
    words += f"{len(facts.relu)} of all {count}."
    relu, learned = facts.medians
    if relu is None or learned is None:
        absent = plain if relu is None else "SLAF"
        return f"{words} No trial has {absent} there, so nothing can be compared."
    better = relu < learned if direction == "minimize" else relu > learned
    end = f"{plain} did better" if better else "SLAF did better"
    return (
        f"{words} Median validation {metric} {when}: {relu:.4g} with {plain} "
        f"({_trials(facts.relu)}), {learned:.4g} with SLAF ({_trials(facts.learned)}); "
        f"{'no difference' if relu == learned else end}."
    )


def _trials(values: Sequence[float]) -> str:
    return "1 trial" if len(values) == 1 else f"{len(values)} trials"
