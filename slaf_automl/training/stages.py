"""The stages that a training goes through: ReLU first, then SLAF; live statistics, then held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from torch import Tensor, nn

from slaf_automl.activations import estimate_statistics, hold_statistics
from slaf_automl.activations.warm_start import project_rectified, rectify
from slaf_automl.errors import SlafError
from slaf_automl.spec import Recipe
from slaf_automl.training.routines import WARM_START


class Stages:
    """Where a training stands, by its recipe and the number of its step.

    Args:
        recipe: `routine` and `hold_statistics` say which stages there are.
        network: whose activations change.
        inputs: () ↦ the network's inputs over training rows.
    """

    def __init__(
        self, recipe: Recipe, network: nn.Module, inputs: Callable[[], Iterator[Tensor]]
    ) -> None:
        self._recipe, self._network, self._inputs = recipe, network, inputs
        self._held = False
        self.rectified = False
        """Whether its SLAFs still train as ReLU, under the routine `warm_start`."""

    def begin(self, step: int, steps: float) -> None:
        """Begin, or go on from a step, as one that was never interrupted would have.

        Args:
            step: steps that were made.
            steps: of the whole training.

        Raises:
            SlafError: a warm start in a training without an end.
        """
        if self._recipe.routine == "warm_start":
            if math.isinf(steps):
                raise SlafError(
                    "routine warm_start in a training without an end",
                    remedy="give the Trainer max_epochs or max_steps",
                )
            # A training that stopped just before its projection has it still before it.
            self.rectified = step - 1 < WARM_START * steps
        if self.rectified:
            rectify(self._network)
        share = self._recipe.hold_statistics
        self._held = share is not None and step >= share * steps
        if self._held:
            hold_statistics(self._network)

    def advance(self, step: int, steps: float) -> None:
        """Turn ReLU into SLAF, and hold statistics, before the steps that the recipe says."""
        if self.rectified and step >= WARM_START * steps:
            project_rectified(self._network, self._inputs())
            self.rectified = False
        share = self._recipe.hold_statistics
        if not self._held and share is not None and step >= share * steps:
            estimate_statistics(self._network, self._inputs())
            hold_statistics(self._network)
            self._held = True
