"""What a budget takes away from a space before anything is sampled, and what it refuses."""

import itertools
import re

import pytest
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import FixedTrial
from space_cases import BUDGET, DIGITS, MLP, ask, edited, write

from slaf_automl.errors import BudgetError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.limits import limit_space
from slaf_automl.spec import Budget

WIDE = {"least": 2, "most": 64}
OPEN = {"widths": WIDE, "clip": {"choices": [3.0, None]}}
"""The shipped space with a choice of no clip, and widths that need no other bound."""

LEARNED = {"slot.activation", "slot.hybrid", "clip"}


@pytest.fixture
def make(tmp_path):
    """Return a function that edits dimensions (and `widths`) of the shipped space."""

    def space(changes):
        paths = {
            name: (name,) if name == "widths" else ("dimensions", name)
            for name in {**OPEN, **changes}
        }
        wanted = {**OPEN, **changes}
        return SearchSpace.load(
            write(tmp_path, edited(*((paths[name], value) for name, value in wanted.items())))
        )

    return space


def parts(space, budget):
    """Return the distributions, those of slots once."""
    found = space.distributions(DIGITS, budget)
    return {re.sub(r"^slot\d+", "slot", name): value for name, value in found.items()}


def refusal(space, budget):
    """Return the one line with which every door of the space refuses the budget."""
    messages = set()
    for door in (
        lambda: space.distributions(DIGITS, budget),
        lambda: space.suggest(FixedTrial({}), DIGITS, budget),
        lambda: space.decode({}, DIGITS, budget),
        lambda: space.encode(CANDIDATE, DIGITS, budget),
    ):
        with pytest.raises(BudgetError) as caught:
            door()
        messages.add(str(caught.value))
    assert len(messages) == 1
    message = messages.pop()
    assert len(message.splitlines()) == 1
    return message


CANDIDATE = ask(MLP, DIGITS, BUDGET, seed=0)[1]


# A limit on depth


def test_a_depth_limit_leaves_polynomials_and_nothing_else(make):
    bases = ["chebyshev", "fourier", "monomial", "hat"]
    space = make({"slot.basis": {"choices": bases}})
    found = parts(space, Budget(depth=12))
    assert not {"slot.activation", "slot.hybrid", "clip"} & found.keys()
    assert found["slot.basis"] == CategoricalDistribution(["chebyshev", "monomial"])
    for seed in range(10):
        trial, candidate = ask(space, DIGITS, Budget(depth=12), seed)
        assert trial.params.keys() == space.encode(candidate, DIGITS, Budget(depth=12)).keys()
        for spec in candidate.architecture.placement:
            assert (spec.kind, spec["hybrid"], spec["clip"]) == ("slaf", 0.0, None)
        assert count_cost(candidate.architecture).depth <= 12


@pytest.mark.parametrize(
    ("limit", "layers", "degree"),
    [
        # Of degrees 2 to 6, 2 and 3 take two levels, the others three; a layer takes one, and the
        # last one more. So L layers of degree up to 3 take 3·L + 1, of degree up to 6 4·L + 1.
        (4, 1, IntDistribution(2, 3)),
        # Five single degrees in one layer of up to 6 against two in one layer of up to 3.
        (5, 1, IntDistribution(2, 6)),
        (6, 1, IntDistribution(2, 6)),
        # Two layers of two degrees have 2 + 4 placements, one of five degrees only 5.
        (7, 2, IntDistribution(2, 3)),
        (8, 2, IntDistribution(2, 3)),
        # 5 + 25 placements in two layers.
        (9, 2, IntDistribution(2, 6)),
        # Three layers of two degrees have 2 + 4 + 8 only.
        (10, 2, IntDistribution(2, 6)),
        (12, 2, IntDistribution(2, 6)),
        (13, 3, IntDistribution(2, 6)),
        (100, 3, IntDistribution(2, 6)),
    ],
)
def test_degrees_and_layers_are_cut_together(make, limit, layers, degree):
    found = parts(make({}), Budget(depth=limit))
    assert found["depth"] == IntDistribution(1, layers)
    assert found["slot.degree"] == degree


