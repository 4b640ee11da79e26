"""Which sampler finds the better networks in equal trials? Real tables, short trainings.

python scripts/benchmarks/samplers.py [--trials 24] [--repetitions 10] [--data digits wine …]
    [--samplers tpe gp random …] [--out runs/samplers.jsonl]

Each repetition is a split of the table and a seed, the same for all samplers: one study each of the
`mlp` space with its epochs cut, without pruning, whose least validation log loss (diabetes: RMSE)
counts, since accuracies tie on so few rows. Budgets are small, or every table would be solved. Up
to 10 trials are drawn at random by all, so that --trials below that compares nothing.

A study is one line of --out; the same command again goes on where it was stopped. `tpe` is the
default of searches; the flat ones ask for every dimension, needed or not, so that a Gaussian
process sees them all. `tpe_pattern` samples the same space with its placement said by a pattern
(`encoding: pattern`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import optuna
import torch
import yaml
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from tqdm import tqdm

from slaf_automl import Budget, Candidate, SearchSpace, SlafError, TableData, fit

BUDGETS = {"digits": 1_000, "wine": 100, "breast_cancer": 200, "diabetes": 100}
EPOCHS, LEAST_STEPS = 12, 240
SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe_group": lambda seed: TPESampler(seed=seed, multivariate=True, group=True),
    "tpe": lambda seed: TPESampler(seed=seed),
    "gp": lambda seed: GPSampler(seed=seed),
    "random": lambda seed: RandomSampler(seed=seed),
    "tpe_flat": lambda seed: TPESampler(seed=seed, multivariate=True),
    "gp_flat": lambda seed: GPSampler(seed=seed),
    "tpe_pattern": lambda seed: TPESampler(seed=seed),
}
DEFAULT = ("tpe", "gp", "tpe_flat", "tpe_group", "random", "tpe_pattern")
PATTERNS = ["none", "all", "first", "last", "alternate"]
MLP = Path(__file__).parents[2] / "search_spaces" / "mlp.yaml"
Key = tuple[str, str, int]  # data, sampler, repetition


def short_space(sampler: str) -> SearchSpace:
    """Return the `mlp` space with short trainings, in the encoding that a sampler's name says."""
    document = yaml.safe_load(MLP.read_text(encoding="utf-8"))
    document["training"] |= {"epochs": EPOCHS, "least_steps": LEAST_STEPS}
    if sampler.endswith("_pattern"):
        document["encoding"] = "pattern"
        del document["dimensions"]["slot.activation"]
        document["dimensions"]["pattern"] = {"choices": PATTERNS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlp.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return SearchSpace.load(path)


def read(name: str, split: int) -> TableData:
    return TableData.load(f"sklearn:{name}", split=split)


def train(candidate: Candidate, data: TableData, seed: int) -> float:
    """Return the validation log loss, or RMSE, of a training."""
    metric = "rmse" if data.info.task == "regression" else "log_loss"
    return fit(candidate, data, seed=seed, metric=metric, accelerator="cpu").result.value


def run_study(key: Key, trials: int, trained: Callable[[], object]) -> dict:
    """Run one study; return its line: the settings, and the value of each trial."""
    name, sampler, repetition = key
    space = short_space(sampler)
    data, budget = read(name, repetition), Budget(parameters=BUDGETS[name])
    study = optuna.create_study(sampler=SAMPLERS[sampler](repetition))
    values, began = [], time.perf_counter()
    for number in range(trials):
        if sampler.endswith("_flat"):
            trial = study.ask(space.distributions(data, budget))
            candidate = space.decode(trial.params, data, budget)
        else:
            trial = study.ask()
            candidate = space.suggest(trial, data, budget)
        seed = 1_000 * repetition + number
        values.append(train(candidate, data, seed))
        study.tell(trial, values[-1])
        trained()
    return {
        "data": name,
        "sampler": sampler,
        "repetition": repetition,
        "trials": trials,
        "space": space.identity(),
        "budget": BUDGETS[name],
        "seconds": round(time.perf_counter() - began, 2),
        "values": values,
    }


def finished(path: Path, trials: int) -> dict[Key, dict]:
    """Read the studies that were finished before; a last line that was cut off is taken away.

    Raises:
        SlafError: a line that is not of this benchmark, or of other settings.
    """
    found = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            key = (line["data"], line["sampler"], line["repetition"])
            settings = (line["trials"], line["space"], line["budget"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):  # Cut off by a kill; that study runs again.
                path.write_text("".join(f"{whole}\n" for whole in lines[:-1]), encoding="utf-8")
                break
            raise SlafError(
                f"{path}: line {number}: {error!r}", remedy="name another --out"
            ) from None
        expected = (trials, short_space(line["sampler"]).identity(), BUDGETS.get(line["data"]))
        if settings != expected:
            raise SlafError(
                f"{path}: line {number} has trials, space, budget {settings}",
                expected=str(expected),
                remedy="name another --out",
            )
        found[key] = line
    return found


def estimate(keys: Iterable[Key], trials: int) -> float:
    """Return the seconds these studies will take, from two trainings of each table."""
    studies = defaultdict(int)
    for name, _, _ in keys:
        studies[name] += 1
    total, space = 0.0, short_space("random")
    for name, count in studies.items():
        data, budget = read(name, 0), Budget(parameters=BUDGETS[name])
        study = optuna.create_study(sampler=RandomSampler(seed=0))
        # The first pays for the compilation of fused passes, which later ones find.
        spent = []
        for seed in range(4):
            candidate = space.suggest(study.ask(), data, budget)
            began = time.perf_counter()
            train(candidate, data, seed)
            spent.append(time.perf_counter() - began)
        total += count * trials * statistics.fmean(spent[1:])
    return total


def ranks(values: list[float]) -> list[float]:
    """Return ranks from 1 for the least value, equal ones at their mean.

    Example:
        >>> ranks([0.1, 0.2, 0.1])
        [1.5, 3.0, 1.5]
    """
    return [sum(v < w for v in values) + (values.count(w) + 1) / 2 for w in values]


def print_table(lines: dict[Key, dict], samplers: list[str]) -> None:
    """Print mean rank and mean best value of each sampler, by table and over all."""
    best: dict[str, dict[int, list[float]]] = defaultdict(dict)
    for name, _, repetition in lines:
        found = [lines.get((name, s, repetition)) for s in samplers]
        if all(found):
            best[name][repetition] = [min(line["values"]) for line in found]
    head = "".join(f"{s:>20}" for s in samplers)
    print(f"\n{'mean rank (mean best)':24}{head}   repetitions")
    everywhere = []
    for name, repetitions in best.items():
        ranked = [ranks(values) for values in repetitions.values()]
        everywhere += ranked
        means = [statistics.fmean(column) for column in zip(*repetitions.values(), strict=True)]
        order = [statistics.fmean(column) for column in zip(*ranked, strict=True)]
        cells = "".join(f"{f'{r:.2f} ({m:.4g})':>20}" for r, m in zip(order, means, strict=True))
        print(f"{name:24}{cells}   {len(ranked)}")
    if everywhere:
        columns = list(zip(*everywhere, strict=True))
        print(f"{'all':24}" + "".join(f"{statistics.fmean(c):>20.2f}" for c in columns))
        errors = [statistics.pstdev(c) / max(1, len(c) - 1) ** 0.5 for c in columns]
        print(f"{'its standard error':24}" + "".join(f"{e:>20.2f}" for e in errors))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--data", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    parser.add_argument("--samplers", nargs="+", choices=list(SAMPLERS), default=list(DEFAULT))
    parser.add_argument("--out", type=Path, default=Path("runs/samplers.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    lines = finished(options.out, options.trials)
    # Repetition by repetition, so that a run that is stopped has compared all samplers alike.
    keys = [
        (name, sampler, repetition)
        for repetition in range(options.repetitions)
        for name in options.data
        for sampler in options.samplers
    ]
    left = [key for key in keys if key not in lines]
    minutes = estimate(left, options.trials) / 60
    print(
        f"{len(left)} of {len(keys)} studies of {options.trials} trials to run: some "
        f"{minutes:.1f} minutes on one core, beside the samplers' own time",
        flush=True,
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with (
        options.out.open("a", encoding="utf-8") as file,
        tqdm(total=len(left) * options.trials, unit="trial", disable=None) as bar,
    ):
        for key in left:
            bar.set_description(" ".join(map(str, key)))
            lines[key] = run_study(key, options.trials, bar.update)
            file.write(json.dumps(lines[key]) + "\n")
            file.flush()
    print_table({key: lines[key] for key in keys}, options.samplers)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SlafError as error:
        sys.exit(str(error))
