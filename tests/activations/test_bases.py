import copy
import math
import pickle

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from basis_battery import (
    CHECKS,
    DEGREES,
    check_a_broken_input_is_not_hidden,
    check_compiles_as_one_graph,
    check_counts_shapes_and_dtypes,
    check_each_output_depends_on_its_own_input_only,
    check_extreme_inputs_stay_finite,
    check_float32_agrees_with_float64,
    check_gradients_are_those_of_finite_differences,
    check_independent_of_each_other_and_of_the_constant,
    check_input_stays_as_it_was,
    check_monomials_are_the_elements,
    check_values_do_not_depend_on_the_rest_of_the_batch,
    check_vmap_and_grad,
    slopes,
    stacked,
)
from scipy import special, stats
from scipy.interpolate import BPoly, BSpline
from slaf_reference import BASIS_NAMES, reference_elements, reference_matrix
from torch import nn

from slaf_automl.activations.bases import (
    BASES,
    MAX_DEGREE,
    Basis,
    find_basis,
    register_basis,
    require_clip,
    require_degree,
)
from slaf_automl.errors import ActivationError

DOMAINS = {
    "monomial": (True, True),
    "chebyshev": (True, True),
    "chebyshev_second": (True, True),
    "legendre": (True, True),
    "hermite": (True, False),
    "bernstein": (True, True),
    "fourier": (False, True),
    "gaussian": (False, True),
    "hat": (False, True),
    "tent": (False, True),
    "bspline": (False, True),
}
"""Whether a basis is polynomial, and whether it lives on [−1, 1]."""

NAMES = tuple(DOMAINS)
PARTITIONS = ("bernstein", "hat", "bspline")
"""Families whose left-out first member makes them sum to 1."""


def knots_and_order(degree):
    """The clamped knot vector of `degree` + 1 splines, and the degree of their pieces."""
    p = min(3, degree)
    inner = np.linspace(-1, 1, degree + 2 - p)
    return np.concatenate([[-1.0] * p, inner, [1.0] * p]), p


def every_member(name, x, degree):
    """All members, the left-out first one included, of a family that sums to 1."""
    eye = np.eye(degree + 1)
    if name == "bernstein":
        return BPoly(eye[:, None, :], [-1.0, 1.0])(x).T
    if name == "hat":
        return np.stack([np.interp(x, np.linspace(-1, 1, degree + 1), row) for row in eye])
    knots, p = knots_and_order(degree)
    return BSpline(knots, eye, p)(np.clip(x, -1, 1)).T


