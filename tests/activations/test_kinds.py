import math

import pytest
import torch
from slaf_reference import assert_near, normal, settled
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF, ActivationKind, find_kind, kinds, register
from slaf_automl.activations.fixed import NORMALISERS, FixedActivation
from slaf_automl.activations.folding import Affine, Folded
from slaf_automl.activations.kinds import Foldable, validated
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec

SLAF_DEFAULTS = {
    "basis": "chebyshev",
    "degree": 3,
    "sharing": "channel",
    "normaliser": "element",
    "hybrid": 0.0,
    "clip": 3.0,
    "start": "relu",
}
FIXED_DEFAULTS = {name: {"normaliser": "none"} for name in ("relu", "silu", "gelu")}
DEFAULTS = {**FIXED_DEFAULTS, "slaf": SLAF_DEFAULTS}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_filled_in(name):
    spec = find_kind(name).spec()
    assert (spec.kind, dict(spec.parameters)) == (name, DEFAULTS[name])
    assert validated(ActivationSpec(name, {})) == spec


def test_given_parameters_win_over_defaults():
    spec = find_kind("slaf").spec(degree=7, clip=None, basis="hermite")
    assert dict(spec.parameters) == {
        **SLAF_DEFAULTS,
        "degree": 7,
        "clip": None,
        "basis": "hermite",
    }
    assert (
        validated(ActivationSpec("slaf", {"degree": 7, "clip": None, "basis": "hermite"})) == spec
    )


def test_defaults_are_those_of_the_module():
    # SLAF(5) and a bare spec must not drift apart.
    built, bare = find_kind("slaf").build(find_kind("slaf").spec(), 5), SLAF(5)
    assert {k: v.tolist() for k, v in built.state_dict().items()} == {
        k: v.tolist() for k, v in bare.state_dict().items()
    }
    x = 4.0 * normal(10, 5, dtype=torch.float32)
    assert torch.equal(built(x), bare(x))


def test_build_hands_on_every_parameter():
    given = {
        "basis": "legendre",
        "degree": 4,
        "sharing": "layer",
        "normaliser": "input",
        "hybrid": 0.4,
        "clip": 2.0,
        "start": "tanh",
    }
    built = find_kind("slaf").build(find_kind("slaf").spec(**given), 5)
    wanted = SLAF(5, **given)
    assert built.load_state_dict(wanted.state_dict()) is not None
    x = 4.0 * normal(10, 5, dtype=torch.float32)
    assert torch.equal(built(x), wanted(x))
    fresh = find_kind("slaf").build(find_kind("slaf").spec(**given), 5)
    assert torch.equal(fresh.coefficients, wanted.coefficients)


@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
@pytest.mark.parametrize(("name", "module"), [("relu", FixedActivation), ("slaf", SLAF)])
def test_built_modules_can_be_folded(name, module, normaliser):
    kind = find_kind(name)
    built = kind.build(kind.spec(normaliser=normaliser), 3)
    assert isinstance(built, module)
    assert isinstance(built, Foldable)
    x = normal(10, 3, dtype=torch.float32)
    assert torch.equal(built(x), module(3, normaliser=normaliser)(x))


@pytest.mark.parametrize(("name", "function"), [("silu", F.silu), ("gelu", F.gelu)])
@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_other_fixed_kinds_fold_into_their_plain_function_and_store_nothing(
    name, function, normaliser
):
    kind = find_kind(name)
    spec = kind.spec(normaliser=normaliser)
    module = settled(kind.build(spec, 3).double(), 3)
    x = normal(10, 3)
    folded = module.eval().fold()
    plain = kind.deployed(spec, 3)
    assert type(folded.function) is type(plain)
    wanted = folded.output.scale * function(folded.input.scale * x + folded.input.shift)
    assert_near(module(x), wanted + folded.output.shift, 1e-12)
    assert (kind.stored_values(spec, 3), kind.macs(spec, 3), kind.relus(spec, 3)) == (0, 0, 0)
    assert kind.depth(spec, 3) is None
    assert kind.lane_group(spec) == name


@pytest.mark.parametrize("name", DEFAULTS)
def test_unknown_parameter_is_named_and_the_known_are_listed(name):
    with pytest.raises(ActivationError) as caught:
        find_kind(name).spec(normalizer="none")
    message = str(caught.value)
    assert "'normalizer'" in message
    assert repr(name) in message
    assert all(parameter in message for parameter in DEFAULTS[name])
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "parameters", "given"),
    [
        ("relu", {"normaliser": "batch"}, "normaliser 'batch'"),
        ("relu", {"normaliser": None}, "normaliser None"),
        ("slaf", {"basis": "wavelet"}, "basis 'wavelet'"),
        ("slaf", {"degree": 0}, "degree 0"),
        ("slaf", {"degree": 60}, "degree 60"),
        ("slaf", {"degree": 3.0}, "degree 3.0"),
        ("slaf", {"sharing": "row"}, "sharing 'row'"),
        ("slaf", {"normaliser": "batch"}, "normaliser 'batch'"),
        ("slaf", {"hybrid": 1.0}, "hybrid 1.0"),
        ("slaf", {"hybrid": -0.1}, "hybrid -0.1"),
        ("slaf", {"clip": 0}, "clip 0"),
        ("slaf", {"start": "swish"}, "start 'swish'"),
    ],
)
def test_wrong_values_are_named(name, parameters, given):
    for make in (
        lambda: find_kind(name).spec(**parameters),
        lambda: validated(ActivationSpec(name, parameters)),
    ):
        with pytest.raises(ActivationError) as caught:
            make()
        assert given in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["spline", "", "ReLU"])
