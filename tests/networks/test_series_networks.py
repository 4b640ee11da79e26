"""Networks for series: what they compute, counts by hand, and how long a series must be."""

from dataclasses import replace

import pytest
import torch
from network_strategies import generator, relu, slaf
from torch.nn import functional as F

from slaf_automl.errors import SpecError
from slaf_automl.networks import FAMILIES, DeployedNetwork, Network, count_cost
from slaf_automl.networks.families import layout
from slaf_automl.spec import HEADS, Architecture

CHANNEL = slaf(degree=3)


def conv1d(widths, placement, shape=(2, 16), pooling="max", kernel=3, head="flatten", **more):
    """Return a network of 3 outputs for series of (channels, length)."""
    channels, length = shape
    return Architecture(
        "conv1d",
        channels * length,
        3,
        widths,
        placement,
        image=(channels, 1, length),
        pooling=pooling,
        kernel=kernel,
        head=head,
        **more,
    )


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_it_computes_what_torchs_own_layers_for_series_do(pooling, head):
    architecture = conv1d((4, 6), (relu(), relu()), pooling=pooling, kernel=4, head=head)
    network = Network(architecture, generator(0)).eval()
    x = torch.randn(5, 32, generator=generator(1))
    maps = x.reshape(5, 2, 16)
    pool = F.max_pool1d if pooling == "max" else F.avg_pool1d
    for layer in network.layers[:2]:
        maps = pool(F.conv1d(maps, layer.weight.squeeze(2), layer.bias).relu(), 2)
    assert maps.shape == (5, 6, 1)  # 16 → 13 → 6 → 3 → 1
    found = F.linear(maps.flatten(1), network.layers[2].weight, network.layers[2].bias)
    torch.testing.assert_close(network(x), found)


def test_its_parts_by_hand():
    cost = count_cost(conv1d((4, 6), (CHANNEL, relu("element"))))
    # 16 → 14 → 7 → 5 → 2.
    assert cost.parts == (
        ("layers.0.weight", 3 * 2 * 4),
        ("layers.0.bias", 4),
        ("slots.0.coefficients", 4 * 3),
        ("layers.1.weight", 3 * 4 * 6),
        ("layers.1.bias", 6),
        ("layers.2.weight", 2 * 6 * 3),
        ("layers.2.bias", 3),
    )
    assert cost.macs == 14 * (24 + 12) + 5 * 72 + 36
    # A clipped channel is two comparisons at each place, a maximum of two places one.
    assert cost.relus == 2 * 14 * 4 + 7 * 4 + 5 * 6 + 2 * 6


def test_a_mean_has_one_weight_a_channel():
    cost = count_cost(conv1d((4, 6), (CHANNEL, relu("element")), head="mean"))
    assert dict(cost.parts)["layers.2.weight"] == 6 * 3
    assert cost.macs == 14 * (24 + 12) + 5 * 72 + 18


def test_means_of_centred_series_are_stored_by_channel():
    cost = count_cost(conv1d((4,), (relu(),), centred_inputs=True))
    assert cost.parts[0] == ("centre", 2)


def test_depth_of_polynomial_networks():
    smooth = slaf(degree=3, clip=None)
    assert count_cost(conv1d((4, 4), (smooth,) * 2, pooling="average")).depth == 3 + 2 * 2
    assert count_cost(conv1d((4, 4), (smooth,) * 2, pooling="max")).depth == float("inf")


def test_only_flattened_maps_say_where_something_was():
    x = torch.zeros(2, 32)
    x[0, 12], x[1, 16] = 1.0, 1.0  # Two halvings move by 1 what is moved by 4.
    for head, tells in (("mean", False), ("flatten", True)):
        architecture = conv1d((4, 6), (relu(), relu()), shape=(1, 32), head=head)
        early, late = Network(architecture, generator(0)).eval()(x)
        assert torch.allclose(early, late, atol=1e-6) != tells


@pytest.mark.parametrize("kernel", [2, 3, 5, 8])
@pytest.mark.parametrize("length", [2, 3, 8, 13, 14, 40, 41, 128])
def test_the_most_layers_that_a_series_allows_can_be_built(length, kernel):
    most = FAMILIES["conv1d"].most_widths((1, 1, length), kernel)

    def build(count):
        return conv1d((2,) * count, (relu(),) * count, shape=(1, length), kernel=kernel)

    if most:
        network = DeployedNetwork(build(most))
        assert network(torch.zeros(2, length)).shape == (2, 3)
    with pytest.raises(SpecError, match=f"at most {most}"):
        layout(build(most + 1))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"image": (2, 4, 4)}, r"expected a series: \(channels, 1, length\)"),
        ({"kernel": None}, "Architecture.kernel"),
        ({"kernel": 1}, "Architecture.kernel"),
        ({"head": None}, "Architecture.head"),
        ({"head": "max"}, "'max'"),
        ({"pooling": None}, "Architecture.pooling"),
        ({"blocks": 2}, "Architecture.blocks"),
        ({"family": "cnn"}, "of family 'cnn'"),
    ],
)
def test_an_architecture_that_does_not_fit_the_family_is_refused(change, named):
    with pytest.raises(SpecError, match=named):
        replace(conv1d((4, 4), (relu(),) * 2), **change)


def test_other_families_have_the_documents_they_had():
    document = Architecture("mlp", 4, 3, (5,), (relu(),)).to_json()
    assert {"kernel", "head"}.isdisjoint(document)
    assert Architecture.from_json(document) == Architecture("mlp", 4, 3, (5,), (relu(),))
