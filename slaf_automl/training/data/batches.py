"""Batches cut from tensors in memory, without per-sample Python work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler


class EpochPermutation(Sampler[Tensor]):
    """The order of the rows in each epoch, from the seed and the epoch's number alone.

    Lightning calls `set_epoch` on a loader's `sampler`, so that a resumed training sees the order
    that an uninterrupted one would have seen.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self.rows, self.seed, self.epoch = rows, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is drawn next."""
        self.epoch = epoch

    def permutation(self) -> Tensor:
        """Return this epoch's order of the rows, `(rows,)`."""
        generator = torch.Generator().manual_seed(_mix(self.seed, self.epoch))
        return torch.randperm(self.rows, generator=generator)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.permutation())

    def __len__(self) -> int:
        return self.rows


class TensorBatches:
    """An iterable of `(x, y)` batches over tensors in memory.

    Args:
        x: features `(rows, *)`.
        y: targets `(rows,)`.
        batch_size: rows a batch; a last batch of a single row joins the one before.
        seed: shuffles by (seed, epoch); None keeps the order.
    """

    batch_sampler = None
    """Lightning asks for it wherever there is a `sampler`."""

    def __init__(self, x: Tensor, y: Tensor, batch_size: int, seed: int | None = None) -> None:
        self.x, self.y, self.batch_size = x, y, batch_size
        self.sampler = None if seed is None else EpochPermutation(len(x), seed)

    def __len__(self) -> int:
        return len(self.sizes())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # A generator, so that the order is drawn at the first batch: Lightning makes the iterator
        # of a resumed epoch before it calls `set_epoch`.
        x, y = self.x, self.y
        if self.sampler is not None:
            order = self.sampler.permutation().to(x.device)
            x, y = x[order], y[order]
        yield from zip(torch.split(x, self.sizes()), torch.split(y, self.sizes()), strict=True)

    def ordered(self) -> Iterator[Tensor]:
        """Iterate over the features alone, in order, in large batches."""
        return iter(torch.split(self.x, evaluation_rows(self.x)))

    def sizes(self) -> list[int]:
        """Return the rows of each batch."""
        rows, size = len(self.x), self.batch_size
        sizes = [size] * (rows // size)
        left = rows % size
        # One row has no variance, so a normaliser would erase it.
        if left == 1 and sizes:
            sizes[-1] += 1
        elif left:
            sizes.append(left)
        return sizes


ESTIMATED_IMAGES = 2048
"""Images that statistics are estimated over: each has hundreds of places."""


def evaluation_rows(x: Tensor) -> int:
    """Return how many rows of `x` `(rows, *)` to evaluate at once: 8,192, fewer of large images.

    Example:
        >>> evaluation_rows(torch.empty(1, 64)), evaluation_rows(torch.empty(1, 784))
        (8192, 1337)
    """
    return min(8192, max(128, 2**20 // max(1, x[0].numel()))) if len(x) else 8192


def image_rows(x: Tensor) -> int:
    """Return how many images `(rows, features)` to evaluate at once: 32 to 2,048.

    The maps of a few dozen stay in a processor's cache; those of a thousand do not, and take twice
    the time. An accelerator is full with them too.

    Example:
        >>> image_rows(torch.empty(1, 64)), image_rows(torch.empty(1, 784))
        (784, 64)
    """
    return min(ESTIMATED_IMAGES, max(32, 50_176 // max(1, x[0].numel()))) if len(x) else 32


def some_images(batches: Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the images that statistics are estimated over, `ESTIMATED_IMAGES` at most, cut anew.

    Args:
        batches: images in order, `(rows, features)` each.
    """
    found, count = [], 0
    for x in batches:
        found.append(x[: ESTIMATED_IMAGES - count])
        count += len(found[-1])
        if count == ESTIMATED_IMAGES:
            break
    if found:
        x = torch.cat(found)
        yield from torch.split(x, image_rows(x))


def _mix(seed: int, epoch: int) -> int:
    """Return one generator seed for a pair, distinct for every epoch of every seed."""
    return (seed * 1_000_003 + epoch) % 2**63