def test_the_deepest_candidate_that_is_left_uses_the_limit(make):
    space = make({})
    for limit in (4, 5, 7, 9, 13):
        found = space.distributions(DIGITS, Budget(depth=limit))
        stored = {name: d.high for name, d in found.items() if isinstance(d, IntDistribution)}
        _, candidate = ask(space, DIGITS, Budget(depth=limit), seed=1)
        rest = space.encode(candidate, DIGITS, Budget(depth=limit))
        others = {f"slot{i}.basis": "monomial" for i in range(stored["depth"])}
        deepest = {"shape": "constant", "coefficient_rate": 1.0, **others, **rest, **stored}
        decoded = space.decode(deepest, DIGITS, Budget(depth=limit))
        assert count_cost(decoded.architecture).depth == limit


def test_of_equal_cuts_the_one_with_more_layers_is_taken(make):
    # Under 6 levels: one layer of degrees 1 and 2 has 2 placements, two layers of degree 1 alike.
    space = make({"slot.degree": {"choices": [1, 2]}, "depth": {"low": 1, "high": 2}})
    found = parts(space, Budget(depth=6))
    assert found["depth"] == IntDistribution(1, 2)
    assert "slot.degree" not in found


def test_degrees_may_be_picked_fixed_or_on_a_log_scale(make):
    picked = make({"slot.degree": {"choices": [5, 1, 2, 16]}})
    assert parts(picked, Budget(depth=4))["slot.degree"] == CategoricalDistribution([1, 2])
    assert parts(picked, Budget(depth=5))["slot.degree"] == CategoricalDistribution([5, 1, 2])
    assert "slot.degree" not in parts(make({"slot.degree": {"value": 3}}), Budget(depth=9))
    log = make({"slot.degree": {"low": 2, "high": 6, "log": True}})
    assert parts(log, Budget(depth=4))["slot.degree"] == IntDistribution(2, 3, log=True)


def test_a_fixed_number_of_layers_is_kept(make):
    space = make({"depth": {"value": 3}})
    # 3·3 + 1 for degrees 2 and 3.
    assert parts(space, Budget(depth=12))["slot.degree"] == IntDistribution(2, 3)
    assert "expected at least 10 for space 'mlp'" in refusal(space, Budget(depth=9))


def test_parameters_may_cut_degrees_further_under_a_depth_limit(make):
    space = make({"depth": {"value": 1}, "sharing": {"value": "channel"}})
    # 64·2 + 2 + 10·2 + 10 values and 2 for each degree.
    assert parts(space, Budget(160 + 12, depth=9))["slot.degree"] == IntDistribution(2, 6)
    assert parts(space, Budget(160 + 8, depth=9))["slot.degree"] == IntDistribution(2, 4)
    message = refusal(space, Budget(160 + 3, depth=9))
    assert "163 parameters and 9 levels of multiplicative depth" in message
    assert "expected at least 164 parameters for space 'mlp'" in message


def test_a_depth_limit_that_is_too_small_names_the_smallest_that_would_do(make):
    message = refusal(make({}), Budget(depth=3))
    assert message == (
        "a budget of 3 levels of multiplicative depth; expected at least 4 for space 'mlp' on 64 "
        "features and 10 outputs; raise the budget"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clip": {"value": 3.0}}, "clip: null"),
        ({"clip": {"choices": [2.0, 3.0]}}, "clip: null"),
        ({"clip": {"low": 2.0, "high": 3.0}}, "clip: null"),
        ({"slot.activation": {"value": "relu"}}, "slot.activation: slaf"),
        ({"slot.hybrid": {"choices": [0.25, 0.5]}}, "slot.hybrid: 0.0"),
        ({"slot.hybrid": {"low": 0.1, "high": 0.5}}, "slot.hybrid: 0.0"),
        ({"slot.basis": {"choices": ["fourier", "hat"]}}, "slot.basis: a polynomial basis"),
        ({"slot.basis": {"value": "gaussian"}}, "slot.basis: a polynomial basis"),
    ],
)
def test_a_value_that_the_space_lacks_is_named(make, changes, words):
    message = refusal(make(changes), Budget(depth=12))
    assert f"{words} is not among the choices of space 'mlp'" in message
    assert "a depth limit allows nothing else" in message


