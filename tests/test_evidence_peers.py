"""Peers of the quality benchmark: their budgets, their maths, and that they train as we do."""

from __future__ import annotations

import dataclasses
import doctest
import sys
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from scipy.interpolate import BSpline
from sklearn.datasets import make_classification
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[1] / "scripts" / "benchmarks"))

from evidence import peer_networks, peers
from evidence.peer_networks import (
    SHAPES,
    Rational,
    SplineLayer,
    cubic_splines,
    dense_cost,
    kan_cost,
    kan_network,
    rational_network,
    spread_widths,
)
from evidence.peer_sklearn import StockSettings, train_stock
from evidence.peer_training import train
from evidence.peers import PEERS

from slaf_automl import Architecture, Candidate, Recipe, TableData, fit
from slaf_automl.activations import find_kind
from slaf_automl.errors import BudgetError
from slaf_automl.networks import Network
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.metrics import find_metric

BUDGET = 150


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def tables() -> dict[str, TableData]:
    x, two = make_classification(160, 5, class_sep=1.5, flip_y=0, random_state=0)
    curve = 50 + 9 * x[:, 0] * x[:, 1] + x[:, 2]
    return {
        "regression": TableData.load((x, curve), task="regression"),
        "binary": TableData.load((x, two), task="classification"),
        "multiclass": TableData.load("sklearn:iris"),
    }


@pytest.fixture
def few_epochs(monkeypatch):
    monkeypatch.setattr(peers, "epochs_of", lambda data: 2)


@pytest.fixture(autouse=True)
def quiet_optuna():
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


@pytest.mark.parametrize("module", [peer_networks, peers])
def test_docstring_examples_hold(module):
    assert doctest.testmod(module).failed == 0


# Budgets


