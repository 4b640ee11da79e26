"""The plain training loop of the table experiments: Adam, a cosine rate, clipped gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Args:
        epochs: passes over the rows.
        batch: rows a step; an incomplete last batch is left out unless it is the only one.
        rate: learning rate of Adam at the start; it follows a half cosine to zero.
        decay: weight decay, as in AdamW.
        sparsity: weight in the loss of the sum of absolute weights of the first layer.
        clipping: largest norm of all gradients together; None leaves them as they are.
    """

    epochs: int
    batch: int
    rate: float
    decay: float = 0.0
    sparsity: float = 0.0
    clipping: float | None = 1.0


def epochs_of(
    network: nn.Module, x: Tensor, y: Tensor, loss: Loss, plan: Plan, seed: int
) -> Iterator[float]:
    """Train a network; yield the mean loss of each epoch, penalties left out, as it ends."""
    steps = max(1, len(x) // plan.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.epochs * steps)
    generator = torch.Generator().manual_seed(seed)
    first = next(network.parameters())
    for _ in range(plan.epochs):
        network.train()
        total = 0.0
        for rows in torch.randperm(len(x), generator=generator).split(plan.batch)[:steps]:
            value = loss(network(x[rows]), y[rows])
            optimizer.zero_grad()
            (value + plan.sparsity * first.abs().sum()).backward()
            if plan.clipping is not None:
                nn.utils.clip_grad_norm_(network.parameters(), plan.clipping)
            optimizer.step()
            schedule.step()
            total += value.item()
        yield total / steps


@torch.no_grad()
def predict(network: nn.Module, x: Tensor) -> Tensor:
    """Return the outputs for all rows, in evaluation mode."""
    network.eval()
    return torch.cat([network(part) for part in x.split(10_000)])


def standardised(train: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Return all tables by the mean and deviation of the first; constant columns become zero."""
    mean, deviation = train.mean(0), train.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    return tuple((table - mean) / deviation for table in (train, *others))
