"""Is a SLAF as good as ReLU on small tables, where batch statistics are noisy?

python scripts/benchmarks/small_tables.py --data-dir DIR [--seeds 5]

Energy and yacht (UCI, the first standard split), networks of 300 deployed values with one and two
hidden layers: SLAF by default settings, ReLU with no normaliser, the widths of each solved for the
same budget, one recipe for both. Validation RMSE, test rows untouched.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from slaf_automl import Architecture, Budget, Candidate, Recipe, SlafError, TableData, fit
from slaf_automl.activations import find_kind
from slaf_automl.networks import WidthLimits, solve_widths
from slaf_automl.spec import ActivationSpec
from slaf_automl.training.data import Table

SETS, BUDGET, EPOCHS, ALLOWED = ("energy", "yacht"), 300, 200, 1.1
ACTIVATIONS = ("slaf", "relu")


def read(folder: Path, name: str) -> TableData:
    """Return the rows that the first standard split trains on."""
    path = folder / "uci_regression" / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            rows = file["train_idx"][0]
            x, y = file["X"][rows], file["y"][rows]
    except (OSError, ValueError, KeyError) as error:
        raise SlafError(f"{path}: {error}", remedy="name the data folder by --data-dir") from None
    columns = tuple(f"x{i}" for i in range(x.shape[1]))
    table = Table(name, columns, np.asarray(x, np.float64), "y", np.asarray(y, np.float64))
    return TableData(table, task="regression")


def candidate(data: TableData, activation: str, depth: int) -> Candidate:
    """Return a network of this many layers, all slots alike, that uses the budget up."""
    spec: ActivationSpec = find_kind(activation).spec()

    def build(widths: tuple[int, ...]) -> Architecture:
        return Architecture(
            "mlp",
            len(data.info.features),
            data.info.outputs,
            widths,
            (spec,) * depth,
            centred_inputs=data.info.centred_inputs,
        )

    architecture = solve_widths(
        "constant", (spec,) * depth, build, Budget(BUDGET), WidthLimits(1, BUDGET)
    )
    recipe = Recipe(learning_rate=1e-2, epochs=EPOCHS, batch_size=data.info.batch_size)
    return Candidate(architecture, recipe)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    missed = 0
    lines = []
    total = len(SETS) * 2 * len(ACTIVATIONS) * options.seeds
    with tqdm(total=total, unit="training", disable=None) as bar:
        for name in SETS:
            data = read(options.data_dir, name)
            for depth in (1, 2):
                errors = {}
                for activation in ACTIVATIONS:
                    what = candidate(data, activation, depth)
                    found = []
                    for seed in range(options.seeds):
                        found.append(fit(what, data, seed=seed, accelerator="cpu").result.value)
                        bar.update()
                    errors[activation] = statistics.median(found)
                ratio = errors["slaf"] / errors["relu"]
                missed += ratio > ALLOWED
                lines.append(
                    f"{name:10}{depth:8}{errors['slaf']:10.3f}{errors['relu']:10.3f}{ratio:10.2f}"
                )
    print(f"validation RMSE, median of {options.seeds} seeds, {BUDGET} values")
    print(f"{'data':10}{'layers':>8}{'SLAF':>10}{'ReLU':>10}{'ratio':>10}   (bar {ALLOWED:g})")
    print("\n".join(lines))
    return int(missed > 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SlafError as error:
        sys.exit(str(error))
