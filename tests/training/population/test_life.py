"""Lanes come, go and go on: the others do not notice."""

import pytest
import torch
from lanes import (
    BATCH_SEED,
    assert_near,
    assert_same,
    assert_same_result,
    started,
    trained,
)
from small_tables import make_candidate, make_data, relu, same_state, slaf

from slaf_automl.errors import SlafError
from slaf_automl.training.population import Population

pytestmark = pytest.mark.usefixtures("double")

EXPLODING = {"learning_rate": 1e30, "gradient_clip": None}


@pytest.fixture
def data():
    return make_data("multiclass")


@pytest.fixture
def candidates(data):
    return [
        make_candidate(data, epochs=5),
        make_candidate(data, [slaf(basis="hermite", normaliser="input"), relu("input")], epochs=5),
        make_candidate(data, [relu()], epochs=5),
        make_candidate(data, [slaf(degree=6, normaliser="none"), relu(), relu()], epochs=5),
    ]


def test_the_others_do_not_notice_a_lane_that_leaves(data, candidates):
    population = started(data, candidates)
    population.train_epoch()
    population.drop(["1", "3"])
    assert population.names == ("0", "2")
    trained(population)
    for name in population.names:
        assert_same(population, name, candidates[int(name)], data, 1e-8)


def test_a_lane_that_takes_a_free_place_begins_at_its_own_first_epoch(data, candidates):
    population = started(data, candidates[:2])
    population.train_epoch()
    population.train_epoch()
    population.drop(["0"])
    population.start("3", candidates[3], 3)
    assert [population.standing(n).epoch for n in population.names] == [2, 0]
    trained(population)
    for name in population.names:
        assert_same(population, name, candidates[int(name)], data, 1e-8)


@pytest.mark.parametrize("activation", [relu(), slaf(normaliser="none"), slaf(basis="fourier")])
def test_a_lane_that_explodes_reaches_no_other(data, candidates, activation):
    exploding = make_candidate(data, [activation, relu()], epochs=5, **EXPLODING)
    population = trained(started(data, [candidates[0], exploding, candidates[1]]))
    standing = population.standing("1")
    assert standing.diverged
    assert standing.finished
    assert standing.value == population.constant
    assert_same(population, "0", candidates[0], data, 1e-8)
    assert_same_result(population, "1", exploding, data, 0.0)
    calm = trained(started(data, [candidates[0], candidates[0], candidates[1]]))
    assert_near(calm.unstack("2"), population.unstack("2"), 1e-8)


def test_nothing_moves_in_padded_places(data, candidates):
    population = started(data, candidates[:2])
    population.train_epoch()
    for group in population._groups:
        storage = group.stack.storage
        own = torch.zeros_like(storage.parameters)
        for lane in range(storage.lanes):
            for view in storage.named(lane, own).values():
                view.fill_(1.0)
        for vector in (storage.parameters, storage.gradients, storage.first, storage.second):
            assert not vector[own == 0].any()


@pytest.mark.parametrize("routine", ["joint", "alternate", "warm_start"])
@pytest.mark.parametrize("after", [1, 2])
def test_a_population_goes_on_from_its_state_bit_for_bit(tmp_path, data, routine, after):
    normalisers = ("none", "input", "frozen", "element")
    candidates = [
        make_candidate(
            data,
            [slaf(normaliser=n), relu(n)][: 1 + k % 2],
            epochs=10,
            routine=routine,
            hold_statistics=(None, 0.3)[k % 2],
        )
        for k, n in enumerate(normalisers)
    ]
    population = started(data, candidates[:3])
    population.train_epoch()
    population.start("3", candidates[3], 3)
    for _ in range(after):
        population.train_epoch()
    torch.save(population.state_dict(), tmp_path / "state.pt")
    trained(population)
    resumed = Population(data, batch_seed=BATCH_SEED)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [resumed.standing(n).epoch for n in resumed.names] == [*[after + 1] * 3, after]
    trained(resumed)
    for name in population.names:
        assert resumed.standing(name) == population.standing(name)
        for best in (False, True):
            one, other = (p.unstack(name, best=best) for p in (resumed, population))
            assert same_state(one, other)


def test_one_lane_goes_on_in_another_population(data, candidates):
    population = started(data, candidates)
    population.train_epoch()
    state = population.lane_state("3")
    other = started(data, candidates[:1])
    other.start("again", candidates[3], 3, state=state)
    assert other.standing("again").epoch == 1
    trained(other)
    trained(population)
    assert_near(other.unstack("again"), population.unstack("3"), 1e-8)
    curves = [other.standing("again").curve, population.standing("3").curve]
    assert len(curves[0]) == len(curves[1]) == candidates[3].recipe.epochs
    for one, the_other in zip(*curves, strict=True):
        assert tuple(one) == pytest.approx(tuple(the_other), rel=1e-6)


def test_saving_changes_nothing(data, candidates):
    watched, other = (started(data, candidates) for _ in range(2))
    for _ in range(3):
        watched.train_epoch()
        watched.state_dict()
        other.train_epoch()
    assert all(same_state(watched.unstack(n), other.unstack(n)) for n in other.names)


def test_an_unstacked_lane_is_a_plain_module(data, candidates):
    population = trained(started(data, candidates))
    module = population.unstack("0", best=True).eval()
    x, y = data.validation
    accuracy = (module(x).argmax(1) == y).float().mean()
    assert population.standing("0").value == pytest.approx(float(accuracy))
    assert module.deployed()(x.double()).argmax(1).equal(module(x).argmax(1))


def test_refusals(data, candidates):
    population = started(data, candidates[:1])
    with pytest.raises(SlafError, match="a second lane '0'"):
        population.start("0", candidates[1])
    with pytest.raises(SlafError, match="batch size 8 in a population of batch size 16"):
        population.start("1", make_candidate(data, batch_size=8))
    with pytest.raises(SlafError, match="another candidate or seed"):
        population.start("1", candidates[1], state=population.lane_state("0"))
    with pytest.raises(SlafError, match="no lane 'x'; expected one of 0"):
        population.drop(["x"])
    state = population.state_dict()
    with pytest.raises(SlafError, match="batch_seed 7"):
        Population(data, batch_seed=8).load_state_dict(state)
    with pytest.raises(SlafError, match="state with data"):
        Population(make_data("binary"), batch_seed=BATCH_SEED).load_state_dict(state)
    with pytest.raises(SlafError, match="schema 2"):
        population.load_state_dict({**state, "schema": 2})
    population.begin_epoch()
    with pytest.raises(SlafError, match="within an epoch"):
        population.state_dict()
    with pytest.raises(SlafError, match="another epoch within an epoch"):
        population.begin_epoch()
    with pytest.raises(SlafError, match="a step outside an epoch"):
        Population(data).advance(range(1))
    with pytest.raises(SlafError, match="a population without lanes"):
        _ = Population(data).steps
