"""The family `mlp`: linear layers with an activation slot after each hidden one."""

from __future__ import annotations

import itertools
from typing import ClassVar

from slaf_automl.activations.standalone import ALL_ABSORBED
from slaf_automl.networks.families.base import Family, Image
from slaf_automl.networks.layout import Layer, Layout, SlotStep, Step
from slaf_automl.spec import Architecture


class MLPFamily(Family):
    """x ↦ W_d·s_{d−1}(… s₀(W₀·x + b₀) …) + b_d; every affine map folds into a layer."""

    name: ClassVar[str] = "mlp"
    images: ClassVar[bool] = False

    def layout(self, architecture: Architecture) -> Layout:
        """Return layer, slot, layer, …, layer."""
        sizes = (architecture.inputs, *architecture.widths, architecture.outputs)
        last = len(architecture.widths)
        steps: list[Step] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            steps.append(Layer(i, inputs, outputs, feeds=i if i < last else None))
            if i < last:
                steps.append(SlotStep(i, outputs, 1, ALL_ABSORBED))
        return Layout(tuple(steps), architecture.inputs if architecture.centred_inputs else 0)

    def widths_of_slots(self, widths: int, blocks: int | None) -> tuple[int, ...]:
        """Each slot has the width of its own layer."""
        return tuple(range(widths))

    def most_widths(self, image: Image | None, kernel: int | None = None) -> int | None:
        """There is no limit."""
        return None
