"""Training routines: how weights and SLAF coefficients share the optimiser.

* `joint`: both at the recipe's learning rate, every step.
* `two_speed`: the coefficients at `coefficient_rate` times the learning rate.
* `alternate`: even steps move the weights, odd steps the coefficients.
* `warm_start`: every SLAF is ReLU for the first `WARM_START` of the steps, then becomes the SLAF
  closest to it on what it receives, and trains on as under `joint`.

A network without coefficients trains the same way under all four.
"""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from slaf_automl.activations import SLAF
from slaf_automl.spec import Recipe

WARM_START = 0.3
"""Share of the steps that `warm_start` trains as a ReLU network."""

WARM_UP = 0.05
"""Share of the steps over which the learning rate rises from zero."""

FINAL_RATE = 0.01
"""The cosine decay ends at this share of the peak rate."""


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Return AdamW groups named `weights`, `offsets` (biases, normalisers) and `coefficients`.

    Only weights decay by `weight_decay`, coefficients by `coefficient_decay`, offsets never.
    """
    coefficients = [
        p
        for module in network.modules()
        if isinstance(module, SLAF)
        for p in (module.coefficients, module.bias)
    ]
    learned = {id(p) for p in coefficients}
    others = [p for p in network.parameters() if id(p) not in learned]
    rate = recipe.learning_rate
    fast = rate * recipe.coefficient_rate if recipe.routine == "two_speed" else rate
    groups: list[dict[str, Any]] = [
        {
            "name": "weights",
            "params": [p for p in others if p.ndim > 1],
            "lr": rate,
            "weight_decay": recipe.weight_decay,
        },
        {
            "name": "offsets",
            "params": [p for p in others if p.ndim <= 1],
            "lr": rate,
            "weight_decay": 0.0,
        },
        {
            "name": "coefficients",
            "params": coefficients,
            "lr": fast,
            "weight_decay": recipe.coefficient_decay,
        },
    ]
    return [group for group in groups if group["params"]]


def resting(recipe: Recipe, group: str, step: int, groups: int) -> bool:
    """Say whether the group of this name keeps still at this step.

    Args:
        recipe: its routine decides.
        group: name of a parameter group.
        step: number of the optimiser's step.
        groups: how many groups there are; without coefficients nothing ever rests.
    """
    if recipe.routine != "alternate" or groups < 3:
        return False
    return (group == "coefficients") == (step % 2 == 0)


def rate_at(step: int, steps: float) -> float:
    """Return the learning rate at `step` as a share of its peak: linear warm-up, cosine decay.

    Constant after the warm-up when the number of steps is unknown (infinite).

    Example:
        >>> [round(rate_at(s, 100), 3) for s in (0, 4, 52, 100)]
        [0.2, 1.0, 0.497, 0.01]
    """
    if math.isinf(steps):
        return 1.0
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    done = min(1.0, (step - warm + 1) / max(1, steps - warm))
    return FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done))
