"""Sums of random monomials in 100 variables: SLAF of degree 2 against ReLU and tanh.

All networks train alike: Adam along a half cosine to zero, a penalty on the absolute weights of the
first layer (few variables matter), every slot's input normalised by the batch. Rate and penalty are
chosen from one grid on a tenth of the training rows, and so is the epoch that is tested.
"""

from __future__ import annotations

import copy
import itertools
import statistics
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from paper.table import print_table, print_verdict
from paper.training import Plan, epochs_of, predict
from slaf_automl import SLAF, SlafError

ROWS, EPOCHS, SEEDS = 100_000, 16, 1
VARIABLES, MONOMIALS, DEGREES, WIDTH = 100, 10, (3, 4), 512
TRAIN_SHARE, VALIDATION_SHARE = 0.7, 0.1  # the latter of the training rows
PLANS = [
    Plan(EPOCHS, 1024, rate, sparsity=sparsity)
    for rate, sparsity in itertools.product((3e-3, 1e-2), (1e-4, 3e-4))
]
FACTOR = {3: 3.0, 4: 1.0}  # how far below both controls the bar lies


def evaluate_monomials(x: Tensor, variables: Tensor) -> Tensor:
    """Return the sum of products of columns.

    Args:
        x: (N, columns).
        variables: (monomials, degree), columns of x; a column may occur more than once.

    Example:
        >>> evaluate_monomials(torch.tensor([[2.0, 3.0, 5.0]]), torch.tensor([[0, 1], [2, 2]]))
        tensor([31.])
    """
    return x[:, variables].prod(2).sum(1)


def draw(rows: int, degree: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return normal inputs (rows, 100) and targets (rows,), monomials drawn anew for each seed."""
    generator = torch.Generator().manual_seed(seed)
    variables = torch.randint(VARIABLES, (MONOMIALS, degree), generator=generator)
    x = torch.randn(rows, VARIABLES, generator=generator)
    return x, evaluate_monomials(x, variables)


def build_network(activation: str) -> nn.Sequential:
    """Return the network 100-512-512-1; every activation has its input normalised by the batch."""

    def slot() -> list[nn.Module]:
        if activation == "slaf":
            form = {"basis": "hermite", "degree": 2, "normaliser": "input", "clip": None}
            return [SLAF(WIDTH, start=lambda x: x**2 - 1, **form)]
        return [nn.BatchNorm1d(WIDTH), {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]()]

    return nn.Sequential(
        nn.Linear(VARIABLES, WIDTH),
        *slot(),
        nn.Linear(WIDTH, WIDTH),
        *slot(),
        nn.Linear(WIDTH, 1),
        nn.Flatten(0),
    )


def tune(
    activation: str, x: Tensor, y: Tensor, rows: int, epochs: int, seed: int, bar: tqdm
) -> tuple[nn.Module, float, Plan]:
    """Train by every plan; keep the network of the plan and epoch best on validation.

    Args:
        activation: of `build_network`.
        x: inputs to train on, then to validate on.
        y: targets of unit variance.
        rows: how many rows are to train on.
        epochs: of each plan.
        seed: of starting values and row order.
        bar: advances an epoch at a time.

    Returns:
        The network, its mean square error on validation, and its plan.
    """
    best = None
    for plan in PLANS:
        torch.manual_seed(seed)
        network = build_network(activation)
        now = replace(plan, epochs=epochs)
        for _ in epochs_of(network, x[:rows], y[:rows], F.mse_loss, now, seed):
            error = F.mse_loss(predict(network, x[rows:]), y[rows:]).item()
            if best is None or error < best[1]:
                best = copy.deepcopy(network), error, plan
            bar.update()
    return best


def compare(degree: int, rows: int, epochs: int, seed: int) -> dict[str, float]:
    """Return the test mean square errors of all networks and of the constant predictor."""
    x, y = draw(rows, degree, seed)
    known = int(TRAIN_SHARE * rows)
    train = known - int(VALIDATION_SHARE * known)
    mean, deviation = y[:train].mean(), y[:train].std()
    scaled = (y - mean) / deviation
    errors = {"constant": F.mse_loss(mean.expand(rows - known), y[known:]).item()}
    names = ("slaf", "relu", "tanh")
    with tqdm(
        total=len(names) * len(PLANS) * epochs, desc=f"degree {degree}, seed {seed}", unit="epoch"
    ) as bar:
        for name in names:
            network, error, plan = tune(name, x[:known], scaled[:known], train, epochs, seed, bar)
            found = predict(network, x[known:]) * deviation + mean
            errors[name] = F.mse_loss(found, y[known:]).item()
            validation = error * deviation.item() ** 2
            bar.write(
                f"degree {degree}, seed {seed}, {name}: test MSE {errors[name]:.4f}, "
                f"validation {validation:.4f} "
                f"at rate {plan.rate:g}, penalty {plan.sparsity:g}"
            )
    return errors


def run(*, rows: int, epochs: int, seeds: int, seed: int) -> dict[int, dict[str, float]]:
    """Train all networks, print the table, and return median errors by degree and network."""
    if rows < 50:
        raise SlafError(f"--rows {rows}", expected="at least 50")
    figures = {}
    for degree in DEGREES:
        errors = [compare(degree, rows, epochs, seed + number) for number in range(seeds)]
        figures[degree] = {name: statistics.median(e[name] for e in errors) for name in errors[0]}
    print_table(
        f"polynomials, test mean square error, median of {seeds} seed(s), {rows} rows, "
        f"best of {len(PLANS)} plans and {epochs} epochs on validation",
        "ReLU | tanh | constant (controls)",
        [
            (
                f"degree {degree}",
                f"{found['slaf']:.4f}",
                " | ".join(f"{found[name]:.4f}" for name in ("relu", "tanh", "constant")),
            )
            for degree, found in figures.items()
        ],
    )
    for degree, found in figures.items():
        least = min(found["relu"], found["tanh"])
        wanted = "below" if FACTOR[degree] == 1 else f"at least {FACTOR[degree]:g} times below"
        print_verdict(
            f"degree {degree}, SLAF {wanted} ReLU and tanh",
            found["slaf"] * FACTOR[degree] < least,
        )
    return figures
