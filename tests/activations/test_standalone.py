"""Slots that store their own affine maps: same function, exact counts."""

import itertools

import pytest
import torch

from slaf_automl.activations import find_kind
from slaf_automl.activations.standalone import Standalone, deploy_alone, standalone_values
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec

SLAF, RELU = find_kind("slaf"), find_kind("relu")
NORMALISERS = ("none", "input", "frozen", "element")
SPECS = [
    SLAF.spec(normaliser=n, clip=c, hybrid=h, sharing=s, basis=b, degree=d)
    for n, c, h, s, (b, d) in itertools.product(
        NORMALISERS,
        (None, 2.0),
        (0.0, 0.4),
        ("layer", "channel", 2),
        (("chebyshev", 3), ("monomial", 7), ("gaussian", 4)),
    )
] + [RELU.spec(normaliser=n) for n in NORMALISERS]


def trained(spec, channels, channel_dim):
    """A module after two batches, all its parameters moved."""
    torch.manual_seed(0)
    module = find_kind(spec.kind).build(spec, channels, channel_dim=channel_dim).train()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for _ in range(2):
            module(batch(channels, channel_dim))
    return module.eval()


def batch(channels, channel_dim):
    x = 0.7 * torch.randn(16, 6, channels) + 0.2
    return x if channel_dim == -1 else x.movedim(-1, channel_dim).contiguous()


@pytest.mark.parametrize("channel_dim", [1, -1])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_deployed_slot_is_the_trained_one_in_evaluation(spec, channel_dim):
    module = trained(spec, 5, channel_dim)
    alone = deploy_alone(module, spec, 5, channel_dim=channel_dim)
    x = batch(5, channel_dim)
    with torch.no_grad():
        torch.testing.assert_close(alone(x), module(x), rtol=1e-4, atol=1e-4)
    stored = sum(t.numel() for t in alone.state_dict().values())
    assert stored == standalone_values(spec, 5)


def test_what_is_stored_by_hand():
    none, element = (SLAF.spec(degree=3, normaliser=n) for n in ("none", "element"))
    assert standalone_values(none, 10) == 10 * 3 + 10 + 1
    assert standalone_values(element, 10) == 10 * 3 + 10 + 20
    shared = SLAF.spec(degree=3, normaliser="none", sharing="layer", clip=None)
    assert standalone_values(shared, 10) == 3 + 1
    # 4 SLAF channels of 10: rows, constants, clip range; the ReLU channels store nothing.
    mixed = SLAF.spec(degree=3, normaliser="none", hybrid=0.6)
    assert standalone_values(mixed, 10) == 4 * 3 + 4 + 1
    mixed = SLAF.spec(degree=2, normaliser="element", hybrid=0.6)
    assert standalone_values(mixed, 10) == 4 * 2 + 4 + 8 + 12
    assert standalone_values(RELU.spec(), 10) == 0
    assert standalone_values(RELU.spec(normaliser="input"), 10) == 20


def test_state_loads_into_an_unset_slot():
    spec = SLAF.spec(hybrid=0.5)
    alone = deploy_alone(trained(spec, 6, 1), spec, 6)
    other = Standalone(spec, 6)
    other.load_state_dict(alone.state_dict())
    x = batch(6, 1)
    assert torch.equal(other(x), alone(x))
    assert not any(p.requires_grad for p in other.parameters())


def test_other_kinds_and_modules_are_refused():
    with pytest.raises(ActivationError, match="relu, silu, gelu, slaf"):
        standalone_values(ActivationSpec("spiking", {}), 3)
    with pytest.raises(ActivationError, match="Linear to deploy"):
        deploy_alone(torch.nn.Linear(2, 2), RELU.spec(), 2)
