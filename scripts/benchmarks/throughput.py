"""Candidates a minute: a search in populations, one candidate at a time, and a plain script.

python scripts/benchmarks/throughput.py [--case digits] [--trials 64] [--plain 12] [--repeats 1]

Cases: `digits` (5,000 parameters, the bar is 15 × plain and 5 × one at a time), `digits_50k`
(50,000 parameters, 3 × plain), both 20 epochs with successive halving at 6 and 18; `mnist_cnn`
(--data-dir; convolutional networks of 10,000 parameters, 6,000 images, 6 epochs with halving at 1
and 3; 1.5 × plain). The search has its
sampler, pruning and storage; the plain script (scripts/benchmarks/plain_search.py) is Optuna,
Lightning and a DataLoader, given the very parameters and epochs of trials of the search, so that
it need not sample or prune; once with the Trainer's defaults, once stripped of logger, checkpoints,
progress bar and summary. Each runs in a process of its own, all cores; what is timed goes from
the start of the first trial to the end of the last. Compilations are made before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """What is searched, and by how much the search must be faster."""

    data: str
    space: str
    budget: int
    epochs: int
    population: int
    times_plain: float
    times_single: float | None = None


CASES = {
    "digits": Case("digits", "mlp", 5_000, 20, 32, 15.0, 5.0),
    "digits_50k": Case("digits", "mlp", 50_000, 20, 32, 3.0),
    "mnist_cnn": Case("mnist", "cnn", 10_000, 6, 8, 1.5),
}

SEARCH = """
import json, sys
import slaf_automl
from bench_data import load

settings = json.loads(sys.argv[1])
result = slaf_automl.search(load(settings), budget=settings["budget"], space=settings["space"],
                            trials=settings["trials"], population=settings["population"],
                            out=settings["out"], confirmations=1, progress=False)
trials = result.study.trials + result.control.trials
began = min(t.datetime_start for t in trials)
ended = max(t.datetime_complete for t in trials)
candidates = [{"arm": arm, "params": t.params, "epochs": t.user_attrs["result"]["epochs"]}
              for arm, study in (("mix", result.study), ("relu", result.control))
              for t in study.trials]
print(json.dumps({"seconds": (ended - began).total_seconds(), "candidates": candidates}))
"""


def run(words: list[str], settings: dict) -> dict:
    """Run a Python process; return the JSON of its last line."""
    done = subprocess.run(
        [sys.executable, *words, json.dumps(settings)],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def space_file(folder: Path, case: Case) -> str:
    """Write the case's space with its number of epochs; return its path."""
    shipped = HERE.parents[1] / "search_spaces" / f"{case.space}.yaml"
    document = yaml.safe_load(shipped.read_text())
    document["training"] |= {"epochs": case.epochs, "least_steps": 0}
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def search(common: dict, name: str, population: int, trials: int) -> dict:
    """Run a search in a folder of this name."""
    out = str(Path(common["space"]).with_name(name))
    own = {"population": population, "trials": trials, "out": out}
    return run(["-c", SEARCH], {**common, **own})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=list(CASES), default="digits")
    parser.add_argument("--trials", type=int, default=64, help="of each of the two arms")
    parser.add_argument("--plain", type=int, default=12, help="candidates of the plain script")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--population", type=int, help="of the search (default: the case's)")
    parser.add_argument(
        "--data-dir", type=Path, default=Path("data"), help="holds images/mnist.npz"
    )
    options = parser.parse_args()
    case = CASES[options.case]
    if options.population is not None:
        case = replace(case, population=options.population)
    rates: dict[str, list[float]] = defaultdict(list)
    for repeat in range(options.repeats):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            common = {
                "data": case.data,
                "data_dir": str(options.data_dir.absolute()),
                "rows": 6_000,
                "budget": case.budget,
                "space": space_file(folder, case),
            }

            if repeat == 0:
                search(common, "compile", case.population, case.population)
            many = search(common, "many", case.population, options.trials)
            single = search(common, "single", 1, max(4, options.trials // 4))
            every = max(1, len(many["candidates"]) // options.plain)
            # Evenly over the epochs that they trained, so that the sample trains as long as all do.
            ordered = sorted(many["candidates"], key=lambda candidate: candidate["epochs"])
            settings = {**common, "candidates": ordered[every // 2 :: every]}
            plain, stripped = (
                run(
                    [str(HERE / "plain_search.py")],
                    {
                        **settings,
                        "stripped": strip,
                        "folder": temporary,
                        "storage": f"sqlite:///{folder}/plain{strip}.db",
                    },
                )
                for strip in (False, True)
            )
        for name, found in (
            ("population", many),
            ("one at a time", single),
            ("plain", plain),
            ("plain, stripped", stripped),
        ):
            count = len(found["candidates"])
            epochs = statistics.fmean(c["epochs"] for c in found["candidates"])
            rate = 60 * count / found["seconds"]
            rates[name].append(rate)
            print(
                f"  {name:15} {rate:8.1f} candidates a minute ({count} in "
                f"{found['seconds']:.1f} s, "
                f"{epochs:.1f} epochs each)",
                flush=True,
            )
    first = statistics.median(rates["population"])
    to_plain = first / statistics.median(rates["plain"])
    to_stripped = first / statistics.median(rates["plain, stripped"])
    to_single = first / statistics.median(rates["one at a time"])
    print(f"{options.case}: {to_plain:.1f} x the plain script (bar {case.times_plain:g})")
    print(f"{options.case}: {to_stripped:.1f} x the plain script without logger and checkpoints")
    print(f"{options.case}: {to_single:.1f} x one at a time (bar {case.times_single or 'none'})")
    return int(to_plain < case.times_plain or to_single < (case.times_single or 0.0))


if __name__ == "__main__":
    sys.exit(main())
