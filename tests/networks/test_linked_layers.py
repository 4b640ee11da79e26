"""Identity links of multilayer perceptrons: what they compute, store, and refuse."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from network_strategies import LEAST_WIDTH, generator, modest, relu, slaf, specs
from test_deployed import error, reference, trained

from slaf_automl.activations.folding import Affine
from slaf_automl.errors import SpecError
from slaf_automl.networks import Network, count_cost, deploy
from slaf_automl.spec import Architecture

SHARED = slaf(degree=3, normaliser="none", sharing="layer")


def linked(width, placement, inputs=4):
    return Architecture("mlp", inputs, 3, (width,) * len(placement), placement, residual=True)


def test_each_hidden_layer_but_the_first_adds_its_input():
    network = Network(linked(5, (relu(),) * 3), generator(0)).eval()
    x = torch.randn(7, 4, generator=generator(1))
    h = network.layers[0](x).relu()
    for layer in network.layers[1:3]:
        h = h + layer(h).relu()
    torch.testing.assert_close(network(x), network.layers[3](h))


def test_its_parts_by_hand():
    placement = (SHARED, relu("element"), relu("input"))
    plain = count_cost(replace(linked(5, placement), residual=None))
    cost = count_cost(linked(5, placement))
    # A constant folds into every layer after it; the scale of one summand alone cannot.
    assert dict(cost.parts) == {
        "layers.0.weight": 20,
        "layers.0.bias": 5,
        "slots.0": 3,
        "layers.1.weight": 25,
        "layers.1.bias": 5,
        "slots.1": 5,
        "layers.2.weight": 25,
        "layers.2.bias": 5,
        "layers.3.weight": 15,
        "layers.3.bias": 3,
    }
    assert cost.parameters == plain.parameters + 5
    assert cost.macs == plain.macs + 5
    assert (cost.relus, cost.depth) == (plain.relus, plain.depth)


def test_constants_add_up_through_the_links():
    # Slots that give their start plus a constant: the last layer must take all three of them.
    learned = slaf(degree=1, normaliser="none", clip=None, start="identity")
    architecture = linked(4, (learned,) * 3)
    network = Network(architecture, generator(0)).eval()
    with torch.no_grad():
        for i, slot in enumerate(network.slots):
            slot.bias.fill_(10.0**i)
    x = torch.randn(9, 4, generator=generator(1))
    same = Affine.identity(4), Affine.identity(3)
    deployed = deploy(network, architecture, *same)
    assert sum(t.numel() for t in deployed.slots.state_dict().values()) == 3 * 4
    assert error(deployed(x), reference(network, x, 0 * x[0], 0 * x[0] + 1, same[1])) <= 1e-5


@given(
    slots=st.lists(specs(most_degree=4, most_unclipped=2), min_size=2, max_size=4),
    width=st.integers(LEAST_WIDTH, 6),
    seed=st.integers(0, 2**31),
)
@modest(60)
def test_deployed_equals_trained_and_stores_what_is_counted(slots, width, seed):
    architecture, source = linked(width, tuple(slots)), generator(seed)
    x = torch.randn(64, 4, generator=source)
    network = trained(architecture, source, x)
    same = Affine.identity(4), Affine.identity(3)
    deployed = deploy(network, architecture, *same)
    wanted = reference(network, x, 0 * x[0], 0 * x[0] + 1, same[1])
    with torch.no_grad():
        rounded = error(network(x), wanted)  # what float32 itself loses
    assert error(deployed(x), wanted) <= 1e-4 + 20 * rounded
    stored = sum(tensor.numel() for tensor in deployed.state_dict().values())
    assert stored == count_cost(architecture).parameters


@given(slots=st.lists(specs(), min_size=2, max_size=4), width=st.integers(LEAST_WIDTH, 12))
@modest(40)
def test_no_cost_falls_as_all_layers_grow(slots, width):
    before, after = (count_cost(linked(w, tuple(slots))).totals for w in (width, width + 1))
    assert all(before[name] <= after[name] for name in before)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"residual": False}, "Architecture.residual False"),
        ({"widths": (5, 6)}, "all of one width"),
        ({"widths": (5,), "placement": (relu(),)}, "at least two hidden layers"),
        (
            {"family": "cnn", "image": (1, 2, 2), "pooling": "max"},
            "Architecture.residual True of family 'cnn'",
        ),
    ],
)
def test_links_that_cannot_be_are_refused(change, named):
    with pytest.raises(SpecError, match=named):
        replace(linked(5, (relu(),) * 2), **change)


def test_only_linked_networks_say_so_in_their_documents():
    architecture = linked(5, (relu(),) * 2)
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert "residual" not in replace(architecture, residual=None).to_json()