def reference(name, x, degree):
    """φ₁ … φ_degree in float64 by NumPy and SciPy."""
    orders = range(1, degree + 1)
    if name in PARTITIONS:
        return every_member(name, x, degree)[1:]
    if name == "chebyshev_second":
        return np.stack([special.eval_chebyu(i, x) for i in orders])
    if name == "tent":
        return np.stack([x, *every_member("hat", x, degree)[1:-1]])
    if name == "fourier":
        turns = [np.exp(0.5j * np.pi * ((i + 1) // 2) * x) for i in orders]
        return np.stack([t.imag if i % 2 else t.real for i, t in zip(orders, turns, strict=True)])
    if name == "gaussian":
        centres, width = ([0.0], 1.0) if degree == 1 else np.linspace(-1, 1, degree, retstep=True)
        return np.stack(
            [stats.norm.pdf(x, c, width) / stats.norm.pdf(0, 0, width) for c in centres]
        )
    return reference_elements(name, x, degree)


def test_table_holds_the_families_with_their_domains():
    assert {n: (b.polynomial, b.unit_domain) for n, b in BASES.items()} == DOMAINS
    assert all(basis.name == name for name, basis in BASES.items())
    assert MAX_DEGREE == 16


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", NAMES)
def test_battery(name, check):
    check(BASES[name])


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("name", NAMES)
def test_elements_match_numpy_and_scipy(name, degree):
    # Beyond [−1, 1] too: with clip None the elements meet any input.
    x = torch.linspace(-4, 4, 161, dtype=torch.float64)
    elements = stacked(BASES[name], x, degree).numpy()
    wanted = reference(name, x.numpy(), degree)
    assert elements.shape == (degree, 161)
    scale = np.abs(wanted).max(axis=1, keepdims=True)
    np.testing.assert_allclose(elements / scale, wanted / scale, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_elements_match_numpy_and_scipy_on_the_unit_domain(name):
    x = torch.linspace(-1, 1, 201, dtype=torch.float64)
    elements = stacked(BASES[name], x, 16).numpy()
    np.testing.assert_allclose(elements, reference(name, x.numpy(), 16), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "x", "wanted"),
    [
        ("monomial", 0.5, [1 / 2, 1 / 4, 1 / 8, 1 / 16]),
        ("chebyshev", 0.5, [1 / 2, -1 / 2, -1, -1 / 2]),
        ("chebyshev_second", 0.5, [1, 0, -1, -1]),
        ("legendre", 0.5, [1 / 2, -1 / 8, -7 / 16]),
        ("hermite", 2.0, [2, 3 / math.sqrt(2), 2 / math.sqrt(6)]),
        ("bernstein", 0.5, [3 / 4]),
        ("bernstein", 0.5, [9 / 64, 27 / 64, 27 / 64]),
        ("fourier", 1 / 3, [1 / 2, math.sqrt(3) / 2, math.sqrt(3) / 2, 1 / 2, 1]),
        ("gaussian", 1.0, [math.exp(-1 / 2)]),
        ("gaussian", 1.0, [math.exp(-1 / 2), 1]),
        ("gaussian", 0.5, [math.exp(-9 / 8), math.exp(-1 / 8), math.exp(-1 / 8)]),
        ("hat", 0.5, [3 / 4]),
        ("hat", 0.25, [3 / 4, 1 / 4]),
        ("hat", 3.0, [0, 1]),
        ("hat", -3.0, [0, 0]),
        ("tent", 0.25, [1 / 4]),
        ("tent", 0.25, [1 / 4, 3 / 4]),
        ("tent", -0.75, [-3 / 4, 1 / 2, 0, 0]),
        ("tent", 0.1, [1 / 10, 0, 4 / 5, 1 / 5]),
        ("tent", 3.0, [3, 0, 0]),
        ("tent", -3.0, [-3, 0, 0]),
        ("bspline", 0.5, [3 / 4]),
        ("bspline", 0.0, [1 / 2, 1 / 4]),
        ("bspline", 0.0, [3 / 8, 3 / 8, 1 / 8]),
        ("bspline", 0.0, [1 / 4, 1 / 2, 1 / 4, 0]),
        ("bspline", 0.0, [0, 1 / 48, 23 / 48, 23 / 48, 1 / 48, 0, 0]),
        ("bspline", 3.0, [0, 0, 0, 0, 1]),
        ("bspline", -3.0, [0, 0, 0, 0, 0]),
    ],
)
def test_elements_at_points_worked_out_by_hand(name, x, wanted):
    found = stacked(BASES[name], torch.tensor(x, dtype=torch.float64), len(wanted))
    assert found.tolist() == pytest.approx(wanted, abs=1e-14)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("name", BASIS_NAMES)
def test_matrix_to_the_monomials_matches_numpy(name, degree):
    matrix = BASES[name].to_monomials(degree)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix, reference_matrix(name, degree), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", [n for n, (polynomial, _) in DOMAINS.items() if polynomial])
def test_matrix_of_degree_zero_is_the_constant(name):
    np.testing.assert_array_equal(BASES[name].to_monomials(0), [[1.0]])


@pytest.mark.parametrize("name", [n for n, (polynomial, _) in DOMAINS.items() if not polynomial])
def test_families_that_are_not_polynomial_have_no_matrix(name):
    with pytest.raises(ActivationError, match=f"'{name}'.*polynomial"):
        BASES[name].to_monomials(3)


def test_bernstein_coefficients_are_exact():
    # (1 + x)ⁱ·(1 − x)ⁿ⁻ⁱ·C(n, i) in whole numbers, by repeated multiplication.
    matrix = BASES["bernstein"].to_monomials(16) * 2**16
    for i in range(1, 17):
        product = np.array([math.comb(16, i)], dtype=object)
        for factor in [(1, 1)] * i + [(1, -1)] * (16 - i):
            product = np.convolve(product, np.array(factor, dtype=object))
        assert matrix[i].tolist() == product.tolist()


def test_bernstein_keeps_its_digits_next_to_the_ends():
    # B₁₅,₁₆ = 16·t¹⁵·(1 − t) and B₁,₁₆ = 16·t·(1 − t)¹⁵: in float32 1 − t from a rounded t is 0.
    ends = torch.tensor([1 - 2**-24, -1 + 2**-24])
    elements = BASES["bernstein"].elements(ends, 16)
    assert elements[14][0].item() == pytest.approx(16 * 2**-25, rel=1e-5)
    assert elements[0][1].item() == pytest.approx(16 * 2**-25, rel=1e-5)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("name", PARTITIONS)
def test_what_is_missing_to_one_is_the_member_left_out(name, degree):
    x = torch.linspace(-1, 1, 201, dtype=torch.float64)
    elements = stacked(BASES[name], x, degree)
    first = every_member(name, x.numpy(), degree)[0]
    assert first.max() == 1.0
    np.testing.assert_allclose(1 - elements.sum(0).numpy(), first, rtol=0, atol=1e-14)
    assert elements.min() >= 0


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


def test_chebyshev_second_is_the_slope_of_the_first():
    # Tᵢ₊₁′ = (i + 1)·Uᵢ.
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)
    orders = torch.arange(2, 17, dtype=torch.float64)[:, None]
    wanted = slopes(BASES["chebyshev"], x, 16)[1:] / orders
    found = stacked(BASES["chebyshev_second"], x, 15)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_legendre_is_one_at_one_and_alternates_at_minus_one():
    ends = torch.tensor([1.0, -1.0], dtype=torch.float64)
    for i, element in enumerate(BASES["legendre"].elements(ends, 16), start=1):
        assert element.tolist() == pytest.approx([1.0, (-1.0) ** i], abs=1e-13)


def test_fourier_need_not_meet_itself_at_the_ends():
    ends = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    assert BASES["fourier"].elements(ends, 1)[0].tolist() == [-1.0, 1.0]
    torch.testing.assert_close(
        stacked(BASES["fourier"], ends + 4, 8), stacked(BASES["fourier"], ends, 8)
    )


@pytest.mark.parametrize("degree", DEGREES)
def test_spline_slopes_at_the_knots_are_those_of_scipy(degree):
    # Pieces of degree 2 and more are smooth there; those of degree 1 have no inner knot here.
    knots, p = knots_and_order(degree)
    inside = np.unique(knots)[1:-1]
    x = np.concatenate([inside, [-0.3, 0.2]])
    wanted = BSpline(knots, np.eye(degree + 1), p).derivative()(x).T[1:]
    found = slopes(BASES["bspline"], torch.from_numpy(x), degree).numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("name", ["hat", "bspline"])
def test_splines_are_held_at_the_ends_beyond_the_domain(name, degree):
    far = torch.tensor([-1e4, -1.001, 1.001, 1e4])
    ends = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    assert torch.equal(stacked(BASES[name], far, degree), stacked(BASES[name], ends, degree))
    assert not slopes(BASES[name], far, degree).any()


@pytest.mark.parametrize("degree", DEGREES)
def test_each_hat_is_one_at_its_own_knot_and_zero_at_the_others(degree):
    knots = torch.linspace(-1, 1, degree + 1, dtype=torch.float64)
    found = stacked(BASES["hat"], knots, degree)
    wanted = torch.eye(degree + 1, dtype=torch.float64)[1:]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("degree", DEGREES)
def test_a_line_and_tents_span_what_hats_do(degree):
    x = torch.linspace(-1, 1, 301, dtype=torch.float64)
    spans = [
        torch.cat([torch.ones(1, 301, dtype=x.dtype), stacked(BASES[name], x, degree)]).T
        for name in ("tent", "hat")
    ]
    for one, other in (spans, spans[::-1]):
        found = torch.linalg.lstsq(one, other).solution
        assert (one @ found - other).abs().max() < 1e-12


@pytest.mark.parametrize("degree", DEGREES)
def test_tents_vanish_at_the_ends_and_beyond_and_are_one_at_their_own_knot(degree):
    far = torch.tensor([-1e4, -1.001, -1.0, 1.0, 1.001, 1e4], dtype=torch.float64)
    line, *tents = BASES["tent"].elements(far, degree)
    assert torch.equal(line, far)
    assert not any(tent.any() for tent in tents)
    if tents:
        knots = torch.linspace(-1, 1, degree + 1, dtype=torch.float64)[1:-1]
        found = torch.stack(BASES["tent"].elements(knots, degree)[1:])
        torch.testing.assert_close(found, torch.eye(degree - 1, dtype=torch.float64))


@pytest.mark.parametrize("name", NAMES)
def test_copies_are_equal(name):
    basis = BASES[name]
    assert copy.deepcopy(basis) == basis
    assert pickle.loads(pickle.dumps(basis)) == basis
    assert len({basis, copy.deepcopy(basis)}) == 1


class Everything(nn.Module):
    """The elements of every family, degrees 1 and 5."""

    def forward(self, x):
        return torch.stack([e for n in NAMES for d in (1, 5) for e in BASES[n].elements(x, d)])


def test_onnx_needs_standard_operators_only():
    x = torch.linspace(-1.5, 1.5, 24).reshape(8, 3)
    program = torch.onnx.export(
        Everything().eval(),
        (x,),
        dynamo=True,
        opset_version=18,
        dynamic_shapes=({0: torch.export.Dim("rows", min=1)},),
        verbose=False,
    )
    model = program.model_proto
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not {node.op_type for node in model.graph.node} & {"Loop", "If", "Scan", "ScatterND"}
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = torch.linspace(-1.2, 1.2, 15).reshape(5, 3)
    (found,) = session.run(None, {session.get_inputs()[0].name: rows.numpy()})
    np.testing.assert_allclose(found, Everything()(rows).numpy(), rtol=1e-4, atol=1e-5)


# One's own bases.


def tanh_elements(x, degree):
    return [torch.tanh(x) ** i for i in range(1, degree + 1)]


def powers_plus_one(x, degree):
    return [x**i + 1 for i in range(1, degree + 1)]


def powers_plus_one_matrix(degree):
    matrix = np.eye(degree + 1)
    matrix[1:, 0] = 1.0
    return matrix


def own_basis(evaluate=tanh_elements, name="own", **changes):
    """A user's basis."""
    fields = {"formula": "φᵢ(x) = tanhⁱ(x)", "source": "a test", "domain": "[−1, 1]"}
    return Basis(**{"name": name, "unit_domain": True, "evaluate": evaluate, **fields, **changes})


@pytest.fixture
def restored_table():
    before = dict(BASES)
    yield
    BASES.clear()
    BASES.update(before)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize(
    "basis",
    [own_basis(), own_basis(powers_plus_one, monomials=powers_plus_one_matrix)],
    ids=["tanh", "polynomial"],
)
@pytest.mark.usefixtures("restored_table")
def test_a_registered_basis_goes_through_the_battery(basis, check):
    register_basis(basis)
    assert find_basis("own") is basis
    check(find_basis("own"))


@pytest.mark.usefixtures("restored_table")
def test_register_refuses_a_name_that_exists():
    register_basis(own_basis())
    for name in ("own", *NAMES):
        with pytest.raises(ActivationError, match=f"'{name}' exists already"):
            register_basis(own_basis(name=name))
    assert set(BASES) == {"own", *NAMES}
    assert BASES["hermite"].source.startswith("Abramowitz")


def test_register_refuses_what_is_no_basis():
    with pytest.raises(ActivationError, match="expected a Basis"):
        register_basis(tanh_elements)


@pytest.mark.usefixtures("restored_table")
def test_find_basis_lists_registered_names_too():
    register_basis(own_basis())
    with pytest.raises(ActivationError, match=r"bspline, own$"):
        find_basis("wavelet")


class Pole(torch.autograd.Function):
    """tanh with a gradient that breaks at 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return torch.tanh(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (1 - torch.tanh(x) ** 2) * x / x


def spoiled(spoil):
    """Powers of tanh with the last one spoiled."""

    def evaluate(x, degree):
        elements = tanh_elements(x, degree)
        return [*elements[:-1], spoil(elements[-1], x)]

    return evaluate


def write_on(element, x):
    x.mul_(0.5)
    return element


def look_at_values(element, x):
    return element if bool((x > 2).any()) else 1.0 * element


def one_element_short(x, degree):
    return tanh_elements(x, degree)[:-1] if degree > 1 else tanh_elements(x, degree)


def wrong_matrix(degree):
    matrix = powers_plus_one_matrix(degree)
    matrix[-1, -1] *= 1 + 1e-12 if degree else 1
    return matrix


DEFECTS = [
    (check_counts_shapes_and_dtypes, one_element_short),
    (check_counts_shapes_and_dtypes, spoiled(lambda e, x: e.double())),
    (check_counts_shapes_and_dtypes, spoiled(lambda e, x: e.reshape(-1))),
    (check_counts_shapes_and_dtypes, spoiled(lambda e, x: e.sum())),
    (check_input_stays_as_it_was, spoiled(write_on)),
    (check_each_output_depends_on_its_own_input_only, spoiled(lambda e, x: e + x.mean())),
    (check_each_output_depends_on_its_own_input_only, spoiled(lambda e, x: e.detach())),
    (check_values_do_not_depend_on_the_rest_of_the_batch, spoiled(lambda e, x: e - e.mean())),
    (check_gradients_are_those_of_finite_differences, spoiled(lambda e, x: e + x.detach())),
    (check_extreme_inputs_stay_finite, spoiled(lambda e, x: torch.sinh(x))),
    (check_extreme_inputs_stay_finite, spoiled(lambda e, x: e + 1 / (1 - x))),
    (check_extreme_inputs_stay_finite, spoiled(lambda e, x: Pole.apply(x))),
    (check_extreme_inputs_stay_finite, spoiled(lambda e, x: torch.sqrt(x.abs()))),
    (check_a_broken_input_is_not_hidden, spoiled(lambda e, x: torch.nan_to_num(e))),
    (check_float32_agrees_with_float64, spoiled(lambda e, x: e + 1e4 - 1e4)),
    (check_independent_of_each_other_and_of_the_constant, spoiled(lambda e, x: 1.0 + 0.0 * x)),
    (check_independent_of_each_other_and_of_the_constant, lambda x, degree: [x] * degree),
    (check_vmap_and_grad, spoiled(look_at_values)),
    (check_compiles_as_one_graph, spoiled(look_at_values)),
]


@pytest.mark.parametrize(
    ("check", "evaluate"),
    DEFECTS,
    ids=[f"{i}-{check.__name__.removeprefix('check_')}" for i, (check, _) in enumerate(DEFECTS)],
)
def test_each_check_catches_a_defect(check, evaluate):
    check(own_basis())
    with pytest.raises((AssertionError, ActivationError, RuntimeError)):
        check(own_basis(evaluate))


def test_wrong_coefficients_are_caught():
    with pytest.raises(AssertionError, match="coefficients of degree"):
        check_monomials_are_the_elements(own_basis(powers_plus_one, monomials=wrong_matrix))


def test_no_check_is_left_without_a_defect():
    assert {check for check, _ in DEFECTS} | {check_monomials_are_the_elements} == set(CHECKS)


# What a basis must say about itself.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "basis name ''.*identifier"),
        ({"name": "two words"}, "basis name 'two words'.*identifier"),
        ({"name": None}, "basis name None.*identifier"),
        ({"formula": ""}, "formula '' of basis 'own'.*not empty"),
        ({"source": "  "}, "source ' ' of basis 'own'.*not empty"),
        ({"source": None}, "source None of basis 'own'.*not empty"),
        ({"domain": ""}, "domain '' of basis 'own'.*not empty"),
        ({"unit_domain": 1}, "unit_domain 1 of basis 'own'.*True or False"),
        ({"evaluate": "tanh"}, "evaluate 'tanh' of basis 'own'.*function"),
        ({"monomials": np.eye(3).tolist()}, "monomials .* of basis 'own'.*function"),
    ],
)
def test_a_basis_that_says_too_little_is_refused(change, words):
    with pytest.raises(ActivationError, match=words):
        own_basis(**change)


@pytest.mark.parametrize(
    ("evaluate", "words"),
    [
        (lambda x, degree: [x], "'own' returned a list of length 1 .*expected a list of 2"),
        (lambda x, degree: [x] * 3, "'own' returned a list of length 3 .*expected a list of 2"),
        (lambda x, degree: torch.stack([x, x]), "'own' returned a Tensor as"),
        (lambda x, degree: None, "'own' returned a NoneType as"),
        (lambda x, degree: [x, 1.0], "'own' returned element 2 as float"),
        (lambda x, degree: [x, x[0]], r"element 2 as shape \(\).*input's shape \(4,\)"),
        (lambda x, degree: [x.double(), x], "element 1 as .*float64.*float32"),
    ],
)
def test_elements_refuses_what_is_not_a_list_of_tensors_like_the_input(evaluate, words):
    with pytest.raises(ActivationError, match=words):
        own_basis(evaluate).elements(torch.zeros(4), 2)


def test_elements_takes_a_tuple():
    elements = own_basis(lambda x, degree: (x, x**2)).elements(torch.tensor([3.0]), 2)
    assert elements == [torch.tensor([3.0]), torch.tensor([9.0])]


@pytest.mark.parametrize(
    ("monomials", "words"),
    [
        (lambda degree: np.eye(degree), r"'own' .*shape \(2, 2\).*\(3, 3\)"),
        (lambda degree: np.full((3, 3), np.nan), "'own' .*not finite"),
        (lambda degree: 2 * np.eye(3), r"'own' .*\[2.0, 0.0, 0.0\] as row 0"),
        (lambda degree: np.eye(3)[::-1], r"'own' .*\[0.0, 0.0, 1.0\] as row 0"),
        (lambda degree: np.tri(3)[::-1], r"'own' .*\[1.0, 1.0, 1.0\] as row 0"),
    ],
)
def test_to_monomials_refuses_another_matrix(monomials, words):
    with pytest.raises(ActivationError, match=words):
        own_basis(monomials=monomials).to_monomials(2)


def test_to_monomials_returns_float64_of_anything():
    matrix = own_basis(monomials=lambda degree: [[1, 0], [0, 3]]).to_monomials(1)
    assert matrix.dtype == np.float64
    assert matrix.tolist() == [[1.0, 0.0], [0.0, 3.0]]


@pytest.mark.parametrize("name", NAMES)
def test_find_basis_returns_the_entry_of_the_table(name):
    assert find_basis(name) is BASES[name]


@pytest.mark.parametrize("name", ["wavelet", "", "Chebyshev", None, 3, ["hermite"]])
def test_find_basis_names_what_was_given_and_lists_what_exists(name):
    with pytest.raises(ActivationError) as caught:
        find_basis(name)
    message = str(caught.value)
    assert repr(name) in message
    assert all(known in message for known in NAMES)
    assert "\n" not in message


@pytest.mark.parametrize("degree", [1, 16])
def test_require_degree_returns_degrees_in_range(degree):
    assert require_degree(degree) == degree


@pytest.mark.parametrize("degree", [0, 17, -1, 2.0, True, "3", None])
def test_require_degree_refuses_anything_else(degree):
    with pytest.raises(ActivationError, match="1 to 16") as caught:
        require_degree(degree)
    assert repr(degree) in str(caught.value)


def test_require_clip_returns_positive_numbers_and_none():
    assert require_clip(None) is None
    assert (require_clip(3), type(require_clip(3))) == (3.0, float)


@pytest.mark.parametrize("clip", [0, -1.0, math.inf, math.nan, True, "3"])
def test_require_clip_refuses_anything_else(clip):
    with pytest.raises(ActivationError, match="a positive number or null"):
        require_clip(clip)
