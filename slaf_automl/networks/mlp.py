"""The multilayer perceptron family: linear layers with an activation slot after each hidden one."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.slaf import name_slots
from slaf_automl.networks.fitting import require_complete
from slaf_automl.networks.linear import unset_linear
from slaf_automl.spec import Architecture


class MLP(nn.Module):
    """A trainable MLP: x ↦ W_d·s_{d−1}(… s₀(W₀·x + b₀) …) + b_d.

    `layers` holds the linear layers, `slots` one activation per hidden layer; a slot's id is
    `slots.<i>`. Input `(N, inputs)` standardised, output `(N, outputs)`.

    Args:
        architecture: sizes and placement.
        generator: source of the initial weights; the global random state is never touched.

    Raises:
        ActivationError: a spec of the placement that its kind refuses.
    """

    def __init__(self, architecture: Architecture, generator: torch.Generator) -> None:
        super().__init__()
        require_complete(architecture)
        sizes = (architecture.inputs, *architecture.widths, architecture.outputs)
        self.layers = nn.ModuleList(
            _linear(inputs, outputs, generator) for inputs, outputs in itertools.pairwise(sizes)
        )
        self.slots = nn.ModuleList(
            find_kind(spec.kind).build(spec, width)
            for spec, width in zip(architecture.placement, architecture.widths, strict=True)
        )
        name_slots(self)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate `(N, inputs)` to `(N, outputs)`."""
        for layer, slot in zip(self.layers, self.slots, strict=False):
            x = slot(layer(x))
        output: Tensor = self.layers[-1](x)
        return output


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer with He weights (He et al. 2015, eq. 10) and zero biases."""
    layer = unset_linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.normal_(0.0, math.sqrt(2.0 / inputs), generator=generator)
        layer.bias.zero_()
    return layer
