"""What an activation becomes when its network is deployed.

In evaluation mode every activation of this package is an affine map of its input, a plain function,
and an affine map of its output, all per channel:

    f(x) = s_out · g(s_in·x + t_in) + t_out.

The layers before and after take the affine maps; only g is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Affine:
    """x ↦ scale·x + shift per channel; both `(C,)` float64."""

    scale: Tensor
    shift: Tensor

    @staticmethod
    def identity(channels: int) -> Affine:
        """Return the map that changes nothing."""
        one = torch.ones(channels, dtype=torch.float64)
        return Affine(one, torch.zeros_like(one))

    def after(self, first: Affine) -> Affine:
        """Return the map that applies `first`, then this one."""
        return Affine(self.scale * first.scale, self.scale * first.shift + self.shift)


@dataclass(frozen=True)
class Folded:
    """An activation taken apart for deployment: `output ∘ function ∘ input`.

    Args:
        input: absorbed by the layer before.
        function: the deployed module; its state is what the deployed network stores.
        output: absorbed by the layer after.
    """

    input: Affine
    function: nn.Module
    output: Affine


def fold_layer(
    weight: Tensor, bias: Tensor, before: Affine, after: Affine
) -> tuple[Tensor, Tensor]:
    """Fold an affine map of the inputs and one of the outputs into a linear layer or convolution.

    after(W·before(x) + b) = W'·x + b' with W' = diag(s₂)·W·diag(s₁) and
    b' = s₂·(W·t₁ + b) + t₂; computed in float64. In a convolution all places of a window add up;
    one that pads with zeros can take no shift t₁.

    Args:
        weight: W, `(outputs, inputs, *window)`.
        bias: b, `(outputs,)`.
        before: the map of the inputs (s₁, t₁).
        after: the map of the outputs (s₂, t₂).

    Returns:
        W' and b' in float64.
    """
    weight, bias = weight.detach().double(), bias.detach().double()
    device = weight.device
    s1, t1 = before.scale.to(device), before.shift.to(device)
    s2, t2 = after.scale.to(device), after.shift.to(device)
    window = [1] * (weight.ndim - 2)
    summed = weight.flatten(2).sum(2) if window else weight
    folded = s2.reshape(-1, 1, *window) * weight * s1.reshape(1, -1, *window)
    return folded, s2 * (summed @ t1 + bias) + t2
