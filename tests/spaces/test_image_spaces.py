"""The spaces of images and series: within every budget, round trips, and what is refused."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from space_cases import ask, modest

from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.spaces import SearchSpace, SizedSpace
from slaf_automl.spaces.dimensions import Constant
from slaf_automl.spec import Budget, DataInfo

SIDE, LENGTH = st.integers(8, 16), st.integers(14, 64)
SPACES = {name: SearchSpace.load(name) for name in ("cnn", "resnet", "conv1d")}


@st.composite
def image_infos(draw, space):
    """Draw what a space takes, of any task and 1 to 3 channels: images of up to 16×16 places, or
    series of up to 64."""
    task = draw(st.sampled_from(("binary", "multiclass", "regression")))
    classes = {"binary": 2, "multiclass": draw(st.integers(3, 12)), "regression": 0}[task]
    sides = (1, draw(LENGTH)) if space == "conv1d" else (draw(SIDE), draw(SIDE))
    image = (draw(st.integers(1, 3)), *sides)
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
    space = draw(st.sampled_from(sorted(SPACES)))
    info = draw(image_infos(space))
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


@given(data=st.data(), seed=st.integers(0, 2**31))
@modest(20)
def test_the_control_is_all_relu(data, seed):
    for name, space in SPACES.items():
        info = data.draw(image_infos(name))
        budget = space.smallest_budget(info)
        _, candidate = ask(space.control(), info, budget, seed)
        assert set(candidate.architecture.kinds) == {"relu"}
        assert space.has_twin(info, budget)


def test_a_front_has_networks_of_every_size():
    info = DataInfo(tuple(map(str, range(64))), "y", "binary", (0, 1), rows=99, image=(1, 8, 8))
    sized = SizedSpace(SPACES["cnn"], info, Budget(parameters=5_000))
    assert 0 < sized.least < 0.1


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("cnn", None, "on a table of 64 columns; expected images; .* family mlp"),
        ("resnet", None, "on a table of 64 columns; expected images; .* family mlp"),
        ("conv1d", None, r"on a table of 64 columns; expected series, .*; .* shape of"),
        (
            "conv1d",
            (1, 8, 8),
            r"on images of \(1, 8, 8\); expected series, .* family cnn or",
        ),
        ("cnn", (2, 1, 32), r"on series of \(2, 1, 32\); expected images; .* family conv1d"),
        ("resnet", (1, 1, 64), r"on series of \(1, 1, 64\); expected images; .* family conv1d"),
    ],
)
def test_data_of_another_shape_are_refused(name, image, message):
    info = DataInfo(tuple(map(str, range(64))), "y", "regression", (), rows=99, image=image)
    with pytest.raises(SpaceError, match=message):
        SPACES[name].distributions(info, Budget(parameters=5_000))


def series(length):
    features = tuple(map(str, range(length)))
    return DataInfo(features, "y", "regression", (), rows=99, image=(1, 1, length))


@pytest.mark.parametrize(("length", "most"), [(14, 2), (31, 2), (32, 3), (67, 3), (68, 4)])
def test_the_widest_window_decides_how_many_convolutions_a_series_allows(length, most):
    space, budget = SPACES["conv1d"], Budget(parameters=5_000)
    depth = space.distributions(series(length), budget).get("depth")
    assert (depth.high if depth else 2) == most


def test_series_too_short_for_any_depth_are_refused():
    with pytest.raises(SpaceError, match=r"depth of at least 2, on series of \(1, 1, 13\).*longer"):
        SPACES["conv1d"].smallest_budget(series(13))


def test_limits_allow_for_the_window_that_costs_most_of_each():
    # Narrow windows leave more places for ReLUs, wide ones store more.
    space, info, found = SPACES["conv1d"], series(40), {}
    for kernel in (3, 5):
        fixed = {**space.file.dimensions, "kernel": Constant(kernel)}
        part = SearchSpace(replace(space.file, dimensions=fixed)).control()
        found[kernel] = part.smallest_budget(info, ("parameters", "relus"))
    both = space.control().smallest_budget(info, ("parameters", "relus"))
    assert found[3].relus > found[5].relus
    assert found[3].parameters < found[5].parameters
    assert (both.relus, both.parameters) == (found[3].relus, found[5].parameters)


def test_a_depth_limit_leaves_averages_and_polynomials():
    space, info = SPACES["conv1d"], series(40)
    unclipped = {**space.file.dimensions, "clip": Constant(None)}
    space = SearchSpace(replace(space.file, dimensions=unclipped))
    budget = Budget(parameters=5_000, depth=12)
    for seed in range(5):
        _, candidate = ask(space, info, budget, seed)
        assert candidate.architecture.pooling == "average"
        assert count_cost(candidate.architecture).depth <= 12


def test_images_too_small_for_any_depth_are_refused():
    info = DataInfo(tuple(map(str, range(9))), "y", "regression", (), rows=99, image=(1, 3, 3))
    with pytest.raises(SpaceError, match=r"a depth of at least 2, on images of \(1, 3, 3\)"):
        SPACES["cnn"].smallest_budget(info)
