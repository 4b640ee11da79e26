"""Rows that channels share, deployed forms of every family, frozen, held and started statistics."""

import copy
import math

import pytest
import torch
from slaf_reference import EPSILON, assert_near, normal, randomised, settled

from slaf_automl.activations import BASES, SLAF, find_kind
from slaf_automl.activations.channels import along, by_channel
from slaf_automl.activations.expansion import Expansion
from slaf_automl.activations.polynomial import Polynomial
from slaf_automl.activations.sharing import deployed_rows, require_sharing, trained_rows
from slaf_automl.activations.statistics import (
    SETTLED,
    RunningMoments,
    estimate_statistics,
    hold_statistics,
)
from slaf_automl.errors import ActivationError

NORMALISER_NAMES = ("none", "input", "frozen", "element")
CHANNELS = 6


def buffers_of(module):
    return {name: b.clone() for name, b in module.named_buffers()}


def assert_same_buffers(module, wanted):
    for name, value in module.named_buffers():
        assert torch.equal(value, wanted[name]), name


@pytest.mark.parametrize(("rows", "channels"), [(1, 5), (2, 5), (3, 7), (4, 5), (5, 5), (2, 37)])
def test_channels_take_the_rows_of_their_groups(rows, channels):
    wanted = [math.floor(c * rows / channels) for c in range(channels)]
    assert by_channel(torch.arange(rows), channels).tolist() == wanted
    # Neighbours share, every row is used, and no group has two channels more than another.
    assert wanted == sorted(wanted)
    sizes = [wanted.count(row) for row in range(rows)]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("basis", ["monomial", "hat"])  # compiled and written out
