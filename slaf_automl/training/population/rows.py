"""The rows that a population trains on and validates with, standardised once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from slaf_automl.training.data import TableData, TensorBatches
from slaf_automl.training.data.batches import evaluation_rows, image_rows, some_images
from slaf_automl.training.data.statistics import filled

Batch = tuple[Tensor, Tensor]
"""Standardised features `(rows, inputs)` and targets `(rows,)`."""


_EVALUATED = 1024
"""Rows of a table that are validated at once: what flows stays in the processor's cache."""

_COPIED = 2**22
"""Numbers of training rows that are copied once an epoch; of more, batches are gathered one by one:
lanes of many epochs would hold many copies."""


class GatheredBatches(Sequence[Batch]):
    """The batches of an epoch, each gathered when it is asked for; the last one is kept.

    Args:
        batches: shuffled batches, at their epoch.
    """

    def __init__(self, batches: TensorBatches) -> None:
        assert batches.sampler is not None
        self._x, self._y = batches.x, batches.y
        order = batches.sampler.permutation().to(self._x.device)
        self._rows = torch.split(order, batches.sizes())
        self._last: tuple[int, Batch] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Batch:  # type: ignore[override]
        last = self._last
        if last is None or last[0] != index:
            rows = self._rows[index]
            self._last = last = index, (self._x[rows], self._y[rows])
        return last[1]


@dataclass(frozen=True)
class Rows:
    """Training and validation rows in a network's own terms.

    Args:
        training: all training rows.
        validation: all validation rows.
        images: whether the features are images'.
    """

    training: Batch
    validation: Batch
    images: bool = False

    @staticmethod
    def of(data: TableData, *, images: bool = False) -> Rows:
        """Return a table's rows in PyTorch's default precision, as networks are built in it.

        Args:
            data: the table.
            images: standardise by channel, as networks for images do.
        """
        dtype, statistics = torch.get_default_dtype(), data.statistics
        if images and data.info.image is not None:
            statistics = statistics.by_channel(data.info.image)
        mean, scale = statistics.mean.to(dtype), statistics.scale.to(dtype)
        (x, y), (x_validation, y_validation) = data.training, data.validation
        # In place: of a long table every copy counts.
        training, validation = ((rows - mean).mul_(scale) for rows in (x, x_validation))
        if data.info.filled is not None:
            training, validation = filled(training), filled(validation)
        return Rows((training, y), (validation, y_validation), images)

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        return self.training[0].device

    def to(self, device: torch.device) -> Rows:
        """Return them on a device."""
        (x, y), (x_validation, y_validation) = self.training, self.validation
        return replace(
            self,
            training=(x.to(device), y.to(device)),
            validation=(x_validation.to(device), y_validation.to(device)),
        )

    def steps(self, batch_size: int) -> int:
        """Return how many batches an epoch has."""
        return len(TensorBatches(*self.training, batch_size))

    def epoch(self, batch_size: int, batch_seed: int, epoch: int) -> Sequence[Batch]:
        """Return the batches of one epoch in their order, as a training alone gets them."""
        batches = TensorBatches(*self.training, batch_size, batch_seed)
        assert batches.sampler is not None
        batches.sampler.set_epoch(epoch)
        if self.training[0].numel() <= _COPIED:
            return list(batches)
        return GatheredBatches(batches)

    def ordered(self) -> Iterator[Tensor]:
        """Iterate over the rows that statistics are estimated over, in order, in large batches."""
        x = self.training[0]
        return some_images([x]) if self.images else iter(torch.split(x, evaluation_rows(x)))

    @property
    def evaluated(self) -> int:
        """Return how many validation rows to evaluate at once."""
        x = self.validation[0]
        return image_rows(x) if self.images else min(_EVALUATED, evaluation_rows(x))
