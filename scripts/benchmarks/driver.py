"""What driver and storage take of a trial when a study holds 1,000, the sampler's own time aside.

python scripts/benchmarks/driver.py [--before 1000] [--trials 256] [--population 32]

A study with its journal in a folder is filled, then searched on with an evaluator that reports two
rungs and finishes at once, `--population` trials at a time. Time inside the sampler's methods is
measured and taken off. One thread; the bar is 15 ms a trial.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import TPESampler

from slaf_automl import Budget, SearchSpace, TableData
from slaf_automl.driver import Arm, Driver, Identity, ProgressLine, RunFolder
from slaf_automl.networks import count_cost
from slaf_automl.spec import Desk, Report, TrialResult

SAMPLING = ("infer_relative_search_space", "sample_relative", "sample_independent", "after_trial")


class Clock:
    """Adds up the time inside functions, those inside others once."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*words: Any, **named: Any) -> Any:
            self._depth += 1
            began = time.perf_counter()
            try:
                return function(*words, **named)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.perf_counter() - began

        return wrapper


def evaluate(desk: Desk, population: int, source: random.Random) -> None:
    """Let every job report at two rungs and finish."""
    while jobs := desk.pull(population):
        for epoch in (6, 18):
            going = desk.report([Report(job, epoch, source.random()) for job in jobs])
            stopped = [job for job, on in zip(jobs, going, strict=True) if not on]
            desk.finish([(job, TrialResult("pruned", source.random(), epoch)) for job in stopped])
            jobs = [job for job, on in zip(jobs, going, strict=True) if on]
        desk.finish([(job, TrialResult("complete", source.random(), 54)) for job in jobs])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=int, default=1_000)
    parser.add_argument("--trials", type=int, default=256)
    parser.add_argument("--population", type=int, default=32)
    options = parser.parse_args()
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    data, space = TableData.load("sklearn:digits"), SearchSpace.load("mlp")
    budget, clock, source = Budget(parameters=5_000), Clock(), random.Random(0)
    identity = Identity(
        "mix", "mlp", 2, space.identity(), 5_000, "digits", "", "accuracy", 0, options.population
    )
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as run:
        study = run.study(identity, "maximize", 3)
        arm = Arm(
            "mix",
            study,
            suggest=lambda trial: space.suggest(trial, data, budget),
            decode=lambda parameters: space.decode(parameters, data, budget),
        )

        def search(trials: int) -> float:
            with run.held() as flush:
                driver = Driver(
                    [arm],
                    trials=trials,
                    seed=0,
                    checkpoints=run.checkpoints,
                    parameters=lambda c: count_cost(c.architecture).parameters,
                    stopping=lambda: False,
                    progress=ProgressLine(trials, 0, "accuracy", quiet=True),
                    alone=run.alone,
                    flush=flush,
                )
                began = time.perf_counter()
                driver.run(lambda desk: evaluate(desk, options.population, source))
                return time.perf_counter() - began

        search(options.before)
        for name in SAMPLING:
            setattr(TPESampler, name, clock.timed(getattr(TPESampler, name)))
        spent = search(options.before + options.trials)
    sampling, rest = (1e3 * s / options.trials for s in (clock.seconds, spent - clock.seconds))
    print(
        f"{options.before} trials in the study, {options.trials} more, {options.population} at once"
    )
    print(f"  the sampler         {sampling:7.2f} ms a trial")
    print(f"  driver and storage  {rest:7.2f} ms a trial (bar 15)")
    return int(rest > 15)


if __name__ == "__main__":
    sys.exit(main())
