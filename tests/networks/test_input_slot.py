"""An activation of the inputs: counted as stored, deployed as trained, and what it computes."""

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from network_strategies import LEAST_WIDTH, generator, modest, relu, slaf, specs
from test_deployed import (
    ROWS,
    error,
    evaluable,
    folded_input,
    raw_features,
    reference,
    standardise,
    trained,
)

from slaf_automl.activations.folding import Affine
from slaf_automl.networks import DeployedNetwork, Network, count_cost, deploy
from slaf_automl.spec import Architecture

BASES = ("tent", "chebyshev", "hermite", "hat")


def of_inputs(basis="tent", degree=6, normaliser="frozen", sharing="channel"):
    options = {"clip": 3.0, "start": "identity", "sharing": sharing}
    return slaf(basis=basis, degree=degree, normaliser=normaliser, **options)


def stored(network):
    return sum(tensor.numel() for tensor in network.state_dict().values())


@st.composite
def problems(draw):
    """Draw networks of one to three hidden layers, linked or not, with a slot of the inputs."""
    placement = tuple(
        draw(st.lists(specs(most_degree=6, most_unclipped=3), min_size=1, max_size=3))
    )
    width = st.integers(LEAST_WIDTH, 6)
    linked = len(placement) > 1 and draw(st.booleans())
    widths = (draw(width),) * len(placement) if linked else tuple(draw(width) for _ in placement)
    inputs = draw(st.integers(1, 5))
    filled = draw(st.sets(st.integers(0, inputs - 1))) if draw(st.booleans()) else set()
    return Architecture(
        "mlp",
        inputs,
        draw(st.integers(1, 3)),
        widths,
        placement,
        centred_inputs=draw(st.booleans()),
        filled_inputs=tuple(sorted(filled)) or None,
        residual=linked or None,
        input_activation=of_inputs(
            draw(st.sampled_from(BASES)),
            draw(st.integers(1, 8)),
            draw(st.sampled_from(("input", "frozen"))),
            draw(st.sampled_from(("channel", "layer"))),
        ),
    )


@given(architecture=problems(), far=st.sampled_from((0.0, 10.0, 1e4)), seed=st.integers(0, 2**31))
@modest(40)
def test_deployed_equals_trained_and_stores_what_is_counted(architecture, far, seed):
    architecture = replace(architecture, centred_inputs=architecture.centred_inputs or far > 1.0)
    source = generator(seed)
    x, mean, scale = raw_features(architecture.inputs, source, far=far)
    network = trained(architecture, source, standardise(x, mean, scale).float())
    assume(evaluable(network, x, mean, scale))
    restore = Affine.identity(architecture.outputs)
    deployed = deploy(network, architecture, folded_input(mean, scale), restore)
    # Far rows end where the clip range does, and gaps stand for the mean.
    given_rows = torch.cat([x, mean + 100 * (x - mean)])
    wanted = reference(network, given_rows, mean, scale, restore)
    assert error(deployed(given_rows), wanted) <= 1e-4
    if architecture.filled_inputs is not None:
        gaps = x.clone()
        gaps[::3, list(architecture.filled_inputs)] = torch.nan
        means = torch.where(gaps.isnan(), mean, gaps)
        assert error(deployed(gaps), reference(network, means, mean, scale, restore)) <= 1e-4
    assert stored(deployed) == stored(DeployedNetwork(architecture))
    assert stored(deployed) == count_cost(architecture).parameters


def test_its_parts_by_hand():
    plain = Architecture("mlp", 4, 3, (5,), (relu(),), centred_inputs=True)
    for basis, degree in (("tent", 6), ("chebyshev", 3), ("tent", 1)):
        architecture = replace(plain, input_activation=of_inputs(basis, degree))
        cost = count_cost(architecture)
        # A row and a map, an input; its constants are in the first layer's bias.
        assert dict(cost.parts)["slots.1"] == 4 * (degree + 2)
        assert cost.parameters == count_cost(plain).parameters + 4 * (degree + 2)
        deployed = DeployedNetwork(architecture)
        found = {n: tuple(t.shape) for n, t in deployed.slots[1].state_dict().items()}
        assert found.pop("parts.0.input_scale") == found.pop("parts.0.input_shift") == (4,)
        assert list(found.values()) == [(4, degree)]


def test_one_function_for_all_inputs_stores_one_row():
    architecture = Architecture(
        "mlp", 4, 3, (5,), (relu(),), input_activation=of_inputs(sharing="layer")
    )
    assert dict(count_cost(architecture).parts)["slots.1"] == 6 + 2 * 4
    network = trained(architecture, generator(0), torch.randn(ROWS, 4, generator=generator(1)))
    slot = network.slots[1].eval()
    one = torch.linspace(-2, 2, 9)[:, None].expand(9, 4)
    scale, shift = slot.before.affine()
    found = slot(((one - shift) / scale).float())
    torch.testing.assert_close(found, found[:, :1].expand(9, 4), rtol=1e-4, atol=1e-5)


def test_every_input_has_a_function_of_its_own():
    architecture = Architecture("mlp", 3, 2, (4,), (relu(),), input_activation=of_inputs())
    x = torch.randn(ROWS, 3, generator=generator(1))
    network = trained(architecture, generator(0), x)
    assert len(network.slots) == 2
    s = network.slots[1](x)
    torch.testing.assert_close(network(x), network.layers[1](network.layers[0](s).relu()))
    alone = torch.autograd.functional.jacobian(lambda row: network.slots[1](row[None])[0], x[0])
    assert torch.equal(alone, torch.diag(alone.diagonal()))


def test_it_begins_as_the_inputs_themselves():
    architecture = Architecture("mlp", 3, 2, (4,), (relu(),), input_activation=of_inputs())
    plain = replace(architecture, input_activation=None)
    x = torch.rand(5000, 3, generator=generator(1)) - 0.5
    one, other = (Network(a, generator(0)) for a in (architecture, plain))
    slot = one.slots[1]
    with torch.no_grad():
        wanted = (x - x.mean(0)) / x.std(0, correction=0)
        assert (slot(x) - wanted).abs().max() < 1e-3
        assert torch.equal(one.layers[0].weight, other.layers[0].weight)
        assert one(x).allclose(other(wanted), atol=1e-2)


def test_macs_relus_and_depth_count_it():
    plain = Architecture("mlp", 4, 3, (5,), (slaf(degree=3, clip=None),))
    architecture = replace(plain, input_activation=of_inputs("chebyshev", 3))
    before, after = count_cost(plain), count_cost(architecture)
    # Three products and one for its scale, an input; the clip compares twice.
    assert after.macs == before.macs + 4 * (3 + 1)
    assert after.relus > before.relus
    assert after.depth == float("inf")


@pytest.mark.parametrize("residual", [None, True])
def test_no_cost_falls_as_layers_grow(residual):
    for width in range(2, 12):
        small, large = (
            Architecture(
                "mlp", 4, 2, (w, w), (relu(),) * 2, residual=residual, input_activation=of_inputs()
            )
            for w in (width, width + 1)
        )
        totals = count_cost(small).totals, count_cost(large).totals
        assert all(totals[0][name] <= totals[1][name] for name in totals[0])
