"""Spaces whose inputs may have an activation of their own: keys, promises, budgets, the control."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.trial import FixedTrial
from space_cases import BUDGET, DELETED, DIGITS, MLP, ask, edited, infos, modest, problems, write

from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.buildable import require_buildable
from slaf_automl.spaces.files import find_space_file, read_document
from slaf_automl.spaces.schema import INPUTS, parse_space
from slaf_automl.spec import Budget, Candidate, dumps

ASKED = {
    "inputs.activation": {"choices": ["none", "slaf"]},
    "inputs.basis": {"choices": ["tent", "chebyshev"]},
    "inputs.degree": {"choices": [3, 12]},
}


def space_of(**changes):
    """Return the space `mlp` of version 2 with dimensions of the inputs, some of them changed."""
    given_dimensions = {**ASKED, **{n.replace("_", "."): value for n, value in changes.items()}}
    named = {n: (("dimensions", n), value) for n, value in given_dimensions.items()}
    file = parse_space(edited(*(c for c in named.values() if c[1] is not DELETED)), "space.yaml")
    require_buildable(file, "space.yaml")
    return SearchSpace(file)


MANY = replace(DIGITS, rows=50 * len(DIGITS.features))
"""As few rows as will do for a function of each of so many inputs."""
ASKS = space_of()
ALWAYS = space_of(inputs_activation={"value": "slaf"})
EVERY = space_of(inputs_activation={"choices": ["none", "shared", "slaf"]})


def clips_open(**changes):
    """Return such a space in which a limit on depth leaves something."""
    return space_of(
        clip={"choices": [3.0, None]}, **{"inputs_activation": ASKED[INPUTS[0]], **changes}
    )


@pytest.mark.parametrize("space", [ASKS, EVERY])
@given(data=st.data())
@modest(30)
def test_candidates_are_within_the_budget_and_go_both_ways(space, data):
    info, budget, seed = data.draw(problems(space))
    trial, candidate = ask(space, info, budget, seed)
    architecture = candidate.architecture
    spec = architecture.input_activation
    word = trial.params.get("inputs.activation", "none")
    assert (spec is not None) == (word != "none")
    assert count_cost(architecture).parameters <= budget.parameters
    promised = space.distributions(info, budget)
    assert trial.distributions == {name: promised[name] for name in trial.params}
    if spec is not None:
        chosen = tuple(trial.params[name] for name in INPUTS[1:])
        assert (spec["basis"], spec["degree"]) == chosen
        assert (spec["sharing"], spec["normaliser"], spec["start"]) == (
            {"shared": "layer", "slaf": "channel"}[word],
            "frozen",
            "identity",
        )
    stored = Candidate.from_json(json.loads(dumps(candidate.to_json())))
    encoded = space.encode(stored, info, budget)
    assert encoded.keys() == trial.params.keys()
    for parameters in (encoded, trial.params, json.loads(json.dumps(trial.params))):
        assert space.decode(parameters, info, budget) == candidate
    assert space.suggest(FixedTrial(encoded), info, budget) == candidate


@pytest.mark.parametrize("routine", ["joint", "two_speed"])
def test_the_inputs_alone_may_learn_and_then_have_a_routine(routine):
    stored = {
        "depth": 1,
        "inputs.activation": "slaf",
        "inputs.basis": "tent",
        "inputs.degree": 12,
        "slot0.activation": "relu",
        "normaliser": "none",
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "routine": routine,
    }
    if routine == "two_speed":
        stored["coefficient_rate"] = 2.0
    candidate = ASKS.decode(stored, MANY, BUDGET)
    assert candidate.architecture.kinds == ("relu",)
    assert candidate.recipe.routine == routine
    assert ASKS.encode(candidate, MANY, BUDGET) == stored
    for name, value in (("inputs.degree", 6), ("inputs.basis", "hat"), ("inputs.activation", "a")):
        with pytest.raises(SpaceError, match=f"{name} = {value!r}"):
            ASKS.decode({**stored, name: value}, MANY, BUDGET)
    del stored["inputs.degree"]
    with pytest.raises(SpaceError, match=r"'inputs\.degree' is missing; expected one of 3, 12"):
        ASKS.decode(stored, MANY, BUDGET)


@pytest.mark.parametrize("space", [ASKS, ALWAYS])
@pytest.mark.parametrize("fixed", ["relu", "silu"])
def test_the_control_has_plain_inputs(space, fixed):
    control = space.control(fixed)
    assert not set(INPUTS) & control.distributions(MANY, BUDGET).keys()
    assert "routine" not in control.distributions(MANY, BUDGET)
    for seed in range(5):
        trial, candidate = ask(control, MANY, BUDGET, seed)
        assert candidate.architecture.input_activation is None
        assert candidate.recipe.routine == "joint"
        encoded = MLP.control(fixed).encode(candidate, MANY, BUDGET)
        assert {**encoded, "shape": None} == {**trial.params, "shape": None}
    assert control.degrees == ()
    assert control.identity() != space.identity() != MLP.identity()


def test_a_control_candidate_is_in_the_mix():
    _, candidate = ask(ASKS.control(), MANY, BUDGET, 0)
    encoded = ASKS.encode(candidate, MANY, BUDGET)
    assert encoded["inputs.activation"] == "none"
    assert ASKS.decode(encoded, MANY, BUDGET) == candidate
    with pytest.raises(SpaceError, match="not in space"):
        ALWAYS.encode(candidate, MANY, BUDGET)


def test_the_description_and_the_degrees_name_them():
    lines = {line.split()[0]: line for line in ASKS.description().splitlines()}
    assert lines["inputs.activation"].endswith("one of none, slaf")
    assert lines["inputs.degree"].endswith("one of 3, 12")
    assert ASKS.degrees == (2, 3, 4, 5, 6, 12)
    assert space_of(inputs_degree={"low": 7, "high": 9}).degrees == (2, 3, 4, 5, 6, 7, 8, 9)
    assert space_of(inputs_activation={"value": "none"}).degrees == MLP.degrees
    assert space_of(inputs_basis={"value": "tent"}).degrees == MLP.degrees  # one pass for all


# Files


@pytest.mark.parametrize("missing", INPUTS)
def test_they_come_together_or_not_at_all(tmp_path, missing):
    given_dimensions = [(("dimensions", n), v) for n, v in ASKED.items() if n != missing]
    with pytest.raises(SpaceError, match=f"space.yaml: dimensions: key '{missing}' is missing"):
        SearchSpace.load(write(tmp_path, edited(*given_dimensions)))


@pytest.mark.parametrize("family", ["cnn", "resnet", "conv1d"])
def test_other_families_have_no_such_keys(tmp_path, family):
    document = read_document(find_space_file(family))
    document["dimensions"].update(ASKED)
    with pytest.raises(SpaceError, match=r"unknown key 'inputs\.activation'"):
        SearchSpace.load(write(tmp_path, document))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "activation",
            {"value": "relu"},
            "'relu'; expected one of none, shared, slaf",
        ),
        ("activation", {"choices": [True]}, "unknown activation True"),
        ("activation", {"low": 0, "high": 1}, "{'low': 0, 'high': 1}; expected one of {value"),
        ("activation", "slaf", "'slaf'; expected one of {value"),
        ("basis", {"choices": ["tent", "tents"]}, "unknown basis 'tents'; expected one of"),
        ("basis", {"choices": []}, "expected a list with an entry"),
        ("degree", {"value": 0}, "0; expected an integer from 1 to 16"),
        ("degree", {"low": 3, "high": 17}, "17; expected an integer from 1 to 16"),
        ("degree", {"choices": [3, 3]}, "expected every choice once"),
        ("degree", {"value": "six"}, "'six'; expected an integer from 1 to 16"),
        ("colour", {"value": 1}, "unknown key 'inputs.colour'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, name, value, words):
    given_dimensions = {**ASKED, f"inputs.{name}": value}
    path = write(tmp_path, edited(*((("dimensions", n), v) for n, v in given_dimensions.items())))
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(path)
    message = str(caught.value)
    assert f"inputs.{name}" in message
    assert words in message
    assert "space.yaml" in message
    assert len(message.splitlines()) == 1
    if name == "basis" and "unknown" in words:
        assert "tent, bspline" in message


def test_a_file_that_could_suggest_a_warm_start_of_inputs_is_refused(tmp_path):
    changes = [(("dimensions", n), v) for n, v in ASKED.items()]
    routine = (("dimensions", "routine"), {"choices": ["joint", "warm_start"]})
    with pytest.raises(SpaceError, match=r"space.yaml: routine warm_start with inputs.activation"):
        SearchSpace.load(write(tmp_path, edited(*changes, routine)))
    plain = (("dimensions", "inputs.activation"), {"value": "none"})
    SearchSpace.load(write(tmp_path, edited(*changes, routine, plain)))


# Budgets


@given(info=infos(), spare=st.integers(0, 400), seed=st.integers(0, 2**31))
@modest(30)
def test_small_budgets_drop_the_slot_rather_than_refuse(info, spare, seed):
    least = ASKS.smallest_budget(info)
    assert least == MLP.smallest_budget(info)
    assert not set(INPUTS) & ASKS.distributions(info, least).keys()
    budget = Budget(parameters=least.parameters + spare)
    # Whatever else is left of the space, no candidate breaks it.
    for offset in range(3):
        _, candidate = ask(ASKS, info, budget, seed + offset)
        assert count_cost(candidate.architecture).parameters <= budget.parameters
    with pytest.raises(BudgetError, match=f"at least {least.parameters:,} "):
        ASKS.distributions(info, Budget(parameters=least.parameters - 1))


@given(info=infos())
@modest(20)
def test_a_slot_that_must_be_there_is_part_of_the_smallest_budget(info):
    least = ALWAYS.smallest_budget(info)
    # A row of twelve and a map, an input.
    assert least.parameters == MLP.smallest_budget(info).parameters + 14 * len(info.features)
    _, candidate = ask(ALWAYS, info, least, 0)
    assert candidate.architecture.input_activation is not None
    with pytest.raises(BudgetError, match=f"at least {least.parameters:,} "):
        ALWAYS.distributions(info, Budget(parameters=least.parameters - 1))


def test_it_is_there_from_the_budget_on_that_meets_its_costliest_form():
    needed = ALWAYS.smallest_budget(MANY).parameters
    for parameters, there in ((needed - 1, False), (needed, True)):
        found = ASKS.distributions(MANY, Budget(parameters=parameters))
        assert ("inputs.activation" in found) == there


def words_of(space, info, parameters):
    """Return what the inputs may have under a budget, `none` alone if nothing is asked."""
    found = space.distributions(info, Budget(parameters=parameters)).get("inputs.activation")
    return ("none",) if found is None else found.choices


def test_a_shared_function_needs_less_and_few_rows_leave_it():
    own = ALWAYS.smallest_budget(MANY).parameters
    shared = space_of(inputs_activation={"value": "shared"}).smallest_budget(MANY).parameters
    # A row of twelve for all, and a map an input.
    assert shared == MLP.smallest_budget(MANY).parameters + 12 + 2 * len(MANY.features)
    assert words_of(EVERY, MANY, own) == ("none", "shared", "slaf")
    assert words_of(EVERY, MANY, own - 1) == words_of(EVERY, MANY, shared) == ("none", "shared")
    assert words_of(EVERY, MANY, shared - 1) == ("none",)
    few = replace(MANY, rows=MANY.rows - 1)
    assert words_of(EVERY, few, own) == ("none", "shared")
    never_plain = space_of(inputs_activation={"choices": ["slaf", "shared"]})
    assert never_plain.smallest_budget(MANY).parameters == shared
    assert words_of(never_plain, MANY, own) == ("slaf", "shared")
    assert words_of(never_plain, MANY, shared) == words_of(never_plain, few, own) == ("shared",)
    with pytest.raises(BudgetError, match=f"at least {shared:,} "):
        never_plain.distributions(MANY, Budget(parameters=shared - 1))


@pytest.mark.parametrize("costs", [("macs",), ("relus", "parameters"), ("parameters", "macs")])
def test_other_limits_hold_too(costs):
    for space in (ASKS, ALWAYS):
        least = space.smallest_budget(MANY, costs)
        for times in (1, 1.3, 3):
            limits = {name: int(limit * times) for name, limit in least.limits.items()}
            for seed in range(5):
                _, candidate = ask(space, MANY, Budget(**limits), seed)
                assert Budget(**limits).allows(count_cost(candidate.architecture))


def test_a_depth_limit_leaves_plain_inputs():
    space, budget = clips_open(), Budget(parameters=2_000, depth=12)
    found = space.distributions(MANY, budget)
    assert not set(INPUTS) & found.keys()
    _, candidate = ask(space, MANY, budget, 0)
    assert candidate.architecture.input_activation is None
    assert budget.allows(count_cost(candidate.architecture))
    assert not space.has_twin(MANY, budget)


def test_a_depth_limit_refuses_a_slot_that_must_be_there():
    space = clips_open(inputs_activation={"value": "slaf"})
    for door in (
        lambda: space.distributions(MANY, Budget(parameters=2_000, depth=12)),
        lambda: space.smallest_budget(MANY, ("parameters", "depth")),
    ):
        with pytest.raises(BudgetError) as caught:
            door()
        message = str(caught.value)
        assert "inputs.activation: none is not among the choices of space 'mlp'" in message
        assert "a depth limit allows nothing else" in message


@pytest.mark.parametrize("space", [ASKS, ALWAYS])
def test_there_is_a_twin_wherever_the_widths_allow_one(space):
    budget = space.smallest_budget(MANY)
    assert space.has_twin(MANY, budget)
    assert not space.has_twin(MANY, Budget(parameters=2_000, relus=1))


def test_one_choice_is_asked_for_like_any_other():
    space = space_of(inputs_activation={"choices": ["none"]})
    found = space.distributions(MANY, BUDGET)
    assert found["inputs.activation"] == CategoricalDistribution(["none"])
    assert not {"inputs.basis", "inputs.degree"} & found.keys()
    trial, candidate = ask(space, MANY, BUDGET, 0)
    assert space.decode(trial.params, MANY, BUDGET) == candidate
    assert space.encode(candidate, MANY, BUDGET).keys() == trial.params.keys()


@pytest.mark.parametrize(("task", "each"), [("regression", 25), ("multiclass", 50)])
def test_few_rows_have_plain_inputs_unless_the_file_has_no_other(task, each):
    classes = () if task == "regression" else MANY.classes
    for rows, there in ((each * 64 - 1, False), (each * 64, True)):
        info = replace(MANY, rows=rows, task=task, classes=classes)
        assert ("inputs.activation" in ASKS.distributions(info, BUDGET)) == there
        for seed in range(3):
            _, candidate = ask(ALWAYS, info, BUDGET, seed)
            assert candidate.architecture.input_activation is not None
