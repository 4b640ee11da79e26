"""Lanes whose inputs have an activation of their own end where their candidates alone do."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from lanes import BATCH_SEED, assert_near, assert_same, started, trained
from small_tables import make_candidate, make_data, make_table, normal_rows, relu, same_state, slaf

from slaf_automl.spec import Candidate
from slaf_automl.training import TableData
from slaf_automl.training.population import Population
from slaf_automl.training.population.grouping import alike

pytestmark = pytest.mark.usefixtures("double")

NORMALISERS = ("none", "input", "frozen", "element")
ROUTINES = ("joint", "alternate", "two_speed")
INPUTS = (
    slaf(basis="tent", degree=6, normaliser="frozen"),
    slaf(basis="tent", degree=6, normaliser="frozen", sharing="layer"),
    slaf(basis="tent", degree=3, normaliser="input"),
    slaf(basis="chebyshev", degree=4, normaliser="frozen"),
    slaf(basis="tent", degree=12, normaliser="frozen"),
    slaf(basis="hermite", degree=3, normaliser="input", clip=None),
    slaf(basis="hat", degree=5, normaliser="frozen"),
    None,
)


def with_inputs(candidate: Candidate, spec) -> Candidate:
    return replace(candidate, architecture=replace(candidate.architecture, input_activation=spec))


def mixture(data, epochs=4):
    """Every activation of the inputs, normaliser and routine, with the other choices in turn."""
    found = []
    for i, (spec, normaliser) in enumerate(itertools.product(INPUTS, NORMALISERS)):
        placement = (
            slaf(normaliser=normaliser, degree=2 + i % 3, hybrid=(0.0, 0.5)[i % 2]),
            relu(normaliser),
            slaf(basis="tent", normaliser=normaliser, degree=4),
        )[: 1 + i % 3]
        candidate = make_candidate(
            data,
            placement,
            widths=(5 + i % 4, 6, 4 + i % 3)[: len(placement)],
            routine=ROUTINES[i % 3],
            coefficient_rate=2.0,
            coefficient_decay=0.01,
            coefficient_l1=(0.0, 1e-2)[i // 3 % 2],
            hold_statistics=(None, 0.05, 0.5)[i // 4 % 3],
            gradient_clip=(1.0, None)[i // 5 % 2],
            patience=(None, None, 3)[i % 3],
            epochs=epochs,
        )
        found.append(with_inputs(candidate, spec))
    return found


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_every_kind_of_lane_ends_where_its_candidate_alone_does(task):
    data = make_data(task, rows=100)
    candidates = mixture(data)[:: 2 if task == "regression" else 3]
    population = trained(started(data, candidates))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


def test_without_compiled_passes():
    data = make_data("binary", rows=100)
    candidates = mixture(data)[::5]
    population = trained(started(data, candidates, compiled=False))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


def test_gaps_of_a_table():
    """Many rows of an input then have one value, its mean."""
    x = normal_rows(120)
    y = np.sin(2 * x[:, 0]) + x[:, 1] ** 2
    x[::3, 0] = x[1::4, 2] = np.nan
    data = TableData(make_table(x, y))
    assert data.info.filled is not None
    candidates = [
        with_inputs(
            replace(
                candidate,
                architecture=replace(candidate.architecture, filled_inputs=data.info.filled),
            ),
            spec,
        )
        for spec in INPUTS
        for candidate in [make_candidate(data, (relu(),), epochs=4)]
    ]
    population = trained(started(data, candidates))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


def test_linked_layers_train_beside_them():
    data = make_data("regression", rows=100)
    plain = make_candidate(data, (slaf(), relu()), widths=(5, 5), epochs=3)
    linked = replace(plain, architecture=replace(plain.architecture, residual=True))
    candidates = [with_inputs(one, INPUTS[0]) for one in (plain, linked)] + [linked]
    population = trained(started(data, candidates))
    for seed, candidate in enumerate(candidates):
        assert_same(population, str(seed), candidate, data, 1e-8)


def test_lanes_share_a_stack_only_where_all_inputs_have_a_slot_or_none():
    data = make_data("multiclass")
    candidates = [
        with_inputs(make_candidate(data, (relu(),), widths=(6,)), spec) for spec in INPUTS * 2
    ]
    lanes = list(started(data, candidates)._lanes.values())
    sets = alike(lanes, 16, rows=150)
    assert sorted(lane.name for some in sets for lane in some) == sorted(
        lane.name for lane in lanes
    )
    for some in sets:
        slots = {lane.candidate.architecture.input_activation is None for lane in some}
        assert len(slots) == 1
    assert any(len(some) > 2 for some in sets)


def test_a_lane_goes_on_from_its_state_in_other_company():
    data = make_data("multiclass", rows=100)
    candidates = [
        with_inputs(make_candidate(data, epochs=4, hold_statistics=0.5), spec)
        for spec in INPUTS[:4]
    ]
    whole = started(data, candidates)
    whole.train_epoch()
    states = [whole.lane_state(str(k)) for k in range(4)]
    resumed = started(data, [with_inputs(candidates[0], None)])
    for k, state in enumerate(states):
        resumed.start(f"again {k}", candidates[k], k, state=state)
        assert resumed.standing(f"again {k}").epoch == 1
    trained(whole)
    trained(resumed)
    for k in range(4):
        assert_near(resumed.unstack(f"again {k}"), whole.unstack(str(k)), 1e-8)


def test_a_population_resumes_from_its_file(tmp_path):
    data = make_data("regression", rows=100)
    candidates = mixture(data)[::6]
    population = started(data, candidates)
    population.train_epoch()
    torch.save(population.state_dict(), tmp_path / "state.pt")
    trained(population)
    resumed = Population(data, batch_seed=BATCH_SEED)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    trained(resumed)
    for name in population.names:
        assert resumed.standing(name) == population.standing(name)
        assert same_state(*(p.unstack(name, best=True) for p in (resumed, population)))


def test_a_diverged_lane_leaves_the_others_alone():
    data = make_data("multiclass", rows=100)
    candidates = [with_inputs(make_candidate(data, epochs=3), spec) for spec in INPUTS[:3]]
    wild = replace(candidates[1].recipe, learning_rate=1e30, gradient_clip=None)
    candidates[1] = replace(candidates[1], recipe=wild)
    population = trained(started(data, candidates))
    assert population.standing("1").diverged
    for k in (0, 2):
        assert_same(population, str(k), candidates[k], data, 1e-8)
