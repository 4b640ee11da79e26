"""The spaces of images: within every budget, round trips, and what is refused."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_cases import ask, modest

from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.spaces import SearchSpace, SizedSpace
from slaf_automl.spec import Budget, DataInfo

SPACES = {name: SearchSpace.load(name) for name in ("cnn", "resnet")}


@st.composite
def image_infos(draw, least=8):
    """Draw images of 1 to 3 channels and up to 16×16 places, of any task."""
    task = draw(st.sampled_from(("binary", "multiclass", "regression")))
    classes = {"binary": 2, "multiclass": draw(st.integers(3, 12)), "regression": 0}[task]
    image = (draw(st.integers(1, 3)), draw(st.integers(least, 16)), draw(st.integers(least, 16)))
    return DataInfo(
        features=tuple(f"x{i}" for i in range(math.prod(image))),
        target="y",
        task=task,
        classes=tuple(range(classes)),
        rows=draw(st.integers(1, 20_000)),
        centred_inputs=draw(st.booleans()),
        image=image,
    )


@st.composite
def problems(draw):
    """Draw a space, images, a budget from the smallest one on, and a seed."""
    space, info = draw(st.sampled_from(sorted(SPACES))), draw(image_infos())
    least = SPACES[space].smallest_budget(info).parameters
    budget = draw(st.integers(least, max(least, 30_000)))
    return SPACES[space], info, Budget(parameters=budget), draw(st.integers(0, 2**31))


@given(problem=problems())
@modest(60)
def test_every_candidate_is_built_as_counted_and_within_the_budget(problem):
    space, info, budget, seed = problem
    trial, candidate = ask(space, info, budget, seed)
    counted = count_cost(candidate.architecture).parameters
    state = DeployedNetwork(candidate.architecture).state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == counted <= budget.parameters
    widths = candidate.architecture.widths
    for i, width in enumerate(widths):
        wider = replace(candidate.architecture, widths=(*widths[:i], width + 1, *widths[i + 1 :]))
        assert width == space.file.widths.most or count_cost(wider).parameters > budget.parameters
    assert set(trial.params) <= set(space.distributions(info, budget))
    assert space.decode(trial.params, info, budget) == candidate
    assert space.decode(space.encode(candidate, info, budget), info, budget) == candidate


@given(problem=problems(), costs=st.lists(st.sampled_from(("macs", "relus")), unique=True))
@modest(30)
def test_the_smallest_limits_leave_something(problem, costs):
    space, info, _, seed = problem
    smallest = space.smallest_budget(info, ("parameters", *costs))
    _, candidate = ask(space, info, smallest, seed)
    assert smallest.allows(count_cost(candidate.architecture))
    with pytest.raises(BudgetError):
        space.distributions(info, Budget(parameters=smallest.parameters - 1))


@given(info=image_infos(), seed=st.integers(0, 2**31))
@modest(20)
def test_the_control_is_all_relu(info, seed):
    for space in SPACES.values():
        budget = space.smallest_budget(info)
        _, candidate = ask(space.control(), info, budget, seed)
        assert set(candidate.architecture.kinds) == {"relu"}
        assert space.has_twin(info, budget)


def test_a_front_has_networks_of_every_size():
    info = DataInfo(tuple(map(str, range(64))), "y", "binary", (0, 1), rows=99, image=(1, 8, 8))
    sized = SizedSpace(SPACES["cnn"], info, Budget(parameters=5_000))
    assert 0 < sized.least < 0.1


@pytest.mark.parametrize("name", sorted(SPACES))
def test_a_table_is_refused(name):
    info = DataInfo(("a", "b"), "y", "regression", (), rows=99)
    with pytest.raises(SpaceError, match="on a table of 2 columns; expected images"):
        SPACES[name].distributions(info, Budget(parameters=5_000))


def test_images_too_small_for_any_depth_are_refused():
    info = DataInfo(tuple(map(str, range(9))), "y", "regression", (), rows=99, image=(1, 3, 3))
    with pytest.raises(SpaceError, match=r"a depth of at least 2, on images of \(1, 3, 3\)"):
        SPACES["cnn"].smallest_budget(info)
