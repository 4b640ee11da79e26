"""Tells activation modules of anyone's from other modules without state."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def works_on_each_number(module: nn.Module, like: Tensor) -> bool:
    """Say whether a module computes each number of its output from the same number of its input.

    Then it answers shuffled numbers with the same answers, shuffled. A pooling, a normalisation or
    a dropout in training does not.

    Args:
        module: of one tensor.
        like: an input whose shape, dtype and device it takes.

    Example:
        >>> x = torch.zeros(2, 3)
        >>> works_on_each_number(nn.Hardswish(), x), works_on_each_number(nn.Softmax(1), x)
        (True, False)
    """
    source = torch.Generator().manual_seed(0)
    x = 3 * torch.randn(like.numel(), generator=source)
    order = torch.randperm(like.numel(), generator=source)
    try:
        y, shuffled = (
            module.forward(values.to(like).reshape(like.shape)).flatten().float()
            for values in (x, x[order])
        )
    except Exception:  # It looked at the numbers.
        return False
    # Vectorised and other loops may round differently.
    return torch.allclose(y[order.to(y.device)], shuffled, rtol=0.02, atol=1e-3, equal_nan=True)
