import copy

import pytest
import torch
from slaf_reference import BASIS_NAMES, assert_near, normal, settled
from torch import nn

from slaf_automl.activations import SLAF, find_kind
from slaf_automl.activations.channels import along
from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.folding import Affine, fold_layer
from slaf_automl.errors import ActivationError

CHANNELS = 4


def affine(map_, x, channel_dim=1):
    """Apply in the dtype of `x`, as a neighbouring layer would."""
    scale, shift = map_.scale.to(x), map_.shift.to(x)
    return along(scale, x, channel_dim) * x + along(shift, x, channel_dim)


def recomposed(folded, x, channel_dim=1):
    """output ∘ function ∘ input."""
    inner = folded.function(affine(folded.input, x, channel_dim))
    return affine(folded.output, inner, channel_dim)


def random_affine(channels, seed):
    return Affine(normal(channels, seed=seed), normal(channels, seed=seed + 100))


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("hybrid", [0.0, 0.5])
@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
@pytest.mark.parametrize("degree", [1, 2, 3, 5, 6, 12])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_folded_slaf(basis, degree, normaliser, sharing, hybrid, clip):
    kind = find_kind("slaf")
    spec = kind.spec(
        basis=basis, degree=degree, normaliser=normaliser, sharing=sharing, hybrid=hybrid, clip=clip
    )
    single = settled(kind.build(spec, CHANNELS), CHANNELS)
    # Beyond the rows that set the statistics, and beyond the clip range.
    x = 2.5 * normal(64, CHANNELS, dtype=torch.float32)
    x[0], x[1] = 8.0, -8.0
    slaf = copy.deepcopy(single).double()
    wanted = slaf(x.double()).detach()
    folded = slaf.fold()
    assert_near(recomposed(folded, x.double()), wanted, 1e-9)
    if clip is not None:
        assert_near(recomposed(single.fold(), x), wanted, 1e-4)

    # What the counter charges is what is stored, and what a loader expects.
    state = folded.function.state_dict()
    learned = 2 if hybrid else 4
    rows = 1 if sharing == "layer" and normaliser != "element" else learned
    assert sum(v.numel() for v in state.values()) == rows * degree
    assert kind.stored_values(spec, CHANNELS) == rows * degree
    deployed = kind.deployed(spec, CHANNELS)
    shapes = {name: value.shape for name, value in deployed.state_dict().items()}
    assert shapes == {name: value.shape for name, value in state.items()}
    deployed.double().load_state_dict(state)
    inner = affine(folded.input, x.double())
    assert torch.equal(deployed(inner), folded.function(inner))


@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
def test_folded_relu_is_a_plain_relu(normaliser):
    kind = find_kind("relu")
    spec = kind.spec(normaliser=normaliser)
    module = settled(kind.build(spec, CHANNELS), CHANNELS)
    x = 3.0 * normal(40, CHANNELS, dtype=torch.float32)
    wanted = copy.deepcopy(module).double()(x.double()).detach()
    folded = copy.deepcopy(module).double().fold()
    assert isinstance(folded.function, nn.ReLU)
    assert type(kind.deployed(spec, CHANNELS)) is type(folded.function)
    assert kind.stored_values(spec, CHANNELS) == len(folded.function.state_dict()) == 0
    assert_near(recomposed(folded, x.double()), wanted, 1e-9)
    assert_near(recomposed(module.fold(), x), wanted, 1e-5)


@pytest.mark.parametrize("channel_dim", [1, -1])
@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
def test_folding_of_images(normaliser, channel_dim):
    options = {"normaliser": normaliser, "degree": 7, "hybrid": 0.5, "channel_dim": channel_dim}
    slaf = settled(SLAF(CHANNELS, **options).double(), CHANNELS)
    x = (2.0 * normal(2, CHANNELS, 3, 5)).movedim(1, channel_dim)
    assert_near(recomposed(slaf.fold(), x, channel_dim), slaf(x).detach(), 1e-9)


@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
def test_folding_leaves_the_activation_as_it_was(normaliser):
    slaf = settled(SLAF(CHANNELS, normaliser=normaliser, hybrid=0.5), CHANNELS).train()
    state = copy.deepcopy(slaf.state_dict())
    folded = slaf.fold()
    folded.function.coefficients.data.zero_()
    folded.output.shift.zero_()
    folded.input.shift.zero_()
    assert slaf.training
    assert all(torch.equal(state[name], value) for name, value in slaf.state_dict().items())


