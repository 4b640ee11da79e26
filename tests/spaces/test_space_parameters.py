"""Stored parameters and foreign candidates: what is not of the space is refused by name."""

import dataclasses

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_cases import BUDGET, DIGITS, MLP, ask, edited, infos, modest, write

from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import ActivationSpec, Budget, dumps

STORED = {
    "depth": 2,
    "shape": "decreasing",
    "slot0.activation": "slaf",
    "slot0.basis": "hermite",
    "slot0.degree": 4,
    "slot0.hybrid": 0.25,
    "slot1.activation": "relu",
    "sharing": "channel",
    "normaliser": "element",
    "start": "silu",
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "routine": "two_speed",
    "coefficient_rate": 2.0,
}
CANDIDATE = MLP.decode(STORED, DIGITS, BUDGET)


def refusal(**changes):
    """Return the message with which changed parameters are refused."""
    with pytest.raises(SpaceError) as caught:
        MLP.decode({**STORED, **changes}, DIGITS, BUDGET)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_stored_parameters_mean_what_they_say():
    architecture, recipe = CANDIDATE.architecture, CANDIDATE.recipe
    assert architecture.kinds == ("slaf", "relu")
    assert architecture.widths[0] > architecture.widths[1]
    assert dict(architecture.placement[0].parameters) == {
        "basis": "hermite",
        "degree": 4,
        "hybrid": 0.25,
        "sharing": "channel",
        "normaliser": "element",
        "start": "silu",
        "clip": 3.0,
    }
    assert dict(architecture.placement[1].parameters) == {"normaliser": "element"}
    assert (recipe.learning_rate, recipe.weight_decay) == (0.01, 0.1)
    assert (recipe.routine, recipe.coefficient_rate) == ("two_speed", 2.0)
    assert MLP.encode(CANDIDATE, DIGITS, BUDGET) == STORED


@pytest.mark.parametrize("name", STORED)
def test_a_missing_parameter_is_refused_by_name(name):
    kept = {key: value for key, value in STORED.items() if key != name}
    with pytest.raises(
        SpaceError, match=f"{name!r} is missing; expected (one of|an integer|a num)"
    ):
        MLP.decode(kept, DIGITS, BUDGET)


@pytest.mark.parametrize("name", ["colour", "slot3.activation", "slot.activation", "clip"])
def test_an_unknown_parameter_is_refused_by_name(name):
    message = refusal(**{name: 3.0})
    assert f"unknown parameter {name!r} for space 'mlp'" in message
    assert "slot2.degree" in message


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("depth", 0, "an integer from 1 to 3"),
        ("depth", 4, "an integer from 1 to 3"),
        ("depth", 1.5, "an integer from 1 to 3"),
        ("depth", "2", "an integer from 1 to 3"),
        ("depth", True, "an integer from 1 to 3"),
        ("depth", None, "an integer from 1 to 3"),
        ("shape", "triangle", "one of constant, decreasing, increasing"),
        ("shape", 0, "one of constant, decreasing, increasing"),
        ("slot0.activation", "gelu", "one of relu, slaf"),
        ("slot1.activation", None, "one of relu, slaf"),
        ("slot0.basis", "fourier", "chebyshev, hermite, legendre, monomial"),
        ("slot0.degree", 1, "an integer from 2 to 6"),
        ("slot0.degree", 7, "an integer from 2 to 6"),
        ("slot0.degree", "4", "an integer from 2 to 6"),
        ("slot0.hybrid", 0.3, "one of 0.0, 0.25, 0.5, 0.75"),
        ("slot0.hybrid", "0.25", "one of 0.0, 0.25, 0.5, 0.75"),
        ("slot0.hybrid", False, "one of 0.0, 0.25, 0.5, 0.75"),
        ("sharing", "unit", "one of layer, channel"),
        ("normaliser", "batch", "one of none, input, element"),
        ("start", "tanh", "one of relu, silu, identity"),
        ("learning_rate", 9e-4, "a number from 0.001 to 0.03, log scale"),
        ("learning_rate", 0.031, "a number from 0.001 to 0.03, log scale"),
        ("learning_rate", float("nan"), "a number from 0.001 to 0.03"),
        ("learning_rate", float("inf"), "a number from 0.001 to 0.03"),
        ("learning_rate", "0.01", "a number from 0.001 to 0.03"),
        ("weight_decay", -1.0, "a number from 0.001 to 1"),
        ("weight_decay", True, "a number from 0.001 to 1"),
        ("routine", "sgd", "one of joint, alternate, two_speed"),
        ("coefficient_rate", 0.0, "a number from 0.1 to 10"),
        ("coefficient_rate", [1.0], "a number from 0.1 to 10"),
    ],
)
def test_a_value_out_of_range_or_of_another_type_is_refused(name, value, allowed):
    message = refusal(**{name: value})
    assert message.startswith(f"{name} = {value!r}")
    assert allowed in message


