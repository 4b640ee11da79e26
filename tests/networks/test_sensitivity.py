"""The order in which slots can be replaced."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots, sensitivity_order
from slaf_automl.networks.slots.sensitivity import own_start
from slaf_automl.spec import Slot

ROWS = torch.linspace(-2, 2, 32).reshape(8, 4)


class Weighted(nn.Module):
    """Three slots side by side, of which each counts as much as its weight."""

    def __init__(self, *weights):
        super().__init__()
        self.acts = nn.ModuleList(nn.ReLU() for _ in weights)
        self.weights = weights
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        x = self.bn(x)
        return sum(w * act(x) for w, act in zip(self.weights, self.acts, strict=True))


def distance_from(model):
    """Return the loss of a copy: how far its answers are from the model's."""
    with torch.no_grad():
        wanted = copy.deepcopy(model).eval()(ROWS)

    def loss(network):
        with torch.no_grad():
            return (network.eval()(ROWS) - wanted).square().mean()

    return loss


def order(model, loss=None, **options):
    slots = find_slots(model, ROWS)
    return sensitivity_order(model, slots, loss or distance_from(model), **options)


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [((3, 0, 2), (1, 2, 0)), ((0, 1, 2), (0, 1, 2)), ((3, -2, 1), (2, 1, 0))],
)
def test_what_counts_least_comes_first(weights, wanted):
    assert order(Weighted(*weights)) == wanted


def test_equals_stay_in_order_of_use():
    assert order(Weighted(1, 1, 1), lambda network: 1.0) == (0, 1, 2)


def test_a_loss_that_is_no_number_comes_last():
    losses = iter((math.nan, 2.0, math.inf, 1.0))
    assert order(Weighted(1, 1, 1, 1), lambda network: next(losses)) == (3, 1, 0, 2)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_losses_that_are_never_finite_are_refused(value):
    with pytest.raises(SlafError, match="the loss of Weighted is not finite") as caught:
        order(Weighted(1, 1), lambda network: value)
    assert len(str(caught.value).splitlines()) == 1


def test_each_slot_alone_is_replaced():
    seen = []

    def loss(network):
        found = [isinstance(act, SLAF) for act in network.acts]
        (slaf,) = (act for act in network.acts if isinstance(act, SLAF))
        seen.append((found.index(True), slaf.degree, slaf.normaliser))
        return 1.0

    order(Weighted(1, 1, 1), loss, degree=4)
    assert seen == [(0, 4, "none"), (1, 4, "none"), (2, 4, "none")]


def only_loss(model, degree):
    found = []
    loss = distance_from(model)
    order(model, lambda network: found.append(loss(network)) or 0.0, degree=degree)
    return found[0]


def test_the_slaf_continues_what_the_slot_holds():
    # A degree-1 SLAF cannot be any of them, a higher degree comes closer to each.
    for act in (nn.Tanh(), nn.GELU(), nn.SiLU()):
        model = nn.Sequential(nn.Linear(4, 4), act)
        losses = [only_loss(model, degree) for degree in (1, 7)]
        assert losses[1] < 0.2 * losses[0]


def test_own_starts():
    words = ("relu", "tanh", "leaky_relu", "hardswish", "prelu", "odd")
    starts = [own_start(Slot("act", 0, 1, word, 4, 1, 4)) for word in words]
    assert starts == ["relu", "tanh", "leaky_relu", "relu", "relu", "relu"]


def test_bare_calls_need_leave():
    class Net(nn.Module):
        def forward(self, x):
            return 0.5 * F.relu(x) + torch.tanh(x)

    assert set(order(Net(), rewrite_calls=True)) == {0, 1}
    with pytest.raises(SlafError, match="rewrite_calls=True"):
        order(Net())


def test_the_model_is_left_alone():
    model = Weighted(1, 2).train()

    def loss(network):
        network.train()(ROWS)
        network.weights = (0, 0)
        return 1.0

    before = copy.deepcopy(model.state_dict())
    state = torch.get_rng_state()
    order(model, loss)
    assert all(torch.equal(t, model.state_dict()[name]) for name, t in before.items())
    assert all(type(act) is nn.ReLU for act in model.acts)
    assert (model.training, model.weights) == (True, (1, 2))
    assert torch.equal(torch.get_rng_state(), state)
