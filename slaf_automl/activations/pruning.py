"""Fewer elements: a penalty that takes the highest ones away, and the SLAF without them."""

from __future__ import annotations

import torch
from torch import nn

from slaf_automl.activations.slaf import SLAF

GRADED = ("monomial", "chebyshev", "chebyshev_second", "legendre", "hermite", "fourier")
"""Families whose first k elements are the same at every degree, so that the last can go."""


@torch.no_grad()
def shrink_elements(network: nn.Module, step: float) -> None:
    """Take a proximal step of size `step` of the hierarchical L1 penalty on the coefficients.

    The penalty is Σₖ √R·‖(a_k, …, a_degree)‖ over nested groups of columns, R the rows: an element
    is zero only when all higher ones are, so that what is zero lowers the degree. The step is
    exact: group soft-thresholding from the smallest group to the largest (Jenatton et al. 2011,
    "Proximal methods for hierarchical sparse coding"). Families that are not `GRADED` are left as
    they are: their elements depend on the degree.

    Args:
        network: any network with SLAFs.
        step: the learning rate times the penalty's weight.
    """
    for slot in network.modules():
        if not isinstance(slot, SLAF) or slot.basis.name not in GRADED:
            continue
        coefficients = slot.coefficients
        threshold = step * coefficients.shape[0] ** 0.5
        for first in reversed(range(slot.degree)):
            group = coefficients[:, first:]
            norm = torch.linalg.vector_norm(group)
            shrunk = (1.0 - threshold / norm.clamp_min(1e-30)).clamp_min(0.0)
            coefficients[:, first:] = group * shrunk


def effective_degree(slot: SLAF) -> int:
    """Return the highest element with a coefficient that is not zero, at least 1."""
    if slot.basis.name not in GRADED:
        return slot.degree
    used = (slot.coefficients.detach() != 0).any(0).nonzero()
    return int(used[-1]) + 1 if len(used) else 1
