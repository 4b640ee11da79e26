"""Widths under any combination of limits: none is passed, and no layer could still grow."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_strategies import modest, relu, slaf
from test_widths import narrowest, problems, solve

from slaf_automl.errors import BudgetError
from slaf_automl.networks import WidthLimits, count_cost, widths
from slaf_automl.spec import COSTS, Architecture, Budget

SMOOTH = slaf(degree=3, clip=None)


def least_cost(problem):
    return count_cost(problem[2](narrowest(problem)))


@st.composite
def cases(draw):
    """Draw a problem and a budget over any costs that its narrowest network is within."""
    problem = draw(problems())
    totals = least_cost(problem).totals
    finite = [name for name, total in totals.items() if total < math.inf]
    names = draw(st.lists(st.sampled_from(finite), min_size=1, max_size=4, unique=True))
    spare = {name: draw(st.integers(0, 5_000)) for name in names}
    limits = {name: max(int(totals[name]), COSTS[name].least) + spare[name] for name in names}
    return problem, Budget(**limits)


def grown(solved, i):
    wider = (*solved.widths[:i], solved.widths[i] + 1, *solved.widths[i + 1 :])
    return replace(solved, widths=wider)


@given(case=cases())
@modest(150)
def test_every_limit_holds_and_no_layer_could_grow(case):
    problem, budget = case
    solved, most = solve(problem, budget), problem[-1].most
    totals = count_cost(solved).totals
    assert all(totals[name] <= limit for name, limit in budget.limits.items())
    for i, width in enumerate(solved.widths):
        assert width == most or not budget.allows(count_cost(grown(solved, i)))


@given(case=cases())
@modest(60)
def test_one_less_than_the_narrowest_network_costs_is_refused_by_name(case):
    problem, budget = case
    totals = least_cost(problem).totals
    for name in budget.limits:
        if totals[name] <= COSTS[name].least:
            continue
        with pytest.raises(BudgetError) as caught:
            solve(problem, replace(budget, **{name: int(totals[name]) - 1}))
        message = str(caught.value)
        unit = "" if len(budget.limits) == 1 else f" {COSTS[name].word}"
        assert f"expected at least {totals[name]:,}{unit} for the narrowest network" in message
        assert len(message.splitlines()) == 1


@given(case=cases())
@modest(80)
def test_topping_up_is_one_unit_a_layer_in_turn(case):
    # Whole rounds are made at once; the outcome must be that of the plain rule, which studies
    # of before rely on.
    problem, budget = case
    *_, build, limits = problem
    start = narrowest(problem)

    def fits(found):
        return budget.allows(count_cost(build(found)))

    assert widths._top_up(start, fits, limits.most) == one_by_one(start, fits, limits.most)


def one_by_one(start, fits, most):
    found, growing = list(start), True
    while growing:
        growing = False
        for i in range(len(found)):
            wider = [*found[:i], found[i] + 1, *found[i + 1 :]]
            if found[i] < most and fits(tuple(wider)):
                found, growing = wider, True
    return tuple(found)


def test_the_tightest_limit_decides():
    # One ReLU layer on 64 inputs and 10 outputs: 75 values and 74 macs a unit.
    placement = (relu(),)
    limits = WidthLimits(2, 1_000)
    problem = ("constant", placement, lambda w: Architecture("mlp", 64, 10, w, placement), limits)
    assert solve(problem, Budget(parameters=75 * 30 + 10)).widths == (30,)
    assert solve(problem, Budget(macs=74 * 30)).widths == (30,)
    assert solve(problem, Budget(relus=30)).widths == (30,)
    assert solve(problem, Budget(75 * 40 + 10, macs=74 * 30, relus=35)).widths == (30,)
    assert solve(problem, Budget(75 * 40 + 10, macs=74 * 50, relus=35)).widths == (35,)
    assert solve(problem, Budget(75 * 40 + 10, macs=74 * 50, relus=45)).widths == (40,)


def test_a_limit_that_does_not_bind_leaves_the_widest_network():
    placement = (SMOOTH, SMOOTH)
    limits = WidthLimits(2, 50)
    problem = ("decreasing", placement, lambda w: Architecture("mlp", 4, 2, w, placement), limits)
    assert solve(problem, Budget(depth=7)).widths == (50, 50)
    assert solve(problem, Budget(relus=0)).widths == (50, 50)
    with pytest.raises(BudgetError, match=r"6 levels of .* depth; expected at least 7 for"):
        solve(problem, Budget(depth=6))


def test_a_layer_held_back_leaves_the_rest_to_the_others():
    # ReLU evaluations stop the first layer at 5 units; the second takes what is left of the values.
    placement = (relu(), SMOOTH)
    limits = WidthLimits(2, 32_768)
    problem = ("constant", placement, lambda w: Architecture("mlp", 4, 2, w, placement), limits)
    solved = solve(problem, Budget(parameters=200_000, relus=5))
    # 25 in the first layer; 11 for each unit of the second, 2 output biases.
    assert solved.widths == (5, (200_000 - 25 - 2) // 11)


def test_polynomials_are_asked_for_where_a_depth_limit_meets_a_relu():
    placement = (SMOOTH, relu())
    limits = WidthLimits(2, 50)
    problem = ("constant", placement, lambda w: Architecture("mlp", 4, 2, w, placement), limits)
    with pytest.raises(BudgetError) as caught:
        solve(problem, Budget(parameters=10_000, depth=50))
    message = str(caught.value)
    assert "expected polynomials without ReLU and without clip in every slot" in message
    assert len(message.splitlines()) == 1


def test_a_hybrid_stays_narrow_enough_for_a_depth_limit():
    # 2·0.75 rounds to 2 learned channels, 3·0.75 to 2: a third unit would be a ReLU.
    placement = (slaf(degree=2, clip=None, hybrid=0.25),)
    limits = WidthLimits(2, 50)
    problem = ("constant", placement, lambda w: Architecture("mlp", 4, 2, w, placement), limits)
    assert solve(problem, Budget(parameters=10_000, depth=4)).widths == (2,)
