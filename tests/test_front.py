"""Pareto fronts: sizes within the budget, resumable, one clear line for bad input."""

import json
import sys

import optuna
import pytest

from slaf_automl.cli import main
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


@pytest.mark.slow
def test_the_command_prints_and_draws(tmp_path, quick_space, capsys):
    out, plot = tmp_path / "front", tmp_path / "front.html"
    words = ["front", "sklearn:wine", "--budget", "300", "--trials", "2", "--out", str(out)]
    assert main([*words, "--space", str(quick_space), "--plot", str(plot)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("validation accuracy against parameters")
    assert f"plot: {plot}" in printed
    assert "relu, front" in plot.read_text()


def test_a_plot_without_plotly_is_refused_before_the_search(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    out = tmp_path / "front"
    words = ["front", "sklearn:wine", "--budget", "300", "--out", str(out), "--plot", "x.html"]
    assert main(words) == 2
    assert "slaf-automl[report]" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "3"], "a budget of 3 parameters; expected at least"),
        ([], "no budget; expected at least one of --budget, --macs, --relus"),
        (["--budget", "300", "--costs", "parameters,depth"], "one or two of parameters"),
        (["--relus", "50"], "a limit on parameters or macs"),
        (["--budget", "300", "--space", "placement"], "for_model"),
        (["--budget", "300", "--trials", "0"], "trials 0; expected an integer of at least 1"),
    ],
)
def test_bad_words_get_one_line_and_status_2(words, message, tmp_path, capsys):
    out = tmp_path / "front"
    assert main(["front", "sklearn:wine", "--out", str(out), *words]) == 2
    complaint = capsys.readouterr().err
    assert message in complaint
    assert len(complaint.splitlines()) == 1
    assert not out.exists()


def test_a_space_says_the_smallest_budget_for_data(capsys):
    assert main(["spaces", "mlp", "--data", "sklearn:iris"]) == 0
    printed = capsys.readouterr().out.splitlines()[-1]
    smallest = SearchSpace.load("mlp").smallest_budget(TableData.load("sklearn:iris"))
    assert printed.split(maxsplit=2)[2] == f"{smallest.parameters} parameters for sklearn:iris"
