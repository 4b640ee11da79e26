"""Means and spreads of the training rows, and which columns float32 can fold."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from slaf_automl.errors import DataError
from slaf_automl.training.data.table import Table

CENTRE_FROM = 100.0
"""From this many spreads away from zero on, the inputs are centred before the first layer: folding
the mean into its bias would cancel 100/ε₃₂ ≈ 1e-5 of a spread and more."""

_LARGEST = 1e15
"""Float32 holds the square of such a number and of its inverse with room to spare."""

_REFUSE_FROM = 2.0**20
"""From this many spreads on, float32 features themselves have lost the column's variation."""


@dataclass(frozen=True)
class TableStatistics:
    """x̂ = (x − mean)·scale per feature, and the same for a regression target; float32.

    A constant column has scale 0: it carries nothing, whatever it holds later.

    Args:
        mean: `(features,)`.
        scale: `(features,)`, one over the spread.
        target_mean: scalar, 0 for classification.
        target_spread: scalar, 1 for classification.
        centred: whether some column must be centred before the first layer.
    """

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_spread: Tensor
    centred: bool

    def by_channel(self, image: tuple[int, int, int]) -> TableStatistics:
        """Return the same with one mean and spread for all pixels of a channel.

        σ² = mean(σₚ² + (μₚ − μ)²) over the channel's pixels p, μ = mean(μₚ).

        Args:
            image: channels, height and width whose product is the number of features.
        """
        mean, scale = (t.double().reshape(image[0], -1) for t in (self.mean, self.scale))
        variance = torch.where(scale > 0, scale**-2.0, 0.0)
        middle = mean.mean(1, keepdim=True)
        spread = (variance + (mean - middle) ** 2).mean(1, keepdim=True).sqrt()
        inverse = torch.where(spread > 0, 1.0 / spread, 0.0)
        return replace(
            self,
            mean=middle.expand_as(mean).reshape(-1).float(),
            scale=inverse.expand_as(mean).reshape(-1).float(),
        )


def _measure_target(table: Table, y: np.ndarray) -> tuple[float, float]:
    """Return mean and spread of a regression target, or say why it cannot be learned."""
    if y.min() == y.max():
        raise DataError(
            f"{table.source}: target {table.target!r} is constant, {y[0]:.6g}",
            expected="a target that varies",
            remedy="choose another target column",
        )
    with np.errstate(over="ignore"):
        mean, spread = float(y.mean()), float(y.std())
    if not 1 / _LARGEST < spread < _LARGEST or abs(mean) > _LARGEST:
        raise DataError(
            f"{table.source}: target {table.target!r} has a spread of {spread:.3g} around "
            f"{mean:.3g}, whose squares float32 cannot hold",
            remedy="rescale it in the file",
        )
    if spread * _REFUSE_FROM < abs(mean):
        raise DataError(
            f"{table.source}: target {table.target!r} varies by only {spread:.3g} around "
            f"{mean:.6g}, which float32 cannot tell apart",
            remedy=f"subtract {mean:.6g} from it in the file",
        )
    return mean, spread


def measure(table: Table, x: np.ndarray, y: np.ndarray | None) -> TableStatistics:
    """Measure the training rows `x` `(rows, features)` and, for regression, their targets.

    Raises:
        DataError: every feature is constant, a regression target is constant, or a column varies
            less than float32 can tell apart around its mean.
    """
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(x.min(0) == x.max(0), 0.0, spread)
    if not spread.any():
        raise DataError(f"{table.source}: every feature is constant", remedy="add columns")
    extreme = (np.abs(x).max(0) > _LARGEST) | ((spread > 0) & (spread < 1 / _LARGEST))
    if extreme.any():
        worst = int(extreme.argmax())
        raise DataError(
            f"{table.source}: column {table.features[worst]!r} has mean {mean[worst]:.3g} and "
            f"spread {spread[worst]:.3g}",
            expected=f"magnitudes between {1 / _LARGEST:g} and {_LARGEST:g}",
            remedy="rescale it in the file",
        )
    offset = np.divide(np.abs(mean), spread, out=np.zeros_like(mean), where=spread > 0)
    worst = int(offset.argmax())
    if offset[worst] > _REFUSE_FROM:
        raise DataError(
            f"{table.source}: column {table.features[worst]!r} varies by only {spread[worst]:.3g} "
            f"around {mean[worst]:.6g}, which float32 cannot tell apart",
            remedy=f"subtract {mean[worst]:.6g} from it in the file",
        )
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    target_mean, target_spread = 0.0, 1.0
    if y is not None:
        target_mean, target_spread = _measure_target(table, y)
    return TableStatistics(
        torch.tensor(mean, dtype=torch.float32),
        torch.tensor(scale, dtype=torch.float32),
        torch.tensor(target_mean, dtype=torch.float32),
        torch.tensor(target_spread, dtype=torch.float32),
        bool(offset[worst] > CENTRE_FROM),
    )
