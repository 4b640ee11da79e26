"""Runs the steps of a layout, of a network in training and of its deployed form alike."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from slaf_automl.networks.layout import Flatten, Halve, Layer, Mean, Residual, SlotStep, Step


class Modules(NamedTuple):
    """What the steps refer to by index; `norms` is None where they are folded."""

    layers: nn.ModuleList
    slots: nn.ModuleList
    norms: nn.ModuleList | None = None


def run(steps: tuple[Step, ...], x: Tensor, modules: Modules) -> Tensor:
    """Apply the steps to `(N, C, *)`, one after the other."""
    for step in steps:
        x = _apply(step, x, modules)
    return x


def _apply(step: Step, x: Tensor, modules: Modules) -> Tensor:
    found: Tensor
    if isinstance(step, Layer):
        found = modules.layers[step.index](x)
        if step.norm is not None and modules.norms is not None:
            found = modules.norms[step.norm](found)
        return found
    if isinstance(step, SlotStep):
        found = modules.slots[step.index](x)
        return found
    if isinstance(step, Residual):
        return run(step.body, x, modules) + run(step.shortcut, x, modules)
    if isinstance(step, Halve):
        pool = F.max_pool2d if step.pooling == "max" else F.avg_pool2d
        return pool(x, step.window)
    if isinstance(step, Flatten):
        return x.flatten(1)
    assert isinstance(step, Mean)
    return x.mean((2, 3))
