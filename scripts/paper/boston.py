"""Boston housing, 13-128-64-1: SLAF of degrees 4 and 2 against the same network with ReLU.

Both networks: weight decay and dropout are chosen from one grid on a fifth of the training rows,
then one network is trained on all of them. The test rows of a split are read once. A SLAF's
statistics, noisy in batches of so few rows, are estimated on all rows to train on after half of the
epochs and kept.
"""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from paper.archives import read_arrays, require_indices, require_shape
from paper.table import print_table, print_verdict
from paper.training import Plan, epochs_of, predict, standardised
from slaf_automl import SLAF, SlafError
from slaf_automl.activations import estimate_statistics, hold_statistics

FILE = "uci_regression/bostonHousing.npz"
EPOCHS, FEATURES, WIDTHS, SLOT_DEGREES = 100, 13, (128, 64), (4, 2)
CHOICES = [  # (training, dropout)
    (Plan(EPOCHS, 32, 3e-3, decay=decay), dropout)
    for decay, dropout in itertools.product((0.1, 0.3), (0.0, 0.1))
]
VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Houses:
    """Inputs (N, 13), targets (N,), and row numbers (splits, rows) to train and to test on."""

    x: Tensor
    y: Tensor
    train: Tensor
    test: Tensor

    @classmethod
    def read(cls, folder: Path) -> Houses:
        """Read the file of a data folder."""
        path, names = folder / FILE, ("X", "y", "train_idx", "test_idx")
        x, y, train, test = read_arrays(path, names)
        require_shape(path, "X", x, (None, FEATURES))
        require_shape(path, "y", y, (len(x),))
        require_shape(path, "train_idx", train, (None, None))
        require_shape(path, "test_idx", test, (len(train), None))
        for name, rows in (("train_idx", train), ("test_idx", test)):
            require_indices(path, name, rows, len(x))
        if train.shape[1] < 5:
            raise SlafError(f"{path}: {train.shape[1]} rows to train on", expected="at least 5")
        return cls(*map(torch.from_numpy, (x, y, train, test)))


def build_network(activation: str, dropout: float = 0.0) -> nn.Sequential:
    """Return the network, its slots filled with `"relu"` or `"slaf"`."""
    form = {"basis": "chebyshev", "normaliser": "element", "clip": 3.0, "start": "silu"}
    layers, width = [], FEATURES
    for units, degree in zip(WIDTHS, SLOT_DEGREES, strict=True):
        slot = nn.ReLU() if activation == "relu" else SLAF(units, degree=degree, **form)
        layers += [nn.Linear(width, units), slot, nn.Dropout(dropout)]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, 1), nn.Flatten(0))


Part = tuple[Tensor, Tensor]  # inputs and targets


def fit_error(
    activation: str, train: Part, test: Part, plan: Plan, dropout: float, seed: int
) -> float:
    """Train on one part and return the root mean square error on the other."""
    x, x_test = (table.float() for table in standardised(train[0], test[0]))
    mean, deviation = train[1].mean(), train[1].std()
    y = ((train[1] - mean) / deviation).float()
    torch.manual_seed(seed)
    network = build_network(activation, dropout)
    for number, _ in enumerate(epochs_of(network, x, y, F.mse_loss, plan, seed), 1):
        if number == (plan.epochs + 1) // 2:
            estimate_statistics(network, [x])
            hold_statistics(network)
    found = predict(network, x_test) * deviation + mean
    return F.mse_loss(found, test[1]).sqrt().item()


def error_of_split(
    houses: Houses, number: int, activation: str, epochs: int, seed: int, bar: tqdm
) -> float:
    """Choose decay and dropout on validation rows, train on all, and return the test error."""
    generator = torch.Generator().manual_seed(seed)
    rows = houses.train[number].long()
    rows = rows[torch.randperm(len(rows), generator=generator)]
    test = houses.test[number].long()
    least = max(1, int(VALIDATION_SHARE * len(rows)))
    validation, learning = rows[:least], rows[least:]

    def error(choice: tuple[Plan, float], train: Tensor, other: Tensor) -> float:
        plan, dropout = choice
        parts = [(houses.x[part], houses.y[part]) for part in (train, other)]
        found = fit_error(activation, *parts, replace(plan, epochs=epochs), dropout, seed)
        bar.update()
        return found

    best = min(CHOICES, key=lambda choice: error(choice, learning, validation))
    return error(best, rows, test)


def run(data_dir: Path, *, epochs: int, splits: int | None, seed: int) -> dict[str, list[float]]:
    """Train both networks on every split, print the table, and return the test errors."""
    houses = Houses.read(data_dir)
    numbers = range(len(houses.train))[:splits]
    errors = {"slaf": [], "relu": []}
    total = len(numbers) * len(errors) * (len(CHOICES) + 1)
    with tqdm(total=total, desc="boston", unit="training") as bar:
        for number in numbers:
            for name, found in errors.items():
                found.append(error_of_split(houses, number, name, epochs, seed, bar))
            bar.set_postfix({name: f"{statistics.fmean(e):.3f}" for name, e in errors.items()})
    ours, control = (statistics.fmean(errors[name]) for name in ("slaf", "relu"))
    differences = [a - b for a, b in zip(errors["slaf"], errors["relu"], strict=True)]
    print_table(
        f"Boston housing, test RMSE, mean of {len(numbers)} split(s)",
        "ReLU, the same network (control)",
        [
            ("SLAF 13-128-64-1, degrees 4 and 2", f"{ours:.3f}", f"{control:.3f}"),
            ("median of the splits", *(f"{statistics.median(errors[n]):.3f}" for n in errors)),
            (
                "splits on which it is the better one",
                str(sum(d < 0 for d in differences)),
                str(sum(d > 0 for d in differences)),
            ),
        ],
    )
    print_verdict("SLAF not above ReLU", ours <= control)
    return errors
