"""Peak memory of a search on a long table, as a multiple of its float32 array.

python scripts/benchmarks/long_table.py [--rows 1000000] [--columns 50] [--format parquet]

Writes a table of numbers (float64, as people's files have them) to a temporary folder, and runs
`slaf-automl search` on it in a process of its own: two trials of each arm, short. What that process
takes before it reads the table (the libraries) is measured in another one and subtracted. Bar: 3.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import yaml

SHIPPED = Path(__file__).parents[2] / "search_spaces" / "mlp.yaml"
BAR = 3.0

COMMAND = """
import sys
from slaf_automl.cli import main
status = main(sys.argv[1:])
print("peak", __import__("resource").getrusage(__import__("resource").RUSAGE_SELF).ru_maxrss * 1024)
sys.exit(status)
"""


def peak(arguments: list[str]) -> int:
    """Return the peak memory of the command line in a process of its own, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return int(done.stdout.strip().splitlines()[-1].split()[1])


def write(path: Path, rows: int, columns: int) -> None:
    """Write numbers and a target that depends on some of them."""
    random = np.random.default_rng(0)
    data = {f"c{i}": random.normal(size=rows) for i in range(columns)}
    data["y"] = np.sin(data["c0"]) + data["c1"] * data["c2"]
    table = pa.table(data)
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.csv.write_csv(table, path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        document["training"] |= {"epochs": 1, "least_steps": 0, "first_rung": 1}
        space = folder / "space.yaml"
        space.write_text(yaml.safe_dump(document), encoding="utf-8")
        table, small = folder / f"long.{options.format}", folder / f"short.{options.format}"
        write(table, options.rows, options.columns)
        write(small, 1_000, options.columns)
        found = []
        for path in (small, table):
            began = time.perf_counter()
            words = ["--space", str(space), "--budget", "1000", "--trials", "2"]
            words += ["--confirmations", "1", "--out", str(folder / f"run {path.stem}")]
            found.append(peak(["search", str(path), *words]))
            print(
                f"{path.name}: peak {found[-1] / 2**20:,.0f} MiB, "
                f"{time.perf_counter() - began:.0f} s",
                flush=True,
            )
    array = 4 * options.rows * options.columns
    times = (found[1] - found[0]) / array
    print(
        f"{options.rows:,} rows of {options.columns} numbers, {array / 2**20:,.0f} MiB in float32: "
        f"{times:.2f} times that beyond the libraries (bar {BAR:g})"
    )
    return int(times > BAR)


if __name__ == "__main__":
    sys.exit(main())
