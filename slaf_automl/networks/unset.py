"""Layers without initial values."""

from __future__ import annotations

from torch import nn

from slaf_automl.networks.layout import Layer


def unset_layer(layer: Layer) -> nn.Linear | nn.Conv2d:
    """Return a linear layer or convolution whose values are not set.

    torch alone would draw them from the global random state, which is not ours to move.
    """
    if layer.kernel is None:
        return nn.Linear(layer.inputs, layer.outputs, device="meta").to_empty(device="cpu")
    convolution = nn.Conv2d(
        layer.inputs,
        layer.outputs,
        layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        device="meta",
    )
    return convolution.to_empty(device="cpu")
