"""What SLAF says when a training diverges or is set up wrongly: where, what, and the way out."""

import contextlib
import copy
import itertools
import math
from collections import OrderedDict

import pytest
import torch
from slaf_reference import normal, settled
from torch import nn

from slaf_automl.activations import SLAF, find_kind
from slaf_automl.activations.passes import Source
from slaf_automl.activations.slaf import name_slots
from slaf_automl.activations.statistics import RunningMoments, hold_statistics
from slaf_automl.errors import ActivationError, NonFiniteError

NORMALISER_NAMES = ("none", "input", "frozen", "element")
CHANNELS = 4


def written(slaf):
    """The same SLAF, which never takes the compiled passes from here on."""
    pairs = itertools.product(Source, Source)
    precisions = (torch.float32, torch.float64)
    slaf._passes._plans = {(pair, t): None for pair in pairs for t in precisions}
    return slaf


def as_it_comes(slaf):
    return slaf


either_path = pytest.mark.parametrize("path", [as_it_comes, written])


def network(slaf):
    """A network whose one slot is called body.bend."""
    body = nn.Sequential(OrderedDict(line=nn.Identity(), bend=slaf))
    whole = nn.Sequential(OrderedDict(body=body))
    name_slots(whole)
    return whole


def spoiled(value, *, rows=16, channel=1):
    x = normal(rows, CHANNELS, dtype=torch.float32)
    x[3, channel] = value
    return x


def message_of(caught):
    message = str(caught.value)
    assert "\n" not in message
    return message


@either_path
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_nan_in_training_names_the_slot(normaliser, basis, clip, first, path):
    whole = network(path(SLAF(CHANNELS, normaliser=normaliser, basis=basis, clip=clip)))
    if not first:
        whole(normal(16, CHANNELS, seed=1, dtype=torch.float32))
    with pytest.raises(NonFiniteError) as caught:
        whole(spoiled(math.nan))
    message = message_of(caught)
    assert message.startswith("body.bend in training:")
    assert "not finite" in message
    assert "learning rate" in message
    assert "NaN" in message


@either_path
@pytest.mark.parametrize("value", [math.inf, -math.inf])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_infinity_in_training_names_the_slot(normaliser, first, value, path):
    # Without a clip: whether a clipped infinity is noticed depends on the passes.
    whole = network(path(SLAF(CHANNELS, normaliser=normaliser, clip=None)))
    if not first:
        whole(normal(16, CHANNELS, seed=1, dtype=torch.float32))
    with pytest.raises(NonFiniteError, match=r"^body\.bend in training"):
        whole(spoiled(value))


@either_path
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("name", ["coefficients", "bias"])
def test_parameters_that_are_not_finite_are_noticed(name, normaliser, path):
    slaf = path(SLAF(CHANNELS, normaliser=normaliser))
    getattr(slaf, name).data[-1] = math.nan
    with pytest.raises(NonFiniteError, match=r"^body\.bend in training"):
        network(slaf)(normal(16, CHANNELS, dtype=torch.float32))


@either_path
def test_an_overflow_is_noticed(path):
    slaf = path(SLAF(CHANNELS, basis="monomial", degree=5, normaliser="none", clip=None))
    with pytest.raises(NonFiniteError, match=r"^body\.bend in training"):
        network(slaf)(spoiled(1e30))


