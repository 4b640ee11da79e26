"""The values of SLAF: by hand for a few numbers, by the published formula for the rest."""

import math

import pytest
import torch
from slaf_reference import (
    AVERAGED,
    BASIS_NAMES,
    EPSILON,
    UNIT_DOMAIN,
    Average,
    assert_near,
    normal,
    published,
    randomised,
    torch_elements,
)

from slaf_automl.activations import SLAF


def one_channel(coefficients, bias, **options):
    slaf = SLAF(1, degree=len(coefficients), **options).double()
    slaf.coefficients.data[:] = torch.tensor([coefficients])
    slaf.bias.data[:] = bias
    return slaf


def values(slaf, numbers):
    return slaf(torch.tensor(numbers, dtype=torch.float64)[:, None]).flatten().tolist()


def test_element_normaliser_by_hand():
    slaf = one_channel([2.0, -1.0], 0.5, basis="monomial", normaliser="element", clip=None)
    # Mean 3 and biased variance 3.5; the squares 1, 4, 9, 36 have 12.5 and 192.25.
    wanted = [
        0.5 + 2 * (x - 3) / math.sqrt(3.5 + 1e-5) - (x**2 - 12.5) / math.sqrt(192.25 + 1e-5)
        for x in (1, 2, 3, 6)
    ]
    assert values(slaf, [1.0, 2.0, 3.0, 6.0]) == pytest.approx(wanted, rel=1e-12)


def test_element_normaliser_in_evaluation_by_hand():
    slaf = one_channel([2.0, -1.0], 0.5, basis="monomial", normaliser="element", clip=None)
    # Batches (1, 3) and (5, 9): means 2 and 7, variances 1 and 4; of the squares 5 and 53, 16 and
    # 784. A tenth of the second batch enters.
    values(slaf, [1.0, 3.0])
    values(slaf, [5.0, 9.0])
    x, (m1, v1), (m2, v2) = 4.0, (2.5, 1.3), (9.8, 92.8)
    wanted = 0.5 + 2 * (x - m1) / math.sqrt(v1 + 1e-5) - (x**2 - m2) / math.sqrt(v2 + 1e-5)
    assert values(slaf.eval(), [x]) == pytest.approx([wanted], rel=AVERAGED)


def test_no_normaliser_by_hand():
    slaf = one_channel([2.0, -1.0], 0.5, basis="hermite", normaliser="none", clip=None)
    wanted = [0.5 + 2 * x - (x**2 - 1) / math.sqrt(2) for x in (-3, 0, 1, 2)]
    assert values(slaf, [-3.0, 0.0, 1.0, 2.0]) == pytest.approx(wanted, rel=1e-12)


def test_clip_range_is_the_unit_domain_by_hand():
    slaf = one_channel([3.0, 1.0], 0.25, basis="chebyshev", normaliser="none", clip=2.0)
    # u/c is −1, −1/2, 1/2, 1 and T₂ = 2(u/c)² − 1 is 1, −1/2, −1/2, 1.
    assert values(slaf, [-4.0, -1.0, 1.0, 3.0]) == pytest.approx([-1.75, -1.75, 1.25, 4.25])


def test_clip_leaves_hermite_on_its_own_scale_by_hand():
    slaf = one_channel([3.0, 1.0], 0.25, basis="hermite", normaliser="none", clip=2.0)
    end = (4 - 1) / math.sqrt(2)
    wanted = [0.25 - 6 + end, 0.25 - 3, 0.25 + 3, 0.25 + 6 + end]
    assert values(slaf, [-4.0, -1.0, 1.0, 3.0]) == pytest.approx(wanted)


def test_input_normaliser_by_hand():
    slaf = one_channel([1.0, 0.5], -1.0, basis="monomial", normaliser="input", clip=None)
    slaf.before.weight.data[:] = 2.0
    slaf.before.bias.data[:] = 1.0
    # Mean 3, biased variance 5.
    u = [2 * (x - 3) / math.sqrt(5 + 1e-5) + 1 for x in (0, 2, 4, 6)]
    wanted = [-1 + v + 0.5 * v**2 for v in u]
    assert values(slaf, [0.0, 2.0, 4.0, 6.0]) == pytest.approx(wanted, rel=1e-12)


