"""Does a SLAF of any polynomial family and degree train by default? Digits and two spirals.

python scripts/benchmarks/stability.py [--seeds 3] [--epochs 20]

Per data set: every polynomial family × degrees 2, 3, 5, 8, 12 × seeds, all other settings the
package's own (SLAF defaults, the default recipe's optimiser, gradient clipping). It is reached when
no loss is ever NaN and every final training loss is below the constant predictor's.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from tqdm import tqdm

from slaf_automl import SLAF, SlafError
from slaf_automl.activations import BASES, estimate_statistics

DEGREES = (2, 3, 5, 8, 12)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1.0)
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def spirals(rows: int = 2000) -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(0)
    n = np.sqrt(random.random(rows // 2)) * 780 * 2 * math.pi / 360
    arm = np.stack([-np.cos(n) * n, np.sin(n) * n], 1) + 0.1 * random.random((rows // 2, 2))
    x = np.concatenate([arm, -arm])
    y = np.repeat([0, 1], rows // 2)
    return torch.from_numpy((x - x.mean(0)) / x.std(0)).float(), torch.from_numpy(y)


def final_loss(
    x: torch.Tensor, y: torch.Tensor, basis: str, degree: int, seed: int, epochs: int
) -> float:
    """Train an MLP of two hidden layers and return its training loss, NaN if it diverged."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((x.shape[1], 32, 32)):
        layers += [nn.Linear(inputs, outputs), SLAF(outputs, basis=basis, degree=degree)]
    network = nn.Sequential(*layers, nn.Linear(32, int(y.max()) + 1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-4)
    try:
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(64):
                loss = nn.functional.cross_entropy(network(x[batch]), y[batch])
                if not math.isfinite(loss.item()):
                    return math.nan
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
    except SlafError as error:
        tqdm.write(str(error))
        return math.nan
    estimate_statistics(network, [x])
    network.eval()
    with torch.no_grad():
        return float(nn.functional.cross_entropy(network(x), y))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    families = [name for name, basis in BASES.items() if basis.polynomial]
    failures = 0
    for title, (x, y) in {"digits": digits(), "two spirals": spirals()}.items():
        shares = torch.bincount(y) / len(y)
        constant = float(-(shares * shares.log()).sum())
        runs = list(itertools.product(families, DEGREES, range(options.seeds)))
        worst: dict[tuple[str, int], float] = {}
        for basis, degree, seed in tqdm(runs, title, disable=None):
            loss = final_loss(x, y, basis, degree, seed, options.epochs)
            failures += not loss < constant
            known = worst.get((basis, degree), -math.inf)
            worst[basis, degree] = max(known, loss) if math.isfinite(loss) else math.inf
        print(f"\n{title}: worst loss of {options.seeds} seeds; constant {constant:.3f}")
        print(f"{'':18}" + "".join(f"{'degree ' + str(d):>11}" for d in DEGREES))
        for basis in families:
            print(f"{basis:18}" + "".join(f"{worst[basis, d]:11.4f}" for d in DEGREES))
    print(f"\n{failures} runs not finite or not below the constant predictor (bar: 0)")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
