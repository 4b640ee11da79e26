"""The family `mlp`: linear layers with an activation slot after each hidden one, and links."""

from __future__ import annotations

import itertools
from typing import ClassVar

from slaf_automl.activations.standalone import ALL_ABSORBED, Absorbed
from slaf_automl.networks.families.base import Family, Image
from slaf_automl.networks.layout import Layer, Layout, Residual, SlotStep, Step
from slaf_automl.spec import Architecture


class MLPFamily(Family):
    """x ↦ W_d·h_{d−1} + b_d with h₀ = s₀(W₀·x + b₀) and hᵢ = sᵢ(Wᵢ·hᵢ₋₁ + bᵢ).

    Every affine map folds into a layer. With `residual` links all hidden layers have one width and

        hᵢ = hᵢ₋₁ + sᵢ(Wᵢ·hᵢ₋₁ + bᵢ) for i ≥ 1.

    Constants of the slots still fold: through the links they add up, and every layer takes the sum
    of those before it into its bias. No layer can take the scale of one summand alone, so a slot
    whose output is scaled (ReLU under the normaliser `element`) stores its scale.

    An activation s of the inputs comes first: h₀ = s₀(W₀·s(x) + b₀). It stores its map of the
    input, which then holds the standardisation of the inputs too.
    """

    name: ClassVar[str] = "mlp"
    images: ClassVar[bool] = False

    def layout(self, architecture: Architecture) -> Layout:
        """Return layer, slot, …, layer, after a slot of the inputs; links make sums of two."""
        sizes = (architecture.inputs, *architecture.widths, architecture.outputs)
        last = len(architecture.widths)
        steps: list[Step] = []
        if architecture.input_activation is not None:
            # Nothing before it can take the map of its input; the first layer takes its constants.
            alone = Absorbed(scale=True, shift=True)
            steps.append(SlotStep(last, architecture.inputs, 1, alone))
        absorbed = Absorbed(before=True, shift=True) if architecture.residual else ALL_ABSORBED
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            layer = Layer(i, inputs, outputs, feeds=i if i < last else None)
            slot = SlotStep(i, outputs, 1, absorbed)
            if i == last:
                steps.append(layer)
            elif i > 0 and architecture.residual:
                steps.append(Residual((layer, slot), shortcut=()))
            else:
                steps += [layer, slot]
        return Layout(tuple(steps), architecture.inputs if architecture.centred_inputs else 0)

    def most_widths(self, image: Image | None, kernel: int | None = None) -> int | None:
        """There is no limit."""
        return None
