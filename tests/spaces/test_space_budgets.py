"""The promises of every candidate, for generated spaces, data and budgets over all four costs."""

import dataclasses

import optuna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from space_cases import ask, by_pattern, edited, infos, modest

from slaf_automl.activations import BASES
from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.buildable import require_buildable
from slaf_automl.spaces.limits import limit_space
from slaf_automl.spaces.patterns import PATTERNS
from slaf_automl.spaces.schema import parse_space
from slaf_automl.spec import COSTS, Budget


def some(*values):
    """Draw a fixed value or a list of choices."""
    choices = st.lists(st.sampled_from(values), min_size=1, max_size=4, unique=True)
    return st.one_of(
        st.sampled_from(values).map(lambda v: {"value": v}),
        choices.map(lambda chosen: {"choices": chosen}),
    )


@st.composite
def ranges(draw, low, high, number=st.integers):
    ends = sorted((draw(number(low, high)), draw(number(low, high))))
    return {"low": ends[0], "high": ends[1]}


POLYNOMIAL = {
    "slot.activation": ({"value": "slaf"}, {"choices": ["relu", "slaf"]}),
    "slot.basis": (
        {"value": "hermite"},
        {"choices": ["hat", "chebyshev"]},
        {"choices": ["legendre", "fourier", "monomial"]},
    ),
    "slot.hybrid": (
        {"value": 0.0},
        {"choices": [0.5, 0.0, 0.9]},
        {"low": 0.0, "high": 0.75},
    ),
    "clip": ({"value": None}, {"choices": [None, 2.0]}, {"choices": [3.0, None, 1.0]}),
}
"""Dimensions of which a limit on depth leaves something."""


@st.composite
def spaces(draw):
    """Draw an edited copy of the shipped space; most can be searched under a depth limit."""
    least = draw(st.integers(1, 4))
    dimensions = {
        "depth": draw(ranges(1, 4) | st.integers(1, 4).map(lambda n: {"value": n})),
        "shape": draw(some("constant", "decreasing", "increasing")),
        "slot.activation": draw(some("relu", "slaf")),
        "slot.basis": draw(some(*BASES)),
        "slot.degree": draw(ranges(1, 9) | some(1, 2, 3, 4, 7, 16)),
        "slot.hybrid": draw(some(0.0, 0.25, 0.5, 0.9) | ranges(0.0, 0.9, st.floats)),
        "sharing": draw(some("layer", "channel")),
        "normaliser": draw(some("none", "input", "frozen", "element")),
        "clip": draw(some(None, 2.0) | ranges(1.0, 5.0, st.floats)),
    }
    if draw(st.booleans()):
        dimensions |= {
            "inputs.activation": draw(some("none", "shared", "slaf")),
            "inputs.basis": draw(some(*BASES)),
            "inputs.degree": draw(ranges(1, 9) | some(1, 3, 6, 12, 16)),
        }
    if draw(st.integers(0, 3)):
        dimensions.update({n: draw(st.sampled_from(forms)) for n, forms in POLYNOMIAL.items()})
    changes = [(("dimensions", name), value) for name, value in dimensions.items()]
    widths = {"least": least, "most": draw(st.integers(least, 60))}
    document = edited((("widths",), widths), *changes)
    if draw(st.booleans()):
        patterns = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=5, unique=True)
        document = by_pattern(document, draw(patterns | st.sampled_from(PATTERNS)))
    try:
        file = parse_space(document, "generated")
        require_buildable(file, "generated")
    except SpaceError:  # no room for a learned channel
        assume(False)
    return SearchSpace(file)


@st.composite
def problems(draw):
    """Draw a space, a table, and a budget that leaves something of the space."""
    space, info = draw(spaces()), draw(infos())
    names = draw(st.lists(st.sampled_from(list(COSTS)), min_size=1, max_size=4, unique=True))
    try:
        least = space.smallest_budget(info, names).limits
    except BudgetError:  # a depth limit on a space without polynomials, or without plain inputs
        names = [name for name in names if name != "depth"]
        assume(names)
        least = space.smallest_budget(info, names).limits
    most = {"parameters": 5_000, "macs": 5_000, "relus": draw(st.sampled_from((6, 60))), "depth": 8}
    limits = {n: least[n] + draw(st.just(0) | st.integers(0, most[n])) for n in names}
    return space, info, Budget(**limits), draw(st.integers(0, 2**31))


