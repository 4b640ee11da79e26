"""The deployed form of families that are not polynomials: they deploy as themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slaf_automl.activations.bases import Basis
from slaf_automl.activations.channels import along, by_channel


class Expansion(nn.Module):
    """A deployed SLAF on any basis: f(x) = Σ_{i=1}^{degree} cᵢ·φᵢ(min(max(x, −1), 1)).

    The constant is not stored: the next layer's bias carries it. The first `learned` channels are
    SLAF, the others max(x, 0). Input and output `(N, C, *)`.

    Args:
        basis: the family, at home on [−1, 1].
        rows: how many rows of coefficients the SLAF channels share.
        degree: number of elements.
        learned: number of SLAF channels.
        clipped: whether the input is clipped to [−1, 1] (the layer before carries the scale).
        channel_dim: where the channels are.

    State: `coefficients`, `(rows, degree)`.
    """

    def __init__(
        self,
        basis: Basis,
        rows: int,
        degree: int,
        learned: int,
        *,
        clipped: bool,
        channel_dim: int = 1,
    ) -> None:
        super().__init__()
        self.basis = basis
        self.learned = learned
        self.clipped = clipped
        self.channel_dim = channel_dim
        self.coefficients = nn.Parameter(torch.zeros(rows, degree), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate on `(N, C, *)`; the shape stays."""
        rest = x.shape[self.channel_dim] - self.learned
        if rest == 0:
            return self._learned(x)
        smooth, others = torch.split(x, [self.learned, rest], self.channel_dim)
        return torch.cat([self._learned(smooth), torch.relu(others)], self.channel_dim)

    def _learned(self, x: Tensor) -> Tensor:
        if self.clipped:
            x = x.clamp(-1.0, 1.0)
        rows: Tensor = self.coefficients
        if 1 < rows.shape[0] < self.learned:
            rows = by_channel(rows, self.learned)
        elements = self.basis.elements(x, rows.shape[1])
        terms = [
            along(row, x, self.channel_dim) * element
            for row, element in zip(rows.unbind(1), elements, strict=True)
        ]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total
