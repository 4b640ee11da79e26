"""The gradients of SLAF: finite differences, NumPy's derivatives, and the formula by autograd."""

import numpy as np
import pytest
import torch
from slaf_reference import (
    BASIS_NAMES,
    EPSILON,
    UNIT_DOMAIN,
    assert_near,
    normal,
    published,
    randomised,
    reference_matrix,
    settled,
    torch_elements,
)
from torch.func import functional_call

from slaf_automl.activations import SLAF

NORMALISER_NAMES = ("none", "input", "element")


def gradients_check(slaf, x):
    names = [name for name, _ in slaf.named_parameters()]
    values = [value.detach().clone().requires_grad_() for _, value in slaf.named_parameters()]

    def run(x, *values):
        return functional_call(slaf, dict(zip(names, values, strict=True)), (x,))

    return torch.autograd.gradcheck(run, (x.requires_grad_(), *values))


@pytest.mark.parametrize("hybrid", [0.0, 0.5])
@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_gradients_in_training(basis, normaliser, sharing, hybrid):
    # Without a clip range the output depends on the batch and the parameters only.
    options = {"normaliser": normaliser, "sharing": sharing, "hybrid": hybrid, "clip": None}
    slaf = randomised(SLAF(3, basis=basis, degree=4, **options).double())
    assert gradients_check(slaf, normal(5, 3))


@pytest.mark.parametrize("hybrid", [0.0, 0.5])
@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_gradients_in_evaluation_with_a_clip(basis, normaliser, sharing, hybrid):
    # A narrow clip range, so that several of these inputs lie beyond it.
    options = {"normaliser": normaliser, "sharing": sharing, "hybrid": hybrid, "clip": 1.0}
    slaf = settled(SLAF(3, basis=basis, degree=4, **options).double(), 3)
    assert gradients_check(slaf, 2.0 * normal(6, 3))


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_gradients_on_images_with_channels_last(normaliser):
    options = {"normaliser": normaliser, "clip": None, "channel_dim": -1}
    slaf = randomised(SLAF(3, degree=3, hybrid=0.4, **options).double())
    assert gradients_check(slaf, normal(2, 2, 2, 3))


@pytest.mark.parametrize("sharing", ["layer", "channel"])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_jacobian_is_elementwise_and_numpys_derivative(basis, sharing):
    options = {"normaliser": "none", "clip": None, "sharing": sharing}
    slaf = randomised(SLAF(3, basis=basis, degree=6, **options).double())
    x = normal(4, 3)
    jacobian = torch.autograd.functional.jacobian(slaf, x).reshape(12, 12)
    rows = slaf.coefficients.detach().expand(3, -1).numpy() @ reference_matrix(basis, 6)[1:]
    slopes = [
        np.polynomial.polynomial.polyval(x[:, c].numpy(), np.polynomial.polynomial.polyder(row))
        for c, row in enumerate(rows)
    ]
    wanted = torch.from_numpy(np.stack(slopes, 1)).flatten()
    assert_near(jacobian.diag(), wanted, 1e-12)
    assert torch.equal(jacobian, torch.diag(jacobian.diag()))


@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_gradient_in_training_takes_the_clip_range_as_given(basis):
    # The clip range follows the training by running statistics, which carry no gradient.
    slaf = randomised(SLAF(3, basis=basis, degree=5, clip=1.5).double())
    slaf(normal(16, 3, seed=1))
    x = (2.0 * normal(16, 3) + 0.5).requires_grad_()
    mean, variance = slaf.reach.snapshot()
    y = slaf(x)
    u = (x - mean) / torch.sqrt(variance + EPSILON)
    u = u.clamp(-1.5, 1.5) / (1.5 if UNIT_DOMAIN[basis] else 1.0)
    wanted = published(torch_elements(basis, u, 5), slaf.coefficients, slaf.bias)
    assert_near(y, wanted, 1e-10)
    weight = normal(16, 3, seed=2)
    inputs = (x, slaf.coefficients, slaf.bias)
    pairs = zip(
        torch.autograd.grad((y * weight).sum(), inputs),
        torch.autograd.grad((wanted * weight).sum(), inputs),
        strict=True,
    )
    for actual, reference in pairs:
        assert_near(actual, reference, 1e-9)


def test_no_gradient_flows_beyond_the_clip_range():
    slaf = randomised(SLAF(1, normaliser="none", clip=1.0).double())
    x = torch.tensor([[-1.5], [0.5], [1.5]], dtype=torch.float64, requires_grad=True)
    slaf(x).sum().backward()
    assert x.grad[[0, 2]].tolist() == [[0.0], [0.0]]
    assert x.grad[1].item() != 0.0


@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_backward_survives_a_second_forward_in_training(normaliser):
    # A slot used twice, or accumulated batches, move the buffers before the backward pass.
    slaf = randomised(SLAF(3, normaliser=normaliser, hybrid=0.4).double())
    first, second = normal(8, 3, seed=1), normal(8, 3, seed=2)
    together = torch.autograd.grad((slaf(first) + slaf(second)).sum(), slaf.coefficients)[0]
    assert together.isfinite().all()
    assert together.abs().sum() > 0
