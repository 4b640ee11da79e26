"""The compiled passes against the written-out formula: values, gradients, statistics, memory."""

import copy
import itertools
import math

import pytest
import torch
from slaf_reference import assert_near, normal, randomised
from torch import nn
from torch.func import functional_call

from slaf_automl.activations import BASES, SLAF
from slaf_automl.activations.passes import Source, compiler

pytestmark = pytest.mark.skipif(
    compiler._compiler() is None, reason="no C++ compiler: there are no compiled passes to compare"
)

NORMALISER_NAMES = ("none", "input", "frozen", "element")
BASIS_NAMES = ("chebyshev", "hermite", "bernstein", "chebyshev_second")
PRECISIONS = (torch.float32, torch.float64)


def plain(slaf):
    """A copy that never takes the compiled passes."""
    clone = copy.deepcopy(slaf)
    pairs = itertools.product(Source, Source)
    clone._passes._plans = {(pair, t): None for pair in pairs for t in PRECISIONS}
    return clone


def is_fused(slaf):
    plans = slaf._passes._plans.values()
    return bool(plans) and all(plan is not None for plan in plans)


def gradients(slaf, x, g):
    """Output and gradients of x and of every parameter."""
    x = x.detach().requires_grad_()
    y = slaf(x)
    found = torch.autograd.grad(y, (x, *slaf.parameters()), g)
    names = ("x", *(name for name, _ in slaf.named_parameters()))
    return {"y": y.detach(), **dict(zip(names, found, strict=True))}


def compare(actual, wanted, tolerance, floor):
    """Every tensor relative to its largest value, or to `floor` where that is smaller."""
    for name, value in wanted.items():
        assert actual[name].shape == value.shape, name
        if value.numel():
            scale = max(value.abs().max().item(), floor)
            error = (actual[name].double() - value.double()).abs().max().item()
            assert error <= tolerance * scale, f"{name} is off by {error / scale:.2e} of {scale}"


# Three batches to train on, the last shape also to evaluate.
LAYOUTS = [
    ([(50, 37)] * 3, 1, torch.contiguous_format),
    ([(6, 5, 7, 9)] * 3, 1, torch.contiguous_format),
    ([(4, 3, 64)] * 3, 1, torch.contiguous_format),
    ([(5, 6, 40)] * 3, -1, torch.contiguous_format),
    ([(4, 5, 6, 7)] * 3, 1, torch.channels_last),
    ([(17, 1)] * 3, 1, torch.contiguous_format),
    ([(1, 8)] * 3, 1, torch.contiguous_format),
    ([(9, 4), (0, 4), (0, 4)], 1, torch.contiguous_format),
]
SHARINGS = ("channel", "layer", 2)
FORMS = [
    *itertools.product(NORMALISER_NAMES, (3.0, None), BASIS_NAMES, (1, 3, 5, 6, 9)),
    # Unclipped, powers of 16 leave no digits to compare.
    *itertools.product(NORMALISER_NAMES, (3.0,), ("chebyshev", "chebyshev_second"), (16,)),
]
# Every form once, each with the next layout and the next sharing.
CASES = [(*form, LAYOUTS[k % 8], SHARINGS[k % 3]) for k, form in enumerate(FORMS)]


@pytest.mark.parametrize(
    ("normaliser", "clip", "basis", "degree", "layout", "sharing"),
    CASES,
    ids=[f"{n}-{c}-{b}-{d}-{lay[0][-1]}-{s}".replace(" ", "") for n, c, b, d, lay, s in CASES],
)
def test_fused_is_the_formula(normaliser, clip, basis, degree, layout, sharing):
    shapes, dim, memory_format = layout
    channels = shapes[0][dim]
    options = {"normaliser": normaliser, "clip": clip, "basis": basis, "degree": degree}
    if sharing != 2 or channels > 1:
        options["sharing"] = sharing
    fused = randomised(SLAF(channels, channel_dim=dim, **options).double(), seed=degree)
    reference = plain(fused)
    tolerance = 1e-8 if degree < 16 else 1e-7
    # A batch of one row has no gradient at all under statistics of the batch: nothing but rounding,
    # which the roots of ε enlarge.
    floor = 1.0

    def batch(shape, seed):
        x = 1.5 * normal(*shape, seed=seed) + 0.3
        return x.contiguous(memory_format=memory_format)

    for step, shape in enumerate(shapes):
        x, g = batch(shape, step), normal(*shape, seed=step + 50)
        compare(gradients(fused, x, g), gradients(reference, x, g), tolerance, floor)
    compare(dict(fused.named_buffers()), dict(reference.named_buffers()), tolerance, 1e-3)
    assert is_fused(fused)
    assert not is_fused(reference)
    fused.eval()
    reference.eval()
    x, g = batch(shapes[-1], 9), normal(*shapes[-1], seed=59)
    compare(gradients(fused, x, g), gradients(reference, x, g), tolerance, floor)
    with torch.no_grad():
        compare({"y": fused(x)}, {"y": reference(x)}, tolerance, floor)


