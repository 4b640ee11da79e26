"""The trainable network of any family."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.slaf import name_slots
from slaf_automl.activations.statistics import InputNormaliser
from slaf_automl.networks.families import layout
from slaf_automl.networks.fitting import require_complete
from slaf_automl.networks.layout import Layer
from slaf_automl.networks.running import Modules, run
from slaf_automl.networks.unset import unset_layer
from slaf_automl.spec import Architecture


class Network(nn.Module):
    """A trainable network: standardised features `(N, inputs)` to `(N, outputs)`.

    `layers` holds the linear layers and convolutions, `slots` the activations, `norms` the batch
    normalisations of residual branches, each in order of use, but a slot of the inputs comes last;
    a slot's id is `slots.<i>`. Images come as rows of features too: channel by channel, row by row.

    Args:
        architecture: sizes and placement.
        generator: source of the initial weights; the global random state is never touched.

    Raises:
        ActivationError: a spec of the placement that its kind refuses.
        SpecError: an image too small for so many layers.
    """

    def __init__(self, architecture: Architecture, generator: torch.Generator) -> None:
        super().__init__()
        require_complete(architecture)
        self.layout = layout(architecture)
        layers, slots = self.layout.layers(), self.layout.slots()
        self.layers = nn.ModuleList(_initialised(layer, generator) for layer in layers)
        self.slots = nn.ModuleList(
            find_kind(spec.kind).build(spec, slot.channels)
            for spec, slot in zip(architecture.specs, slots, strict=True)
        )
        self.norms = nn.ModuleList(
            InputNormaliser(layer.outputs) for layer in layers if layer.norm is not None
        )
        name_slots(self)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate `(N, inputs)` to `(N, outputs)`."""
        if self.layout.image is not None:
            x = channels_innermost(x.reshape(-1, *self.layout.image))
        return run(self.layout.steps, x, Modules(self.layers, self.slots, self.norms))


def channels_innermost(x: Tensor) -> Tensor:
    """Return `(N, C, H, W)` with the channels innermost in memory, and strides that say so.

    PyTorch takes a single channel for either order, but its strides as they are, by which
    convolutions choose the order of all that follows.
    """
    if x.shape[1] == 1:
        return x.contiguous().squeeze(1).unsqueeze(-1).permute(0, 3, 1, 2)
    return x.contiguous(memory_format=torch.channels_last)


def _initialised(layer: Layer, generator: torch.Generator) -> nn.Module:
    """Return a layer with He weights (He et al. 2015, eq. 10) and zero biases.

    Convolutions have their channels innermost, which takes small ones half the time.
    """
    module = unset_layer(layer)
    if isinstance(module, nn.Conv2d):
        module.weight.data = channels_innermost(module.weight.data)
    fan_in = layer.weights // layer.outputs
    with torch.no_grad():
        module.weight.normal_(0.0, math.sqrt(2.0 / fan_in), generator=generator)
        assert module.bias is not None
        module.bias.zero_()
    return module
