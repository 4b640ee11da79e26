"""The deployed network: what is stored, shipped and counted."""

from __future__ import annotations

import itertools
from typing import cast

import torch
from torch import Tensor, nn

from slaf_automl.activations.folding import Affine, fold_linear
from slaf_automl.activations.kinds import Foldable, find_kind
from slaf_automl.networks.fitting import require_complete
from slaf_automl.networks.linear import unset_linear
from slaf_automl.networks.mlp import MLP
from slaf_automl.spec import Architecture


class DeployedMLP(nn.Module):
    """A folded MLP: raw features in, logits or target values out.

    Standardisation, normalisers, clip ranges and SLAF constants live in the linear layers; every
    slot is a plain ReLU or `Polynomial`. The elements of its state are exactly the values that
    `count_cost` counts. Input `(N, inputs)`, output `(N, outputs)`.

    State: `layers.<i>.weight`, `layers.<i>.bias`, `slots.<i>.coefficients` where a slot is SLAF,
    and `centre`, `(inputs,)`, where the architecture centres its inputs.
    """

    centre: Tensor | None

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        require_complete(architecture)
        sizes = (architecture.inputs, *architecture.widths, architecture.outputs)
        centre = torch.zeros(architecture.inputs) if architecture.centred_inputs else None
        self.register_buffer("centre", centre)
        self.layers = nn.ModuleList(
            unset_linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes)
        )
        self.slots = nn.ModuleList(
            find_kind(spec.kind).deployed(spec, width)
            for spec, width in zip(architecture.placement, architecture.widths, strict=True)
        )
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate raw features `(N, inputs)` to `(N, outputs)`."""
        if self.centre is not None:
            x = x - self.centre
        for layer, slot in zip(self.layers, self.slots, strict=False):
            x = slot(layer(x))
        output: Tensor = self.layers[-1](x)
        return output


def deploy(
    network: MLP, architecture: Architecture, standardise: Affine, restore: Affine
) -> DeployedMLP:
    """Fold a trained MLP into its deployed form, in float64 until the last cast to float32.

    Args:
        network: the trained network, its statistics set.
        architecture: what it was built from.
        standardise: raw features to the network's inputs.
        restore: the network's outputs to target values (identity for logits).

    Raises:
        ActivationError: a normalised slot that was never trained.
    """
    deployed = DeployedMLP(architecture)
    before = standardise
    if deployed.centre is not None:
        # x̂ = s·x + t = s·(x − c) + (s·c + t); float32(c) is what is subtracted, so it is what
        # enters the shift.
        constant = standardise.scale == 0  # Carries nothing, so it needs no centre.
        scale = torch.where(constant, torch.ones_like(standardise.scale), standardise.scale)
        deployed.centre.copy_(-standardise.shift / scale)
        shift = standardise.scale * deployed.centre.double() + standardise.shift
        before = Affine(standardise.scale, shift)
    last = len(network.layers) - 1
    for i, layer in enumerate(network.layers):
        trained, stored = cast(nn.Linear, layer), cast(nn.Linear, deployed.layers[i])
        folded = cast(Foldable, network.slots[i]).fold() if i < last else None
        after = restore if folded is None else folded.input
        weight, bias = fold_linear(trained.weight.cpu(), trained.bias.cpu(), before, after)
        stored.weight.data.copy_(weight)
        stored.bias.data.copy_(bias)
        if folded is not None:
            deployed.slots[i].load_state_dict(folded.function.state_dict())
            before = folded.output
    return deployed
