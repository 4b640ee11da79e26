"""Is the mix better than ReLU at equal size? Many sets, budgets, arms and seeds.

python scripts/benchmarks/quality.py --data-dir DIR [--out runs/quality] [--workers 2]
python scripts/benchmarks/quality.py --data-dir DIR --quick
python scripts/benchmarks/quality.py --results FILE.parquet [--plot FILE.svg]

The first runs what docs/evidence.md lays down, cell by cell; stopped, the same command goes on. It
writes results.parquet and prints the summary, which the last prints again from the file alone.
--add takes the cells of an earlier results.parquet as made. --quick takes three sets, one budget
and fewer trials: under ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

from evidence.cells import ARMS, BUDGETS, TWICE, Cell, Effort
from evidence.figure import plot_ranks
from evidence.peers import PEERS
from evidence.results import add_results, read_cells, read_results, run_cells, write_results
from evidence.sets import every_set
from evidence.summary import panels, summarise
from tqdm import tqdm

from slaf_automl import SlafError
from slaf_automl.files import make_room_for

QUICK = ("concrete", "kin8nm", "vowel")


def cells(options: argparse.Namespace) -> list[Cell]:
    """Return the cells of a run, those that answer the question first."""
    sets = every_set(options.data_dir)
    if options.sets:
        known = {one.name for one in sets} | {one.group for one in sets}
        if unknown := sorted(set(options.sets) - known):
            raise SlafError(f"unknown set {unknown[0]!r}", expected=", ".join(sorted(known)))
        sets = [one for one in sets if options.sets & {one.name, one.group}]
    return [
        Cell(one, budget, split, arm)
        for split in options.splits
        for budget in options.budgets
        for one in sets
        for arm in options.arms
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/quality"))
    parser.add_argument("--sets", nargs="+", default=[], help="names or groups; all by default")
    parser.add_argument("--budgets", nargs="+", type=int, default=list(BUDGETS))
    arms = [arm for arm in ARMS if arm != TWICE]
    parser.add_argument("--arms", nargs="+", choices=[*ARMS, *PEERS], default=arms)
    parser.add_argument("--splits", nargs="+", type=int, default=[0], help="outer splits by number")
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--confirmations", type=int, default=8)
    parser.add_argument("--space", default="mlp")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="three sets, 1,000 values, 8 trials")
    parser.add_argument("--results", type=Path, help="print the summary of this file, run nothing")
    parser.add_argument("--add", type=Path, help="results.parquet whose cells are made")
    parser.add_argument("--plot", type=Path, help="draw the average ranks to this file")
    options = parser.parse_args()
    options.sets = set(options.sets)
    if options.results is not None and options.add is not None:
        parser.error("--add is for a run, --results runs nothing")
    if options.quick:
        own = {"sets": set(QUICK), "budgets": [1_000], "trials": 8, "confirmations": 6}
        default = {**vars(parser.parse_args([])), "sets": set()}
        for name, value in own.items():
            if getattr(options, name) != default[name]:
                parser.error(f"--{name} beside --quick, which says it itself")
            setattr(options, name, value)
        if options.out == default["out"]:
            options.out = options.out.with_name("quality_quick")
    if options.results is None and options.data_dir is None:
        parser.error("--data-dir is missing, or --results")
    return options


def main() -> int:
    options = parse()
    if options.plot is not None:
        make_room_for(options.plot)
    if options.results is not None:
        rows = read_results(options.results)
    else:
        effort = Effort(options.trials, options.confirmations, options.space)
        wanted = cells(options)
        if options.add is not None:
            add_results(options.add, effort, options.out)
        began, spent = time.monotonic(), 0.0
        done = run_cells(wanted, effort, options.data_dir, options.out, options.workers)
        with tqdm(total=len(wanted), unit="cell", disable=None) as bar:
            for row in done:
                bar.update()
                spent += row["seconds"]
        rows = read_cells(options.out)
        write_results(rows, options.out / "results.parquet")
        print(
            f"{len(rows)} cells; this run {spent / 3600:.2f} hours of work in "
            f"{(time.monotonic() - began) / 60:.0f} minutes"
        )
        print(f"results: {options.out / 'results.parquet'}")
    print(summarise(rows))
    if options.plot is not None:
        plot_ranks(panels(rows), options.plot)
        print(f"plot: {options.plot}")
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        sys.exit(main())
    except SlafError as error:
        sys.exit(str(error))