@either_path
@pytest.mark.parametrize("shape", [(2, CHANNELS, 5, 7), (3, CHANNELS, 16), (40, CHANNELS)])
def test_it_is_noticed_wherever_it_is(shape, path):
    slaf = path(SLAF(CHANNELS))
    slaf(normal(64, CHANNELS, seed=1, dtype=torch.float32))
    count = math.prod(shape)
    for place in {0, count // 2, count - 1}:
        x = normal(*shape, dtype=torch.float32)
        x.view(-1)[place] = math.nan
        with pytest.raises(NonFiniteError, match=r"^a SLAF in training"):
            slaf(x)


@either_path
@pytest.mark.parametrize("hybrid", [0.0, 0.5])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_a_batch_that_is_not_finite_does_not_spoil_the_statistics(normaliser, hybrid, path):
    slaf = path(SLAF(CHANNELS, normaliser=normaliser, hybrid=hybrid))
    slaf(normal(16, CHANNELS, seed=1, dtype=torch.float32))
    for value in (math.nan, math.inf, -math.inf):
        with contextlib.suppress(NonFiniteError):
            slaf(spoiled(value))
    assert all(buffer.isfinite().all() for buffer in slaf.buffers())
    slaf(normal(16, CHANNELS, seed=2, dtype=torch.float32))
    slaf.eval()
    assert slaf(normal(16, CHANNELS, seed=3, dtype=torch.float32)).isfinite().all()


@either_path
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_nan_leaves_the_statistics_of_its_channel(normaliser, path):
    slaf = path(SLAF(CHANNELS, normaliser=normaliser))
    slaf(normal(16, CHANNELS, seed=1, dtype=torch.float32))
    before = {name: b.clone() for name, b in slaf.named_buffers()}
    with pytest.raises(NonFiniteError):
        slaf(spoiled(math.nan))
    for name, buffer in slaf.named_buffers():
        if "rows" not in name:
            assert torch.equal(buffer[1], before[name][1]), name
            assert not torch.equal(buffer[0], before[name][0]), name


@either_path
@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_evaluation_passes_it_on(normaliser, value, basis, path):
    slaf = settled(SLAF(CHANNELS, normaliser=normaliser, basis=basis), CHANNELS)
    whole = network(path(slaf))
    y = whole(spoiled(value))
    if math.isnan(value):
        assert y[3, 1].isnan()
    y[3, 1] = 0.0
    assert y.isfinite().all()


@either_path
def test_held_statistics_in_training_still_notice_it(path):
    slaf = settled(SLAF(CHANNELS), CHANNELS)
    hold_statistics(slaf)
    with pytest.raises(NonFiniteError, match=r"^body\.bend in training"):
        network(path(slaf.train()))(spoiled(math.nan))


def test_the_error_is_an_activation_error():
    assert issubclass(NonFiniteError, ActivationError)


@either_path
@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("normaliser", ["input", "frozen", "element"])
def test_evaluation_without_statistics_names_the_slot(normaliser, clip, path):
    whole = network(path(SLAF(CHANNELS, normaliser=normaliser, clip=clip))).eval()
    with pytest.raises(ActivationError) as caught:
        whole(normal(16, CHANNELS, dtype=torch.float32))
    message = message_of(caught)
    assert message.startswith("body.bend is evaluated before its statistics were set")
    assert "estimate_statistics" in message


@pytest.mark.parametrize("normaliser", ["input", "frozen", "element"])
def test_holding_statistics_that_were_never_set_names_the_slot(normaliser):
    whole = network(SLAF(CHANNELS, normaliser=normaliser))
    hold_statistics(whole)
    with pytest.raises(ActivationError, match=r"^body\.bend is evaluated before"):
        whole(normal(16, CHANNELS, dtype=torch.float32))
    with pytest.raises(ActivationError, match=r"^body\.bend is evaluated before"):
        whole.body.bend.fold()


def test_names_of_slots_are_module_paths():
    whole = nn.Sequential(nn.Linear(2, 4), SLAF(4), nn.Sequential(SLAF(4), nn.ReLU(), SLAF(4)))
    assert whole[1].slot == ""
    name_slots(whole)
    assert [m.slot for m in whole.modules() if isinstance(m, SLAF)] == ["1", "2.0", "2.2"]
    assert [m.slot for m in copy.deepcopy(whole).modules() if isinstance(m, SLAF)] == [
        "1",
        "2.0",
        "2.2",
    ]


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [
        ({"degree": 0}, "degree 0", "1 to 16"),
        ({"degree": 60}, "degree 60", "1 to 16"),
        ({"basis": "wavelet"}, "basis 'wavelet'", "chebyshev"),
        ({"normaliser": "batch"}, "normaliser 'batch'", "frozen"),
        ({"sharing": "row"}, "sharing 'row'", "a number of groups"),
        ({"sharing": 0}, "sharing 0", "a number of groups"),
        ({"sharing": -1}, "sharing -1", "a number of groups"),
        ({"sharing": 2.0}, "sharing 2.0", "a number of groups"),
        ({"sharing": 5}, "5 groups of 4 SLAF channels", "at most as many groups as channels"),
        (
            {"sharing": 3, "hybrid": 0.5},
            "3 groups of 2 SLAF channels",
            "at most as many groups as channels",
        ),
    ],
)
def test_a_wrong_set_up_is_named_in_one_line(options, given, expected):
    with pytest.raises(ActivationError) as caught:
        SLAF(CHANNELS, **options)
    message = message_of(caught)
    assert given in message
    assert expected in message


@pytest.mark.parametrize("name", ["basis", "normaliser", "sharing"])
def test_the_kind_refuses_the_same_words(name):
    with pytest.raises(ActivationError, match=f"{name} 'nothing'"):
        find_kind("slaf").spec(**{name: "nothing"})


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_other_numbers_name_the_slot(dtype):
    whole = network(SLAF(CHANNELS))
    with pytest.raises(ActivationError) as caught:
        whole(torch.ones(3, CHANNELS, dtype=dtype))
    message = message_of(caught)
    assert message.startswith(f"body.bend: input of dtype {dtype}")
    assert "floating point" in message


@pytest.mark.parametrize("shape", [(3, CHANNELS + 1), (CHANNELS,), (3, 2, CHANNELS), ()])
def test_a_channel_mismatch_names_the_slot(shape):
    whole = network(SLAF(CHANNELS))
    with pytest.raises(ActivationError) as caught:
        whole(torch.ones(shape))
    message = message_of(caught)
    assert message.startswith(f"body.bend: input of shape {shape}")
    assert f"{CHANNELS} channels at dimension 1" in message
    assert "channel_dim" in message


def test_a_wrong_input_leaves_the_statistics():
    slaf = SLAF(CHANNELS)
    for wrong in (torch.ones(3, CHANNELS + 1), torch.ones(3, CHANNELS, dtype=torch.int64)):
        with pytest.raises(ActivationError):
            slaf(wrong)
    assert all(m.rows == 0 for m in slaf.modules() if isinstance(m, RunningMoments))
