"""What a budget takes away from a network family under `encoding: pattern`."""

import pytest
from optuna.distributions import IntDistribution
from space_cases import DIGITS, ask, by_pattern, edited

from slaf_automl.errors import BudgetError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.patterns import PATTERNS
from slaf_automl.spaces.schema import parse_space
from slaf_automl.spaces.slot_kinds import extreme_kinds
from slaf_automl.spec import Budget

FORM = {
    "shape": "constant",
    "basis": "hermite",
    "degree": 3,
    "sharing": "channel",
    "normaliser": "element",
    "start": "silu",
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "routine": "joint",
}


def open_space(patterns=PATTERNS, *changes, most=64):
    """Return the space with a choice of no clip, and widths that need no other bound."""
    found = by_pattern(edited((("widths",), {"least": 2, "most": most})), patterns)
    found["dimensions"].update([("clip", {"choices": [3.0, None]}), *changes])
    return SearchSpace(parse_space(found, "space.yaml"))


@pytest.mark.parametrize(
    ("patterns", "layers", "found"),
    [
        (PATTERNS, 3, ["rrr", "sss"]),
        (["none"], 2, ["rr", "rr"]),
        (["all"], 2, ["ss", "ss"]),
        (["none", "alternate"], 4, ["rrrr", "srsr"]),
        (["first", "alternate"], 3, ["srr", "sss"]),
        # Neither of the fewest is part of the other, and slots need not cost the same.
        (["last", "first"], 3, ["srr", "rrs", "sss"]),
        (["last", "alternate"], 4, ["rrrs", "srsr", "ssss"]),
        (["last", "alternate"], 3, ["rrs", "sss"]),
    ],
)
def test_every_placement_lies_between_the_extremes(patterns, layers, found):
    kinds = extreme_kinds(open_space(patterns).file, layers)
    assert ["".join(kind[0] for kind in one) for one in kinds] == found


@pytest.mark.parametrize("slots", [["relu"], ["slaf"], ["relu", "slaf"]])
def test_the_extremes_of_slots_are_uniform(slots):
    file = parse_space(edited((("dimensions", "slot.activation"), {"choices": slots})), "s.yaml")
    assert extreme_kinds(file, 2) == ((slots[0],) * 2, (slots[-1],) * 2)


def test_a_depth_limit_leaves_the_pattern_all():
    space, budget = open_space(), Budget(depth=9)
    found = space.distributions(DIGITS, budget)
    assert not {"pattern", "count", "hybrid", "clip"} & found.keys()
    for seed in range(10):
        trial, candidate = ask(space, DIGITS, budget, seed)
        assert set(candidate.architecture.kinds) == {"slaf"}
        assert count_cost(candidate.architecture).depth <= 9
        assert space.decode(trial.params, DIGITS, budget) == candidate
    assert not space.has_twin(DIGITS, budget)
    assert space.has_twin(DIGITS, Budget(parameters=5_000, relus=200))
    lacking = open_space(["none", "first"])
    with pytest.raises(BudgetError, match="pattern: all is not among the choices of space 'mlp'"):
        lacking.distributions(DIGITS, budget)


@pytest.mark.parametrize(
    ("limit", "layers", "degree"),
    [
        # Two degrees or five, the same for every layer: 2 placements of two layers, 5 of one.
        (4, 1, IntDistribution(2, 3)),
        (5, 1, IntDistribution(2, 6)),
        # Four placements against five: under `slots` the two layers have more.
        (7, 1, IntDistribution(2, 6)),
        (9, 2, IntDistribution(2, 6)),
        (10, 2, IntDistribution(2, 6)),
        (13, 3, IntDistribution(2, 6)),
    ],
)
def test_degrees_and_layers_are_cut_together(limit, layers, degree):
    found = open_space().distributions(DIGITS, Budget(depth=limit))
    assert (found["depth"], found["degree"]) == (IntDistribution(1, layers), degree)


def test_a_limit_of_relus_takes_away_no_more_than_it_must():
    space = open_space()
    gone = {
        limit: {"pattern", "count", "hybrid", "clip"}
        - space.distributions(DIGITS, Budget(10**6, relus=limit)).keys()
        for limit in (4, 3, 2, 1, 0)
    }
    every = {"pattern", "count", "hybrid", "clip"}
    assert gone == {4: set(), 3: {"clip"}, 2: {"clip"}, 1: every, 0: every}


@pytest.mark.parametrize(
    "patterns",
    [
        ["none"],
        ["all"],
        ["alternate"],
        ["none", "alternate"],
        ["first"],
        ["last", "none"],
        list(PATTERNS),
    ],
)
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("clip", [None, 3.0])
def test_the_smallest_limits_are_what_the_costliest_placement_costs(patterns, layers, clip):
    form = {"slot.degree": 3, "slot.hybrid": 0.0, "clip": clip, "depth": layers}
    fixed = [(name, {"value": value}) for name, value in form.items()]
    # Layers can be of two units only, so that every candidate is at its narrowest.
    space, plenty = open_space(patterns, *fixed, most=2), Budget(parameters=10**6)
    known = space.distributions(DIGITS, plenty).keys()
    found = []
    for pattern in patterns:
        for count in range(1, layers + 1):
            given = {**FORM, "pattern": pattern, "count": count}
            needed = {name: value for name, value in given.items() if name in known}
            candidate = space.decode(needed, DIGITS, plenty)
            found.append(count_cost(candidate.architecture).totals)
    for name in ("parameters", "macs", "relus"):
        smallest = space.smallest_budget(DIGITS, [name]).limits[name]
        costliest = max(totals[name] for totals in found)
        if name == "relus" and clip is None and "all" in patterns:
            costliest = 0  # The limit takes every other pattern away.
        assert smallest == costliest