def test_folding_is_of_the_evaluation_mode():
    slaf = settled(SLAF(CHANNELS).double(), CHANNELS)
    x = 2.0 * normal(20, CHANNELS)
    wanted = slaf(x).detach()
    assert_near(recomposed(slaf.train().fold(), x), wanted, 1e-9)
    assert not any(p.requires_grad for p in slaf.fold().function.parameters())


def test_maps_are_float64_and_the_function_has_the_dtype_of_the_activation():
    folded = settled(SLAF(CHANNELS, hybrid=0.5), CHANNELS).fold()
    assert folded.function.coefficients.dtype == torch.float32
    for map_ in (folded.input, folded.output):
        assert map_.scale.dtype == map_.shift.dtype == torch.float64
        assert map_.scale.shape == map_.shift.shape == (CHANNELS,)


def test_identity_map_changes_nothing():
    x = normal(5, 3)
    assert torch.equal(affine(Affine.identity(3), x), x)


def test_after_composes_in_order():
    x, first, second = normal(5, 3), random_affine(3, 1), random_affine(3, 2)
    assert_near(affine(second.after(first), x), affine(second, affine(first, x)), 1e-13)
    assert not torch.allclose(affine(second.after(first), x), affine(first.after(second), x))


def test_fold_layer_by_hand():
    weight, bias = torch.tensor([[2.0, 3.0]]), torch.tensor([5.0])
    before = Affine(torch.tensor([1.0, 10.0]).double(), torch.tensor([0.5, -1.0]).double())
    after = Affine(torch.tensor([4.0]).double(), torch.tensor([7.0]).double())
    # 4·(2·(x + 0.5) + 3·(10y − 1) + 5) + 7 = 8x + 120y + 19
    folded = fold_layer(weight, bias, before, after)
    assert [values.tolist() for values in folded] == [[[8.0, 120.0]], [19.0]]
    assert [values.dtype for values in folded] == [torch.float64] * 2


def test_fold_layer_is_the_written_out_composition():
    layer = nn.Linear(3, 5).double()
    before, after, x = random_affine(3, 1), random_affine(5, 2), normal(20, 3)
    weight, bias = fold_layer(layer.weight, layer.bias, before, after)
    wanted = affine(after, layer(affine(before, x))).detach()
    assert_near(x @ weight.T + bias, wanted, 1e-12)
    assert not weight.requires_grad


@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
def test_neighbouring_layers_absorb_the_maps(normaliser):
    torch.manual_seed(0)
    first, last = nn.Linear(3, CHANNELS).double(), nn.Linear(CHANNELS, 2).double()
    slots = [
        SLAF(CHANNELS, normaliser=normaliser, hybrid=0.5),
        FixedActivation(CHANNELS, normaliser=normaliser),
    ]
    x = 2.0 * normal(20, 3)
    for slot in slots:
        slot = settled(slot.double(), CHANNELS)
        folded = slot.fold()
        none_before, none_after = Affine.identity(3), Affine.identity(2)
        w1, b1 = fold_layer(first.weight, first.bias, none_before, folded.input)
        w2, b2 = fold_layer(last.weight, last.bias, folded.output, none_after)
        y = folded.function(x @ w1.T + b1) @ w2.T + b2
        assert_near(y, last(slot(first(x))).detach(), 1e-11)


def test_hybrid_maps_leave_unnormalised_relu_channels_alone():
    folded = settled(SLAF(CHANNELS, normaliser="none", hybrid=0.5), CHANNELS).fold()
    for map_ in (folded.input, folded.output):
        assert map_.scale[2:].tolist() == [1.0, 1.0]
        assert map_.shift[2:].tolist() == [0.0, 0.0]
    assert folded.input.scale[:2].tolist() == pytest.approx([1 / 3, 1 / 3])


def test_folding_without_statistics_is_refused():
    for normaliser in ("input", "element"):
        for clip in (None, 3.0):
            with pytest.raises(ActivationError, match="estimate_statistics"):
                SLAF(CHANNELS, normaliser=normaliser, clip=clip).fold()
    assert_near(
        recomposed(SLAF(CHANNELS, normaliser="none").fold(), torch.zeros(1, CHANNELS)),
        SLAF(CHANNELS, normaliser="none")(torch.zeros(1, CHANNELS)).detach(),
        1e-6,
    )
