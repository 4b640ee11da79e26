"""Modules called several times, and activations that overwrite what is read again."""

import copy
import pickle

import pytest
import torch
from network_strategies import relu, slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF
from slaf_automl.networks.slots import CallSequence, find_slots, replace
from slaf_automl.networks.slots.in_place import InPlace

ROWS = torch.linspace(-1, 1, 8).reshape(2, 4)
PLAIN = slaf(normaliser="none", start="tanh")


class Block(nn.Module):
    """Calls one ReLU three times; may raise after the first call."""

    def __init__(self, act=None):
        super().__init__()
        self.relu = act or nn.ReLU()
        self.linear = nn.Linear(4, 4)
        self.fail = False

    def forward(self, x):
        x = self.relu(self.linear(x))
        if self.fail:
            raise ValueError("in mid-pass")
        return self.relu(self.linear(self.relu(x)))


class Steps(nn.Module):
    """Runs `function(self, linear(x))`."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        self.linear = nn.Linear(4, 4)
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, self.linear(x))


def filled(model, spec=PLAIN, which=slice(None), **options):
    slots = find_slots(model, ROWS)[which]
    return replace(model, dict.fromkeys(slots, spec), **options)


def by_hand(block, x):
    """Evaluate a replaced `Block` with its activations in their places."""
    first, second, third = block.relu.activations
    return third(block.linear(second(first(block.linear(x)))))


def distinct(block):
    """Make the activations of a replaced block differ from one another."""
    with torch.no_grad():
        for i, act in enumerate(block.relu.activations):
            if isinstance(act, SLAF):
                act.bias.fill_(float(i + 1))
    return block


def test_the_kth_call_goes_to_the_kth_activation():
    block = distinct(filled(Block()))
    assert [type(act) for act in block.relu.activations] == [SLAF] * 3
    for _ in range(2):
        assert torch.equal(block(ROWS), by_hand(block, ROWS))


def test_names_of_slots_in_messages():
    block = filled(Block())
    assert [act.slot for act in block.relu.activations] == [
        f"relu.activations.{i}" for i in range(3)
    ]


def test_calls_left_out_keep_the_module():
    block = distinct(filled(Block(), which=slice(1, 2)))
    assert [type(act) for act in block.relu.activations] == [nn.ReLU, SLAF, nn.ReLU]
    assert torch.equal(block(ROWS), by_hand(block, ROWS))


def test_calls_left_out_keep_one_weight_together():
    block = distinct(filled(Block(nn.PReLU()), which=slice(1, 2)))
    first, _, third = block.relu.activations
    assert first.weight is third.weight
    block(ROWS).sum().backward()
    assert first.weight.grad is not None


def test_calls_of_a_function_left_out():
    model = Steps(lambda self, x: self.act(self.act(x)), act=F.relu)
    new = filled(model, which=slice(1, 2)).eval()
    first, second = new.act.activations
    hidden = new.linear(ROWS)
    assert torch.equal(first(hidden), F.relu(hidden))
    assert torch.equal(new(ROWS), second(F.relu(hidden)))
    assert not any(m.training for m in filled(model.eval(), which=slice(1, 2)).modules())


@pytest.mark.parametrize("outer", [lambda block: block, nn.Sequential])
def test_a_pass_after_an_exception_begins_anew(outer):
    block = distinct(filled(Block()))
    model = outer(block)
    block.fail = True
    with pytest.raises(ValueError, match="mid-pass"):
        model(ROWS)
    block.fail = False
    assert torch.equal(model(ROWS), by_hand(block, ROWS))
    block.fail = True
    with pytest.raises(ValueError, match="mid-pass"):
        model(ROWS)
    block.fail = False
    assert torch.equal(block(ROWS), by_hand(block, ROWS))


def test_a_pass_begins_anew_where_another_module_calls():
    inner = Block()

    def twice(self, x):
        x = self.inner.relu(x)
        if self.fail:
            raise ValueError("in mid-pass")
        return self.inner.relu(x)

    model = Steps(twice, inner=inner)
    model.fail = False
    new = filled(model)
    with torch.no_grad():
        new.inner.relu.activations[1].bias.fill_(5.0)
    before = new(ROWS)
    new.fail = True
    with pytest.raises(ValueError, match="mid-pass"):
        new(ROWS)
    new.fail = False
    assert torch.equal(new(ROWS), before)


def test_blocks_in_containers():
    model = Steps(
        lambda self, x: self.acts["a"](self.acts["a"](x)), acts=nn.ModuleDict({"a": nn.ReLU()})
    )
    new = filled(model)
    with torch.no_grad():
        new.acts["a"].activations[1].bias.fill_(5.0)
    new.acts["a"].place = 1  # as an exception would leave it
    first, second = new.acts["a"].activations
    assert torch.equal(new(ROWS), second(first(new.linear(ROWS))))


def test_a_part_that_someone_takes_out_later():
    model = Steps(lambda self, x: self.block(x), block=Block())
    new = filled(model)
    new.block.relu = nn.Identity()
    assert new(ROWS).shape == (2, 4)
    new.block = nn.Identity()
    assert new(ROWS).shape == (2, 4)


def test_hooks_fire_once_a_call():
    block, calls = Block(), []
    block.relu.register_forward_hook(lambda *_: calls.append(1))
    new = filled(block, which=slice(0, 1))
    calls.clear()
    new(ROWS)
    assert len(calls) == 3
    assert len(block.relu._forward_hooks) == 1


def test_copies_and_files_keep_the_order():
    block = distinct(filled(nn.Sequential(Block()))[0])
    model = nn.Sequential(block)
    expected = by_hand(block, ROWS)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again(ROWS), expected)
        assert again[0].relu is not block.relu
    other = nn.Sequential(filled(Block()))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(ROWS), expected)


def test_the_state_has_one_entry_for_each_call():
    names = [name for name in filled(Block()).state_dict() if "coefficients" in name]
    assert names == [f"relu.activations.{i}.coefficients" for i in range(3)]


def test_replacing_what_a_sequence_still_keeps():
    once = filled(Block(), which=slice(0, 1))
    slots = find_slots(once, ROWS)
    assert [slot.id for slot in slots] == ["relu.activations.1#0", "relu.activations.2#0"]
    assert [type(act) for act in filled(once).relu.activations] == [SLAF] * 3


# In place


RELU = nn.ReLU(inplace=True)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, x: x + self.act(x), True),  # a pre-activation block
        (lambda self, x: self.act(x) + x, True),
        (lambda self, x: [self.act(x), x][1], True),
        (lambda self, x: [x.flatten(), self.act(x)][0], True),  # through a view
        (lambda self, x: [self.act(x[:, :2]), x][1], True),
        (lambda self, x: self.linear(self.act(x)), False),
        (lambda self, x: self.act(x).view(-1) + 1, False),
        (lambda self, x: self.act(x.view(4, 2)).view(2, 4) + 1, False),
        (lambda self, x: (y := self.act(x)) + y, False),  # a post-activation block
        (lambda self, x: self.act(x) + torch.zeros(x.shape), False),  # only the shape of it
        (lambda self, x: self.act(self.linear(x)) + x, False),
        (lambda self, x: self.act(self.linear(x).add_(x)) * 2, False),
        (lambda self, x: nn.Dropout(0.5)(self.act(x)), False),
    ],
)
def test_whether_an_overwritten_input_is_read_again(function, expected):
    slots = find_slots(Steps(function, act=RELU), ROWS)
    assert [slot.in_place for slot in slots] == [expected] * len(slots)
    plain = find_slots(Steps(function, act=nn.ReLU()), ROWS)
    assert not any(slot.in_place for slot in plain)


def test_what_fills_such_a_slot_overwrites_too():
    model = Steps(lambda self, x: self.linear(self.act(x)) + x, act=RELU)
    new = filled(model, slaf(degree=9, normaliser="none", clip=4.0))
    assert type(new.act) is InPlace
    assert new.act.activation.slot == "act.activation"
    # The SLAF is near to ReLU: about 0.05, times weights of about a half.
    assert torch.allclose(new(ROWS), model(ROWS), atol=0.2)
    hidden = new.act.activation(new.linear(ROWS))
    assert torch.allclose(new(ROWS), new.linear(hidden) + hidden)
    new(ROWS).sum().backward()
    assert all(p.grad is not None for p in new.parameters())
    exact = filled(model, relu())
    assert torch.equal(exact(ROWS), model(ROWS))


def test_gradients_of_an_overwritten_input():
    model = Steps(lambda self, x: self.linear(self.act(x)) + x, act=RELU)
    exact = filled(model, relu())
    for network in (model, exact):
        network(ROWS).square().sum().backward()
    assert torch.allclose(model.linear.weight.grad, exact.linear.weight.grad, atol=1e-6)


def test_a_call_whose_result_nobody_takes():
    def statement(self, x):
        F.relu(x, inplace=True)
        return x

    def view(self, x):
        x[:, :2].relu_()
        return x

    for function, columns in ((statement, 4), (view, 2)):
        model = Steps(function)
        (slot,) = find_slots(model, ROWS)
        assert (slot.channels, slot.in_place) == (columns, True)
        exact = filled(model, relu(), rewrite_calls=True)
        assert torch.equal(exact(ROWS), model(ROWS))


def test_several_calls_in_place():
    model = Steps(lambda self, x: self.act(self.linear(self.act(x)) + x), act=RELU)
    first, second = find_slots(model, ROWS)
    assert (first.in_place, second.in_place) == (True, False)
    new = replace(model, {first: relu(), second: relu()})
    assert type(new.act) is CallSequence
    assert torch.equal(new(ROWS), model(ROWS))
