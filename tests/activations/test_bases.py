import math

import numpy as np
import pytest
import torch
from slaf_reference import BASIS_NAMES, UNIT_DOMAIN, reference_elements, reference_matrix

from slaf_automl.activations import BASES, find_basis
from slaf_automl.activations.bases import MAX_DEGREE, require_degree
from slaf_automl.errors import ActivationError

DEGREES = range(1, 17)


def test_table_holds_the_four_families_with_their_domains():
    assert {name: basis.unit_domain for name, basis in BASES.items()} == UNIT_DOMAIN
    assert all(basis.name == name for name, basis in BASES.items())
    assert MAX_DEGREE == 16


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_elements_match_numpy(basis, degree):
    # Beyond [−1, 1] too: with clip None the elements meet any input.
    x = torch.linspace(-4, 4, 161, dtype=torch.float64)
    elements = torch.stack(BASES[basis].elements(x, degree)).numpy()
    wanted = reference_elements(basis, x.numpy(), degree)
    assert elements.shape == (degree, 161)
    scale = np.abs(wanted).max(axis=1, keepdims=True)
    np.testing.assert_allclose(elements / scale, wanted / scale, rtol=0, atol=1e-13)


@pytest.mark.parametrize("basis", ["monomial", "chebyshev", "legendre"])
def test_elements_match_numpy_on_the_unit_domain(basis):
    x = torch.linspace(-1, 1, 201, dtype=torch.float64)
    elements = torch.stack(BASES[basis].elements(x, 16)).numpy()
    np.testing.assert_allclose(elements, reference_elements(basis, x.numpy(), 16), atol=1e-13)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_matrix_to_the_monomials_matches_numpy(basis, degree):
    matrix = BASES[basis].to_monomials(degree)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix, reference_matrix(basis, degree), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_matrix_of_degree_zero_is_the_constant(basis):
    np.testing.assert_array_equal(BASES[basis].to_monomials(0), [[1.0]])


@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_matrix_times_powers_gives_the_elements(basis):
    x = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    powers = torch.stack([x**j for j in range(9)])
    by_matrix = torch.from_numpy(BASES[basis].to_monomials(8)) @ powers
    torch.testing.assert_close(
        by_matrix[1:], torch.stack(BASES[basis].elements(x, 8)), rtol=1e-11, atol=1e-11
    )


def test_hermite_is_orthonormal_under_the_normal_weight():
    # Gauss quadrature with 20 nodes is exact to degree 39, and products reach degree 32.
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    elements = BASES["hermite"].elements(torch.from_numpy(nodes), 16)
    rows = np.stack([np.ones(20), *(e.numpy() for e in elements)])
    gram = (rows * weights / math.sqrt(2 * math.pi)) @ rows.T
    np.testing.assert_allclose(gram, np.eye(17), atol=1e-10)


def test_chebyshev_is_the_cosine_of_multiple_angles():
    t = torch.linspace(0, math.pi, 50, dtype=torch.float64)
    for i, element in enumerate(BASES["chebyshev"].elements(torch.cos(t), 16), start=1):
        torch.testing.assert_close(element, torch.cos(i * t), rtol=0, atol=1e-13)


def test_legendre_is_one_at_one_and_alternates_at_minus_one():
    ends = torch.tensor([1.0, -1.0], dtype=torch.float64)
    for i, element in enumerate(BASES["legendre"].elements(ends, 16), start=1):
        assert element.tolist() == pytest.approx([1.0, (-1.0) ** i], abs=1e-13)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_elements_keep_shape_and_dtype(basis, dtype):
    x = torch.zeros(2, 3, 4, dtype=dtype)
    elements = BASES[basis].elements(x, 5)
    assert [(e.shape, e.dtype) for e in elements] == [(x.shape, dtype)] * 5


@pytest.mark.parametrize("basis", BASIS_NAMES)
def test_find_basis_returns_the_entry_of_the_table(basis):
    assert find_basis(basis) is BASES[basis]


@pytest.mark.parametrize("name", ["fourier", "", "Chebyshev", None, 3, ["hermite"]])
def test_find_basis_names_what_was_given_and_lists_what_exists(name):
    with pytest.raises(ActivationError) as caught:
        find_basis(name)
    message = str(caught.value)
    assert repr(name) in message
    assert all(known in message for known in BASIS_NAMES)
    assert "\n" not in message


@pytest.mark.parametrize("degree", [1, 16])
def test_require_degree_returns_degrees_in_range(degree):
    assert require_degree(degree) == degree


@pytest.mark.parametrize("degree", [0, 17, -1, 2.0, True, "3", None])
def test_require_degree_refuses_anything_else(degree):
    with pytest.raises(ActivationError, match="1 to 16") as caught:
        require_degree(degree)
    assert repr(degree) in str(caught.value)
