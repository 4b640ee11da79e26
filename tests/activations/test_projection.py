import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.polynomial import hermite_e
from slaf_reference import (
    BASIS_NAMES,
    UNIT_DOMAIN,
    assert_near,
    normal,
    quantiles,
    reference_elements,
)

from slaf_automl.activations import SLAF, fit_activation
from slaf_automl.activations.projection import TARGETS
from slaf_automl.errors import ActivationError

# Written out here so that a wrong entry of the package's table shows.
FUNCTIONS = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "gelu": lambda x: x * np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x]),
    "tanh": np.tanh,
}


def evaluated(fit, basis, u, clip):
    domain = u / clip if clip is not None and UNIT_DOMAIN[basis] else u
    elements = reference_elements(basis, domain, len(fit.coefficients) - 1)
    return fit.coefficients[0] + np.array(fit.coefficients[1:]) @ elements


def test_relu_on_hermite_has_the_textbook_coefficients():
    fit = fit_activation("relu", "hermite", 2, clip=None)
    wanted = (1 / math.sqrt(2 * math.pi), 0.5, 1 / math.sqrt(4 * math.pi))
    assert fit.coefficients == pytest.approx(wanted, abs=1e-4)
    # Parseval: E[relu²] = 1/2, less what the three terms hold.
    assert fit.error == pytest.approx(math.sqrt(0.5 - sum(c**2 for c in wanted)), abs=1e-4)


@pytest.mark.parametrize("target", FUNCTIONS)
def test_hermite_coefficients_are_the_inner_products(target):
    # On an orthonormal basis the projection is E[t·φᵢ], here over a batch without noise.
    x = quantiles(20_001).numpy()
    elements = np.concatenate([np.ones((1, x.size)), reference_elements("hermite", x, 4)])
    wanted = (elements * FUNCTIONS[target](x)).mean(axis=1)
    fit = fit_activation(target, "hermite", 4, clip=None)
    assert fit.coefficients == pytest.approx(wanted.tolist(), abs=5e-3)


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("target", ["relu", "tanh"])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_fit_is_the_weighted_least_squares_polynomial(basis, target, clip):
    x = np.linspace(-6, 6, 4001)
    u = x if clip is None else np.clip(x, -clip, clip)
    root = np.exp(-0.25 * x**2)
    series = hermite_e.hermefit(u, FUNCTIONS[target](u), 5, w=root)
    fit = fit_activation(target, basis, 5, clip=clip)
    shown = np.linspace(-3, 3, 61)
    np.testing.assert_allclose(
        evaluated(fit, basis, shown, clip), hermite_e.hermeval(shown, series), atol=1e-5
    )
    residual = evaluated(fit, basis, u, clip) - FUNCTIONS[target](u)
    assert fit.error == pytest.approx(
        math.sqrt((root**2 * residual**2).sum() / (root**2).sum()), rel=1e-4
    )


@pytest.mark.parametrize("target", ["relu", "silu", "gelu", "tanh"])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_error_falls_with_the_degree(basis, target):
    errors = [fit_activation(target, basis, degree).error for degree in range(1, 17)]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(errors))
    # Two degrees more always help: one may add nothing to an odd or even remainder.
    assert all(errors[i + 2] < 0.99 * errors[i] for i in range(len(errors) - 2))


@pytest.mark.parametrize("degree", [1, 2, 5, 8])
@pytest.mark.parametrize("clip", [None, 3.0])
def test_bases_span_the_same_polynomials_and_so_err_alike(degree, clip):
    errors = [fit_activation("silu", basis, degree, clip=clip).error for basis in BASIS_NAMES]
    assert errors == pytest.approx([errors[0]] * 4, rel=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 5, 8])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_identity_is_exact_without_clip(basis, degree):
    # φ₁ = x in every basis, so the coefficients are known as well.
    fit = fit_activation("identity", basis, degree, clip=None)
    assert fit.error < 1e-10
    assert fit.coefficients == pytest.approx([0.0, 1.0] + [0.0] * (degree - 1), abs=1e-9)


def test_moments_are_those_of_normal_powers():
    fit = fit_activation("relu", "monomial", 4, clip=None)
    assert fit.means == pytest.approx((0, 1, 0, 3), abs=1e-4)
    assert fit.deviations == pytest.approx([math.sqrt(v) for v in (1, 2, 15, 96)], abs=1e-3)


def test_hermite_moments_are_standard():
    fit = fit_activation("relu", "hermite", 4, clip=None)
    assert fit.means == pytest.approx([0.0] * 4, abs=1e-4)
    assert fit.deviations == pytest.approx([1.0] * 4, abs=1e-4)


def test_moments_under_a_clip_are_those_of_the_scaled_clipped_input():
    v = np.clip(quantiles(20_001).numpy(), -2, 2) / 2
    fit = fit_activation("relu", "monomial", 3, clip=2.0)
    assert fit.means == pytest.approx([(v**i).mean() for i in (1, 2, 3)], abs=1e-4)
    assert fit.deviations == pytest.approx([(v**i).std() for i in (1, 2, 3)], abs=1e-4)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_named_targets_are_the_functions_they_name(name):
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    np.testing.assert_allclose(TARGETS[name](x).numpy(), FUNCTIONS[name](x.numpy()), atol=1e-12)


def test_target_may_be_a_function():
    assert fit_activation(torch.tanh, "legendre", 4) == fit_activation("tanh", "legendre", 4)
    cube = fit_activation(lambda x: 2 * x**3 - 1, "monomial", 3, clip=None)
    assert cube.coefficients == pytest.approx((-1, 0, 0, 2), abs=1e-9)


