"""The trainable Network: its initial values, its shape, and what it leaves alone."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from network_strategies import architectures, generator, modest, relu, slaf

from slaf_automl.errors import ActivationError
from slaf_automl.networks import DeployedNetwork, Network
from slaf_automl.spec import ActivationSpec, Architecture

DEEP = Architecture("mlp", 5, 3, (8, 6), (slaf(degree=4, hybrid=0.5), relu("input")))


def same_state(first, second):
    first, second = first.state_dict(), second.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )


@given(architecture=architectures(), seed=st.integers(0, 2**63 - 1))
@modest(40)
def test_building_leaves_the_global_random_state_alone(architecture, seed):
    before = torch.get_rng_state()
    Network(architecture, generator(seed))
    DeployedNetwork(architecture)
    assert torch.equal(torch.get_rng_state(), before)


@given(architecture=architectures(), seed=st.integers(0, 2**31))
@modest(40)
def test_initial_values_follow_from_the_seed_alone(architecture, seed):
    network = Network(architecture, generator(seed))
    with torch.random.fork_rng():
        torch.manual_seed(seed + 1)
        again = Network(architecture, generator(seed))
    assert same_state(network, again)
    assert not same_state(network, Network(architecture, generator(seed + 1)))
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())


def test_one_generator_gives_one_network_after_another():
    source = generator(0)
    assert not same_state(Network(DEEP, source), Network(DEEP, source))


def test_weights_start_as_he_and_biases_at_zero():
    network = Network(Architecture("mlp", 200, 100, (300,), (relu(),)), generator(0))
    for layer, inputs in zip(network.layers, (200, 300), strict=True):
        deviation = layer.weight.std().item()
        # 30,000 and more draws: the sample deviation lies within 2% of √(2/inputs).
        assert deviation == pytest.approx(math.sqrt(2 / inputs), rel=0.02)
        assert layer.weight.mean().abs() < 0.02 * deviation
        assert not layer.bias.any()


@given(architecture=architectures(), rows=st.integers(2, 5))
@modest(40)
def test_rows_of_inputs_become_rows_of_outputs(architecture, rows):
    network = Network(architecture, generator(0))
    x = torch.randn(rows, architecture.inputs, generator=generator(1))
    assert network(x).shape == (rows, architecture.outputs)


def test_layers_and_slots_take_turns():
    network = Network(Architecture("mlp", 2, 1, (2,), (relu(),)), generator(0))
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[1.0, -1.0], [2.0, 0.0]]))
        network.layers[0].bias.copy_(torch.tensor([0.5, -1.0]))
        network.layers[1].weight.copy_(torch.tensor([[3.0, 10.0]]))
        network.layers[1].bias.fill_(0.25)
    # Hidden (1 − 4 + 0.5, 2 − 1) → ReLU (0, 1); then 10 + 0.25. No activation after the last.
    assert network(torch.tensor([[1.0, 4.0]])).item() == 10.25
    assert network(torch.tensor([[0.0, 9.0]])).item() == 0.25


def test_every_parameter_learns():
    network = Network(DEEP, generator(0))
    network(torch.randn(16, 5, generator=generator(1))).square().sum().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_slots_are_found_by_their_public_path():
    network = Network(DEEP, generator(0))
    assert network.get_submodule("slots.0").channels == 8
    assert network.get_submodule("slots.1").channels == 6


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (ActivationSpec("spline", {}), "'spline'"),
        (ActivationSpec("slaf", {**slaf().parameters, "degree": 99}), "99"),
        (ActivationSpec("slaf", {**slaf().parameters, "basis": "wavelet"}), "'wavelet'"),
    ],
)
def test_a_spec_that_its_kind_refuses_is_refused(spec, named):
    with pytest.raises(ActivationError, match=named):
        Network(Architecture("mlp", 2, 1, (4,), (spec,)), generator(0))


def test_a_layer_too_narrow_for_a_hybrid_is_refused():
    # A quarter of one channel rounds to no SLAF channel at all.
    with pytest.raises(ActivationError, match=r"0\.75"):
        Network(Architecture("mlp", 2, 1, (1,), (slaf(hybrid=0.75),)), generator(0))
