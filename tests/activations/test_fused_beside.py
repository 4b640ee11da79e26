"""A hybrid SLAF in one node against the same with its channels cut apart and joined again."""

import copy
import itertools

import pytest
import torch
from slaf_reference import normal, randomised

from slaf_automl.activations import SLAF
from slaf_automl.activations.passes import Passes, compiler
from slaf_automl.errors import NonFiniteError

pytestmark = pytest.mark.skipif(
    compiler._compiler() is None, reason="no C++ compiler: there are no compiled passes"
)

LAYOUTS = [
    ((50, 37), torch.contiguous_format),
    ((6, 5, 7, 9), torch.contiguous_format),
    ((6, 37, 5, 4), torch.channels_last),
    ((3, 21, 64, 65), torch.channels_last),
    ((9, 2), torch.contiguous_format),
]
CASES = list(itertools.product(("none", "input", "frozen", "element"), (0.25, 0.75), LAYOUTS))


@pytest.fixture
def apart(monkeypatch):
    """Let hybrids be cut apart while the function runs."""

    def run(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(Passes, "beside", lambda *_: None)
            return function(*arguments)

    return run


def train(slaf, x, g):
    """Two batches; outputs, gradients and statistics."""
    found = {}
    for step in range(2):
        given = (x + step).detach().requires_grad_()
        slaf.zero_grad()
        y = slaf(given)
        y.backward(g)
        found |= {f"y{step}": y.detach(), f"gx{step}": given.grad}
        found |= {f"{n}{step}": p.grad.clone() for n, p in slaf.named_parameters()}
    found |= {n: b.clone() for n, b in slaf.named_buffers()}
    found["evaluated"] = slaf.eval()(x).detach()
    return found


@pytest.mark.parametrize(("normaliser", "hybrid", "layout"), CASES)
def test_values_gradients_and_statistics(normaliser, hybrid, layout, apart):
    shape, order = layout
    slaf = randomised(SLAF(shape[1], normaliser=normaliser, hybrid=hybrid).double())
    x, g = (normal(*shape, seed=k).to(memory_format=order) for k in range(2))
    wanted = apart(train, copy.deepcopy(slaf), x, g)
    found = train(slaf, x, g)
    assert found["y0"].stride() == x.stride()
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-10, msg=name)


def test_it_is_taken_and_keeps_relu_exact():
    slaf = SLAF(4, normaliser="none", hybrid=0.5)
    x = normal(8, 4).float().requires_grad_()
    y = slaf(x)
    assert type(y.grad_fn).__name__ == "FusedBesideBackward"
    assert torch.equal(y[:, 2:], torch.relu(x[:, 2:]))
    y[:, 2:].sum().backward()
    assert torch.equal(x.grad[:, 2:], (x.detach()[:, 2:] > 0).float())
    assert not x.grad[:, :2].any()


@pytest.mark.parametrize("normaliser", ["none", "input", "frozen", "element"])
def test_second_derivatives(normaliser):
    slaf = randomised(SLAF(4, normaliser=normaliser, hybrid=0.5, degree=2, clip=None).double())
    x = normal(6, 4).requires_grad_()
    slaf(x)
    if normaliser == "frozen":  # gradcheck evaluates again and again.
        slaf.eval()
    assert torch.autograd.gradgradcheck(slaf, (x,))


def test_a_relu_channel_that_is_not_finite_is_noticed_too():
    slaf = SLAF(4, normaliser="none", hybrid=0.5)
    x = normal(8, 4).float()
    x[3, 3] = torch.nan
    with pytest.raises(NonFiniteError):
        slaf(x)


def test_gradients_that_nobody_wants():
    slaf = SLAF(4, normaliser="input", hybrid=0.5).requires_grad_(False)
    x = normal(8, 4).float().requires_grad_()
    slaf(x).sum().backward()
    assert x.grad is not None
    with torch.no_grad():
        assert not slaf(x).requires_grad
