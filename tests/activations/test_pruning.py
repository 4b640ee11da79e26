"""The hierarchical penalty against its own optimality conditions, and what it leaves."""

import pytest
import torch
from slaf_reference import normal

from slaf_automl import SLAF
from slaf_automl.activations import BASES
from slaf_automl.activations.pruning import GRADED, effective_degree, shrink_elements


def nested_penalty(a):
    root = a.shape[0] ** 0.5
    return sum(root * torch.linalg.vector_norm(a[:, k:]) for k in range(a.shape[1]))


@pytest.mark.parametrize("step", [0.01, 0.1, 0.3])
def test_the_step_minimises_distance_plus_penalty(step):
    slot = SLAF(3, degree=4, normaliser="none").double()
    given = normal(3, 4)
    slot.coefficients.data.copy_(given)
    shrink_elements(slot, step)
    found = slot.coefficients.detach().clone()

    def objective(a):
        return 0.5 * (a - given).square().sum() + step * nested_penalty(a)

    best = objective(found)
    generator = torch.Generator().manual_seed(0)
    for scale in (1e-1, 1e-2, 1e-3, 1e-4):
        for _ in range(200):
            noise = torch.randn(3, 4, generator=generator, dtype=torch.float64)
            assert objective(found + scale * noise) >= best - 1e-12
            # Towards and away from zero, where the objective has its corners.
            noise[:, int(torch.randint(4, (), generator=generator)) :] = 0.0
            assert objective(found + scale * noise) >= best - 1e-12
            assert objective(found * (1 - scale)) >= best - 1e-12


def test_by_hand():
    # One row (3, 4), step 1: first (4) → 3, then (3, 3) of norm √18 → 3·(1 − 1/√18) each.
    slot = SLAF(1, degree=2, normaliser="none").double()
    slot.coefficients.data.copy_(torch.tensor([[3.0, 4.0]]))
    shrink_elements(slot, 1.0)
    wanted = 3.0 * (1.0 - 18.0**-0.5)
    assert slot.coefficients[0].tolist() == pytest.approx([wanted, wanted], rel=1e-12)


def test_the_highest_elements_go_first():
    slot = SLAF(2, degree=5, normaliser="none")
    slot.coefficients.data.fill_(0.1)
    degrees = [effective_degree(slot)]
    for _ in range(200):
        shrink_elements(slot, 0.01)
        degrees.append(effective_degree(slot))
        zero = (slot.coefficients == 0).all(0).int().tolist()
        assert zero == sorted(zero)
    assert degrees[0] == 5
    assert degrees[-1] == 1
    assert degrees == sorted(degrees, reverse=True)


@pytest.mark.parametrize("basis", ["bernstein", "gaussian", "hat", "tent", "bspline"])
def test_families_without_a_grade_are_left_alone(basis):
    slot = SLAF(2, basis=basis, degree=4)
    before = slot.coefficients.clone()
    shrink_elements(slot, 10.0)
    assert torch.equal(slot.coefficients, before)
    assert effective_degree(slot) == 4


@pytest.mark.parametrize("name", BASES)
def test_only_families_whose_first_elements_stay_are_graded(name):
    """What pruning takes for granted: without its last element a family has a degree less."""
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)
    stays = all(
        torch.equal(torch.stack(BASES[name].elements(x, degree)[:less]), lower)
        for degree in range(2, 9)
        for less in range(1, degree)
        for lower in [torch.stack(BASES[name].elements(x, less))]
    )
    assert stays == (name in GRADED)