def test_the_shipped_space_is_refused_for_its_clip():
    message = refusal(MLP, Budget(parameters=5_000, depth=12))
    assert "clip: null is not among the choices of space 'mlp'" in message


# A limit on ReLU evaluations


@pytest.mark.parametrize(
    ("limit", "gone"),
    [
        # At the narrowest, 2 units: a ReLU slot evaluates 2, a clipped SLAF up to 4, a hybrid 1.
        (4, set()),
        (3, {"clip"}),
        (2, {"clip"}),
        (1, LEARNED),
        (0, LEARNED),
    ],
)
def test_no_more_is_taken_away_than_must_be(make, limit, gone):
    space = make({})
    full = {re.sub(r"^slot\d+", "slot", n) for n in space.distributions(DIGITS, Budget(10**6))}
    found = parts(space, Budget(parameters=10**6, relus=limit))
    assert full - found.keys() == gone
    for seed in range(10):
        _, candidate = ask(space, DIGITS, Budget(10**6, relus=limit), seed)
        assert count_cost(candidate.architecture).relus <= limit


def test_hybrids_go_before_relu_slots(make):
    # A share of 0.95 needs 10 channels, 9 of them ReLU.
    space = make({"slot.hybrid": {"choices": [0.0, 0.95]}})
    found = parts(space, Budget(10**6, relus=8))
    assert "slot.activation" in found
    assert not {"slot.hybrid", "clip"} & found.keys()
    assert {"slot.hybrid", "slot.activation"} <= parts(space, Budget(10**6, relus=9)).keys()


def test_relus_lower_the_number_of_layers(make):
    space = make({"clip": {"value": None}})
    deepest = [parts(space, Budget(10**6, relus=n))["depth"].high for n in (2, 3, 4, 5, 6)]
    assert deepest == [1, 1, 2, 2, 3]
    # Without a single ReLU there is nothing to count.
    assert parts(space, Budget(10**6, relus=0))["depth"].high == 3


def test_bases_that_may_compare_inside_go_with_the_last_relu(make):
    space = make({"slot.basis": {"choices": ["hat", "chebyshev", "legendre"]}})
    kept = CategoricalDistribution(["chebyshev", "legendre"])
    assert parts(space, Budget(10**6, relus=1))["slot.basis"] == kept
    assert "hat" in parts(space, Budget(10**6, relus=2))["slot.basis"].choices


@pytest.mark.parametrize(
    ("changes", "limit", "least", "words"),
    [
        ({"clip": {"value": 3.0}}, 3, 4, "clip: null"),
        ({"clip": {"value": 3.0}}, 0, 4, "clip: null"),
        ({"slot.hybrid": {"choices": [0.5, 0.75]}}, 0, 2, "slot.hybrid: 0.0"),
        ({"slot.basis": {"value": "hat"}}, 1, 2, "slot.basis: a polynomial basis"),
    ],
)
def test_too_few_relus_name_the_least_and_what_is_lacking(make, changes, limit, least, words):
    message = refusal(make(changes), Budget(10**6, relus=limit))
    assert f"{words} is not among the choices" in message
    assert f"expected at least {least} ReLU evaluations for space 'mlp'" in message
    assert make(changes).distributions(DIGITS, Budget(10**6, relus=least))


