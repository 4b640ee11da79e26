"""The deployed activations: plain polynomials of a clipped input, without statistics."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from slaf_automl.activations.channels import along, by_channel
from slaf_automl.activations.passes.form import HORNER_DEGREE


class Polynomial(nn.Module):
    """The deployed SLAF: p(x) = Σ_{i=1}^{degree} cᵢ·βᵢ(min(max(x, −1), 1)), the rest ReLU.

    βᵢ is xⁱ up to degree 5 (Horner) and Tᵢ above (Clenshaw: a float32 monomial row of degree 12
    errs by 5e-4). The constant is not stored: the next layer's bias carries it. The first
    `polynomials` channels are polynomials, the others max(x, 0).

    Args:
        rows: how many rows of coefficients the polynomial channels share.
        degree: the highest degree.
        polynomials: number of channels that are polynomials.
        clipped: whether the input is clipped to [−1, 1] (the layer before carries the scale).
        channel_dim: where the channels are.

    State: `coefficients`, `(rows, degree)`.
    """

    def __init__(
        self, rows: int, degree: int, polynomials: int, *, clipped: bool, channel_dim: int = 1
    ) -> None:
        super().__init__()
        self.polynomials = polynomials
        self.clipped = clipped
        self.channel_dim = channel_dim
        self.coefficients = nn.Parameter(torch.zeros(rows, degree), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Evaluate on `(N, C, *)`; the shape stays."""
        channels = x.shape[self.channel_dim]
        if self.polynomials == channels:
            return self._polynomial(x)
        smooth, rest = torch.split(
            x, [self.polynomials, channels - self.polynomials], self.channel_dim
        )
        return torch.cat([self._polynomial(smooth), torch.relu(rest)], self.channel_dim)

    def _polynomial(self, x: Tensor) -> Tensor:
        if self.clipped:
            x = x.clamp(-1.0, 1.0)
        table: Tensor = self.coefficients
        if 1 < table.shape[0] < self.polynomials:
            table = by_channel(table, self.polynomials)
        rows = [along(row, x, self.channel_dim) for row in table.unbind(1)]
        return horner(rows, x) if len(rows) <= HORNER_DEGREE else clenshaw(rows, x)


def horner(rows: list[Tensor], x: Tensor) -> Tensor:
    """Evaluate Σᵢ rows[i−1]·xⁱ, i ≥ 1, by Horner's rule."""
    result = rows[-1] * x
    for row in reversed(rows[:-1]):
        result = (result + row) * x
    return result


def clenshaw(rows: list[Tensor], x: Tensor) -> Tensor:
    """Evaluate Σᵢ rows[i−1]·Tᵢ(x), i ≥ 1, by Clenshaw's recurrence bₖ = cₖ + 2x·bₖ₊₁ − bₖ₊₂.

    With no constant row the sum is x·b₁ − b₂.
    """
    twice = 2.0 * x
    later: Tensor | float = 0.0
    latest = rows[-1]
    for row in reversed(rows[:-1]):
        later, latest = latest, row + twice * latest - later
    return x * latest - later
