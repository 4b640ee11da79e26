"""What slots are given and make of it, in networks of every family."""

import pytest
import torch
from network_strategies import relu, slaf

from slaf_automl.activations import find_kind
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.report.activations_figure import draw_activations
from slaf_automl.report.budget_figure import budget_shares, draw_budget
from slaf_automl.report.slot_samples import sample_slots
from slaf_automl.spec import Architecture

HYBRID = slaf(degree=3, hybrid=0.5)
FIVE = (slaf(degree=4, clip=None), relu("element"), HYBRID, relu(), slaf(basis="fourier"))
IMAGE = {"image": (2, 8, 8), "inputs": 128, "outputs": 3}
NETWORKS = {
    "mlp": Architecture("mlp", 4, 2, (40, 6), (slaf(degree=7), HYBRID), centred_inputs=True),
    "gaps": Architecture("mlp", 3, 1, (5,), (relu("input"),), filled_inputs=(1,)),
    "inputs": Architecture(
        "mlp",
        3,
        2,
        (4,),
        (relu("input"),),
        input_activation=slaf(basis="tent", degree=4, normaliser="frozen"),
    ),
    "fixed": Architecture("mlp", 3, 1, (5,), (find_kind("silu").spec(),)),
    "linked": Architecture("mlp", 4, 2, (6, 6), (slaf(), relu("element")), residual=True),
    "cnn": Architecture("cnn", widths=(4, 6), placement=(slaf(), HYBRID), pooling="max", **IMAGE),
    "resnet": Architecture("resnet", widths=(4, 6), placement=FIVE, blocks=1, **IMAGE),
    "conv1d": Architecture(
        "conv1d",
        24,
        3,
        (4,),
        (HYBRID,),
        image=(1, 1, 24),
        pooling="average",
        kernel=3,
        head="flatten",
    ),
}


@pytest.fixture
def built():
    """Architecture ↦ a deployed network of any values, and rows for it."""

    def build(architecture):
        generator = torch.Generator().manual_seed(1)
        network = DeployedNetwork(architecture)
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / 2)
        return network, torch.randn(60, architecture.inputs, generator=generator)

    return build


@pytest.mark.parametrize("name", NETWORKS)
def test_every_family(name, built, monkeypatch):
    monkeypatch.setattr("slaf_automl.report.drawing._rasterised", lambda figure: b"")
    architecture = NETWORKS[name]
    network, rows = built(architecture)
    found = sample_slots(network, architecture, rows)
    assert len(found) == len(architecture.specs)
    if architecture.input_activation is not None:
        assert [sample["name"] for sample in found] == ["inputs", "slot 0"]
        found = found[::-1]
    for spec, sample in zip(architecture.specs, found, strict=True):
        low, high = sample["range"]
        assert low <= 0 <= high
        assert sum(sample["inputs"]) == pytest.approx(1, abs=0.05)
        assert bool(sample["learned"]) == (spec.kind == "slaf")
        assert len(sample["shown"]) == len(sample["functions"]) == min(sample["learned"] or 1, 16)
        assert max(sample["shown"]) < sample["channels"]
        if spec == HYBRID:
            assert sample["learned"] * 2 == sample["channels"]
    assert "<svg" in draw_activations("mix", found).svg


def test_functions_are_those_of_the_network(built):
    architecture = NETWORKS["mlp"]
    network, rows = built(architecture)
    sample = sample_slots(network, architecture, rows)[0]
    assert (sample["channels"], sample["learned"], sample["clipped"]) == (40, 40, True)
    assert sample["shown"][0] == 0
    assert sample["shown"][-1] == 39
    x = torch.linspace(*sample["range"], 65)
    for channel, function in zip(sample["shown"], sample["functions"], strict=True):
        wanted = network.slots[0](x[:, None].expand(-1, 40))[:, channel]
        assert torch.allclose(torch.tensor(function), wanted, rtol=1e-3, atol=1e-3)


def test_inputs_that_are_not_finite_are_left_out(built):
    architecture = NETWORKS["gaps"]
    network, rows = built(architecture)
    rows[:30] = torch.inf
    assert sum(sample_slots(network, architecture, rows)[0]["inputs"]) == pytest.approx(1, abs=0.1)
    rows[:] = torch.inf
    assert sum(sample_slots(network, architecture, rows)[0]["inputs"]) == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_shares_add_up_to_what_is_stored(name, monkeypatch):
    monkeypatch.setattr("slaf_automl.report.drawing._rasterised", lambda figure: b"")
    architecture = NETWORKS[name]
    shares = budget_shares(architecture)
    stored = count_cost(architecture).parameters
    assert sum(share.values for share in shares) == stored
    assert all(share.values > 0 for share in shares)
    svg = draw_budget("mix", shares, 10_000).svg
    assert f"mix winner: {stored:,} stored values of 10,000 allowed" in svg


def test_a_slot_of_the_inputs_is_seen_in_units_of_its_clip_range(built):
    architecture = NETWORKS["inputs"]
    network, rows = built(architecture)
    slot = network.slots[1]
    scale, shift = (slot.parts[0].get_buffer(f"input_{word}") for word in ("scale", "shift"))
    sample = sample_slots(network, architecture, rows)[0]
    assert (sample["name"], sample["learned"], sample["clipped"]) == ("inputs", 3, True)
    given = rows * scale + shift
    inside = ((given > sample["range"][0]) & (given < sample["range"][1])).float().mean()
    assert inside > 0.97
    assert sum(sample["inputs"]) == pytest.approx(float(inside), abs=0.02)
    assert budget_shares(architecture)[0].part == "slot of the inputs"
