"""Two spirals: SLAF of degree 7 with 517 values against a ReLU network with batch norm.

Points are standardised by the training rows. All networks: Adam from 1e-2 along a half cosine to
zero, batches of 256.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from paper.table import percent, print_table, print_verdict
from paper.training import Plan, epochs_of, predict, standardised
from slaf_automl import SLAF, SlafError

ROWS, EPOCHS, SEEDS = 100_000, 15, 5
TURN, NOISE, TRAIN_SHARE = 780 * 2 * math.pi / 360, 0.1, 0.8
CLIPPED = Plan(EPOCHS, 256, 1e-2, clipping=1.0)
BAR = 0.999


@dataclass(frozen=True)
class Arm:
    """A network of the table: its activation, its training and its published accuracy."""

    activation: str
    plan: Plan
    published: float


ARMS = {
    "SLAF 2-20-20-1, elements normalised, gradients clipped": Arm("slaf", CLIPPED, 1.0),
    "SLAF 2-20-20-1, elements normalised": Arm("slaf", replace(CLIPPED, clipping=None), 0.735),
    "ReLU 2-40-40-1, batch norm, gradients clipped": Arm("relu", CLIPPED, 0.772),
}


def spiral(share: Tensor, noise: Tensor) -> Tensor:
    """Return points (N, 2) of the first spiral.

    Args:
        share: (N,), 0 at the centre to 1 at the end; drawn uniformly.
        noise: (N, 2), added to both coordinates.

    Example:
        >>> spiral(torch.tensor([0.0]), torch.tensor([[0.25, 0.5]])).tolist()
        [[0.25, 0.5]]
    """
    n = torch.sqrt(share) * TURN
    return torch.stack([-torch.cos(n) * n, torch.sin(n) * n], 1) + noise


def draw(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return points (2·rows, 2) and labels (2·rows,), the second class the first negated."""
    generator = torch.Generator().manual_seed(seed)
    share, noise = (
        torch.rand(2, rows, generator=generator),
        torch.rand(2, rows, 2, generator=generator),
    )
    first, second = (spiral(s, NOISE * e) for s, e in zip(share, noise, strict=True))
    return torch.cat([first, -second]), torch.arange(2.0).repeat_interleave(rows)


def split(points: Tensor, labels: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x and y to train on, x and y to test on; x standardised by the training rows."""
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))
    train, test = order.tensor_split([int(TRAIN_SHARE * len(points))])
    x_train, x_test = standardised(points[train], points[test])
    return x_train, labels[train], x_test, labels[test]


def build_network(activation: str) -> nn.Sequential:
    """Return the SLAF network 2-20-20-1 or the ReLU network 2-40-40-1."""
    width = {"slaf": 20, "relu": 40}[activation]

    def slot() -> list[nn.Module]:
        if activation == "relu":
            return [nn.BatchNorm1d(width), nn.ReLU()]
        form = {"basis": "chebyshev", "degree": 7, "normaliser": "element", "clip": 3.0}
        return [SLAF(width, sharing="layer", start="identity", **form)]

    layers = [nn.Linear(2, width), *slot(), nn.Linear(width, width), *slot(), nn.Linear(width, 1)]
    return nn.Sequential(*layers, nn.Flatten(0))


def accuracy_of(arm: Arm, rows: int, epochs: int, seed: int, bar: tqdm) -> float:
    """Train one network; return its accuracy on the test rows."""
    x_train, y_train, x_test, y_test = split(*draw(rows, seed), seed)
    torch.manual_seed(seed)
    network = build_network(arm.activation)
    plan = replace(arm.plan, epochs=epochs)
    loss = F.binary_cross_entropy_with_logits
    for value in epochs_of(network, x_train, y_train, loss, plan, seed):
        bar.update()
        bar.set_postfix(loss=f"{value:.4f}")
    return ((predict(network, x_test) > 0) == (y_test > 0.5)).double().mean().item()


def run(*, rows: int, epochs: int, seeds: int, seed: int) -> dict[str, list[float]]:
    """Train all networks, print the table, and return the accuracies by network."""
    if rows < 5:
        raise SlafError(f"--rows {rows}", expected="at least 5")
    accuracies = {name: [] for name in ARMS}
    with tqdm(total=len(ARMS) * seeds * epochs, desc="spirals", unit="epoch") as bar:
        for name, arm in ARMS.items():
            for number in range(seeds):
                found = accuracy_of(arm, rows, epochs, seed + number, bar)
                accuracies[name].append(found)
    table = []
    for name, arm in ARMS.items():
        values = sum(p.numel() for p in build_network(arm.activation).parameters())
        median, least = (percent(f(accuracies[name])) for f in (statistics.median, min))
        ours = f"{median} (least {least})"
        table.append((f"{name}, {values} values", ours, percent(arm.published)))
    print_table(
        f"two spirals, test accuracy, median of {seeds} seed(s), {rows} points a class, "
        f"{epochs} epochs",
        "published",
        table,
    )
    first = next(iter(ARMS))
    print_verdict(f"SLAF at least {percent(BAR)}", statistics.median(accuracies[first]) >= BAR)
    return accuracies
