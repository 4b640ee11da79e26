"""Widths from a budget: nothing over it, nothing left that a layer could use."""

import itertools
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_strategies import modest, relu, slaf, specs

from slaf_automl.errors import BudgetError
from slaf_automl.networks import SHAPES, WidthLimits, count_cost, solve_widths
from slaf_automl.networks.widths import least_widths
from slaf_automl.spec import Architecture, Budget

WIDE = WidthLimits(least=2, most=32_768)
SLOTS = {
    "relu": relu("input"),
    "slaf": slaf(degree=3),
    "hybrid": slaf(degree=6, hybrid=0.5),
    "shared": slaf(degree=6, sharing="layer", normaliser="none"),
}


@st.composite
def problems(draw):
    """Draw what `solve_widths` needs but for the budget."""
    placement = tuple(draw(st.lists(specs(), min_size=1, max_size=4)))
    inputs, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    centred = draw(st.booleans())
    least = draw(st.integers(1, 5))
    limits = WidthLimits(least, draw(st.integers(least + 1, 120)))
    shape = draw(st.sampled_from(sorted(SHAPES)))

    def build(widths):
        return Architecture("mlp", inputs, outputs, widths, placement, centred)

    return shape, placement, build, limits


def narrowest(problem):
    _, placement, _, limits = problem
    return least_widths(placement, tuple(range(len(placement))), limits)


def solve(problem, budget):
    shape, _, build, limits = problem
    limit = budget if isinstance(budget, Budget) else Budget(budget)
    return solve_widths(shape, narrowest(problem), build, limit, limits.most)


def smallest_budget(problem):
    """Return the number that the refusal of a hopeless budget names."""
    with pytest.raises(BudgetError) as caught:
        solve(problem, 1)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert "raise the budget" in message
    return int(re.search(r"at least ([\d,]+)", message)[1].replace(",", ""))


@given(problem=problems(), spare=st.integers(0, 20_000))
@modest(120)
def test_the_widths_fit_and_none_could_grow(problem, spare):
    limits = problem[-1]
    budget = smallest_budget(problem) + spare
    solved = solve(problem, budget)
    assert count_cost(solved).parameters <= budget
    assert all(limits.least <= width <= limits.most for width in solved.widths)
    for i, width in enumerate(solved.widths):
        grown = (*solved.widths[:i], width + 1, *solved.widths[i + 1 :])
        cost = count_cost(replace(solved, widths=grown)).parameters
        assert cost > budget or width == limits.most


@given(problem=problems(), spare=st.integers(0, 3_000))
@modest(60)
def test_every_slaf_slot_has_a_slaf_channel(problem, spare):
    solved = solve(problem, smallest_budget(problem) + spare)
    for spec, width in zip(solved.placement, solved.widths, strict=True):
        if spec.kind == "slaf":
            assert (1 - spec["hybrid"]) * width >= 0.5


@given(problem=problems())
@modest(60)
def test_a_refusal_names_the_smallest_budget_that_works(problem):
    needed = smallest_budget(problem)
    assert count_cost(solve(problem, needed)).parameters <= needed
    with pytest.raises(BudgetError, match=f"at least {needed:,} "):
        solve(problem, needed - 1)


@given(problem=problems(), spare=st.integers(0, 3_000))
@modest(60)
def test_the_answer_is_the_architecture_asked_for(problem, spare):
    _, placement, build, _ = problem
    budget = smallest_budget(problem) + spare
    solved = solve(problem, budget)
    assert solved == build(solved.widths)
    assert solved.placement == placement
    # The same question has the same answer: decoding a stored trial depends on it.
    assert solve(problem, budget) == solved


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("budget", [5_000, 20_000, 200_000])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_at_least_97_percent_of_the_budget_is_used(depth, shape, budget, slot):
    placement = (SLOTS[slot],) * depth
    problem = (shape, placement, lambda w: Architecture("mlp", 64, 10, w, placement), WIDE)
    assert 0.97 * budget <= count_cost(solve(problem, budget)).parameters <= budget


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("budget", [20_000, 200_000])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_widths_follow_their_shape(depth, shape, budget, slot):
    placement = (SLOTS[slot],) * depth
    problem = (shape, placement, lambda w: Architecture("mlp", 64, 10, w, placement), WIDE)
    widths = solve(problem, budget).widths
    steps = list(itertools.pairwise(widths))
    if shape == "decreasing":
        assert all(after <= before + 1 for before, after in steps)
        assert widths[-1] < widths[0]
    if shape == "increasing":
        assert all(after >= before - 1 for before, after in steps)
        assert widths[-1] > widths[0]
    # Topping up may bend a shape, but by no more than a fifth.
    assert all(after == pytest.approx(SHAPES[shape] * before, rel=0.2) for before, after in steps)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_layer_has_one_width_whatever_the_shape(shape):
    placement = (relu(),)
    problem = (shape, placement, lambda w: Architecture("mlp", 64, 10, w, placement), WIDE)
    # 75 values a unit and 10 output biases: 66 units are 4,960 values, 67 are 5,035.
    assert solve(problem, 5_000).widths == (66,)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_budget_beyond_the_widest_network_fills_every_layer(shape):
    placement = (slaf(degree=2), relu(), slaf(degree=5))
    limits = WidthLimits(least=2, most=20)
    problem = (shape, placement, lambda w: Architecture("mlp", 4, 2, w, placement), limits)
    assert solve(problem, 10**9).widths == (20, 20, 20)


def test_a_hybrid_slot_is_never_narrower_than_its_first_slaf_channel():
    # Of one channel a quarter rounds to none; two channels are the narrowest that have one.
    placement = (slaf(hybrid=0.75),)
    limits = WidthLimits(least=1, most=50)
    problem = ("constant", placement, lambda w: Architecture("mlp", 1, 1, w, placement), limits)
    # 2 weights, 2 biases, 1 row of degree 3, 2 weights, 1 bias.
    assert smallest_budget(problem) == 10
    assert solve(problem, 10).widths == (2,)
