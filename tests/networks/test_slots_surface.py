"""Code that cannot be rewritten without becoming something else is refused."""

import random

import pytest
import torch
from slot_networks import ROWS, TANH, BareCalls, code
from torch import nn
from torch.nn import functional as F

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots, replace


def rewritten(model, spec=TANH, which=None):
    slots = [slot for slot in find_slots(model, ROWS) if which is None or slot.id in which]
    return replace(model, dict.fromkeys(slots, spec), rewrite_calls=True)


def refusal(model, **options):
    with pytest.raises(SlafError) as caught:
        rewritten(model)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.endswith("put nn modules in the place of the function calls")
    return message


def by_mode(self, x):
    return F.dropout(F.relu(self.linear(x)), training=self.training)


def by_flag(self, x):
    return F.relu(self.linear(x)) if self.training else self.linear(x).relu()


def by_data(self, x):
    return F.relu(self.linear(x)) if x.sum() < 100 else x


def by_option(self, x, mask=None):
    x = F.relu(self.linear(x))
    return x if mask is None else x * mask


def by_type(self, x):
    x = [x] if isinstance(x, torch.Tensor) else x
    return F.relu(self.linear(x[0]))


def by_attribute(self, x):
    self.features = F.relu(self.linear(x))
    return self.features


def by_counter(self, x):
    self.calls += 1
    return F.relu(self.linear(x))


def by_gradient(self, x):
    with torch.no_grad():
        x = self.linear(x)
    return F.relu(x)


def by_autocast(self, x):
    with torch.autocast("cpu", torch.bfloat16):
        return F.relu(self.linear(x))


def by_chance(self, x):
    return F.relu(self.linear(x)) if torch.rand(1) < 2 else x


def by_pythons_chance(self, x):
    return F.relu(self.linear(x)) if random.random() < 2 else x


@torch.no_grad()
def by_decorator(self, x):
    return F.relu(self.linear(x))


@pytest.mark.parametrize(
    ("forward", "named"),
    [
        (by_mode, "depends on the training mode"),
        (by_flag, "depends on the training mode"),
        (by_data, "torch.fx cannot trace the code of the model (Mine): symbolically traced"),
        (by_option, "depends on its optional arguments"),
        (by_type, "depends on whether its arguments are tensors"),
        (by_attribute, "sets attributes"),
        (by_counter, "sets attributes"),
        (by_gradient, "uses no_grad or autocast"),
        (by_autocast, "uses no_grad or autocast"),
        (by_decorator, "uses no_grad or autocast"),
        (by_chance, "draws random numbers itself"),
        (by_pythons_chance, "draws random numbers itself"),
    ],
)
@pytest.mark.parametrize("inner", [False, True])
def test_code_of_which_a_trace_tells_less_is_refused(forward, named, inner):
    model = code(forward, calls=0)
    states = torch.get_rng_state(), random.getstate()
    message = refusal(nn.Sequential(model) if inner else model)
    where = "0" if inner else "the model"
    assert named.replace("the model", where) in message
    assert f"the code of {where} (Mine)" in message
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1] or forward is by_pythons_chance


def test_a_patched_forward_is_refused():
    model = BareCalls()
    model.forward = lambda x: F.relu(model.first(x))
    assert "is patched" in refusal(model)


def test_other_code_than_the_slots_came_from_is_refused():
    slots = find_slots(BareCalls(), ROWS)
    with pytest.raises(SlafError, match=r"\(Linear\) has no call 0 of relu; find the slots again"):
        replace(nn.Linear(4, 6), {slots[0]: TANH}, rewrite_calls=True)
    model = BareCalls()
    model.slaf_relu_0 = nn.Identity()
    with pytest.raises(SlafError, match="has an attribute 'slaf_relu_0' already; fill all slots"):
        replace(model, {slots[0]: TANH}, rewrite_calls=True)
