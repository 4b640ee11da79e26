"""The folded network says what the trained module says, on raw features."""

from dataclasses import replace

import optuna
import pytest
import torch
from small_tables import make_candidate, make_data, make_table, normal_rows, relu, same_state, slaf

from slaf_automl import SearchSpace, SlafModule
from slaf_automl.errors import ActivationError
from slaf_automl.networks import count_cost
from slaf_automl.spec import Budget
from slaf_automl.training import TableData, fit


def gap(module, data):
    """Return the largest difference of module and deployed network in units of the tolerance.

    On all rows, and on rows three times as far out as any that were trained on.
    """
    rows = torch.cat([data.training[0], data.validation[0], data.open_test()[0]])
    mean = module.mean
    x = torch.cat([rows, mean + 3 * (rows - mean)])
    with torch.no_grad():
        wanted, found = module.eval()(x).double(), module.deployed()(x).double()
    spread = float(data.statistics.target_spread)
    return float(((found - wanted).abs() / (1e-4 * wanted.abs().clamp(min=max(1, spread)))).max())


@pytest.mark.parametrize("far", [0.0, 300.0])
@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_deployed_network_equals_the_module(task, normaliser, far):
    data = make_data(task, far=far)
    placement = (
        slaf(normaliser=normaliser, degree=5, hybrid=0.25),
        relu(normaliser),
        slaf(normaliser=normaliser, basis="hermite", sharing="layer"),
    )
    module = fit(make_candidate(data, placement), data, accelerator="cpu").module
    assert data.info.centred_inputs is (far > 0)
    assert gap(module, data) <= 1


SPACE = SearchSpace.load("mlp")


@pytest.mark.parametrize("far", [0.0, 300.0])
@pytest.mark.parametrize("seed", range(6))
def test_candidates_of_the_shipped_space_deploy_as_they_were_trained(seed, far):
    data = make_data("regression", far=far)
    budget = Budget(parameters=150)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    trial = optuna.create_study(sampler=sampler).ask()
    candidate = SPACE.suggest(trial, data, budget)
    candidate = replace(candidate, recipe=replace(candidate.recipe, epochs=4))
    module = fit(candidate, data, accelerator="cpu").module
    assert gap(module, data) <= 1
    stored = sum(t.numel() for t in module.deployed().state_dict().values())
    assert stored == count_cost(candidate.architecture).parameters <= budget.parameters


@pytest.mark.parametrize("far", [0.0, 300.0])
def test_constant_column_carries_nothing_whatever_it_holds_later(far):
    x = normal_rows()
    y = x[:, 0] - x[:, 1]
    x[:, 0] += far
    x[:, 2] = 7.0
    # A table's constant columns are left out; an image's pixels stay.
    data = TableData(replace(make_table(x, y), image=(1, 1, 3)))
    assert data.info.centred_inputs is (far > 0)
    module = fit(make_candidate(data), data, accelerator="cpu").module
    assert gap(module, data) <= 1
    rows = data.validation[0]
    moved = rows + torch.tensor([0.0, 0.0, 1e4])
    for network in (module.eval(), module.deployed()):
        with torch.no_grad():
            assert torch.equal(network(moved), network(rows))


def test_column_at_the_edge_of_float32_deploys_as_well():
    # Folded into the bias, a mean of 5e5 spreads would leave two digits of float32.
    data = make_data("regression", far=5e5)
    assert gap(fit(make_candidate(data), data, accelerator="cpu").module, data) <= 1


def test_deploying_changes_nothing_in_the_module():
    data = make_data("regression")
    module = fit(make_candidate(data), data, accelerator="cpu").module
    twin = SlafModule(module.candidate, data)
    twin.load_state_dict(module.state_dict())
    deployed = module.deployed()
    assert same_state(module, twin)
    with torch.no_grad():
        for tensor in deployed.state_dict().values():
            tensor.zero_()
    assert same_state(module, twin)


def test_normalised_network_cannot_be_deployed_before_it_was_trained():
    data = make_data("regression")
    with pytest.raises(ActivationError, match="before its statistics were set"):
        SlafModule(make_candidate(data, (slaf(normaliser="element"),)), data).deployed()


def test_network_without_normalisers_can_be_deployed_at_once():
    data = make_data("regression")
    module = SlafModule(make_candidate(data, (slaf(normaliser="none"), relu())), data)
    assert gap(module, data) <= 1
