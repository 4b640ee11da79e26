"""Lanes of networks for images and series: as alone, side by side, resumed, diverged."""

import math
from dataclasses import replace

import pytest
import torch
from lanes import BATCH_SEED, assert_same, started, trained
from sklearn.datasets import load_digits
from small_tables import make_candidate, make_data, relu, slaf

from slaf_automl.errors import SlafError
from slaf_automl.spec import Architecture, Candidate, Recipe
from slaf_automl.training import TableData
from slaf_automl.training.data import Table, batches
from slaf_automl.training.population import Population
from slaf_automl.training.population.workers import Workers

ROUTINES = ("joint", "alternate", "two_speed", "warm_start")


@pytest.fixture(scope="module")
def digits():
    """A hundred and fifty 8×8 digits."""
    x, y = load_digits(return_X_y=True)
    names = tuple(f"pixel {i}" for i in range(64))
    return TableData(Table("digits", names, x[:150], "digit", y[:150], image=(1, 8, 8)))


def candidate(info, placement, *, blocks=None, **recipe):
    family = "cnn" if blocks is None else "resnet"
    slots = len(placement)
    architecture = Architecture(
        family,
        len(info.features),
        info.outputs,
        (4, 5) if family == "cnn" else (4,) * ((slots - 1) // (2 * blocks)),
        tuple(placement),
        centred_inputs=info.centred_inputs,
        image=info.image,
        pooling=None if blocks else "max",
        blocks=blocks,
    )
    settings = {"epochs": 4, "batch_size": 32, "learning_rate": 5e-3, "gradient_clip": 1.0}
    return Candidate(architecture, Recipe(**{**settings, **recipe}))


def mixture(info):
    """Every routine and normaliser, in convolutional and residual networks."""
    found = []
    for i, routine in enumerate(ROUTINES):
        normaliser = ("none", "input", "element", "frozen")[i]
        learned = slaf(normaliser=normaliser, hybrid=(0.0, 0.5)[i % 2], degree=2 + i)
        recipe = {
            "routine": routine,
            "coefficient_rate": 2.0,
            "coefficient_l1": (0.0, 1e-2)[i % 2],
            "hold_statistics": (None, 0.5)[i % 2],
        }
        found.append(candidate(info, (learned, relu("input")), **recipe))
        slots = (learned, relu("element"), relu(normaliser))
        found.append(candidate(info, slots, blocks=1, **recipe))
    return found


def test_every_lane_ends_where_its_candidate_alone_does(double, digits):
    candidates = mixture(digits.info)
    population = started(digits, candidates, images=True)
    with Workers(2) as population.workers:
        trained(population)
    for seed, one in enumerate(candidates):
        assert_same(population, str(seed), one, digits, 1e-8)


def test_a_resumed_population_goes_on_bit_for_bit(digits):
    candidates = mixture(digits.info)[:4]
    whole, first = (started(digits, candidates, images=True) for _ in range(2))
    first.train_epoch()
    second = Population(digits, batch_seed=BATCH_SEED, images=True)
    second.load_state_dict(first.state_dict())
    for population in (whole, second):
        trained(population)
    for name in whole.names:
        one, other = (p.unstack(name).state_dict() for p in (whole, second))
        assert all(torch.equal(tensor, other[n]) for n, tensor in one.items())


def test_a_lane_that_diverges_leaves_the_others_alone(digits):
    good = candidate(digits.info, (slaf(normaliser="none"), relu()))
    wild = candidate(
        digits.info, (slaf(normaliser="none"), relu()), learning_rate=1e30, gradient_clip=None
    )
    population = trained(started(digits, [good, wild, good], images=True))
    assert population.standing("1").diverged
    assert population.standing("1").value == population.constant
    for name in ("0", "2"):
        assert not population.standing(name).diverged
        assert math.isfinite(population.standing(name).value)


def series_candidate(info, placement, head, **recipe):
    """Return a network for series, of the recipe that a convolutional one has."""
    one = candidate(info, placement, **recipe)
    changed = {"family": "conv1d", "kernel": 5, "head": head}
    return replace(one, architecture=replace(one.architecture, **changed))


def test_lanes_for_series_end_where_their_candidates_alone_do(double, digits):
    series = TableData(replace(digits.table, image=(1, 1, 64)))
    learned = slaf(normaliser="element", hybrid=0.5)
    candidates = [
        series_candidate(series.info, (learned, relu("element")), "flatten", routine="alternate"),
        series_candidate(series.info, (slaf(), relu("input")), "mean"),
    ]
    population = trained(started(series, candidates, images=True))
    for seed, one in enumerate(candidates):
        assert_same(population, str(seed), one, series, 1e-8)


def test_linked_lanes_end_where_their_candidates_alone_do_beside_a_stack(double):
    data = make_data("multiclass")
    placements = [(slaf(hybrid=0.5), relu("element")), (relu("input"), slaf())]
    plain = [make_candidate(data, p, widths=(6, 6), epochs=3) for p in placements]
    linked = [replace(one, architecture=replace(one.architecture, residual=True)) for one in plain]
    population = trained(started(data, [*plain, *linked]))
    assert sorted(len(group.lanes) for group in population._groups) == [1, 1, 2]
    for seed, one in enumerate([*plain, *linked]):
        assert_same(population, str(seed), one, data, 1e-8)


def test_images_and_tables_do_not_share_a_population(digits):
    with pytest.raises(SlafError, match="family 'cnn' in a population without images"):
        started(digits, [candidate(digits.info, (relu(), relu()))])
    data = make_data("binary")
    with pytest.raises(SlafError, match="family 'mlp' in a population of images"):
        started(data, [make_candidate(data, (relu(),))], images=True)


def test_statistics_of_many_images_come_from_the_first(double, digits, monkeypatch):
    monkeypatch.setattr(batches, "ESTIMATED_IMAGES", 40)
    one = candidate(digits.info, (slaf(), relu("input")))
    population = trained(started(digits, [one], images=True))
    assert sum(len(x) for x in population._rows.ordered()) == 40
    assert_same(population, "0", one, digits, 1e-8)
