"""The rates of every step of an epoch, for every lane by its own step counter and recipe."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slaf_automl.spec import Recipe
from slaf_automl.training.population.adamw import (
    COEFFICIENTS,
    GROUPS,
    OFFSETS,
    WEIGHTS,
    step_rates,
)
from slaf_automl.training.routines import WARM_START, rate_at, resting


@dataclass(frozen=True)
class Course:
    """How one lane's training runs: its recipe, and how many steps that makes.

    Args:
        recipe: what the candidate says.
        steps: steps of an epoch.
        learned: whether the network has coefficients.
    """

    recipe: Recipe
    steps: int
    learned: bool

    @functools.cached_property
    def total(self) -> int:
        """Steps of the whole training."""
        return self.steps * self.recipe.epochs

    @functools.cached_property
    def projected_at(self) -> int:
        """The step at which ReLU turns into SLAF under `warm_start`; 0 under other routines."""
        return self._reached(WARM_START if self.recipe.routine == "warm_start" else 0.0)

    @functools.cached_property
    def held_at(self) -> int | None:
        """The step from which on statistics are held; None for never."""
        share = self.recipe.hold_statistics
        return None if share is None else self._reached(share)

    def _reached(self, share: float) -> int:
        """Return the first step that is not below a share of all steps."""
        step = math.floor(share * self.total)
        return step if not step < share * self.total else step + 1

    def rates(self, epoch: int) -> NDArray[np.float64]:
        """Return the `step_rates` of each group at each step of an epoch, `(steps, GROUPS, 4)`."""
        recipe = self.recipe
        steps = np.arange(epoch * self.steps, (epoch + 1) * self.steps)
        share = _shares(self.total)[steps]
        two_speed = recipe.routine == "two_speed"
        fast = recipe.learning_rate * recipe.coefficient_rate if two_speed else recipe.learning_rate
        groups = (
            (WEIGHTS, "weights", recipe.learning_rate, recipe.weight_decay),
            (OFFSETS, "offsets", recipe.learning_rate, 0.0),
            (COEFFICIENTS, "coefficients", fast, recipe.coefficient_decay),
        )
        count = GROUPS if self.learned else GROUPS - 1
        table = np.empty((self.steps, GROUPS, 4))
        for group, name, peak, decay in groups:
            done, rate = steps, peak * share
            if group == COEFFICIENTS and self.projected_at:
                rate = np.where(steps < self.projected_at, np.nan, rate)
                done = np.maximum(steps - self.projected_at, 0)
            if recipe.routine == "alternate" and self.learned:
                rests = [resting(recipe, name, int(step), count) for step in steps]
                rate, done = np.where(rests, np.nan, rate), done // 2
            table[:, group] = step_rates(rate, decay, done)
        return table

    def shrinkage(self, step: int) -> float:
        """Return the proximal step of the coefficients' L1 penalty after a step."""
        recipe = self.recipe
        if not recipe.coefficient_l1 or step < self.projected_at:
            return 0.0
        fast = recipe.coefficient_rate if recipe.routine == "two_speed" else 1.0
        # The rate has moved on to the next step's by then.
        share = _shares(self.total)[step + 1]
        return float(recipe.learning_rate * fast * share * recipe.coefficient_l1)


def epoch_tables(courses: Sequence[Course], epochs: Sequence[int]) -> NDArray[np.float64]:
    """Return the rates of every step of an epoch, `(steps, lanes, GROUPS, 4)`.

    Args:
        courses: of each lane; all with the same number of steps.
        epochs: how many epochs each lane has done.
    """
    return np.stack([c.rates(epoch) for c, epoch in zip(courses, epochs, strict=True)], axis=1)


@functools.lru_cache(maxsize=64)
def _shares(steps: int) -> NDArray[np.float64]:
    return np.array([rate_at(step, float(steps)) for step in range(steps + 1)])
