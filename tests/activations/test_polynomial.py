import copy

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev, polynomial
from slaf_reference import assert_near, normal

from slaf_automl.activations.passes.form import HORNER_DEGREE
from slaf_automl.activations.polynomial import Polynomial, clenshaw, horner

SERIES = {horner: polynomial.polyval, clenshaw: chebyshev.chebval}


def filled(rows, degree, polynomials, **options):
    module = Polynomial(rows, degree, polynomials, **options).double()
    module.coefficients.data = normal(rows, degree, seed=degree)
    return module


def wanted(coefficients, x):
    """Channel by channel by NumPy, the constant 0, for x (N, C)."""
    evaluate = polynomial.polyval if coefficients.shape[1] <= 5 else chebyshev.chebval
    rows = np.concatenate([np.zeros((len(coefficients), 1)), coefficients.numpy()], axis=1)
    rows = np.broadcast_to(rows, (x.shape[1], rows.shape[1]))
    columns = [evaluate(x[:, c].numpy(), rows[c]) for c in range(x.shape[1])]
    return torch.from_numpy(np.stack(columns, axis=1))


@pytest.mark.parametrize("degree", range(1, 17))
@pytest.mark.parametrize("evaluate", [horner, clenshaw])
def test_row_evaluation_matches_numpy(evaluate, degree):
    row = normal(degree, seed=degree)
    x = torch.linspace(-1.2, 1.2, 101, dtype=torch.float64)
    reference = SERIES[evaluate](x.numpy(), np.concatenate([[0.0], row.numpy()]))
    assert_near(evaluate(list(row), x), torch.from_numpy(reference), 1e-13)


def test_degree_five_is_the_last_monomial_row():
    # The stored row means something else from degree 6 on, so the switch is part of the format.
    assert HORNER_DEGREE == 5
    x = torch.full((1, 1), 0.5, dtype=torch.float64)
    for degree, value in ((5, 0.5**5), (6, float(np.cos(6 * np.arccos(0.5))))):
        module = Polynomial(1, degree, 1, clipped=False).double()
        module.coefficients.data[0, -1] = 1.0
        assert module(x).item() == pytest.approx(value, abs=1e-15)


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("degree", [1, 2, 5, 6, 12])
def test_polynomial_matches_numpy(degree, rows, clipped):
    module = filled(rows, degree, 3, clipped=clipped)
    x = 1.5 * normal(40, 3)
    reference = wanted(module.coefficients, x.clamp(-1, 1) if clipped else x)
    assert_near(module(x), reference, 1e-12)


@pytest.mark.parametrize("degree", [3, 7])
def test_channels_after_the_polynomials_are_relu(degree):
    module = filled(2, degree, 2, clipped=True)
    x = 2.0 * normal(20, 5)
    y = module(x)
    # Not clipped: ReLU passes large values on.
    assert torch.equal(y[:, 2:], x[:, 2:].clamp(min=0))
    assert y[:, 2:].max() > 1
    assert_near(y[:, :2], wanted(module.coefficients, x[:, :2].clamp(-1, 1)), 1e-12)


@pytest.mark.parametrize("channel_dim", [-1, 3])
def test_channels_may_come_last(channel_dim):
    first = filled(2, 6, 2, clipped=True)
    last = filled(2, 6, 2, clipped=True, channel_dim=channel_dim)
    x = normal(2, 3, 4, 5)
    assert torch.equal(last(x.permute(0, 2, 3, 1)), first(x).permute(0, 2, 3, 1))


def test_trailing_dimensions_are_more_rows():
    module = filled(3, 4, 3, clipped=True)
    x = normal(2, 3, 4, 5)
    flat = x.permute(0, 2, 3, 1).reshape(-1, 3)
    assert torch.equal(module(x).permute(0, 2, 3, 1).reshape(-1, 3), module(flat))


def test_state_is_the_coefficients_alone_and_is_not_trained():
    module = Polynomial(3, 7, 3, clipped=True)
    assert {k: tuple(v.shape) for k, v in module.state_dict().items()} == {"coefficients": (3, 7)}
    assert not any(p.requires_grad for p in module.parameters())


def test_single_precision_keeps_its_digits_at_degree_twelve():
    module = filled(4, 12, 4, clipped=True)
    x = normal(200, 4)
    assert_near(copy.deepcopy(module).float()(x.float()), module(x), 5e-6)
