"""Does asking for many candidates at once find worse ones? Populations of 32 beside one at a time.

python scripts/benchmarks/population_quality.py [--trials 128] [--repetitions 10] [--data digits …]
    [--out runs/population_quality.jsonl]

For each table and repetition (a split and a seed) two searches of the mix with equal trials, the
space `mlp` with its epochs cut to 18 (rungs at 2 and 6). The best candidate of each is then trained
with three fresh seeds; what counts is the mean of their log losses (diabetes: RMSE) on the
validation rows, and on the test rows. Each search is a line of --out; the same command again goes
on where it was stopped. One thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import optuna
import torch
import yaml

from slaf_automl import Budget, SearchSpace, TableData
from slaf_automl.driver import Arm, Driver, Identity, ProgressLine, RunFolder
from slaf_automl.networks import count_cost
from slaf_automl.training import SequentialEvaluator, find_metric
from slaf_automl.training.metrics import evaluate
from slaf_automl.training.population import PopulationEvaluator
from slaf_automl.training.population.fitting import fit_seeds

BUDGETS = {"digits": 1_000, "wine": 100, "breast_cancer": 200, "diabetes": 100, "iris": 60}
MLP = Path(__file__).parents[2] / "search_spaces" / "mlp.yaml"
POPULATIONS = (32, 1)
SEEDS = (101, 102, 103)


def short_space() -> SearchSpace:
    document = yaml.safe_load(MLP.read_text(encoding="utf-8"))
    document["training"] |= {"epochs": 18, "least_steps": 270, "first_rung": 2}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlp.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return SearchSpace.load(path)


def search(name: str, population: int, repetition: int, trials: int) -> dict[str, Any]:
    """Run one search; return its line."""
    space, budget = short_space(), Budget(parameters=BUDGETS[name])
    data = TableData.load(f"sklearn:{name}", split=repetition)
    metric = find_metric("rmse" if data.info.task == "regression" else "log_loss", data.info)
    rungs = space.rungs(data)
    evaluator = (
        SequentialEvaluator(data, metric.name, rungs, repetition, "cpu")
        if population == 1
        else PopulationEvaluator(data, metric.name, rungs, population, repetition, "cpu")
    )
    identity = Identity("mix", "mlp", 2, "", 0, name, "", metric.name, repetition, population)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
        arm = Arm(
            "mix",
            run.study(identity, metric.direction, space.file.schedule.reduction),
            suggest=lambda trial: space.suggest(trial, data, budget),
            decode=lambda parameters: space.decode(parameters, data, budget),
        )
        began = time.perf_counter()
        with run.held() as flush:
            Driver(
                [arm],
                trials=trials,
                seed=repetition,
                checkpoints=run.checkpoints,
                parameters=lambda candidate: count_cost(candidate.architecture).parameters,
                stopping=lambda: False,
                progress=ProgressLine(trials, 0, metric.name, quiet=True),
                alone=True,
                flush=flush,
            ).run(evaluator)
        seconds = time.perf_counter() - began
        best = arm.best()
        assert best is not None
        winner = arm.decode(best.params)
        pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in arm.finished())
    fits = fit_seeds(winner, data, SEEDS, metric=metric.name, accelerator="cpu")
    x, y = data.open_test()
    with torch.no_grad():
        tests = [evaluate(metric, data.info, one.module(x), y) for one in fits]
    return {
        "data": name,
        "population": population,
        "repetition": repetition,
        "trials": trials,
        "seconds": round(seconds, 2),
        "pruned": pruned,
        "best": best.values[0],
        "validation": statistics.fmean(one.result.value for one in fits),
        "test": statistics.fmean(tests),
    }


def compare(lines: list[dict[str, Any]], key: str) -> None:
    """Print the mean ratio of losses, many at once over one at a time, table by table."""
    print(f"\n{key}: loss with 32 at once / one at a time (geometric mean, its standard error)")
    everywhere = []
    for name in BUDGETS:
        found = {(x["population"], x["repetition"]): x[key] for x in lines if x["data"] == name}
        logs = [
            torch.tensor(value / found[1, r]).log().item()
            for (population, r), value in found.items()
            if population != 1 and (1, r) in found
        ]
        if len(logs) > 1:
            everywhere += logs
            print(f"  {name:14} {line(logs)}")
    if len(everywhere) > 1:
        print(f"  {'all':14} {line(everywhere)}")


def line(logs: list[float]) -> str:
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / len(logs) ** 0.5
    ratio = torch.tensor(mean).exp().item()
    return f"{ratio:.3f} ± {ratio * error:.3f}  ({len(logs)} repetitions)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--data", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    parser.add_argument("--out", type=Path, default=Path("runs/population_quality.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    lines = []
    if options.out.exists():
        lines = [json.loads(text) for text in options.out.read_text().splitlines()]
    done = {(x["data"], x["population"], x["repetition"], x["trials"]) for x in lines}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a", encoding="utf-8") as file:
        for repetition in range(options.repetitions):
            for name in options.data:
                for population in POPULATIONS:
                    if (name, population, repetition, options.trials) in done:
                        continue
                    lines.append(search(name, population, repetition, options.trials))
                    file.write(json.dumps(lines[-1]) + "\n")
                    file.flush()
                    print(json.dumps(lines[-1]), flush=True)
    lines = [x for x in lines if x["trials"] == options.trials]
    for key in ("validation", "test"):
        compare(lines, key)
    for population in POPULATIONS:
        some = [x["seconds"] for x in lines if x["population"] == population]
        print(f"population {population}: {statistics.fmean(some):.1f} s a search")
    return 0


if __name__ == "__main__":
    sys.exit(main())