@pytest.mark.parametrize("degree", [2, 3, 5, 7])
@pytest.mark.parametrize("mean", [0.0, 3.0, 10.0])
@pytest.mark.parametrize("shape", [(2048, 3), (32, 3, 64)])
def test_float32_gradients_where_means_are_large(shape, mean, degree):
    # Unclipped elements are the hard case: their variances are differences of large numbers.
    slaf = randomised(SLAF(3, degree=degree, clip=None), seed=degree)
    reference = plain(slaf).double()
    x = normal(*shape, dtype=torch.float32) + mean
    g = normal(*shape, seed=1, dtype=torch.float32)
    wanted = gradients(reference, x.double(), g.double())
    actual = gradients(slaf, x, g)
    assert is_fused(slaf)
    compare(actual, wanted, 1e-4, 1e-30)


def as_function(slaf):
    """The SLAF as a function of its input and its parameters, and the values of these."""
    names = [name for name, _ in slaf.named_parameters()]
    values = [value.detach().clone().requires_grad_() for value in slaf.parameters()]

    def run(x, *values):
        return functional_call(slaf, dict(zip(names, values, strict=True)), (x,))

    return run, values


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4)])
@pytest.mark.parametrize("clip", [None, 1.5])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_first_and_second_derivatives_are_finite_differences(normaliser, clip, shape):
    slaf = SLAF(3, normaliser=normaliser, clip=clip, degree=3, sharing=2).double()
    randomised(slaf)
    slaf(normal(64, 3, seed=1))
    if normaliser == "frozen":
        slaf.before.moments.constant = True
    if slaf.reach is not None:  # Else each evaluation would move what the next one is clipped by.
        slaf.reach.constant = True
    x = normal(*shape, seed=2).requires_grad_()
    run, values = as_function(slaf)
    assert torch.autograd.gradcheck(run, (x, *values))
    assert torch.autograd.gradgradcheck(run, (x, *values))
    assert is_fused(slaf)


def test_second_derivative_of_an_empty_batch_is_zero():
    slaf = randomised(SLAF(3).double())
    x = torch.empty(0, 3, dtype=torch.float64, requires_grad=True)
    for _ in range(20):  # among others with memory that held something before
        torch.full((3, 15), math.nan, dtype=torch.float64)
        (slope,) = torch.autograd.grad(slaf(x).sum(), x, create_graph=True)
        found = torch.autograd.grad(slope.square().sum(), slaf.coefficients, allow_unused=True)[0]
        assert found is None or torch.equal(found, torch.zeros_like(found))


@pytest.mark.parametrize("shape", [(64, 32, 8, 8), (2048, 40), (5000, 17)])
@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_result_does_not_depend_on_the_number_of_threads(normaliser, shape):
    assert math.prod(shape) >= 65_536
    slaf = randomised(SLAF(shape[1], normaliser=normaliser, sharing=3))
    x, g = normal(*shape, dtype=torch.float32), normal(*shape, seed=1, dtype=torch.float32)
    found, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            clone = copy.deepcopy(slaf)
            found.append([*gradients(clone, x, g).values(), *clone.buffers()])
            found[-1] += gradients(clone, x, g).values()
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


NON_CONTIGUOUS = {
    "transposed": lambda: normal(4, 30).T,
    "every other channel": lambda: normal(30, 8)[:, ::2],
    "every other row": lambda: normal(60, 4)[::2],
    "a row expanded": lambda: normal(1, 4).expand(30, 4),
    "a channel expanded": lambda: normal(30, 1).expand(30, 4),
    "channels moved to the front": lambda: normal(5, 6, 4).movedim(-1, 1),
    "part of an image": lambda: normal(3, 4, 6, 8)[:, :, 1:5, 2:7],
    "part of a channels last image": lambda: normal(3, 6, 8, 4).movedim(-1, 1)[:, :, 1:5],
}


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("name", NON_CONTIGUOUS)
def test_strides_do_not_matter(name, normaliser):
    x = NON_CONTIGUOUS[name]()
    assert not x.is_contiguous()
    slaf = randomised(SLAF(4, normaliser=normaliser).double())
    other = copy.deepcopy(slaf)
    copied = x.clone(memory_format=torch.contiguous_format)
    g = normal(*x.shape, seed=1)
    compare(gradients(slaf, x, g), gradients(other, copied, g), 1e-12, 1.0)
    # Gradients may come in other strides, too.
    swapped = g.transpose(0, 1).contiguous().transpose(0, 1)
    compare(gradients(slaf, x, swapped), gradients(other, copied, g), 1e-12, 1.0)
    assert is_fused(slaf)


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_an_expanded_gradient(normaliser):
    slaf = randomised(SLAF(3, normaliser=normaliser).double())
    other = copy.deepcopy(slaf)
    first, second = (normal(7, 3, 5).requires_grad_() for _ in range(2))
    slaf(first).sum().backward()  # the gradient of a sum is one number, expanded
    (other(second) * torch.ones(7, 3, 5, dtype=torch.float64)).sum().backward()
    assert torch.equal(first.grad, second.grad)
    for one, two in zip(slaf.parameters(), other.parameters(), strict=True):
        assert torch.equal(one.grad, two.grad)