@pytest.mark.parametrize(("rows", "channels"), [(1, 5), (2, 5), (3, 7), (5, 5), (3, 20)])
def test_a_shared_row_is_the_same_row_for_each_channel(rows, channels, basis):
    options = {"basis": basis, "degree": 4, "normaliser": "element"}
    shared = randomised(SLAF(channels, sharing=rows, **options).double())
    single = SLAF(channels, sharing="channel", **options).double()
    groups = [c * rows // channels for c in range(channels)]
    assert shared.coefficients.shape == (rows, 4)
    with torch.no_grad():
        single.coefficients.copy_(shared.coefficients[groups])
        single.bias.copy_(shared.bias[groups])
    x, g = normal(12, channels, 3), normal(12, channels, 3, seed=1)
    y = shared(x)
    assert_near(y.detach(), single(x).detach(), 1e-12)
    shared.zero_grad()
    (shared(x) * g).sum().backward()
    (single(x) * g).sum().backward()
    for row in range(rows):
        members = [c for c in range(channels) if groups[c] == row]
        wanted = single.coefficients.grad[members].sum(0)
        assert_near(shared.coefficients.grad[row], wanted, 1e-10)
        assert_near(shared.bias.grad[row], single.bias.grad[members].sum(), 1e-10)


def test_numbers_of_rows():
    assert [trained_rows(s, 6) for s in ("layer", "channel", 1, 2, 6)] == [1, 6, 1, 2, 6]
    for normaliser in ("none", "input", "frozen"):
        found = [deployed_rows(s, normaliser, 6) for s in ("layer", "channel", 1, 2, 6)]
        assert found == [1, 6, 1, 2, 6]
    # Statistics per channel make every shared row another one in each channel.
    assert [deployed_rows(s, "element", 6) for s in ("layer", "channel", 2)] == [6, 6, 6]
    assert [require_sharing(s) for s in ("layer", "channel", 3)] == ["layer", "channel", 3]
    with pytest.raises(ActivationError, match="7 groups of 6 SLAF channels"):
        trained_rows(7, 6)


def affine(map_, x):
    return along(map_.scale, x, 1) * x + along(map_.shift, x, 1)


def recomposed(folded, x):
    """output ∘ function ∘ input."""
    return affine(folded.output, folded.function(affine(folded.input, x)))


@pytest.mark.parametrize(("hybrid", "degree", "clip"), [(0.0, 7, 3.0), (0.5, 3, None)])
@pytest.mark.parametrize("sharing", ["layer", "channel", 2])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("basis", list(BASES))
def test_folding_of_every_family(basis, normaliser, sharing, hybrid, degree, clip):
    kind = find_kind("slaf")
    spec = kind.spec(
        basis=basis,
        degree=degree,
        normaliser=normaliser,
        sharing=sharing,
        hybrid=hybrid,
        clip=clip,
    )
    slaf = settled(kind.build(spec, CHANNELS).double(), CHANNELS)
    x = 2.5 * normal(32, CHANNELS, 2)
    x[0], x[1] = 8.0, -8.0  # beyond the clip range
    wanted = slaf(x).detach()
    folded = slaf.fold()
    assert_near(recomposed(folded, x), wanted, 1e-9)
    assert isinstance(folded.function, Polynomial if BASES[basis].polynomial else Expansion)
    state = folded.function.state_dict()
    stored = kind.stored_values(spec, CHANNELS)
    assert sum(value.numel() for value in state.values()) == stored
    learned = 3 if hybrid else 6
    assert stored == deployed_rows(sharing, normaliser, learned) * degree
    deployed = kind.deployed(spec, CHANNELS).double()
    deployed.load_state_dict(state)
    inner = affine(folded.input, x)
    assert torch.equal(deployed(inner), folded.function(inner))


@pytest.mark.parametrize("channel_dim", [1, -1])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_expansion_is_the_sum_of_its_elements(rows, channel_dim):
    basis = BASES["fourier"]
    module = Expansion(basis, rows, 3, 3, clipped=True, channel_dim=channel_dim).double()
    module.coefficients.data = normal(rows, 3, seed=1)
    x = 1.5 * normal(8, 4)
    u = x[:, :3].clamp(-1.0, 1.0)
    row = [c * rows // 3 for c in range(3)]
    elements = torch.stack(basis.elements(u, 3), 2)
    wanted = torch.cat([(elements * module.coefficients[row]).sum(2), x[:, 3:].relu()], 1)
    assert_near(module(x), wanted.detach(), 1e-12)
    assert not any(p.requires_grad for p in module.parameters())


@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
def test_frozen_statistics_settle_and_stay(basis):
    slaf = randomised(SLAF(3, basis=basis, normaliser="frozen").double())
    moments = slaf.before.moments
    mean = variance = None
    for step in range(8):
        x = (1.0 + 0.2 * step) * normal(256, 3, 4, seed=step) + 0.1 * step
        batch = (x.mean((0, 2)), x.var((0, 2), correction=0))
        settled_before = step >= 4  # 4 batches of 1,024 values a channel
        slaf(x)
        if mean is None:
            mean, variance = batch
        elif not settled_before:
            mean, variance = mean + 0.1 * (batch[0] - mean), variance + 0.1 * (batch[1] - variance)
        assert_near(moments.mean, mean, 1e-12)
        assert_near(moments.variance, variance, 1e-12)
        if step < 4:
            assert moments.rows == 1024 * (step + 1)
    assert moments.rows >= SETTLED
    x = 2.0 * normal(40, 3, seed=20)
    kept = [moments.mean.clone(), moments.variance.clone()]
    trained = slaf(x).detach()
    assert torch.equal(kept[0], moments.mean)
    assert torch.equal(kept[1], moments.variance)
    assert_near(slaf.eval()(x).detach(), trained, 1e-12)


@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
def test_no_gradient_flows_through_frozen_statistics(basis):
    slaf = randomised(SLAF(3, basis=basis, normaliser="frozen", clip=2.0).double())
    used = None
    for step in range(3):
        x = (1.5 * normal(20, 3, seed=step) + 0.4).requires_grad_()
        if used is None:  # The first batch is used at once.
            used = (x.detach().mean(0), x.detach().var(0, correction=0))
        y = slaf(x)
        scale = torch.rsqrt(used[1] + EPSILON) * slaf.before.weight
        u = ((x - used[0]) * scale + slaf.before.bias).clamp(-2.0, 2.0) / 2.0
        elements = torch.stack(BASES[basis].elements(u, 3), 2)
        wanted = slaf.bias + (elements * slaf.coefficients).sum(2)
        assert_near(y.detach(), wanted.detach(), 1e-12)
        g, inputs = normal(20, 3, seed=50 + step), (x, *slaf.parameters())
        pairs = zip(
            torch.autograd.grad(y, inputs, g), torch.autograd.grad(wanted, inputs, g), strict=True
        )
        for actual, reference in pairs:
            assert_near(actual, reference, 1e-10)
        used = slaf.before.moments.snapshot()


def test_a_large_first_batch_settles_at_once():
    slaf = SLAF(2, normaliser="frozen").double()
    x = normal(SETTLED, 2) + 1.0
    y = slaf(x).detach()
    before = buffers_of(slaf)
    slaf(5.0 * x)
    assert torch.equal(slaf.before.moments.mean, before["before.moments.mean"])
    assert torch.equal(slaf.before.moments.variance, before["before.moments.variance"])
    assert_near(slaf.before.moments.mean, x.mean(0), 1e-12)
    assert_near(slaf.eval()(x).detach(), y, 1e-12)


@pytest.mark.parametrize("hybrid", [0.0, 0.5])
@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_held_statistics_stay(normaliser, basis, hybrid):
    slaf = settled(
        SLAF(CHANNELS, basis=basis, normaliser=normaliser, hybrid=hybrid).double(), CHANNELS
    )
    before = buffers_of(slaf)
    hold_statistics(slaf)
    slaf.train()
    x = (2.0 * normal(20, CHANNELS, seed=5) + 1.0).requires_grad_()
    y = slaf(x)
    assert_same_buffers(slaf, before)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    estimate_statistics(slaf, [normal(30, CHANNELS, seed=6), 3.0 * normal(30, CHANNELS, seed=7)])
    assert_same_buffers(slaf, before)
    assert slaf.training
    # What is trained is what will be deployed.
    slaf.eval()
    evaluated = slaf(x)
    assert_near(y.detach(), evaluated.detach(), 1e-12)
    assert_near(gradient, torch.autograd.grad(evaluated.square().sum(), x)[0], 1e-12)
    assert_near(recomposed(slaf.fold(), x.detach()), evaluated.detach(), 1e-9)


@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_estimated_statistics_are_those_of_all_rows(normaliser, basis):
    # Compiled and written out, the clip range and frozen statistics stay what was trained with.
    slaf = settled(SLAF(3, basis=basis, normaliser=normaliser).double(), 3)
    tracked = [m for m in slaf.modules() if isinstance(m, RunningMoments) and m.tracked]
    kept = [m.snapshot() for m in tracked]
    rows = 2.0 * normal(50, 3, seed=5) + 1.0
    together = copy.deepcopy(slaf)
    estimate_statistics(together, [rows])
    estimate_statistics(slaf, rows.split(20))
    for a, b in zip(slaf.buffers(), together.buffers(), strict=True):
        assert_near(a.double(), b.double(), 1e-9)
    for m, snapshot in zip(tracked, kept, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(m.snapshot(), snapshot, strict=True))


@pytest.mark.parametrize("basis", ["chebyshev", "hat"])
def test_estimating_leaves_frozen_statistics(basis):
    slaf = settled(SLAF(3, basis=basis, normaliser="frozen").double(), 3)
    before = buffers_of(slaf)
    estimate_statistics(slaf, [5.0 * normal(50, 3, seed=5)])
    assert_same_buffers(slaf, before)


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_noise_on_the_start(normaliser):
    channels, noise = 400, 0.1
    quiet = SLAF(channels, degree=5, normaliser=normaliser)
    torch.manual_seed(1)
    noisy = SLAF(channels, degree=5, normaliser=normaliser, noise=noise)
    difference = (noisy.coefficients - quiet.coefficients).detach()
    assert torch.equal(noisy.bias, quiet.bias)
    assert abs(difference.mean()) <= 5 * noise / math.sqrt(difference.numel())
    assert difference.std().item() == pytest.approx(noise, rel=0.1)
    torch.manual_seed(1)
    noisy.start_as("relu", noise=noise)
    assert torch.equal(noisy.coefficients.detach() - quiet.coefficients.detach(), difference)


def test_a_start_without_noise_draws_nothing():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    SLAF(3, degree=4).start_as("silu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("basis", list(BASES))
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_start_on_samples(normaliser, basis):
    """The error it returns is the one it makes on the samples, less than another start's."""
    x = normal(500)
    x = x * x.abs().sqrt() + 0.2 * x**2  # lopsided, with tails that reach every element
    x = (x - x.mean()) / x.std(correction=0)
    slaf = SLAF(2, basis=basis, degree=6, normaliser=normaliser, start="silu").double()
    rows = x[:, None].expand(500, 2)
    wanted = torch.nn.functional.silu(x.clamp(-3.0, 3.0))[:, None].expand(500, 2)

    def error(slaf):
        return (slaf(rows) - wanted).detach().square().mean().sqrt().item()

    elsewhere = error(copy.deepcopy(slaf))
    promised = slaf.start_as("silu", samples=x.reshape(50, 10))
    found = error(slaf)
    # ε enters the statistics, and the elements of a batch are normalised by its own.
    assert found == pytest.approx(promised, rel=0.05, abs=1e-4)
    assert found <= elsewhere + 1e-4


@pytest.mark.parametrize("basis", ["hat", "bspline", "gaussian"])
def test_start_on_samples_that_miss_an_element(basis):
    # The outer hats reach no sample: any coefficient of theirs will do that is a number.
    x = 0.5 * normal(500).clamp(-2.0, 2.0)
    slaf = SLAF(2, basis=basis, degree=6, normaliser="none").double()
    error = slaf.start_as("silu", samples=x)
    assert slaf.coefficients.isfinite().all()
    rows = x[:, None].expand(500, 2)
    found = (slaf(rows) - torch.nn.functional.silu(rows)).detach().square().mean().sqrt().item()
    assert found == pytest.approx(error, rel=1e-6, abs=1e-9)


def test_start_on_too_few_samples():
    slaf = SLAF(2, degree=6)
    before = slaf.coefficients.clone()
    for samples in (torch.zeros(100), torch.arange(6.0), torch.tensor([math.nan] * 20)):
        with pytest.raises(ActivationError, match="samples") as caught:
            slaf.start_as("relu", samples=samples)
        assert "\n" not in str(caught.value)
    assert torch.equal(slaf.coefficients, before)


def test_start_on_a_function_of_ones_own():
    slaf = SLAF(2, basis="monomial", degree=3, normaliser="none", clip=None).double()
    assert slaf.start_as(lambda x: 1.0 + 2.0 * x - 0.5 * x**3) <= 1e-10
    x = normal(20, 2)
    assert_near(slaf(x).detach(), 1.0 + 2.0 * x - 0.5 * x**3, 1e-6)