@pytest.mark.parametrize("depth", [1.0, 2.0])
def test_a_whole_float_decodes_to_the_integer_it_means(depth):
    # JSON writers of other languages may print 2 as 2.0.
    found = MLP.decode({**STORED, "depth": depth, "slot0.degree": 4.0}, DIGITS, BUDGET)
    wanted = MLP.decode({**STORED, "depth": int(depth), "slot0.degree": 4}, DIGITS, BUDGET)
    assert type(found.architecture.placement[0]["degree"]) is int
    assert len(found.architecture.placement) == depth
    # Equality alone would let 4.0 pass for 4.
    assert dumps(found.to_json()) == dumps(wanted.to_json())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slot2.degree", 99),
        ("slot2.activation", "gelu"),
        ("slot1.hybrid", 0.3),
        ("shape", "triangle"),
    ],
)
def test_a_parameter_that_the_candidate_does_not_need_is_checked_too(name, value):
    message = refusal(depth=1, **{name: value})
    assert message.startswith(f"{name} = {value!r}")


def test_the_ends_of_every_range_decode():
    for name, low, high in (
        ("depth", 1, 2),
        ("slot0.degree", 2, 6),
        ("learning_rate", 1e-3, 3e-2),
        ("weight_decay", 1e-3, 1.0),
        ("coefficient_rate", 0.1, 10.0),
    ):
        for value in (low, high):
            stored = {**STORED, name: value}
            assert count_cost(MLP.decode(stored, DIGITS, BUDGET).architecture).parameters <= 5_000


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param({"widths": (20, 5)}, id="widths"),
        pytest.param({"widths": tuple(w - 1 for w in CANDIDATE.architecture.widths)}, id="narrow"),
        pytest.param({"inputs": 63}, id="inputs"),
        pytest.param({"outputs": 1}, id="outputs"),
        pytest.param({"centred_inputs": True}, id="centred"),
        pytest.param({"placement": CANDIDATE.architecture.placement[::-1]}, id="placement"),
    ],
)
def test_a_foreign_architecture_is_not_encoded(foreign):
    architecture = dataclasses.replace(CANDIDATE.architecture, **foreign)
    with pytest.raises(SpaceError, match="not in space 'mlp' under 5,000 parameters"):
        MLP.encode(dataclasses.replace(CANDIDATE, architecture=architecture), DIGITS, BUDGET)


