"""Seconds for each candidate trained in a population, beside one trained alone.

python scripts/benchmarks/population.py [--lanes 1 8 32 64] [--epochs 20] [--alone 4]

`sklearn:digits`, candidates of the space `mlp` with 5,000 parameters, drawn at random; one thread.
Times are the process's own (CPU time), with everything from building a network to its last epoch,
but without the compilation of the passes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import optuna
import torch

from slaf_automl import Budget, SearchSpace, fit
from slaf_automl.spec import Candidate
from slaf_automl.training import TableData
from slaf_automl.training.population import Population


def draw(data: TableData, count: int, epochs: int) -> list[Candidate]:
    space = SearchSpace.load("mlp")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [space.suggest(study.ask(), data, Budget(parameters=5000)) for _ in range(count)]
    return [replace(c, recipe=replace(c.recipe, epochs=epochs)) for c in found]


def train(data: TableData, candidates: list[Candidate]) -> None:
    population = Population(data)
    for seed, candidate in enumerate(candidates):
        population.start(str(seed), candidate, seed)
    while any(not population.standing(name).finished for name in population.names):
        population.train_epoch()


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--alone", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = TableData.load("sklearn:digits")
    candidates = draw(data, max(*arguments.lanes, arguments.alone, 2), arguments.epochs)
    train(data, [replace(c, recipe=replace(c.recipe, epochs=1)) for c in candidates])
    fit(candidates[0], data)
    some = candidates[: arguments.alone]
    alone = seconds(lambda: [fit(c, data, seed=k) for k, c in enumerate(some)]) / len(some)
    print(f"alone: {alone:.3f} s a candidate")
    for count in arguments.lanes:
        each = seconds(lambda count=count: train(data, candidates[:count])) / count
        print(f"{count} lanes: {each:.4f} s a candidate, {alone / each:.1f} times as many")


if __name__ == "__main__":
    main()
