"""The deployed network: what is stored, shipped and counted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.standalone import ALL_ABSORBED, Standalone
from slaf_automl.networks.families import layout
from slaf_automl.networks.fitting import require_complete
from slaf_automl.networks.layout import SlotStep
from slaf_automl.networks.running import Modules, run
from slaf_automl.networks.unset import unset_layer
from slaf_automl.spec import ActivationSpec, Architecture


class DeployedNetwork(nn.Module):
    """A folded network of any family: raw features in, logits or target values out.

    Standardisation, normalisers, clip ranges and SLAF constants live in the layers wherever a layer
    can carry them; a slot is then a plain ReLU or polynomial, and a `Standalone` otherwise. The
    elements of its state are exactly the values that `count_cost` counts. Input `(N, inputs)`,
    output `(N, outputs)`.

    State: `layers.<i>.weight`, `layers.<i>.bias`, `slots.<i>.coefficients` where a slot is SLAF
    (of a `Standalone`, `slots.<i>.parts.<j>.…`), `centre`, one mean per input or channel, where the
    architecture centres its inputs, and `fills`, what stands for NaN in each input that may have
    gaps; in other inputs NaN gives NaN.
    """

    centre: Tensor | None
    fills: Tensor | None
    filled: Tensor
    gaps: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        require_complete(architecture)
        self.layout = layout(architecture)
        count = self.layout.centred
        self.register_buffer("centre", torch.zeros(count) if count else None)
        filled = self.layout.filled
        self.register_buffer("fills", torch.zeros(len(filled)) if filled else None)
        if filled:
            places = torch.nn.functional.one_hot(torch.tensor(filled), architecture.inputs)
            nowhere = torch.where(places.sum(0) > 0, 0.0, torch.nan)
            self.register_buffer("filled", places.float(), persistent=False)
            self.register_buffer("gaps", nowhere, persistent=False)
        self.layers = nn.ModuleList(unset_layer(layer) for layer in self.layout.layers())
        self.slots = nn.ModuleList(
            _deployed_slot(spec, slot)
            for spec, slot in zip(architecture.specs, self.layout.slots(), strict=True)
        )
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate raw features `(N, inputs)` to `(N, outputs)`."""
        if self.fills is not None:
            # As a product, for ONNX to fold: a 1 where each fill goes, and NaN where none does.
            row = self.fills.to(x.dtype) @ self.filled.to(x.dtype) + self.gaps.to(x.dtype)
            x = torch.where(torch.isnan(x), row, x)
        if self.layout.image is not None:
            x = x.reshape(-1, *self.layout.image)
        if self.centre is not None:
            x = x - self.centre.reshape(-1, *[1] * (x.ndim - 2))
        return run(self.layout.steps, x, Modules(self.layers, self.slots))


def _deployed_slot(spec: ActivationSpec, slot: SlotStep) -> nn.Module:
    if slot.absorbed == ALL_ABSORBED:
        return find_kind(spec.kind).deployed(spec, slot.channels)
    return Standalone(spec, slot.channels, absorbed=slot.absorbed)