@pytest.mark.parametrize(
    "foreign",
    [
        {"learning_rate": 1.0},
        {"weight_decay": 0.0},
        {"routine": "joint"},
        {"coefficient_rate": 100.0},
        {"epochs": 1},
        {"batch_size": 32},
        {"gradient_clip": None},
        {"patience": 3},
        {"coefficient_decay": 0.5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_foreign_recipe_is_not_encoded(foreign):
    recipe = dataclasses.replace(CANDIDATE.recipe, **foreign)
    with pytest.raises(SpaceError, match="not in space 'mlp'"):
        MLP.encode(dataclasses.replace(CANDIDATE, recipe=recipe), DIGITS, BUDGET)


def test_a_candidate_of_another_budget_is_not_encoded():
    with pytest.raises(SpaceError, match=r"under 4,000 parameters"):
        MLP.encode(CANDIDATE, DIGITS, Budget(parameters=4_000))


def test_a_candidate_whose_spec_lacks_a_parameter_is_not_encoded():
    # Built past the kinds' own constructors, which would fill it in.
    bare = (CANDIDATE.architecture.placement[0], ActivationSpec("relu", {}))
    for placement in (bare, bare[::-1]):
        architecture = dataclasses.replace(CANDIDATE.architecture, placement=placement)
        with pytest.raises(SpaceError, match="is not in space 'mlp'"):
            MLP.encode(dataclasses.replace(CANDIDATE, architecture=architecture), DIGITS, BUDGET)


def test_a_single_depth_is_held_against_the_budget(tmp_path):
    space = SearchSpace.load(write(tmp_path, edited((("dimensions", "depth"), {"value": 3}))))
    least = space.smallest_budget(DIGITS).parameters
    assert least > MLP.smallest_budget(DIGITS).parameters
    for refused in (
        lambda budget: space.distributions(DIGITS, budget),
        lambda budget: space.suggest(optuna.trial.FixedTrial({}), DIGITS, budget),
        lambda budget: space.decode({}, DIGITS, budget),
    ):
        with pytest.raises(BudgetError, match=f"expected at least {least:,} for space 'mlp'"):
            refused(Budget(parameters=least - 1))
    _, candidate = ask(space, DIGITS, Budget(parameters=least), 0)
    assert len(candidate.architecture.widths) == 3


CUSTOM = {
    "one depth": (("depth", {"value": 1}),),
    "three layers": (("depth", {"value": 3}),),
    "log integers": (
        ("depth", {"low": 1, "high": 3, "log": True}),
        ("slot.degree", {"low": 2, "high": 6, "log": True}),
    ),
    "deep only": (("depth", {"low": 2, "high": 2}),),
    "one shape": (("shape", {"value": "decreasing"}),),
    "no constant shape": (("shape", {"choices": ["increasing", "decreasing"]}),),
    "all learned": (("slot.activation", {"value": "slaf"}),),
    "clip or none": (("clip", {"choices": [None, 2.0]}),),
    "clip range": (("clip", {"low": 1.0, "high": 5.0}),),
    "degrees picked": (("slot.degree", {"choices": [1, 3, 16]}),),
    "hybrid range": (("slot.hybrid", {"low": 0.0, "high": 0.75}),),
    "plain": (("normaliser", {"value": "none"}), ("weight_decay", {"low": 0.0, "high": 0.1})),
    "shared row": (("sharing", {"value": "layer"}), ("normaliser", {"value": "input"})),
}


@pytest.mark.parametrize("name", CUSTOM)
def test_a_space_of_ones_own_keeps_every_promise(tmp_path, name):
    changes = [(("dimensions", key), content) for key, content in CUSTOM[name]]
    space = SearchSpace.load(write(tmp_path, edited(*changes)))

    @given(info=infos(), spare=st.integers(0, 5_000), seed=st.integers(0, 2**31))
    @modest(15)
    def keeps(info, spare, seed):
        budget = Budget(parameters=space.smallest_budget(info).parameters + spare)
        trial, candidate = ask(space, info, budget, seed)
        promised = space.distributions(info, budget)
        assert trial.distributions == {key: promised[key] for key in trial.params}
        assert count_cost(candidate.architecture).parameters <= budget.parameters
        assert space.decode(trial.params, info, budget) == candidate
        assert space.decode(space.encode(candidate, info, budget), info, budget) == candidate

    keeps()
