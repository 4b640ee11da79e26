"""Every shipped space of tables loads, describes itself, and holds budgets on other tables."""

import re
from pathlib import Path

import optuna
import pytest
from space_cases import DIGITS, ask
from table_spaces import TABLE_SPACES

from slaf_automl.cli import main
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.files import find_space_file
from slaf_automl.spec import Budget, DataInfo

TABLES = {
    "digits": DIGITS,
    "tiny regression": DataInfo(("a",), "y", "regression", (), rows=40),
    "wide binary": DataInfo(
        tuple(f"x{i}" for i in range(200)), "y", "binary", (0, 1), rows=50_000, centred_inputs=True
    ),
}
DOCS = (Path(__file__).parents[2] / "docs" / "spaces.md").read_text(encoding="utf-8")


@pytest.fixture(params=TABLE_SPACES)
def space(request):
    return SearchSpace.load(request.param)


@pytest.fixture(params=TABLES)
def info(request):
    return TABLES[request.param]


def budgets(space, info):
    least = space.smallest_budget(info).parameters
    return [Budget(parameters=p) for p in (least, 2 * least, least + 1_000, 20_000)]


def test_the_shipped_spaces_are_those_that_are_meant():
    assert {"mlp", "mlp_tiny", "published"} <= set(TABLE_SPACES)


def test_its_name_is_its_files(space):
    assert find_space_file(space.name).stem == space.name


def test_it_describes_itself(space):
    lines = space.description().splitlines()
    assert re.fullmatch(rf"{space.name} \(version \d+, family \w+\)", lines[0])
    assert all(re.fullmatch(r"  \S+ +\S.*", line) for line in lines[1:])
    assert lines[-1].split()[0] == "training"


def test_its_file_says_why(space):
    text = find_space_file(space.name).read_text(encoding="utf-8")
    assert text.startswith("#")


def test_the_documentation_lists_it(space):
    assert f"`{space.name}`" in DOCS


def test_it_suggests_within_the_budget(space, info):
    for budget in budgets(space, info):
        for seed in range(10):
            trial, candidate = ask(space, info, budget, seed)
            assert count_cost(candidate.architecture).parameters <= budget.parameters
            assert space.decode(trial.params, info, budget) == candidate
            assert space.decode(space.encode(candidate, info, budget), info, budget) == candidate


def test_its_control_is_all_relu_within_the_same_budget(space, info):
    control = space.control()
    assert control.identity() != space.identity()
    for budget in budgets(space, info):
        for seed in range(5):
            trial, candidate = ask(control, info, budget, seed)
            assert set(candidate.architecture.kinds) == {"relu"}
            assert count_cost(candidate.architecture).parameters <= budget.parameters
            assert trial.params.keys() <= space.distributions(info, budget).keys()
        assert control.epochs(info) == space.epochs(info)
        assert control.rungs(info) == space.rungs(info)


def test_rungs_lie_within_the_training(space, info):
    rungs = space.rungs(info)
    assert rungs == tuple(sorted(set(rungs)))
    assert rungs[-1] < space.epochs(info)


def test_tiny_budgets_have_a_space_that_uses_them():
    space = SearchSpace.load("mlp_tiny")
    info = DataInfo(("a", "b", "c", "d"), "y", "multiclass", (0, 1, 2), rows=96)
    for least in (50, 200, 1_000):
        budget, costs = Budget(parameters=least), set()
        for seed in range(20):
            _, candidate = ask(space, info, budget, seed)
            costs.add(count_cost(candidate.architecture).parameters)
        assert min(costs) > 0.6 * least
        assert space.distributions(info, budget)["depth"].high == 2


def test_the_published_space_holds_the_published_networks():
    space = SearchSpace.load("published")
    form = {"activation": "slaf", "basis": "chebyshev", "degree": 7}
    # Two spirals: 2-20-20-1, whose 517 values hold the constants, which fold into the layers here.
    spirals = DataInfo(("x", "y"), "arm", "binary", (0, 1), rows=160_000)
    parameters = {
        "depth": 2,
        "shape": "constant",
        **{f"slot{i}.{name}": value for i in (0, 1) for name, value in form.items()},
        "sharing": "layer",
        "clip": None,
        "learning_rate": 1e-2,
        "weight_decay": 1e-3,
        "routine": "joint",
    }
    values = 2 * 20 + 20 + 20 * 20 + 20 + 20 + 1 + 2 * 20 * 7
    candidate = space.decode(parameters, spirals, Budget(parameters=values))
    assert candidate.architecture.widths == (20, 20)
    for spec in candidate.architecture.placement:
        assert (spec["normaliser"], spec["start"], spec["clip"]) == ("element", "identity", None)
    fixed = optuna.trial.FixedTrial({**parameters, "slot1.activation": "relu"})
    mixed = space.suggest(fixed, spirals, Budget(parameters=values))
    assert mixed.architecture.kinds == ("slaf", "relu")


def test_the_command_line_lists_and_shows_it(space, capsys):
    assert main(["spaces"]) == 0
    assert space.name in capsys.readouterr().out.split()
    assert main(["spaces", space.name]) == 0
    assert space.description() in capsys.readouterr().out
