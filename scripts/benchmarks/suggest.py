"""What the `mlp` space costs beyond Optuna: milliseconds a suggestion, widths solved and all.

python scripts/benchmarks/suggest.py [--trials 1000] [--repeats 5]

Two studies under RandomSampler with the same seed, in turn, one thread: one lets the space suggest,
the other asks bare `trial.suggest_*` for exactly the dimensions that the first one asked for. The
difference is ours. Times are the thread's own, so that busy neighbours do not count. Data like
digits (64 features, 10 classes), 5,000 parameters.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import optuna
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from slaf_automl import Budget, DataInfo, SearchSpace

BAR = 5.0  # milliseconds
DIGITS = DataInfo(tuple(map(str, range(64))), "y", "multiclass", tuple(range(10)), rows=1149)
BUDGET = Budget(parameters=5_000)
Asked = dict[str, BaseDistribution]


def ask_bare(trial: optuna.Trial, asked: Asked) -> None:
    """Ask for these dimensions as an objective of one's own would."""
    for name, d in asked.items():
        if isinstance(d, CategoricalDistribution):
            trial.suggest_categorical(name, d.choices)
        elif isinstance(d, IntDistribution):
            trial.suggest_int(name, d.low, d.high, log=d.log)
        else:
            trial.suggest_float(name, d.low, d.high, log=d.log)


def seconds(
    trials: int, seed: int, suggest: Callable[[optuna.Trial], object]
) -> tuple[float, optuna.Study]:
    """Return how long the suggestions of a study take, and the study."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    spent = 0.0
    for _ in range(trials):
        trial = study.ask()
        began = time.thread_time()
        suggest(trial)
        spent += time.thread_time() - began
        study.tell(trial, 0.0)
    return spent, study


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = SearchSpace.load("mlp")
    seconds(20, 0, lambda trial: space.suggest(trial, DIGITS, BUDGET))  # warm-up
    ours, bare = [], []
    for repeat in range(options.repeats):
        spent, study = seconds(
            options.trials, repeat, lambda trial: space.suggest(trial, DIGITS, BUDGET)
        )
        ours.append(1e3 * spent / options.trials)
        asked = [trial.distributions for trial in study.trials]
        spent, again = seconds(
            options.trials, repeat, lambda t, asked=asked: ask_bare(t, asked[t.number])
        )
        bare.append(1e3 * spent / options.trials)
        if [t.params for t in again.trials] != [t.params for t in study.trials]:
            raise SystemExit("the two studies did not suggest the same values")
    beyond = statistics.median(a - b for a, b in zip(ours, bare, strict=True))
    print(f"{options.trials:,} suggestions, medians of {options.repeats} pairs of studies")
    print(f"  the space    {statistics.median(ours):8.3f} ms a suggestion")
    print(f"  Optuna bare  {statistics.median(bare):8.3f} ms a suggestion")
    missed = beyond > BAR
    print(f"  beyond it    {beyond:8.3f} ms (bar {BAR:g}{': missed' if missed else ''})")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
