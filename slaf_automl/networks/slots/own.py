"""Tells activation modules of anyone's from other modules without state, and names them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slaf_automl.activations.projection import TARGETS


@torch.no_grad()
def name_of_own(module: nn.Module, like: Tensor) -> str | None:
    """Return what a module that works on each number alone is called, None for another module.

    One that works on each number alone answers shuffled numbers with the same answers, shuffled; a
    pooling, a normalisation or a dropout in training does not. It has the name of the function of
    torch's that it computes, whatever it calls itself, else that of its class.

    Args:
        module: of one tensor.
        like: an input whose shape, dtype and device it takes.

    Example:
        >>> x = torch.zeros(2, 3)
        >>> [name_of_own(m, x) for m in (nn.GELU("tanh"), nn.Hardswish(), nn.Softmax(1))]
        ['gelu', 'hardswish', None]
    """
    source = torch.Generator().manual_seed(0)
    numbers = 3 * torch.randn(like.numel(), generator=source)
    order = torch.randperm(like.numel(), generator=source)
    x = numbers.to(like)
    try:
        y, shuffled = (
            module.forward(values.reshape(like.shape)).flatten().float()
            for values in (x.clone(), x[order.to(x.device)])
        )
    except Exception:  # It looked at the numbers.
        return None
    if not _close(y[order.to(y.device)], shuffled):
        return None
    if len(x) >= 4:  # Fewer could all be on one side.
        for name, function in TARGETS.items():
            if name != "identity" and _close(y, function(x.float())):
                return name
    return type(module).__name__.lower()


def _close(one: Tensor, other: Tensor) -> bool:
    # Vectorised and other loops may round differently, bfloat16 coarsely.
    return torch.allclose(one, other, rtol=0.02, atol=2e-3, equal_nan=True)
