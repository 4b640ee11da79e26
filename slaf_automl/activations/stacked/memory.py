"""The flat vectors in which the values of all lanes of a stack lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Running:
    """Running statistics of all lanes: `means` and `variances` `(M,)`, `counters` `(S,)` int64."""

    means: Tensor
    variances: Tensor
    counters: Tensor

    @staticmethod
    def empty(values: int, counters: int, like: Tensor) -> Running:
        """Return statistics that have seen nothing."""
        return Running(
            like.new_zeros(values),
            like.new_ones(values),
            torch.zeros(counters, dtype=torch.long, device=like.device),
        )


@dataclass(frozen=True)
class Memory:
    """Where parts find their values.

    Args:
        parameters: all parameters, `(P,)`.
        gradients: their gradients, `(P,)`.
        running: running statistics.
        batch: the same places for the statistics of one batch, which `Mode.POOL` writes.
    """

    parameters: Tensor
    gradients: Tensor
    running: Running
    batch: Running


@dataclass(frozen=True)
class Flow:
    """What flows through one slot of a stack: `(lanes, rows, width)` each, zero beyond the parts.

    Args:
        x: its input.
        y: its output.
        gy: the gradient of the output; of no elements without a backward pass.
        gx: the gradient of the input.
    """

    x: Tensor
    y: Tensor
    gy: Tensor
    gx: Tensor
