"""Spaces that may link hidden layers: one width for all, within every budget, round trips."""

from dataclasses import replace

import pytest
from hypothesis import given
from space_cases import BUDGET, DIGITS, ask, by_pattern, edited, modest, problems, write

from slaf_automl.errors import SpaceError
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.files import find_space_file, read_document
from slaf_automl.spec import Budget

LINKED = SearchSpace.load("mlp_residual")
PATH, HYBRID = ("dimensions", "residual"), ("dimensions", "slot.hybrid")


@given(problem=problems(LINKED))
@modest(60)
def test_linked_layers_are_as_wide_as_the_budget_allows(problem):
    info, budget, seed = problem
    trial, candidate = ask(LINKED, info, budget, seed)
    architecture = candidate.architecture
    assert bool(architecture.residual) == trial.params.get("residual", False)
    assert LINKED.decode(trial.params, info, budget) == candidate
    assert LINKED.decode(LINKED.encode(candidate, info, budget), info, budget) == candidate
    if not architecture.residual:
        return
    assert "shape" not in trial.params
    counted = count_cost(architecture).parameters
    state = DeployedNetwork(architecture).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == counted <= budget.parameters
    wider = replace(architecture, widths=tuple(width + 1 for width in architecture.widths))
    assert count_cost(wider).parameters > budget.parameters


@given(problem=problems(LINKED))
@modest(20)
def test_the_smallest_budget_leaves_a_network(problem):
    info, _, seed = problem
    smallest = LINKED.smallest_budget(info, ("parameters", "macs", "relus"))
    _, candidate = ask(LINKED, info, smallest, seed)
    assert smallest.allows(count_cost(candidate.architecture))


def test_links_of_which_every_layer_count_fits_at_the_narrowest_widths():
    least = LINKED.smallest_budget(DIGITS).parameters
    for parameters in range(least, least + 60, 3):
        budget = Budget(parameters=parameters)
        for seed in range(5):
            _, candidate = ask(LINKED, DIGITS, budget, seed)
            assert count_cost(candidate.architecture).parameters <= parameters


def test_the_slot_that_needs_most_width_widens_all(tmp_path):
    # One SLAF with a share of 0.9 takes five channels, ReLU slots two; linked, all have five.
    first = by_pattern(edited((PATH, {"value": True}), (HYBRID, {"value": 0.9})), "first")
    space = SearchSpace.load(write(tmp_path, first))
    smallest = space.smallest_budget(DIGITS)
    for seed in range(20):
        _, candidate = ask(space, DIGITS, smallest, seed)
        assert smallest.allows(count_cost(candidate.architecture))


def test_a_file_may_fix_them(tmp_path):
    file = write(tmp_path, edited((PATH, {"value": True}), (("dimensions", "depth"), {"value": 3})))
    space = SearchSpace.load(file)
    assert "residual" not in space.distributions(DIGITS, BUDGET)
    trial, candidate = ask(space, DIGITS, BUDGET, 0)
    assert candidate.architecture.residual is True
    assert len(set(candidate.architecture.widths)) == 1
    assert space.encode(candidate, DIGITS, BUDGET) == trial.params


def test_one_layer_has_no_links(tmp_path):
    file = write(tmp_path, edited((PATH, {"value": True}), (("dimensions", "depth"), {"value": 1})))
    _, candidate = ask(SearchSpace.load(file), DIGITS, BUDGET, 0)
    assert candidate.architecture.residual is None


@pytest.mark.parametrize("value", [{"value": "yes"}, {"choices": [0, 1]}, {"low": 0, "high": 1}])
def test_other_values_are_refused(tmp_path, value):
    with pytest.raises(SpaceError, match="residual"):
        SearchSpace.load(write(tmp_path, edited((PATH, value))))


def test_other_families_have_no_such_key(tmp_path):
    document = read_document(find_space_file("cnn"))
    document["dimensions"]["residual"] = {"value": True}
    with pytest.raises(SpaceError, match="unknown key 'residual'"):
        SearchSpace.load(write(tmp_path, document))


def test_the_default_space_does_not_ask():
    assert "residual" not in SearchSpace.load("mlp").distributions(DIGITS, BUDGET)
