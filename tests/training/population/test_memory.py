"""Wide candidates: stacks that fit into memory, or one by one, and the same values."""

import logging

import pytest
import torch
from lanes import assert_same, started, trained
from small_tables import make_candidate, make_data, relu, slaf

from slaf_automl.training.population import grouping, groups, rows, stack


@pytest.fixture
def candidates():
    data = make_data("multiclass")
    placements = [(slaf(),), (relu("element"),), (slaf(normaliser="input"),)] * 2
    return data, [make_candidate(data, p, widths=(6,), epochs=3) for p in placements]


def test_small_memory_splits_stacks_and_changes_nothing(double, candidates, monkeypatch, caplog):
    data, some = candidates
    # 96 rows of 6 + 3 numbers each: two lanes fit, three do not.
    monkeypatch.setattr(grouping, "_AT_ONCE", 2 * 9 * 96)
    monkeypatch.setattr(stack, "_KEPT", 0)
    population = trained(started(data, some))
    assert max(len(group.lanes) for group in population._groups) <= 2
    assert not caplog.records
    for seed, candidate in enumerate(some):
        assert_same(population, str(seed), candidate, data, 1e-8)


def test_candidates_of_which_two_do_not_fit_train_one_by_one_and_it_says_so(
    candidates, monkeypatch, caplog
):
    data, some = candidates
    monkeypatch.setattr(grouping, "_AT_ONCE", 100)
    groups._say_one_by_one.cache_clear()
    with caplog.at_level(logging.WARNING, "slaf_automl"):
        population = started(data, some)
        population.train_epoch()
        population.train_epoch()
    assert [len(group.lanes) for group in population._groups] == [1] * 6
    assert [r.getMessage() for r in caplog.records] == [
        "candidates so wide train one by one: two would take more than a gigabyte for 96 rows"
    ]


def test_a_lane_that_diverges_is_found_without_kept_passes(candidates, monkeypatch):
    data, some = candidates
    monkeypatch.setattr(stack, "_KEPT", 0)
    wild = make_candidate(
        data, (slaf(normaliser="none"),), widths=(6,), learning_rate=1e30, gradient_clip=None
    )
    population = started(data, [*some[:2], wild])
    for _ in range(3):
        population.train_epoch()
    standings = [population.standing(name) for name in population.names]
    assert [s.diverged for s in standings] == [False, False, True]
    assert all(torch.isfinite(torch.tensor(s.value)) for s in standings)


def test_batches_that_are_gathered_one_by_one_are_the_same(double, candidates, monkeypatch):
    data, some = candidates
    monkeypatch.setattr(rows, "_COPIED", 0)
    population = started(data, some[:2])
    population.train_epoch()
    population.start("5", some[5], 5)  # at another epoch
    trained(population)
    for name in population.names:
        assert_same(population, name, some[int(name)], data, 1e-8)
