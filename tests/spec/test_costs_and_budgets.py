"""The registry of costs, and budgets over any of them."""

import dataclasses
import itertools
import json
import math

import pytest
from hypothesis import given, settings
from spec_values import budgets

from slaf_automl.errors import SpecError
from slaf_automl.spec import COSTS, Budget, Cost, Operations, dumps

COST = Cost(
    (("layers.0.weight", 12), ("layers.0.bias", 3)),
    (Operations("layers.0", 12, 0, 1), Operations("slots.0", 9, 0, 2), Operations("layers.1", 6)),
)


def test_every_cost_is_a_field_of_budgets_and_a_total_of_costs():
    # A cost added to one of the three must be added to all.
    names = list(COSTS)
    assert [f.name for f in dataclasses.fields(Budget)] == names
    assert list(COST.totals) == names
    assert all(name == kind.name for name, kind in COSTS.items())
    assert all(kind.word and len(kind.convention) > 40 for kind in COSTS.values())


def test_totals_are_sums_of_the_parts():
    assert COST.totals == {"parameters": 15, "macs": 27, "relus": 0, "depth": 3}
    assert Cost(()).totals == dict.fromkeys(COSTS, 0)


@pytest.mark.parametrize("place", range(3))
def test_one_part_that_is_no_polynomial_makes_the_depth_infinite(place):
    operations = list(COST.operations)
    operations[place] = dataclasses.replace(operations[place], depth=None, relus=5)
    cost = dataclasses.replace(COST, operations=tuple(operations))
    assert (cost.depth, cost.relus, cost.macs) == (math.inf, 5, 27)
    assert Budget(parameters=15).allows(cost)
    assert not Budget(depth=10**9).allows(cost)


def test_a_number_alone_limits_parameters():
    assert Budget(5_000) == Budget(parameters=5_000)
    assert Budget(5_000).limits == {"parameters": 5_000}


def test_a_limit_of_zero_is_a_limit():
    assert Budget(relus=0).limits == {"relus": 0}
    assert Budget(relus=0).allows(COST)
    assert not Budget(relus=0).allows(Cost((), (Operations("slots.0", relus=1),)))


@pytest.mark.parametrize(
    "size", [pytest.param(size, id=f"{size} of 4") for size in range(1, len(COSTS) + 1)]
)
def test_every_limit_counts_whatever_the_others(size):
    totals = COST.totals
    for names in itertools.combinations(COSTS, size):
        exact = Budget(**{name: max(totals[name], 1) for name in names})
        assert exact.allows(COST)
        for name in names:
            if totals[name] > COSTS[name].least:
                tight = dataclasses.replace(exact, **{name: totals[name] - 1})
                assert not tight.allows(COST)
                assert tight.exceeded(totals) == (name,)


def test_several_limits_may_be_exceeded_at_once():
    assert Budget(14, macs=27, depth=2).exceeded(COST.totals) == ("parameters", "depth")


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(5_000), "5,000 parameters"),
        (Budget(macs=20_000, parameters=5_000), "5,000 parameters and 20,000 macs"),
        (Budget(depth=6), "6 levels of multiplicative depth"),
        (Budget(9, 8, 7), "9 parameters, 8 macs and 7 ReLU evaluations"),
        (Budget(relus=0), "0 ReLU evaluations"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_budget_in_words(budget, words):
    assert budget.in_words() == words


def test_a_budget_without_a_limit_is_refused():
    for make in (Budget, lambda: Budget(None), lambda: Budget.from_json(EMPTY)):
        with pytest.raises(SpecError, match="without a limit; expected at least one of parameters"):
            make()


EMPTY = {"schema": 1, "type": "Budget"}


def test_a_budget_of_parameters_is_written_as_before_there_were_others():
    old = {"schema": 1, "type": "Budget", "parameters": 5_000}
    assert Budget(5_000).to_json() == old
    assert Budget.from_json(old) == Budget(5_000)


@given(budget=budgets())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_documents_hold_the_limits_that_are_set(budget):
    document = budget.to_json()
    assert document == {**EMPTY, **budget.limits}
    assert Budget.from_json(json.loads(dumps(document))) == budget
    # A writer of another language may spell out what is not limited.
    spelt = {**EMPTY, **dict.fromkeys(COSTS), **budget.limits}
    assert Budget.from_json(spelt) == budget


def test_a_cost_of_before_there_were_operations_is_read():
    old = {"schema": 1, "type": "Cost", "parts": [["layers.0.weight", 12]]}
    assert Cost.from_json(old).totals == {"parameters": 12, "macs": 0, "relus": 0, "depth": 0}