def test_unknown_kind_lists_those_that_exist(name):
    with pytest.raises(ActivationError) as caught:
        find_kind(name)
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in DEFAULTS)


@pytest.mark.parametrize(
    "hybrid", [0, 0.0, 0.1, 0.25, 1 / 3, 0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.85, 0.95, 0.99, 0.999]
)
def test_least_channels_is_the_first_width_that_can_be_built(hybrid):
    def buildable(channels):
        try:
            SLAF(channels, degree=1, hybrid=hybrid)
        except ActivationError:
            return False
        return True

    kind = find_kind("slaf")
    spec = kind.spec(hybrid=hybrid)
    assert kind.least_channels(spec) == next(c for c in range(1, 1000) if buildable(c))


@pytest.mark.parametrize("hybrid", [1e-12, 0.5, 1 - 2**-10])
def test_least_channels_of_a_share_in_halves_is_half_its_inverse(hybrid):
    kind = find_kind("slaf")
    assert kind.least_channels(kind.spec(hybrid=hybrid)) == math.ceil(0.5 / (1 - hybrid))


def test_relu_serves_any_width_and_stores_nothing():
    kind = find_kind("relu")
    spec = kind.spec()
    assert kind.least_channels(spec) == 1
    assert [kind.stored_values(spec, channels) for channels in (1, 100)] == [0, 0]


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({}, 15),
        ({"sharing": "layer"}, 15),  # five rows: element statistics differ by channel
        ({"sharing": "layer", "normaliser": "none"}, 3),
        ({"sharing": "layer", "normaliser": "input", "degree": 12}, 12),
        ({"normaliser": "none", "degree": 2}, 10),
        ({"hybrid": 0.5}, 9),
        ({"hybrid": 0.75, "normaliser": "input", "sharing": "layer"}, 3),
    ],
)
def test_stored_values_by_hand(parameters, values):
    kind = find_kind("slaf")
    assert kind.stored_values(kind.spec(**parameters), 5) == values


def test_lane_groups_part_relu_from_polynomials():
    slaf, relu = find_kind("slaf"), find_kind("relu")
    groups = {
        slaf.lane_group(slaf.spec(basis=basis, degree=degree))
        for basis in ("monomial", "chebyshev", "legendre", "hermite")
        for degree in (1, 12)
    }
    assert len(groups) == 1
    assert relu.lane_group(relu.spec(normaliser="input")) == relu.lane_group(relu.spec())
    assert relu.lane_group(relu.spec()) not in groups


class Doubled(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        return 2.0 * x

    def fold(self):
        identity = Affine.identity(self.channels)
        return Folded(Affine(2.0 * identity.scale, identity.shift), nn.Identity(), identity)


class DoubledKind(ActivationKind):
    name = "doubled"
    defaults = {"loud": False}  # noqa: RUF012  (a kind of a user's own, written plainly)

    def validate(self, parameters):
        if not isinstance(parameters["loud"], bool):
            raise ActivationError(f"loud {parameters['loud']!r}", expected="true or false")

    def build(self, spec, channels, *, channel_dim=1):
        return Doubled(channels)

    def deployed(self, spec, channels):
        return nn.Identity()

    def stored_values(self, spec, channels):
        return 0

    def macs(self, spec, channels):
        return 0

    def relus(self, spec, channels):
        return 0

    def depth(self, spec, channels):
        return 0

    def least_channels(self, spec):
        return 1

    def lane_group(self, spec):
        return "doubled"


def test_a_kind_of_ones_own_joins_once(monkeypatch):
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
    toy = DoubledKind()
    register(toy)
    assert find_kind("doubled") is toy
    spec = validated(ActivationSpec("doubled", {"loud": True}))
    assert isinstance(toy.build(spec, 3), Foldable)
    with pytest.raises(ActivationError, match="loud 3"):
        validated(ActivationSpec("doubled", {"loud": 3}))
    with pytest.raises(ActivationError, match="'doubled' exists already"):
        register(DoubledKind())
    assert find_kind("doubled") is toy
    with pytest.raises(ActivationError, match="doubled"):
        find_kind("spline")


@pytest.mark.parametrize("name", DEFAULTS)
def test_shipped_kinds_cannot_be_replaced(monkeypatch, name):
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
    shipped = find_kind(name)
    monkeypatch.setattr(DoubledKind, "name", name)
    with pytest.raises(ActivationError, match=f"'{name}' exists already"):
        register(DoubledKind())
    assert find_kind(name) is shipped


def test_an_unfinished_kind_cannot_be_made():
    class Unfinished(ActivationKind):
        name = "unfinished"

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()
