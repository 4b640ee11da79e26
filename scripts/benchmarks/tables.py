"""Searches on many tables, unattended: the UCI regression sets, and tables with categories.

python scripts/benchmarks/tables.py --data-dir DIR [--sets uci classification] [--trials 16]
    [--budget 2000] [--out runs/tables]

DIR holds uci_regression/*.npz (with the standard splits; split 0 is taken, as given),
classification/*.npz and reference/uci_regression_published_rmse.json, whose column "MC dropout, 10
times the epochs" stands beside: the mean over 20 splits of networks of one hidden layer of 50 units
(100 for protein) with hyperparameters searched. Each search has a folder of its own in --out; the
same command again goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import slaf_automl
from slaf_automl import TableData

PUBLISHED = "MCdropout_10x_epochs_grid_2018"
SHORT = {"bostonHousing": "boston", "naval-propulsion-plant": "naval", "power-plant": "power"}
SHORT |= {"protein-tertiary-structure": "protein", "wine-quality-red": "wine"}


def published(folder: Path) -> dict[str, float]:
    """Return the published RMSE by the table's short name."""
    document = json.loads((folder / "reference" / "uci_regression_published_rmse.json").read_text())
    return dict(zip(document["datasets"], document["rmse"][PUBLISHED], strict=True))


def run(path: Path, options: argparse.Namespace) -> tuple[TableData, dict, float]:
    """Search one table; return its data, evidence and seconds."""
    regression = path.parent.name == "uci_regression"
    data = TableData.load(path, split=0, task="regression" if regression else "classification")
    began = time.perf_counter()
    result = slaf_automl.search(
        data,
        budget=options.budget,
        trials=options.trials,
        confirmations=options.confirmations,
        out=options.out / path.stem,
        progress=False,
    )
    return data, dict(result.metrics), time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["uci", "classification"])
    parser.add_argument("--trials", type=int, default=16, help="of each of the two arms")
    parser.add_argument("--confirmations", type=int, default=3)
    parser.add_argument("--budget", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=Path("runs/tables"))
    options = parser.parse_args()
    failed = 0
    for kind in options.sets:
        folder = options.data_dir / {"uci": "uci_regression"}.get(kind, kind)
        known = published(options.data_dir) if kind == "uci" else {}
        print(
            f"{kind:26} {'rows':>6} {'inputs':>6} {'params':>6} {'mix':>9} {'relu':>9} "
            f"{'linear':>9} {'published':>9} {'seconds':>7}"
        )
        for path in sorted(folder.glob("*.npz")):
            try:
                data, found, seconds = run(path, options)
            except slaf_automl.SlafError as error:
                failed += 1
                print(f"{path.stem:26} {error}", flush=True)
                continue
            times = 1000 if path.stem.startswith("naval") else 1  # Its spread is 0.0147.
            arms = [found[name]["mean"] for name in ("mix", "relu")]
            figures = [*arms, found["linear"]["test"]]
            value = known.get(SHORT.get(path.stem, path.stem))
            print(
                f"{path.stem:26} {data.info.rows:6,} {len(data.info.features):6} "
                f"{found['parameters']:6,} "
                + " ".join(f"{times * figure:9.4f}" for figure in figures)
                + f" {'' if value is None else f'{times * value:9.2f}':>9} {seconds:7.0f}",
                flush=True,
            )
    print(f"{failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