def test_element_normaliser_with_a_clip_by_hand():
    slaf = one_channel([3.0, 7.0], 0.25, basis="monomial", normaliser="element", clip=0.5)
    # Standardised to about ±1, clipped to ±1/2, divided to ±1: the square is constant and vanishes.
    wanted = [0.25 + s * 3 / math.sqrt(1 + 1e-5) for s in (-1, 1, 1, -1)]
    assert values(slaf, [8.0, 12.0, 12.0, 8.0]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("clip", [None, 2.0])
@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("degree", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_published_formula(basis, degree, sharing, clip):
    slaf = SLAF(3, basis=basis, degree=degree, sharing=sharing, clip=clip).double()
    randomised(slaf, seed=degree)
    assert slaf.coefficients.shape == (1 if sharing == "layer" else 3, degree)
    coefficients, bias = slaf.coefficients.expand(3, -1), slaf.bias.expand(3)
    reach, moments = Average(), [Average() for _ in range(degree)]
    tolerance = 1e-10 if clip is None else AVERAGED

    def elements(x, settled):
        if clip is not None:
            mean, variance = settled
            x = ((x - mean) / torch.sqrt(variance + EPSILON)).clamp(-clip, clip)
            x = x / clip if UNIT_DOMAIN[basis] else x
        return torch_elements(basis, x, degree)

    for step in range(3):
        batch = (1.0 + 0.3 * step) * normal(32, 3, seed=step) + torch.tensor([0.0, 1.0, -0.5])
        found = elements(batch, reach.before(batch))
        for average, element in zip(moments, found, strict=True):
            average.update(element)
        assert_near(slaf(batch), published(found, coefficients, bias), tolerance)
    slaf.eval()
    x = 2.0 * normal(40, 3, seed=9)
    statistics = [average.values for average in moments]
    wanted = published(elements(x, reach.values), coefficients, bias, statistics)
    assert_near(slaf(x), wanted, AVERAGED)
    # Evaluation looks at one row at a time.
    assert_near(slaf(x[:1]), slaf(x)[:1], 1e-12)


@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_published_formula_on_images(basis):
    slaf = randomised(SLAF(3, basis=basis, degree=3, clip=None).double())
    x = normal(4, 3, 5, 6)
    wanted = published(torch_elements(basis, x, 3), slaf.coefficients, slaf.bias)
    assert_near(slaf(x), wanted, 1e-10)


@pytest.mark.parametrize("clip", [None, 2.0])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_input_normaliser_is_a_batch_norm_before_the_polynomial(basis, clip):
    slaf = randomised(SLAF(3, basis=basis, degree=4, normaliser="input", clip=clip).double())
    norm = torch.nn.BatchNorm1d(3, eps=EPSILON, track_running_stats=False).double()
    norm.load_state_dict({"weight": slaf.before.weight, "bias": slaf.before.bias})
    x = 3.0 * normal(32, 3) + 1.0
    u = norm(x)
    if clip is not None:
        u = u.clamp(-clip, clip) / (clip if UNIT_DOMAIN[basis] else 1.0)
    elements = torch.stack(torch_elements(basis, u, 4), dim=2)
    assert_near(slaf(x), slaf.bias + (elements * slaf.coefficients).sum(2), 1e-10)


def test_running_statistics_follow_the_hand_formula():
    slaf = SLAF(2, basis="legendre", degree=3, clip=2.0).double()
    reach, moments = Average(), [Average() for _ in range(3)]
    for step in range(4):
        x = (step + 1.0) * normal(10 + step, 2, seed=step) - 0.5
        mean, variance = reach.before(x)
        u = ((x - mean) / torch.sqrt(variance + EPSILON)).clamp(-2, 2) / 2
        for average, element in zip(moments, torch_elements("legendre", u, 3), strict=True):
            average.update(element)
        slaf(x)
    assert_near(slaf.reach.mean, reach.values[0], AVERAGED)
    assert_near(slaf.reach.variance, reach.values[1], AVERAGED)
    assert_near(slaf.moments.mean, torch.stack([a.values[0] for a in moments], 1), AVERAGED)
    assert_near(slaf.moments.variance, torch.stack([a.values[1] for a in moments], 1), AVERAGED)
    assert slaf.reach.rows.item() == slaf.moments.rows.item() == 10 + 11 + 12 + 13


@pytest.mark.parametrize("normaliser", ["none", "input", "element"])
def test_evaluation_changes_no_state(normaliser):
    slaf = SLAF(3, normaliser=normaliser, hybrid=0.4)
    slaf(normal(20, 3, dtype=torch.float32))
    before = {name: value.clone() for name, value in slaf.state_dict().items()}
    slaf.eval()(5.0 * normal(20, 3, seed=1, dtype=torch.float32))
    after = slaf.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("normaliser", ["none", "input", "frozen", "element"])
def test_what_is_trained_is_the_coefficients_the_bias_and_a_batch_norm(normaliser):
    names = {name for name, _ in SLAF(3, normaliser=normaliser, hybrid=0.4).named_parameters()}
    norm = {
        f"{part}before.{name}"
        for part in ("", "rectifier.")
        for name in ("weight", "bias")
        if normaliser in ("input", "frozen")
    }
    assert names == {"coefficients", "bias"} | norm
