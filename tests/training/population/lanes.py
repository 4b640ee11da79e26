"""Populations for tests, and the comparison of a lane with its candidate alone."""

from __future__ import annotations

import torch

from slaf_automl.training.fit import Fit, fit
from slaf_automl.training.population import Population

BATCH_SEED = 7


def started(data, candidates, **options) -> Population:
    """Return a population with one lane a candidate, called by its number, which is its seed."""
    population = Population(data, batch_seed=BATCH_SEED, **options)
    for seed, candidate in enumerate(candidates):
        population.start(str(seed), candidate, seed)
    return population


def trained(population: Population) -> Population:
    """Train until every lane is finished."""
    while any(not population.standing(name).finished for name in population.names):
        population.train_epoch()
    return population


def assert_same(population: Population, name: str, candidate, data, tolerance: float) -> None:
    """Hold a finished lane against `fit`: result, best epoch, and every value of its state."""
    alone = assert_same_result(population, name, candidate, data, tolerance)
    assert_near(population.unstack(name, best=True).eval().pruned(), alone.module, tolerance)


def assert_same_result(population: Population, name: str, candidate, data, tolerance: float) -> Fit:
    """Hold a finished lane's result against `fit`, and return that."""
    alone = fit(candidate, data, seed=int(name), batch_seed=BATCH_SEED)
    standing = population.standing(name)
    assert standing.diverged == alone.result.diverged
    assert standing.epoch == alone.result.epochs
    assert standing.best_epoch == alone.best_epoch
    assert abs(standing.value - alone.result.value) <= tolerance * (1 + abs(alone.result.value))
    return alone


def assert_near(module: torch.nn.Module, other: torch.nn.Module, tolerance: float) -> None:
    """Say that two modules have the same state names, and values that agree."""
    state, wanted = module.state_dict(), other.state_dict()
    assert state.keys() == wanted.keys()
    for name, value in wanted.items():
        assert state[name].shape == value.shape, name
        if value.numel():
            error = ((state[name] - value).abs() / (1 + value.abs())).max()
            assert error <= tolerance, f"{name} is off by {float(error):.1e}"