@pytest.mark.parametrize(
    ("shape", "memory_format"),
    [((2, 3, 4, 5), torch.channels_last), ((2, 3, 4, 5, 6), torch.channels_last_3d)],
)
def test_channels_last_stays_channels_last(shape, memory_format):
    slaf = SLAF(3)
    x = normal(*shape, dtype=torch.float32).contiguous(memory_format=memory_format)
    x.requires_grad_()
    y = slaf(x)
    y.square().sum().backward()
    assert is_fused(slaf)
    assert y.is_contiguous(memory_format=memory_format)
    assert x.grad.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("written", [False, True])
def test_input_changed_in_place_is_noticed(normaliser, written):
    slaf = SLAF(3, normaliser=normaliser)
    slaf = plain(slaf) if written else slaf
    x = normal(8, 3, dtype=torch.float32)
    y = slaf(x)
    x.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_only_what_is_asked_for_gets_a_gradient():
    slaf = SLAF(3, normaliser="input")
    slaf.coefficients.requires_grad_(False)
    slaf(normal(8, 3, dtype=torch.float32)).square().sum().backward()
    assert slaf.coefficients.grad is None
    assert slaf.bias.grad is not None
    assert slaf.before.weight.grad is not None


def saved_for_backward(slaf, x):
    """Every tensor that a forward pass keeps."""
    kept = []

    def pack(tensor):
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        slaf(x)
    return kept


def size(tensors):
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
@pytest.mark.parametrize("degree", [3, 8])
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_fused_keeps_its_input_and_a_table(dtype, degree, normaliser):
    channels = 32
    slaf = SLAF(channels, degree=degree, normaliser=normaliser).to(dtype)
    x = normal(64, channels, 16, 16, dtype=dtype).requires_grad_()
    kept = saved_for_backward(slaf, x)
    assert is_fused(slaf)
    assert size(kept) <= size([x]) + channels * (6 + 3 * degree) * 8 + size(slaf.parameters())


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_plain_keeps_nothing_of_the_size_of_its_input_but_that(normaliser):
    slaf = SLAF(8, basis="hat", degree=5, normaliser=normaliser)
    assert not BASES["hat"].polynomial
    x = normal(64, 8, 16, 16, dtype=torch.float32).requires_grad_()
    kept = saved_for_backward(slaf, x)
    assert not is_fused(slaf)
    large = [t for t in kept if t.numel() >= x.numel()]
    assert [t.data_ptr() for t in large] == [x.data_ptr()]
    rest = [t for t in kept if t.numel() < x.numel()]
    assert size(rest) <= size(slaf.parameters()) + size(slaf.buffers())


def test_without_gradients_nothing_is_kept():
    slaf = SLAF(3)
    x = normal(8, 3, dtype=torch.float32)
    with torch.no_grad():
        assert not saved_for_backward(slaf, x)
    with torch.inference_mode():
        assert torch.equal(copy.deepcopy(slaf)(x), copy.deepcopy(slaf)(x))


@pytest.mark.parametrize("normaliser", NORMALISER_NAMES)
def test_ragged_batches(normaliser):
    # Every length of the last vector, and more shapes than layouts are kept for.
    slaf = randomised(SLAF(3, normaliser=normaliser, clip=None).double())
    reference = plain(slaf)
    for rows in range(1, 64):
        x, g = normal(3, rows, seed=rows), normal(3, rows, seed=rows + 100)
        for shape in ((rows, 3), (1, 3, rows)):
            a, b = x.reshape(shape), g.reshape(shape)
            compare(gradients(slaf, a, b), gradients(reference, a, b), 1e-8, 1.0)
    compare(dict(slaf.named_buffers()), dict(reference.named_buffers()), 1e-9, 1e-3)


def test_two_uses_before_one_backward():
    torch.manual_seed(0)
    slaf = randomised(SLAF(4).double())
    network, reference = nn.Sequential(slaf, slaf), plain(slaf)
    x = normal(20, 4).requires_grad_()
    inputs = (x, slaf.coefficients)
    found = torch.autograd.grad(network(x).square().sum(), inputs)
    inputs = (x, reference.coefficients)
    wanted = torch.autograd.grad(reference(reference(x)).square().sum(), inputs)
    for actual, value in zip(found, wanted, strict=True):
        assert_near(actual, value, 1e-9)
