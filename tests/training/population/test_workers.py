"""Threads of a population: the same values as without, and torch's own setting left alone."""

import pytest
import torch
from small_tables import make_candidate, make_data, relu, slaf

from slaf_automl.training.population import Population
from slaf_automl.training.population.workers import Workers


def trained(data, candidates, workers):
    population = Population(data, together=2)
    population.workers = workers
    for seed, candidate in enumerate(candidates):
        population.start(str(seed), candidate, seed)
    for _ in range(3):
        population.train_epoch()
    return [population.unstack(name).state_dict() for name in population.names]


def test_groups_side_by_side_compute_the_same_bits():
    data = make_data("multiclass")
    slots = (slaf(), relu("element"), slaf(normaliser="none", basis="fourier", hybrid=0.5))
    candidates = [make_candidate(data, slots[: 1 + k % 3], epochs=3) for k in range(7)]
    alone = trained(data, candidates, Workers(1))
    with Workers(3) as workers:
        together = trained(data, candidates, workers)
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_an_error_in_a_thread_is_raised():
    def fail():
        raise ValueError("here")

    with Workers(2) as workers, pytest.raises(ValueError, match="here"):
        workers.run([lambda: 1, fail])
    before = torch.get_num_threads()
    with Workers(2) as workers:
        assert torch.get_num_threads() == 1
        assert workers.run([lambda i=i: i * i for i in range(5)]) == [0, 1, 4, 9, 16]
    assert torch.get_num_threads() == before