def test_target_is_only_asked_within_the_clip_range():
    fit = fit_activation(lambda x: 1 / (4 - x), "chebyshev", 8, clip=3.0)
    assert fit.error < 1e-2
    with pytest.raises(ActivationError, match="not finite"):
        fit_activation(lambda x: 1 / (4 - x).clamp(min=0), "chebyshev", 8, clip=5.0)


@pytest.mark.parametrize("target", ["swish", "", "ReLU", None])
def test_unknown_target_is_named_and_the_known_are_listed(target):
    with pytest.raises(ActivationError) as caught:
        fit_activation(target, "hermite", 2)
    assert repr(target) in str(caught.value)
    assert all(name in str(caught.value) for name in FUNCTIONS)


@pytest.mark.parametrize(
    "target", [torch.log, lambda x: x / 0.0, lambda x: torch.full_like(x, math.inf)]
)
def test_target_that_is_not_finite_is_refused(target):
    with pytest.raises(ActivationError, match="not finite everywhere"):
        fit_activation(target, "hermite", 2)


@pytest.mark.parametrize(("basis", "degree"), [("wavelet", 3), ("hermite", 0), ("hermite", 17)])
def test_unknown_basis_or_degree_is_refused(basis, degree):
    with pytest.raises(ActivationError, match=f"{basis}|degree {degree}"):
        fit_activation("relu", basis, degree)


@pytest.mark.parametrize("clip", [None, 3.0])
@pytest.mark.parametrize("start", FUNCTIONS)
@pytest.mark.parametrize("basis", BASIS_NAMES)
@pytest.mark.parametrize("normaliser", ["none", "element"])
def test_slaf_starts_as_its_target(normaliser, basis, start, clip):
    degree = 5
    slaf = SLAF(2, basis=basis, degree=degree, normaliser=normaliser, clip=clip, start=start)
    x = quantiles(20_001)
    y = slaf.double()(torch.stack([x, -x], 1)).detach()
    assert_near(y[:, 1].flip(0), y[:, 0], 1e-9)
    u = x if clip is None else x.clamp(-clip, clip)
    off = (y[:, 0] - torch.from_numpy(FUNCTIONS[start](u.numpy()))).square().mean().sqrt().item()
    error = fit_activation(start, basis, degree, clip=clip).error
    # A finite batch lacks the far tails, and ε of the normaliser takes its part.
    assert off <= 1.001 * error + 1e-4


@pytest.mark.parametrize("sharing", ["layer", "channel"])
def test_start_as_sets_every_row_anew(sharing):
    slaf = SLAF(3, basis="hermite", degree=2, normaliser="none", clip=None, sharing=sharing)
    slaf.start_as("identity")
    rows = 1 if sharing == "layer" else 3
    wanted = torch.tensor([[1.0, 0.0]]).expand(rows, 2)
    torch.testing.assert_close(slaf.coefficients.detach(), wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(slaf.bias.detach(), torch.zeros(rows), rtol=0, atol=1e-6)


def test_slaf_starting_as_identity_passes_a_batch_through():
    x = normal(50, 3)
    slaf = SLAF(3, basis="monomial", degree=3, normaliser="none", clip=None, start="identity")
    assert_near(slaf.double()(x).detach(), x, 1e-6)


@pytest.mark.parametrize("basis", BASIS_NAMES)
@pytest.mark.parametrize("clip", [None, 20.0])
def test_high_degrees_stay_exact_where_the_elements_differ_by_many_powers(basis, clip):
    assert fit_activation("identity", basis, 16, clip=clip).error < 1e-8
    errors = [fit_activation("relu", basis, degree, clip=clip).error for degree in (8, 12, 16)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.024


@pytest.mark.parametrize("clip", [0, -1.0, float("nan"), "wide"])
def test_a_clip_that_is_no_range_is_refused(clip):
    with pytest.raises(ActivationError, match="clip"):
        fit_activation("relu", "hermite", 2, clip=clip)


@pytest.mark.parametrize("basis", ["hermite", "monomial", "bernstein"])
def test_a_ridge_keeps_nearly_dependent_elements_from_cancelling(basis):
    free = fit_activation("relu", basis, 12)
    held = fit_activation("relu", basis, 12, ridge=0.1)

    def largest(fit):
        return np.abs(np.array(fit.coefficients[1:]) * np.array(fit.deviations)).max()

    assert largest(free) > 7
    assert largest(held) < 1.7
    assert free.error < held.error < free.error + 0.01


def test_a_ridge_minimises_the_penalised_square():
    x = np.linspace(-6, 6, 20_001)
    weight = np.exp(-(x**2) / 2)
    u = np.clip(x, -3, 3)
    weight /= weight.sum()
    powers = np.stack([np.ones_like(u), *(u / 3) ** np.arange(1, 7)[:, None]])
    means = powers @ weight
    deviations = np.sqrt((powers - means[:, None]) ** 2 @ weight)
    target = np.maximum(u, 0)
    free = fit_activation("relu", "monomial", 6)
    penalty = 0.5 * free.error**2 * deviations**2
    gram = (powers * weight) @ powers.T
    wanted = np.linalg.solve(gram + np.diag(penalty), powers @ (weight * target))
    fit = fit_activation("relu", "monomial", 6, ridge=0.5)
    assert fit.coefficients == pytest.approx(wanted.tolist(), abs=1e-8)


def test_a_ridge_meets_exactly_what_the_basis_holds():
    fit = fit_activation(lambda x: x**3 - x, "hermite", 5, clip=None, ridge=10.0)
    assert fit.coefficients == pytest.approx((0, 2, 0, math.sqrt(6), 0, 0), abs=1e-8)


@pytest.mark.parametrize("ridge", [-0.1, math.nan, math.inf])
def test_a_ridge_out_of_range_is_refused(ridge):
    with pytest.raises(ActivationError, match="ridge"):
        fit_activation("relu", "hermite", 3, ridge=ridge)
