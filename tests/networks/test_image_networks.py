"""Networks for images and series: shapes, counts by hand, and the deployed form."""

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from network_strategies import architectures, generator, modest, relu, slaf, specs
from test_deployed import IMAGES, TAME, error, evaluable, reference, trained

from slaf_automl.activations.folding import Affine
from slaf_automl.errors import SpecError
from slaf_automl.networks import FAMILIES, DeployedNetwork, Network, count_cost, deploy
from slaf_automl.networks.families import layout
from slaf_automl.spec import Architecture

CHANNEL = slaf(degree=3)
ROWS = 48


def cnn(widths, placement, image=(1, 8, 8), pooling="max", **more):
    inputs = image[0] * image[1] * image[2]
    return Architecture("cnn", inputs, 3, widths, placement, image=image, pooling=pooling, **more)


def resnet(widths, blocks, placement, image=(1, 8, 8), **more):
    inputs = image[0] * image[1] * image[2]
    return Architecture("resnet", inputs, 3, widths, placement, image=image, blocks=blocks, **more)


def images(architecture, source, far):
    """Draw float32 rows whose channels have spreads of 1e-2 to 1e2 and means up to `far` spreads.

    Returns the rows, and mean and scale for every feature.
    """
    channels = architecture.image[0]
    spread = 10.0 ** (4 * torch.rand(channels, 1, generator=source) - 2)
    mean = far * spread * (2 * torch.rand(channels, 1, generator=source) - 1)
    noise = torch.randn(ROWS, channels, architecture.inputs // channels, generator=source)
    x = mean + spread * noise
    every = torch.ones_like(x[0])
    return x.flatten(1), (mean * every).flatten(), (every / spread).flatten()


def by_channel(architecture, mean, scale):
    first = [t.reshape(architecture.image[0], -1)[:, 0].double() for t in (mean, scale)]
    return Affine(first[1], -first[1] * first[0])


@given(
    architecture=architectures(slots=TAME, most_width=6, families=IMAGES),
    far=st.sampled_from((0.0, 1.0, 100.0)),
    seed=st.integers(0, 2**31),
)
@modest(80)
def test_deployed_equals_trained(architecture, far, seed):
    architecture = replace(architecture, centred_inputs=architecture.centred_inputs or far > 1.0)
    source = generator(seed)
    x, mean, scale = images(architecture, source, far)
    network = trained(architecture, source, ((x.double() - mean) * scale).float())
    assume(evaluable(network, x, mean, scale))
    restore = Affine.identity(architecture.outputs)
    deployed = deploy(network, architecture, by_channel(architecture, mean, scale), restore)
    assert error(deployed(x), reference(network, x, mean, scale, restore)) <= 1e-4
    stored = sum(tensor.numel() for tensor in deployed.state_dict().values())
    assert stored == count_cost(architecture).parameters


@given(architecture=architectures(families=IMAGES, most_width=6), data=st.data())
@modest(40)
def test_no_cost_falls_as_a_layer_grows(architecture, data):
    # Widths are solved on that promise.
    i = data.draw(st.integers(0, len(architecture.widths) - 1))
    widths = list(architecture.widths)
    widths[i] += 1
    before, after = (
        count_cost(replace(architecture, widths=tuple(w))).totals
        for w in (architecture.widths, widths)
    )
    assert all(before[name] <= after[name] for name in before)


def test_the_parts_of_a_convolutional_network_by_hand():
    cost = count_cost(cnn((4, 6), (CHANNEL, relu("element")), image=(2, 8, 8)))
    assert cost.parts == (
        ("layers.0.weight", 9 * 2 * 4),
        ("layers.0.bias", 4),
        ("slots.0.coefficients", 4 * 3),
        ("layers.1.weight", 9 * 4 * 6),
        ("layers.1.bias", 6),
        ("layers.2.weight", 6 * 3),
        ("layers.2.bias", 3),
    )
    # 8×8 → 6×6 → 3×3 → 1×1. A maximum over 2×2 is three comparisons, a clipped channel two.
    assert cost.macs == 36 * (72 + 12) + 216 + 18
    assert cost.relus == 2 * 36 * 4 + 3 * 9 * 4 + 6


def test_the_parts_of_a_residual_network_by_hand():
    placement = (relu(), CHANNEL, relu("element"), relu(), slaf(degree=2, normaliser="input"))
    cost = count_cost(resnet((4, 5), 1, placement))
    assert dict(cost.parts) == {
        "layers.0.weight": 9 * 4,
        "layers.0.bias": 4,
        "layers.1.weight": 9 * 16,
        "layers.1.bias": 4,
        "slots.1": 4 * 3 + 4,  # Constants, for zeros are padded after them.
        "layers.2.weight": 9 * 16,
        "layers.2.bias": 4,
        "slots.2": 4,  # The scale goes on to both branches, the shift cannot.
        "layers.3.weight": 9 * 20,
        "layers.3.bias": 5,
        "layers.4.weight": 9 * 25,
        "layers.4.bias": 5,
        "layers.5.weight": 20,
        "layers.5.bias": 5,
        "slots.4": 5 * 2 + 2 * 5,  # The map of its input: no layer can scale a sum.
        "layers.6.weight": 5 * 3,
        "layers.6.bias": 3,
    }
    # 8×8 → 6×6 → 3×3; the shortcut runs beside two convolutions.
    assert cost.macs == (36 * (36 + 144 + 144 + 12)) + 9 * (180 + 225 + 20 + 10 + 5) + 15


def test_depth_of_polynomial_networks():
    smooth = slaf(degree=3, clip=None)
    assert count_cost(cnn((4, 4), (smooth,) * 2, pooling="average")).depth == 3 + 2 * 2
    assert count_cost(cnn((4, 4), (smooth,) * 2, pooling="max")).depth == float("inf")
    # Stem, four convolutions of two blocks, the linear layer; five slots of two levels.
    assert count_cost(resnet((4, 4), 1, (smooth,) * 5)).depth == 1 + 4 + 1 + 5 * 2


def test_a_residual_block_adds_its_input():
    architecture = resnet((2,), 1, (relu(),) * 3, image=(1, 4, 4))
    network = Network(architecture, generator(0)).eval()
    with torch.no_grad():
        for layer in network.layers[1:3]:
            layer.weight.zero_()
        network.norms[0].moments.rows.fill_(1)
        network.layers[0].weight.fill_(1.0)
        network.layers[3].weight.fill_(1.0)
    # The stem sums 9 ones in two channels; the body gives nothing; the mean changes nothing.
    assert network(torch.ones(1, 16)).tolist() == [[18.0, 18.0, 18.0]]


@pytest.mark.parametrize("family", ["cnn", "resnet"])
@pytest.mark.parametrize("side", [3, 4, 5, 6, 8, 9, 13, 28, 32])
def test_the_most_layers_that_an_image_allows_can_be_built(family, side):
    image = (1, side, side + 1)
    found = FAMILIES[family]
    most = found.most_widths(image)
    if most == 0:
        return

    def build(count):
        if family == "cnn":
            return cnn((2,) * count, (relu(),) * count, image=image)
        return resnet((2,) * count, 1, (relu(),) * (1 + 2 * count), image=image)

    network = DeployedNetwork(build(most))
    assert network(torch.zeros(2, side * (side + 1))).shape == (2, 3)
    with pytest.raises(SpecError, match=f"at most {most}"):
        layout(build(most + 1))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"image": None}, "Architecture.image"),
        ({"image": (1, 8, 7)}, "product"),
        ({"pooling": None}, "Architecture.pooling"),
        ({"pooling": "median"}, "'median'"),
        ({"blocks": 2}, "Architecture.blocks"),
        ({"family": "mlp"}, "of family 'mlp'"),
        ({"placement": (relu(),)}, "2 slots"),
    ],
)
def test_an_architecture_that_does_not_fit_its_family_is_refused(change, named):
    with pytest.raises(SpecError, match=named):
        replace(cnn((4, 4), (relu(),) * 2), **change)


@given(architecture=architectures(slots=specs(most_degree=4), families=IMAGES))
@modest(20)
def test_every_parameter_of_a_layer_learns(architecture):
    network = Network(architecture, generator(0))
    x = torch.randn(16, architecture.inputs, generator=generator(1))
    network(x).square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
