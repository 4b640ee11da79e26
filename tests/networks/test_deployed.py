"""Folding: the deployed network on raw features is the trained one on standardised ones."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from network_strategies import architectures, generator, modest, relu, slaf, specs

from slaf_automl.activations.folding import Affine
from slaf_automl.errors import ActivationError
from slaf_automl.networks import DeployedNetwork, Network, count_cost, deploy
from slaf_automl.spec import Architecture

ROWS = 64
TABLES, IMAGES = ("mlp",), ("cnn", "resnet", "conv1d")

# Degrees at which float32 evaluates the trained network itself to five digits and more.
TAME = specs(most_degree=12, most_unclipped=4)


def raw_features(inputs, source, *, far, constant=()):
    """Draw float32 rows whose columns have spreads of 1e-3 to 1e3 and means up to `far` spreads.

    Returns the rows with the float32 mean and scale that a table's statistics would hold.
    """
    spread = 10.0 ** (6 * torch.rand(inputs, generator=source) - 3)
    mean = far * spread * (2 * torch.rand(inputs, generator=source) - 1)
    x = mean + spread * torch.randn(ROWS, inputs, generator=source)
    scale = 1 / x.double().std(0, correction=0)
    for column in constant:
        x[:, column], scale[column] = mean[column], 0.0
    return x, x.double().mean(0).float(), scale.float()


def trained(architecture, source, standardised):
    """Return a network of random weights whose statistics a few training passes have set."""
    network = Network(architecture, source)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=source)
            parameter.add_(0.3 * noise * (0.1 + parameter.abs().mean()))
        for _ in range(3):
            network.train()(standardised)
    return network.eval()


def standardise(x, mean, scale):
    return (x.double() - mean.double()) * scale.double()


def folded_input(mean, scale):
    return Affine(scale.double(), -scale.double() * mean.double())


def reference(network, x, mean, scale, restore):
    """Evaluate the trained network in float64, so that only the deployed one is rounded."""
    with torch.no_grad():
        y = copy.deepcopy(network).double()(standardise(x, mean, scale))
    return restore.scale * y + restore.shift


def evaluable(network, x, mean, scale):
    """Say whether float32 evaluates the trained network itself to five digits.

    It does not where a nearly dead channel, normalised by its own spread, magnifies every
    rounding; such a network says nothing about the folding.
    """
    wanted = reference(network, x, mean, scale, Affine.identity(1))
    with torch.no_grad():
        return error(network(standardise(x, mean, scale).float()), wanted) <= 1e-5


def error(y, wanted):
    return ((y.double() - wanted).abs() / wanted.abs().clamp(min=1.0)).max()


@given(
    architecture=architectures(slots=TAME, most_width=8, families=TABLES),
    far=st.sampled_from((0.0, 1.0, 10.0, 100.0, 1e4)),
    seed=st.integers(0, 2**31),
)
@modest(120)
def test_deployed_equals_trained(architecture, far, seed):
    # Tables whose columns lie far from zero are centred; folding their means would cancel.
    architecture = replace(architecture, centred_inputs=architecture.centred_inputs or far > 1.0)
    source = generator(seed)
    x, mean, scale = raw_features(architecture.inputs, source, far=far)
    network = trained(architecture, source, standardise(x, mean, scale).float())
    assume(evaluable(network, x, mean, scale))
    restore = Affine.identity(architecture.outputs)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    y = deployed(x)
    assert y.dtype == torch.float32
    assert error(y, reference(network, x, mean, scale, restore)) <= 1e-4
    stored = sum(tensor.numel() for tensor in deployed.state_dict().values())
    assert stored == count_cost(architecture).parameters


@given(
    architecture=architectures(slots=TAME, most_width=8, families=TABLES),
    spread=st.floats(1e-3, 1e3),
    shift=st.floats(-10.0, 10.0),
    seed=st.integers(0, 2**31),
)
@modest(40)
def test_a_regression_target_is_restored(architecture, spread, shift, seed):
    source = generator(seed)
    x, mean, scale = raw_features(architecture.inputs, source, far=1.0)
    network = trained(architecture, source, standardise(x, mean, scale).float())
    assume(evaluable(network, x, mean, scale))
    ones = torch.ones(architecture.outputs, dtype=torch.float64)
    restore = Affine(spread * ones, shift * spread * ones)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    wanted = reference(network, x, mean, scale, restore)
    # Errors count in spreads of the target.
    assert error(deployed(x) / spread, wanted / spread) <= 1e-4


@given(
    architecture=architectures(slots=TAME, most_width=8, families=TABLES),
    seed=st.integers(0, 2**31),
)
@modest(40)
def test_a_constant_column_carries_nothing(architecture, seed):
    assume(architecture.inputs >= 2)
    architecture = replace(architecture, centred_inputs=False)
    source = generator(seed)
    column = seed % architecture.inputs
    x, mean, scale = raw_features(architecture.inputs, source, far=1.0, constant=(column,))
    network = trained(architecture, source, standardise(x, mean, scale).float())
    assume(evaluable(network, x, mean, scale))
    restore = Affine.identity(architecture.outputs)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    assert error(deployed(x), reference(network, x, mean, scale, restore)) <= 1e-4
    # Whatever such a column holds later, the answer stays.
    moved = x.clone()
    moved[:, column] += 1e6
    assert error(deployed(moved), deployed(x)) <= 1e-5


@given(
    architecture=architectures(slots=TAME, most_width=8, families=TABLES),
    seed=st.integers(0, 2**31),
)
@modest(30)
def test_the_state_alone_rebuilds_the_deployed_network(architecture, seed):
    source = generator(seed)
    x, mean, scale = raw_features(architecture.inputs, source, far=1.0)
    network = trained(architecture, source, standardise(x, mean, scale).float())
    assume(evaluable(network, x, mean, scale))
    before = copy.deepcopy(network.state_dict())
    restore = Affine.identity(architecture.outputs)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    loaded = DeployedNetwork(architecture)
    loaded.load_state_dict(deployed.state_dict(), strict=True)
    assert error(loaded(x), deployed(x)) <= 1e-5
    # Folding reads the trained network and leaves it as it was.
    assert all(torch.equal(network.state_dict()[name], t) for name, t in before.items())


def test_folding_by_hand():
    # x̂ = (x − 3)/2, hidden ReLU(4x̂ − 1), logit 5h + 6, target 10·logit + 7.
    architecture = Architecture("mlp", 1, 1, (1,), (relu(),))
    network = Network(architecture, generator(0))
    values = {"layers.0.weight": 4.0, "layers.0.bias": -1.0, "layers.1.weight": 5.0}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.fill_(values.get(name, 6.0))
    one = torch.ones(1, dtype=torch.float64)
    deployed = deploy(network, architecture, Affine(one / 2, -1.5 * one), Affine(10 * one, 7 * one))
    state = {name: tensor.item() for name, tensor in deployed.state_dict().items()}
    assert state == {
        "layers.0.weight": 2.0,
        "layers.0.bias": -7.0,
        "layers.1.weight": 50.0,
        "layers.1.bias": 67.0,
    }
    assert deployed(torch.tensor([[5.0]])).item() == 50 * 3 + 67


@pytest.mark.parametrize("mean", [10_000.0, 10_000.0003])
def test_centred_inputs_keep_what_folding_would_cancel(mean):
    # Rows an eighth of a spread apart at 1e4 spreads from zero. What float32 loses of the mean,
    # here 3e-4 spreads, goes into the first bias.
    placement = (slaf(normaliser="none", clip=None, degree=1, start="identity"),)
    architecture = Architecture("mlp", 1, 1, (1,), placement, centred_inputs=True)
    network = Network(architecture, generator(0)).eval()
    x = 10_000.0 + torch.arange(-16, 17)[:, None] / 8
    mean, scale = torch.tensor([mean], dtype=torch.float64), torch.ones(1)
    restore = Affine.identity(1)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    assert deployed.centre.tolist() == [10_000.0]
    assert error(deployed(x), reference(network, x, mean, scale, restore)) <= 1e-6


def test_a_mean_just_short_of_centring_folds_into_the_first_bias():
    # 99 spreads from zero float32 costs 99·2⁻²⁴ = 6e-6 of a spread a rounding.
    architecture = Architecture("mlp", 1, 1, (1,), (relu(),))
    network = Network(architecture, generator(0)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
    x = 99.0 + torch.linspace(-3, 3, 50)[:, None]
    mean, scale = torch.tensor([99.0]), torch.ones(1)
    restore = Affine.identity(1)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    assert deployed.centre is None
    assert error(deployed(x), reference(network, x, mean, scale, restore)) <= 2e-5


@pytest.mark.parametrize("spec", [relu("input"), relu("element"), slaf(), slaf(normaliser="input")])
def test_a_normaliser_that_was_never_set_is_refused(spec):
    architecture = Architecture("mlp", 2, 1, (4,), (spec,))
    network = Network(architecture, generator(0)).eval()
    with pytest.raises(ActivationError, match="statistics were set"):
        deploy(network, architecture, Affine.identity(2), Affine.identity(1))
