"""What any basis must hold: one check a function, for the shipped families and one's own alike.

Each check takes a `Basis` and raises an `AssertionError` that names it. `CHECKS` holds them all.
"""

import numpy as np
import torch
from torch import Tensor

from slaf_automl.activations.bases import MAX_DEGREE, Basis

DEGREES = range(1, MAX_DEGREE + 1)
SOME_DEGREES = (1, 2, 3, 5, 8)
DTYPES = (torch.float64, torch.float32, torch.bfloat16)

POINTS = torch.tensor([-0.937, -0.61803, -0.2871, -0.0493, 0.1779, 0.4142, 0.7321, 0.9583])
"""Inside the domain, between the knots of any uniform grid of up to 16 intervals."""


def domain(basis: Basis, count: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """`count` points over the natural domain."""
    end = 1.0 if basis.unit_domain else 3.0
    return torch.linspace(-end, end, count, dtype=dtype)


def stacked(basis: Basis, x: Tensor, degree: int) -> Tensor:
    """The elements along a new first dimension."""
    return torch.stack(basis.elements(x, degree))


def slopes(basis: Basis, x: Tensor, degree: int) -> Tensor:
    """φᵢ′ at every number of `x`, stacked; each element's own backward pass."""
    found = []
    for i in range(degree):
        leaf = x.detach().clone().requires_grad_()
        basis.elements(leaf, degree)[i].sum().backward()
        found.append(torch.zeros_like(leaf) if leaf.grad is None else leaf.grad)
    return torch.stack(found)


def extremes(basis: Basis, degree: int) -> Tensor:
    """Ends, middle, all likely knots and, where nothing grows, far outside."""
    points = [0.0, -1.0, 1.0, -1.5, 1.5]
    for intervals in range(1, degree + 1):
        points += [2.0 * j / intervals - 1.0 for j in range(intervals + 1)]
    if basis.unit_domain and not basis.polynomial:
        points += [-1e4, 1e4]
    return torch.tensor(points, dtype=torch.float64)


def check_counts_shapes_and_dtypes(basis: Basis) -> None:
    for degree in DEGREES:
        for dtype in DTYPES:
            for shape in ((), (0,), (5,), (2, 3, 4)):
                x = torch.full(shape, 0.25, dtype=dtype)
                elements = basis.evaluate(x, degree)
                found = [(tuple(e.shape), e.dtype) for e in elements]
                assert found == [(shape, dtype)] * degree, f"{basis.name}, degree {degree}"


def check_input_stays_as_it_was(basis: Basis) -> None:
    for degree in SOME_DEGREES:
        x = domain(basis, 21)
        before = x.clone()
        basis.elements(x, degree)
        assert torch.equal(x, before), f"{basis.name} wrote on its input"


def check_each_output_depends_on_its_own_input_only(basis: Basis) -> None:
    x = POINTS[:6].double().reshape(2, 3)
    for degree in SOME_DEGREES:
        jacobian = torch.autograd.functional.jacobian(
            lambda x, degree=degree: stacked(basis, x, degree), x
        ).reshape(degree, 6, 6)
        diagonal = torch.diagonal(jacobian, dim1=1, dim2=2)
        others = jacobian - torch.diag_embed(diagonal)
        assert not others.any(), f"{basis.name} mixes inputs"
        # The derivative of every element is somewhere other than 0, or the check says nothing.
        dense = slopes(basis, domain(basis, 101), degree)
        assert dense.ne(0).any(1).all(), f"{basis.name} has an element without a slope"


def check_values_do_not_depend_on_the_rest_of_the_batch(basis: Basis) -> None:
    x = domain(basis, 13)
    for degree in SOME_DEGREES:
        alone = torch.stack([stacked(basis, number, degree) for number in x], 1)
        torch.testing.assert_close(
            alone, stacked(basis, x, degree), rtol=1e-13, atol=1e-13, msg=f"{basis.name} mixes"
        )


def check_gradients_are_those_of_finite_differences(basis: Basis) -> None:
    x = (POINTS.double() * (1.0 if basis.unit_domain else 2.0)).requires_grad_()
    for degree in SOME_DEGREES:
        assert torch.autograd.gradcheck(
            lambda x, degree=degree: stacked(basis, x, degree), x, eps=1e-6, atol=1e-6, rtol=1e-6
        )


def check_extreme_inputs_stay_finite(basis: Basis) -> None:
    for degree in DEGREES:
        for dtype in DTYPES:
            x = extremes(basis, degree).to(dtype)
            values, gradients = stacked(basis, x, degree), slopes(basis, x, degree)
            assert values.isfinite().all(), f"{basis.name}: value, degree {degree}, {dtype}"
            assert gradients.isfinite().all(), f"{basis.name}: gradient, degree {degree}, {dtype}"


def check_a_broken_input_is_not_hidden(basis: Basis) -> None:
    x = torch.tensor([float("nan"), 0.25])
    for degree in SOME_DEGREES:
        found = stacked(basis, x, degree).isnan().tolist()
        assert found == [[True, False]] * degree, f"{basis.name} hides a NaN or spreads it"


def check_float32_agrees_with_float64(basis: Basis) -> None:
    x = torch.linspace(-1, 1, 401)
    for degree in DEGREES:
        single, double = stacked(basis, x, degree), stacked(basis, x.double(), degree)
        scale = double.abs().amax().clamp(min=1.0)
        error = ((single.double() - double).abs().amax() / scale).item()
        assert error < 1e-5, f"{basis.name}: float32 is off by {error:.1e} at degree {degree}"


def check_independent_of_each_other_and_of_the_constant(basis: Basis) -> None:
    x = domain(basis, 401)
    for degree in SOME_DEGREES:
        columns = torch.cat([torch.ones(1, 401, dtype=x.dtype), stacked(basis, x, degree)])
        columns = columns / columns.norm(dim=1, keepdim=True)
        condition = torch.linalg.cond(columns).item()
        # Beyond it float32 could hardly tell the elements apart.
        assert condition < 1e6, f"{basis.name}: condition {condition:.1e} at degree {degree}"


def check_monomials_are_the_elements(basis: Basis) -> None:
    if not basis.polynomial:
        return
    x = domain(basis, 101)
    for degree in range(MAX_DEGREE + 1):
        matrix = basis.to_monomials(degree)
        assert matrix.dtype == np.float64
        powers = np.stack([x.numpy() ** j for j in range(degree + 1)])
        wanted = matrix @ powers
        assert (wanted[0] == 1.0).all()
        if degree:
            # A sum of large terms of both signs keeps the digits of its largest term only.
            allowed = 32 * np.finfo(float).eps * (np.abs(matrix) @ np.abs(powers))
            error = np.abs(stacked(basis, x, degree).numpy() - wanted[1:])
            assert (error <= allowed[1:]).all(), f"{basis.name}: coefficients of degree {degree}"


def check_vmap_and_grad(basis: Basis) -> None:
    x = POINTS[:6].double().reshape(2, 3)
    for degree in SOME_DEGREES:
        rows = torch.func.vmap(lambda row, degree=degree: stacked(basis, row, degree), out_dims=1)
        torch.testing.assert_close(rows(x), stacked(basis, x, degree))
        slope = torch.func.vmap(
            torch.func.grad(lambda number, degree=degree: stacked(basis, number, degree).sum())
        )
        torch.testing.assert_close(slope(x.flatten()), slopes(basis, x.flatten(), degree).sum(0))


def check_compiles_as_one_graph(basis: Basis) -> None:
    x = domain(basis, 21)
    for degree in (1, 5):
        torch.compiler.reset()  # each basis on its own: recompilations are limited
        compiled = torch.compile(
            lambda x, degree=degree: stacked(basis, x, degree), fullgraph=True, backend="eager"
        )
        torch.testing.assert_close(compiled(x), stacked(basis, x, degree))


CHECKS = (
    check_counts_shapes_and_dtypes,
    check_input_stays_as_it_was,
    check_each_output_depends_on_its_own_input_only,
    check_values_do_not_depend_on_the_rest_of_the_batch,
    check_gradients_are_those_of_finite_differences,
    check_extreme_inputs_stay_finite,
    check_a_broken_input_is_not_hidden,
    check_float32_agrees_with_float64,
    check_independent_of_each_other_and_of_the_constant,
    check_monomials_are_the_elements,
    check_vmap_and_grad,
    check_compiles_as_one_graph,
)
"""The battery."""