@given(problem=problems())
@modest(200)
def test_every_limit_holds_and_no_width_could_grow(problem):
    space, info, budget, seed = problem
    _, candidate = ask(space, info, budget, seed)
    solved, widths = candidate.architecture, space.file.widths
    cost = count_cost(solved)
    assert all(cost.totals[name] <= limit for name, limit in budget.limits.items())
    for i, width in enumerate(solved.widths):
        wider = (*solved.widths[:i], width + 1, *solved.widths[i + 1 :])
        grown = count_cost(dataclasses.replace(solved, widths=wider))
        assert width == widths.most or not budget.allows(grown)
    assert all(widths.least <= width <= widths.most for width in solved.widths)


@given(problem=problems())
@modest(80)
def test_the_count_is_the_state_of_the_deployed_network(problem):
    space, info, budget, seed = problem
    _, candidate = ask(space, info, budget, seed)
    state = DeployedNetwork(candidate.architecture).state_dict()
    counted = count_cost(candidate.architecture).parameters
    assert counted == sum(tensor.numel() for tensor in state.values())


@given(problem=problems())
@modest(150)
def test_every_door_of_a_space_agrees(problem):
    space, info, budget, seed = problem
    trial, candidate = ask(space, info, budget, seed)
    promised = space.distributions(info, budget)
    assert trial.distributions == {name: promised[name] for name in trial.params}
    assert space.decode(trial.params, info, budget) == candidate
    encoded = space.encode(candidate, info, budget)
    if space.file.encoding == "slots":  # Several patterns may say the same.
        assert encoded.keys() == trial.params.keys()
    assert encoded.keys() <= promised.keys()
    assert space.decode(encoded, info, budget) == candidate
    assert space.suggest(optuna.trial.FixedTrial(encoded), info, budget) == candidate


@given(problem=problems())
@modest(80)
def test_flat_sampling_meets_the_budget_too(problem):
    space, info, budget, seed = problem
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask(space.distributions(info, budget))
    candidate = space.decode(trial.params, info, budget)
    assert budget.allows(count_cost(candidate.architecture))


@given(problem=problems())
@modest(80)
def test_what_is_left_is_part_of_the_space(problem):
    space, info, budget, _ = problem
    left = limit_space(space.file, info, budget)
    assert left == limit_space(space.file, info, budget)
    assert dataclasses.replace(left, dimensions=space.file.dimensions) == space.file
    # To limit what is limited already changes nothing.
    assert limit_space(left, info, budget) == left
    for name, dimension in left.dimensions.items():
        whole = space.file.dimensions[name].values()
        if all(isinstance(value, (int, float)) for value in whole):
            assert all(min(whole) <= value <= max(whole) for value in dimension.values())
        else:
            ranged = isinstance(whole[0], float) and name == "clip"
            assert ranged or set(dimension.values()) <= set(whole)


@given(problem=problems())
@modest(150)
def test_the_control_is_searched_where_it_can_meet_the_budget(problem):
    space, info, budget, seed = problem
    control = space.control()
    if space.has_twin(info, budget):
        _, candidate = ask(control, info, budget, seed)
        assert budget.allows(count_cost(candidate.architecture))
        assert set(candidate.architecture.kinds) == {"relu"}
    else:
        least = space.file.widths.least * min(space.file.dimensions["depth"].values())
        assert "depth" in budget.limits or budget.limits["relus"] < least
        with pytest.raises(BudgetError):
            control.distributions(info, budget)


@given(problem=problems(), short=st.integers(1, 3))
@modest(100)
def test_a_smaller_limit_is_refused_or_met(problem, short):
    space, info, budget, seed = problem
    for name, limit in budget.limits.items():
        tight = dataclasses.replace(budget, **{name: max(limit - short, COSTS[name].least)})
        try:
            _, candidate = ask(space, info, tight, seed)
        except BudgetError as error:
            message = str(error)
        else:
            assert tight.allows(count_cost(candidate.architecture))
            continue
        assert len(message.splitlines()) == 1
        assert f"a budget of {tight.in_words()}" in message
