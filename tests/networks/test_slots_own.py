"""Functions that attributes hold, activation modules that are not torch's, and gates."""

import functools

import pytest
import torch
from slot_networks import ROWS, Calls
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF, find_kind
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots, replace


class Doubled(nn.Module):
    def forward(self, x):
        return F.relu(2 * x)


class HSwish(nn.Module):
    def forward(self, x):
        return x * F.relu6(x + 3) / 6


class HSigmoid(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU6()

    def forward(self, x):
        return self.relu(x + 3) / 6


class ModularHSwish(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = HSigmoid()

    def forward(self, x):
        return x * self.gate(x)


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class GELUActivation(nn.Module):
    """As in transformers, and with its approximation."""

    def __init__(self, exact=True):
        super().__init__()
        self.act = F.gelu if exact else self.approximation

    def approximation(self, x):
        return 0.5 * x * (1 + torch.tanh(0.79788456 * (x + 0.044715 * x**3)))

    def forward(self, x):
        return self.act(x)


class Pooled(nn.Module):
    """Keeps the shape and has no state, but mixes numbers."""

    def forward(self, x):
        return F.max_pool1d(F.relu(x), 3, stride=1, padding=1)


class Dropped(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.drop = nn.ReLU(), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.act(x))


def ids(model, example=ROWS, **options):
    return [slot.id for slot in find_slots(model, example, **options)]


def test_a_function_that_an_attribute_holds():
    model = Calls(lambda self, x: self.act(self.act(x)), act=F.relu)
    first, second = find_slots(model, ROWS)
    assert (first.id, first.form, first.activation) == ("act#0", "attribute", "relu")
    assert (second.id, second.calls) == ("act#1", 2)


@pytest.mark.parametrize(
    ("function", "activation"),
    [
        (torch.tanh, "tanh"),
        (F.tanh, "tanh"),  # calls x.tanh() inside
        (functools.partial(F.gelu, approximate="tanh"), "gelu"),
        (functools.partial(F.leaky_relu, negative_slope=0.1), "leaky_relu"),
    ],
)
def test_which_functions_an_attribute_may_hold(function, activation):
    (slot,) = find_slots(Calls(lambda self, x: self.act(x), act=function), ROWS)
    assert (slot.id, slot.activation, slot.form) == ("act#0", activation, "attribute")


def test_a_held_function_and_a_bare_call_of_it_are_two_slots():
    model = Calls(lambda self, x: F.relu(self.act(F.relu(x))), act=F.relu)
    assert ids(model) == [":relu#0", "act#0", ":relu#1"]


def test_a_held_function_that_another_module_calls():
    model = Calls(lambda self, x: self.inner.act(x), inner=Calls(None, act=F.relu))
    (slot,) = find_slots(model, ROWS)
    assert (slot.id, slot.form) == ("inner.act#0", "attribute")


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (F.relu, ("activation#0", "relu", "attribute")),
        ("gelu", ("activation#0", "gelu", "attribute")),
        (nn.Tanh(), ("activation#0", "tanh", "module")),
    ],
)
def test_a_transformer_layer_in_any_spelling(activation, expected):
    layer = nn.TransformerEncoderLayer(4, 2, 6, activation=activation, batch_first=True)
    (slot,) = find_slots(layer, torch.zeros(2, 3, 4))
    assert (slot.id, slot.activation, slot.form) == expected
    assert (slot.channels, slot.channel_dim, slot.values) == (6, -1, 18)


@pytest.mark.parametrize(
    ("act", "activation"),
    [
        (Doubled(), "doubled"),
        (HSwish(), "hswish"),
        (ModularHSwish(), "modularhswish"),
        (GELUActivation(), "gelu"),
        (GELUActivation(exact=False), "gelu"),
    ],
)
def test_activation_modules_that_are_not_torchs(act, activation):
    (slot,) = find_slots(nn.Sequential(nn.Linear(4, 4), act), ROWS)
    assert (slot.id, slot.activation, slot.form) == ("1#0", activation, "module")
    new = replace(nn.Sequential(nn.Linear(4, 4), act), {slot: find_kind("slaf").spec()})
    assert isinstance(new[1], SLAF)


@pytest.mark.parametrize("act", [Swish(), HSigmoid(), nn.Sigmoid(), nn.Hardsigmoid()])
def test_gates_are_no_slots(act):
    assert ids(nn.Sequential(nn.Linear(4, 4), act, nn.ReLU())) == ["2#0"]


def test_gating_by_a_bare_sigmoid_is_no_slot():
    with pytest.raises(SlafError, match="no activation"):
        find_slots(Calls(lambda self, x: x * x.sigmoid()), ROWS)


def test_a_module_that_mixes_numbers_is_no_activation():
    # Put in its place, a SLAF would drop the pooling; the call inside is offered instead.
    assert ids(nn.Sequential(nn.Linear(4, 4), Pooled())) == ["1:relu#0"]


@pytest.mark.parametrize("training", [False, True])
def test_a_module_that_also_drops_is_no_activation(training):
    model = nn.Sequential(nn.Linear(4, 4), Dropped())
    assert ids(model, training=training) == ["1.act#0"]


def test_what_acts_on_weights_or_on_one_number_is_no_slot():
    model = Calls(
        lambda self, x: F.softplus(self.scale) * F.relu(x) * x.mean().tanh(),
        scale=nn.Parameter(torch.ones(4)),
    )
    assert ids(model) == [":relu#0"]
