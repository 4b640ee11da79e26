import copy
import pickle

import pytest
import torch
from slaf_reference import EPSILON, assert_near, normal, randomised, settled

from slaf_automl.activations import estimate_statistics
from slaf_automl.activations.fixed import NORMALISERS, FixedActivation
from slaf_automl.errors import ActivationError


def test_the_four_normalisers():
    assert NORMALISERS == ("none", "input", "frozen", "element")


@pytest.mark.parametrize("training", [True, False])
def test_without_a_normaliser_it_is_relu(training):
    x = 3.0 * normal(20, 3)
    assert torch.equal(FixedActivation(3).train(training)(x), x.clamp(min=0))
    assert not FixedActivation(3).state_dict()


def test_input_normaliser_is_relu_of_a_batch_norm():
    module = randomised(FixedActivation(3, normaliser="input").double())
    x = 3.0 * normal(20, 3) + 1.0
    norm = torch.nn.functional.batch_norm
    weight, bias = module.before.weight, module.before.bias
    wanted = norm(x, None, None, weight, bias, training=True, eps=EPSILON).clamp(min=0)
    assert_near(module(x), wanted, 1e-12)
    mean, variance = x.mean(0), x.var(0, correction=0)
    y = normal(10, 3, seed=1)
    wanted = norm(y, mean, variance, weight, bias, eps=EPSILON).clamp(min=0)
    assert_near(module.eval()(y), wanted, 1e-12)


def test_element_normaliser_by_hand():
    module = FixedActivation(1, normaliser="element").double()
    # ReLU gives 0, 0, 2, 6: mean 2 and biased variance 6.
    y = module(torch.tensor([[-3.0], [0.0], [2.0], [6.0]], dtype=torch.float64)).flatten()
    root = (6 + 1e-5) ** 0.5
    assert y.tolist() == pytest.approx([-2 / root, -2 / root, 0.0, 4 / root], rel=1e-12)
    z = module.eval()(torch.tensor([[-1.0], [8.0]], dtype=torch.float64)).flatten()
    assert z.tolist() == pytest.approx([-2 / root, 6 / root], rel=1e-12)


@pytest.mark.parametrize("function", ["relu", "silu", "gelu"])
@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_gradients(normaliser, function):
    module = randomised(FixedActivation(3, function=function, normaliser=normaliser).double())
    x = normal(6, 3).requires_grad_()
    assert torch.autograd.gradcheck(module, (x,))
    assert torch.autograd.gradcheck(module.eval(), (x,))


@pytest.mark.parametrize("channel_dim", [-1, 3])
@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_channels_may_come_last(normaliser, channel_dim):
    first = settled(FixedActivation(3, normaliser=normaliser).double(), 3)
    last = FixedActivation(3, normaliser=normaliser, channel_dim=channel_dim).double()
    last.load_state_dict(first.state_dict())
    x = normal(2, 3, 4, 5)
    for training in (False, True):
        wanted = first.train(training)(x).permute(0, 2, 3, 1)
        actual = last.train(training)(x.permute(0, 2, 3, 1))
        torch.testing.assert_close(actual, wanted, rtol=0, atol=1e-12)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(last.state_dict()[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_extreme_inputs_give_finite_outputs(normaliser):
    for x in (torch.full((6, 3), 1e4), torch.full((6, 3), -1e4), torch.tensor([[1e4, -1e4, 0.3]])):
        module = FixedActivation(3, normaliser=normaliser)
        assert module(x).isfinite().all()
        assert module.eval()(-x).isfinite().all()


@pytest.mark.parametrize("normaliser", ["input", "element"])
def test_evaluation_and_folding_need_statistics(normaliser):
    module = FixedActivation(3, normaliser=normaliser).eval()
    with pytest.raises(ActivationError, match="before its statistics were set"):
        module(torch.zeros(2, 3))
    with pytest.raises(ActivationError, match="before its statistics were set"):
        module.fold()
    estimate_statistics(module, [normal(5, 3, dtype=torch.float32)])
    assert module(torch.zeros(2, 3)).isfinite().all()


def test_smooth_functions_by_hand():
    # σ(2) = 0.8807970779778823 and Φ(2) = 0.9772498680518208.
    x = torch.tensor([[2.0, -2.0]], dtype=torch.float64)
    silu, gelu = (FixedActivation(2, function=f)(x).flatten().tolist() for f in ("silu", "gelu"))
    assert silu == pytest.approx([1.7615941559557646, -0.2384058440442354], rel=1e-12)
    assert gelu == pytest.approx([1.9544997361036416, -0.0455002638963584], rel=1e-12)


def test_an_unknown_function_is_named():
    with pytest.raises(ActivationError, match=r"'mish'.*relu, silu, gelu"):
        FixedActivation(2, function="mish")


@pytest.mark.parametrize("function", ["relu", "silu", "gelu"])
def test_copies_are_the_same_activation(function):
    module = settled(FixedActivation(3, function=function, normaliser="input").double(), 3)
    x = normal(5, 3)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert other.form == module.form
        assert torch.equal(other.eval()(x), module.eval()(x))
    # The compiled passes are found by the form, so that of a copy must be equal too.
    assert pickle.loads(pickle.dumps(module.form)) == module.form