def test_a_control_without_relus_is_refused_by_number(make):
    message = refusal(make({}).control(), Budget(relus=1))
    assert message.startswith("a budget of 1 ReLU evaluations; expected at least 2 for space")


# Widths without a limit of their own


@pytest.mark.parametrize("limits", [{"depth": 9}, {"relus": 50}, {"depth": 9, "relus": 50}])
def test_wide_spaces_need_a_limit_on_widths(make, limits):
    space = make({"widths": {"least": 2, "most": 1_025}})
    message = refusal(space, Budget(**limits))
    assert "widths.most 1,025 of space 'mlp'" in message
    assert "expected at most 1,024; set widths.most in the space file" in message
    assert make({"widths": {"least": 2, "most": 1_024}}).distributions(DIGITS, Budget(**limits))
    for bound in ({"parameters": 10**6}, {"macs": 10**6}):
        assert space.distributions(DIGITS, Budget(**limits, **bound))


def test_widths_then_go_to_the_file_s_limit(make):
    space = make({})
    for seed in range(5):
        _, candidate = ask(space, DIGITS, Budget(depth=9), seed)
        assert set(candidate.architecture.widths) == {64}
        _, candidate = ask(space.control(), DIGITS, Budget(relus=500), seed)
        assert set(candidate.architecture.widths) == {64}


# What is remembered


def test_equal_spaces_are_limited_once(make):
    one, other = make({}).file, make({}).file
    assert one is not other
    assert (one, hash(one)) == (other, hash(other))
    left = limit_space(one, DIGITS, Budget(5_000, relus=3))
    assert limit_space(other, DIGITS, Budget(5_000, relus=3)) is left
    assert limit_space(other, DIGITS, Budget(5_000, relus=4)) != left
    assert limit_space(make({"slot.degree": {"value": 2}}).file, DIGITS, Budget(5_000)) != left
    for _ in range(2):  # Refusals are not remembered, and are the same.
        with pytest.raises(BudgetError, match="a budget of 3 parameters; expected at least 172"):
            limit_space(one, DIGITS, Budget(3))


# What else agrees


def test_the_smallest_limits_are_the_smallest(make):
    space = make({})
    for names in itertools.combinations(("parameters", "macs", "relus", "depth"), 2):
        budget = space.smallest_budget(DIGITS, names)
        assert set(budget.limits) == set(names)
        assert space.distributions(DIGITS, budget)
    alone = {
        name: space.smallest_budget(DIGITS, [name]).limits[name]
        for name in ("parameters", "macs", "relus", "depth")
    }
    # 64·2 + 10·2 and degree 6 for each of 2 units; 2 + 10 biases are values, not macs.
    assert alone == {"parameters": 172, "macs": 160, "relus": 0, "depth": 4}
    clipped = make({"clip": {"value": 3.0}})
    assert clipped.smallest_budget(DIGITS, ["relus"]) == Budget(relus=4)
    with pytest.raises(BudgetError, match="clip: null"):
        clipped.smallest_budget(DIGITS, ["depth"])


@pytest.mark.parametrize(
    ("limits", "twin"),
    [
        ({"parameters": 5_000}, True),
        ({"macs": 5_000}, True),
        ({"parameters": 5_000, "relus": 2}, True),
        ({"parameters": 5_000, "relus": 1}, False),
        ({"relus": 0}, False),
        ({"depth": 20}, False),
        ({"parameters": 5_000, "depth": 20, "relus": 500}, False),
    ],
)
def test_a_twin_exists_where_a_relu_network_can_meet_the_budget(make, limits, twin):
    assert make({}).has_twin(DIGITS, Budget(**limits)) is twin


def test_a_budget_of_parameters_takes_nothing_away_but_layers(make):
    space = make({})
    for budget in (Budget(5_000), Budget(5_000, macs=10**6), Budget(5_000, relus=10**6)):
        found = space.distributions(DIGITS, budget)
        assert found == space.distributions(DIGITS, Budget(5_000))
