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

_AT_ONCE = 2**20
"""Numbers that are turned into float64 at a time."""

_REFUSE_FROM = 2.0**20
"""From this many spreads on, float32 features themselves have lost the column's variation."""


@dataclass(frozen=True)
class TableStatistics:
    """x̂ = (x − mean)·scale per feature, and the same for a regression target; float32.

    A constant column has scale 0: it carries nothing, whatever it holds later. A gap (NaN) becomes
    x̂ = 0, the mean.

    Args:
        mean: `(features,)`, of what is known.
        scale: `(features,)`, one over the spread.
        target_mean: scalar, 0 for classification; `(targets,)` of several.
        target_spread: the same, 1 for classification.
        centred: whether some column must be centred before the first layer.
        class_weights: `(classes,)`, what a row of each class counts in the loss; None for 1.
    """

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_spread: Tensor
    centred: bool
    class_weights: Tensor | None = None

    def standardised(self, x: Tensor) -> Tensor:
        """Return x̂ of features `(rows, features)`."""
        return filled((x - self.mean) * self.scale)

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


def filled(x: Tensor) -> Tensor:
    """Return standardised inputs with 0, the mean, for every gap (NaN)."""
    return torch.where(torch.isnan(x), 0.0, x)


def balanced_weights(y: np.ndarray, classes: int) -> Tensor:
    """Return wₖ = n/(classes·nₖ), by which every class weighs the same; their mean over rows is 1.

    Args:
        y: class indices of the training rows.
        classes: how many there are.

    Example:
        >>> balanced_weights(np.array([0, 0, 0, 1]), 2)
        tensor([0.6667, 2.0000])
    """
    counts = np.bincount(y, minlength=classes)
    return torch.tensor(len(y) / (classes * counts), dtype=torch.float32)


def _measure_target(source: str, target: str, y: np.ndarray) -> tuple[float, float]:
    """Return mean and spread of a regression target, or say why it cannot be learned."""
    if y.min() == y.max():
        raise DataError(
            f"{source}: target {target!r} is constant, {y[0]:.6g}",
            expected="a target that varies",
            remedy="choose another target column",
        )
    with np.errstate(over="ignore"):
        mean, spread = float(y.mean()), float(y.std())
    if not 1 / _LARGEST < spread < _LARGEST or abs(mean) > _LARGEST:
        raise DataError(
            f"{source}: target {target!r} has a spread of {spread:.3g} around "
            f"{mean:.3g}, whose squares float32 cannot hold",
            remedy="rescale it in the file",
        )
    if spread * _REFUSE_FROM < abs(mean):
        raise DataError(
            f"{source}: target {target!r} varies by only {spread:.3g} around "
            f"{mean:.6g}, which float32 cannot tell apart",
            remedy=f"subtract {mean:.6g} from it in the file",
        )
    return mean, spread


def measure(
    table: Table, features: tuple[str, ...], x: np.ndarray, y: np.ndarray | None
) -> TableStatistics:
    """Measure the training rows.

    Args:
        table: where they come from.
        features: names of the inputs.
        x: their inputs `(rows, features)`; NaN is left out.
        y: for regression their targets, `(rows,)` or `(rows, targets)`.

    Raises:
        DataError: every feature is constant, a regression target is constant, or a column varies
            less than float32 can tell apart around its mean.
    """
    mean, spread, largest = _moments(x)
    if not spread.any():
        raise DataError(f"{table.source}: every feature is constant", remedy="add columns")
    extreme = (largest > _LARGEST) | ((spread > 0) & (spread < 1 / _LARGEST))
    if extreme.any():
        worst = int(extreme.argmax())
        raise DataError(
            f"{table.source}: column {features[worst]!r} has mean {mean[worst]:.3g} and "
            f"spread {spread[worst]:.3g}",
            expected=f"magnitudes between {1 / _LARGEST:g} and {_LARGEST:g}",
            remedy="rescale it in the file",
        )
    offset = np.divide(np.abs(mean), spread, out=np.zeros_like(mean), where=spread > 0)
    worst = int(offset.argmax())
    if offset[worst] > _REFUSE_FROM:
        raise DataError(
            f"{table.source}: column {features[worst]!r} varies by only {spread[worst]:.3g} "
            f"around {mean[worst]:.6g}, which float32 cannot tell apart",
            remedy=f"subtract {mean[worst]:.6g} from it in the file",
        )
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    target_mean: float | list[float] = 0.0
    target_spread: float | list[float] = 1.0
    if y is not None and table.targets is None:
        target_mean, target_spread = _measure_target(table.source, table.target, y)
    elif y is not None and table.targets is not None:
        pairs = [_measure_target(table.source, n, y[:, i]) for i, n in enumerate(table.targets)]
        target_mean, target_spread = [m for m, _ in pairs], [s for _, s in pairs]
    return TableStatistics(
        torch.tensor(mean, dtype=torch.float32),
        torch.tensor(scale, dtype=torch.float32),
        torch.tensor(target_mean, dtype=torch.float32),
        torch.tensor(target_spread, dtype=torch.float32),
        bool(offset[worst] > CENTRE_FROM),
    )


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, spread and greatest magnitude of every column, in float64, some at a time."""
    width = max(1, _AT_ONCE // max(1, len(x)))
    found = [_moments_of(x[:, i : i + width]) for i in range(0, x.shape[1], width)]
    mean, spread, largest = (np.concatenate(part) for part in zip(*found, strict=True))
    return mean, spread, largest


def _moments_of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = x.astype(np.float64)
    if np.isnan(x).any():
        with np.errstate(invalid="ignore"):
            mean, spread = np.nanmean(x, 0), np.nanstd(x, 0)
            low, high = np.nanmin(x, 0), np.nanmax(x, 0)
    else:
        mean, spread, low, high = x.mean(0), x.std(0), x.min(0), x.max(0)
    return mean, np.where(low == high, 0.0, spread), np.maximum(np.abs(low), np.abs(high))
