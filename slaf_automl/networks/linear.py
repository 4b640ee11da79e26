"""Linear layers without initial values."""

from __future__ import annotations

from torch import nn


def unset_linear(inputs: int, outputs: int) -> nn.Linear:
    """Return a linear layer whose values are not set.

    `nn.Linear` alone would draw them from the global random state, which is not ours to move.
    """
    return nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