COSTS = {
    "kan": partial(kan_cost, 7, 3, grid=4),
    "dense": partial(dense_cost, 7, 3),
    "rational": partial(dense_cost, 7, 3, each=10),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", COSTS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_layer_could_grow(kind, depth, shape):
    cost = COSTS[kind]
    least = cost((1,) * depth)
    assert spread_widths(depth, shape, cost, least - 1) is None
    for budget in (least, least + 1, least + 97, 1_000, 3_333):
        widths = spread_widths(depth, shape, cost, budget)
        assert cost(widths) <= budget
        for i in range(depth):
            more = tuple(w + (j == i) for j, w in enumerate(widths))
            assert cost(more) > budget


def test_no_hidden_layer_has_no_widths():
    assert spread_widths(0, "constant", COSTS["kan"], kan_cost(7, 3, (), 4)) == ()
    assert spread_widths(0, "constant", COSTS["kan"], kan_cost(7, 3, (), 4) - 1) is None


def test_what_is_counted_is_what_is_stored():
    def stored(network: torch.nn.Module) -> int:
        return sum(t.numel() for t in network.state_dict().values())

    assert stored(kan_network((4, 6, 5, 2), 3, 2.0, seeded())) == kan_cost(4, 2, (6, 5), 3)
    assert stored(kan_network((4, 2), 5, 2.0, seeded())) == kan_cost(4, 2, (), 5)
    assert stored(rational_network((4, 6, 5, 2), seeded())) == dense_cost(4, 2, (6, 5), 10)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("budget", [60, 150, 1_000])
def test_every_proposal_holds_the_budget(name, budget, tables):
    propose = {
        "kan": peers.propose_kan,
        "rational": peers.propose_rational,
        "sklearn": peers.propose_sklearn,
    }[name]
    for data in tables.values():
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        found = [propose(study.ask(), data, budget).parameters for _ in range(10)]
        assert max(found) <= budget


@pytest.mark.parametrize("name", PEERS)
def test_too_small_a_budget_is_refused(name, tables):
    with pytest.raises(BudgetError, match=r"budget of 7; expected at least \d+"):
        PEERS[name](tables["multiclass"], 7, 1, 1, 0)


# Splines


@pytest.mark.parametrize("grid", [2, 3, 5])
@pytest.mark.parametrize("half", [1.0, 2.7])
def test_splines_are_those_of_scipy(grid, half):
    step = 2 * half / grid
    knots = -half + step * np.arange(-3, grid + 4)
    x = np.linspace(-half - 4 * step, half + 4 * step, 301)
    expected = np.stack(
        [
            np.nan_to_num(BSpline.basis_element(knots[i : i + 5], extrapolate=False)(x))
            for i in range(grid + 3)
        ],
        1,
    )
    found = cubic_splines(torch.from_numpy(x), grid, half)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    inside = np.abs(x) <= half
    np.testing.assert_allclose(found[inside].sum(1), 1.0, atol=1e-14)


def test_a_spline_layer_is_its_formula():
    layer = SplineLayer(3, 2, 4, 1.5, seeded()).double()
    x = torch.randn(11, 3, generator=seeded(1), dtype=torch.float64)
    weight = layer.weight.detach().view(2, 3, 8)
    expected = torch.zeros(11, 2, dtype=torch.float64)
    for i in range(3):
        splines = cubic_splines(x[:, i], 4, 1.5)
        for j in range(2):
            expected[:, j] += weight[j, i, 0] * F.silu(x[:, i]) + splines @ weight[j, i, 1:]
    torch.testing.assert_close(layer(x), expected)


def test_gradients_of_a_spline_layer():
    layer = SplineLayer(3, 2, 3, 1.5, seeded()).double()
    x = 1.5 * torch.randn(9, 3, generator=seeded(1), dtype=torch.float64)

    def of(x, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    weight = layer.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(of, (x.requires_grad_(), weight))


# Rational functions


def test_a_rational_function_starts_as_leaky_relu():
    x = torch.linspace(-4, 4, 801)
    found = Rational()(x[:, None])[:, 0].detach()
    assert float((found - F.leaky_relu(x, 0.01)).abs().max()) < 0.046


def test_a_rational_function_is_its_formula():
    upper = torch.tensor([0.3, -0.2, 0.7, 0.1, -0.4, 0.2], dtype=torch.float64)
    lower = torch.tensor([0.5, -0.8, 0.3, 0.6], dtype=torch.float64)
    x = torch.randn(7, 4, generator=seeded(), dtype=torch.float64)
    rational = Rational().double()
    rational.load_state_dict({"upper": upper, "lower": lower})
    above = sum(a * x**i for i, a in enumerate(upper))
    below = 1 + sum(b * x**i for i, b in enumerate(lower, start=1)).abs()
    torch.testing.assert_close(rational(x), above / below)


def test_gradients_of_a_rational_function():
    x = torch.randn(5, 4, generator=seeded(), dtype=torch.float64)
    rational = Rational().double()

    def of(x, upper, lower):
        return torch.func.functional_call(rational, {"upper": upper, "lower": lower}, (x,))

    upper = torch.randn(6, generator=seeded(1), dtype=torch.float64)
    lower = torch.randn(4, generator=seeded(2), dtype=torch.float64)
    inner = sum(b * x**i for i, b in enumerate(lower, start=1))
    # Both branches of the magnitude, away from its kink.
    assert (inner > 0).any()
    assert (inner < 0).any()
    assert inner.abs().min() > 1e-4
    inputs = (t.requires_grad_() for t in (x, upper, lower))
    assert torch.autograd.gradcheck(of, tuple(inputs))


# Trainings


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_network_trains_as_the_package_trains_it(task, tables):
    data = tables[task]
    relu = find_kind("relu").spec(normaliser="none")
    architecture = Architecture(
        "mlp", len(data.info.features), data.info.outputs, (6, 4), (relu, relu)
    )
    recipe = Recipe(learning_rate=0.02, weight_decay=0.3, epochs=8, batch_size=data.info.batch_size)
    by_package = fit(Candidate(architecture, recipe), data, seed=5, accelerator="cpu")
    here = train(Network(architecture, seeded(5)), data, 0.02, 0.3, 8, 5)
    assert here.value == pytest.approx(by_package.result.value, rel=1e-5)
    x = data.validation[0]
    with torch.no_grad():
        torch.testing.assert_close(here.predict(x), by_package.module(x), rtol=1e-4, atol=1e-4)


def trained_of(name: str, data: TableData, seed: int, rate: float = 0.02):
    sizes = (len(data.info.features), 4, data.info.outputs)
    if name == "sklearn":
        return train_stock(StockSettings((4,), rate, 1e-4, 16), data, 40, seed)
    if name == "kan":
        return train(kan_network(sizes, 3, 2.0, seeded(seed)), data, rate, 0.01, 8, seed)
    return train(rational_network(sizes, seeded(seed)), data, rate, 0.01, 8, seed)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("name", PEERS)
def test_the_value_is_that_of_the_network_kept(name, task, tables):
    data = tables[task]
    one, again, other = (trained_of(name, data, seed) for seed in (0, 0, 1))
    metric = find_metric(None, data.info)
    assert one.value == one.measure(data, data.validation)
    assert metric.better(one.value, constant_value(data, metric, data.validation))
    x = data.validation[0]
    assert torch.equal(one.predict(x), again.predict(x))
    assert not torch.allclose(one.predict(x), other.predict(x))
    assert not one.diverged


@pytest.mark.parametrize("name", PEERS)
def test_what_diverges_is_worth_the_constant(name, tables):
    data = tables["regression"]
    found = trained_of(name, data, 0, rate=1e30)
    metric = find_metric(None, data.info)
    assert found.diverged
    assert found.value == constant_value(data, metric, data.validation)
    assert found.measure(data, data.validation) == found.value


# Searches


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_from_search_to_test_rows(name, task, tables, few_epochs):
    data = tables[task]
    opened = data.test_openings
    found = PEERS[name](data, BUDGET, 2, 2, 3)
    assert data.test_openings == opened + 1
    assert (found.name, found.trials) == (name, 2)
    assert 0 < found.parameters <= BUDGET
    assert len(found.validation) == len(found.test) == 2
    assert np.isfinite([*found.validation, *found.test]).all()
    assert "rate" in found.chosen
    again = PEERS[name](data, BUDGET, 2, 2, 3)
    assert dataclasses.replace(again, seconds=0.0) == dataclasses.replace(found, seconds=0.0)


def test_the_winner_is_the_best_trial(tables, monkeypatch):
    data = tables["regression"]
    values = iter([9.0, 4.0, 6.0])
    seeds: list[int] = []

    def propose(trial, data, budget):
        number = trial.suggest_int("number", 0, 1_000)

        def trained(seed):
            seeds.append(seed)
            value = next(values, -1.0)
            proposals.append((number, value))
            return peers.Trained(value, lambda x: torch.zeros(len(x), 1))

        return peers.Proposal(number, f"number {number}", trained)

    proposals: list[tuple[int, float]] = []
    found = peers.compare("any", propose, data, BUDGET, 3, 2, 0)
    assert found.parameters == proposals[1][0]
    assert found.chosen == f"number {proposals[1][0]}"
    assert found.validation == (-1.0, -1.0)
    assert len(set(seeds)) == 5
