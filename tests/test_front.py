"""Pareto fronts: sizes within the budget, resumable, one clear line for bad input."""

import json

import optuna
import pytest

from slaf_automl.errors import SlafError
from slaf_automl.front import search_front
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace, SizedSpace
from slaf_automl.spec import Budget
from slaf_automl.training import TableData


@pytest.mark.slow
def test_a_front_is_found_written_and_resumed(tmp_path, quick_space):
    out = tmp_path / "front"
    asked = {"budget": 300, "trials": 4, "out": out, "space": quick_space, "progress": False}
    front = search_front("sklearn:wine", **asked)
    assert front.stopped is None
    assert len(front.study.trials) == len(front.control.trials) == 4
    for points in (front.mix, front.relu):
        costs = [point.costs["parameters"] for point in points]
        assert costs == sorted(costs)
        assert max(costs) <= 300
        # Of two points on a front neither beats the other in both.
        values = [point.value for point in points]
        assert values == sorted(values)
    point = front.mix[0]
    assert point.costs["parameters"] == count_cost(point.candidate.architecture).parameters
    constraints = front.study.trials[0].system_attrs
    assert any(key.startswith("constraints") for key in constraints)
    stored = json.loads((out / "front.json").read_text())
    assert [p["trial"] for p in stored["mix"]] == [p.number for p in front.mix]
    assert "validation accuracy against parameters" in str(front)
    assert front.fit(point).result.value == point.value
    again = search_front("sklearn:wine", **{**asked, "trials": 5})
    assert len(again.study.trials) == 5
    with pytest.raises(SlafError, match="another"):
        search_front("sklearn:wine", **{**asked, "costs": ("macs",)})


@pytest.mark.parametrize("costs", [(), ("depth",), ("parameters",) * 2, "parameters", ("bytes",)])
def test_costs_that_are_none_are_refused(costs, tmp_path):
    with pytest.raises(SlafError, match="one or two of parameters, macs, relus"):
        search_front("sklearn:wine", budget=300, out=tmp_path / "x", costs=costs)


def test_sizes_stay_within_the_budget_under_one_set_of_distributions():
    data = TableData.load("sklearn:wine")
    space = SizedSpace(SearchSpace.load("mlp"), data, Budget(parameters=2_000))
    known = space.distributions()
    assert known["size"].high == 1.0
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    sizes = []
    for _ in range(30):
        trial = study.ask()
        candidate = space.suggest(trial)
        assert all(known[name] == d for name, d in trial.distributions.items())
        assert space.decode(trial.params) == candidate
        sizes.append(count_cost(candidate.architecture).parameters)
    assert max(sizes) <= 2_000
    assert min(sizes) < 600


def test_a_budget_without_a_size_is_refused():
    data = TableData.load("sklearn:wine")
    with pytest.raises(SlafError, match="a limit on parameters or macs"):
        SizedSpace(SearchSpace.load("mlp"), data, Budget(relus=100))
