"""Bare calls become modules by rewriting code."""

import copy

import pytest
import torch
from network_strategies import relu, slaf
from slot_networks import ROWS, TANH, BareCalls, code
from torch import fx, nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots, replace


class ByHand(BareCalls):
    """The same with modules, as someone would write it."""

    def __init__(self, like):
        super().__init__()
        self.relu1, self.relu2, self.tanh = like.slaf_relu_0, like.slaf_relu_1, like.slaf_tanh_0
        self.first, self.second, self.act = like.first, like.second, like.act

    def forward(self, x, scale=2.0):
        return self.tanh(self.act(self.relu2(self.second(self.relu1(self.first(x)) * scale))))


def rewritten(model, spec=TANH, which=None):
    slots = [slot for slot in find_slots(model, ROWS) if which is None or slot.id in which]
    return replace(model, dict.fromkeys(slots, spec), rewrite_calls=True)


def test_bare_calls_are_refused_unless_asked_for():
    (slot, *_) = find_slots(BareCalls(), ROWS)
    with pytest.raises(
        SlafError, match="slot ':relu#0' is a bare call in the code of BareCalls"
    ) as caught:
        replace(BareCalls(), {slot: TANH})
    assert "or give rewrite_calls=True" in str(caught.value)


@pytest.mark.parametrize("training", [False, True])
def test_it_computes_what_modules_would(training):
    model = BareCalls().train(training)
    new = rewritten(model, slaf())
    assert torch.equal(model(ROWS), model(ROWS))
    assert isinstance(new.act, SLAF)
    by_hand = ByHand(copy.deepcopy(new)).train(training)
    if not training:
        for network in (new, by_hand):
            network.train()(ROWS)
            network.eval()
    assert torch.equal(new(ROWS), by_hand(ROWS))
    assert torch.equal(new(ROWS, scale=0.5), by_hand(ROWS, scale=0.5))
    new(ROWS).sum().backward()
    assert all(p.grad is not None for p in new.parameters())


def test_only_the_second_of_two_calls():
    model = BareCalls()
    new = rewritten(model, which={":relu#1"})
    hidden = new.second(F.relu(new.first(ROWS)) * 2)
    assert torch.equal(new(ROWS), new.act(new.slaf_relu_1(hidden)).tanh())
    assert not hasattr(new, "slaf_relu_0")


def test_the_class_is_a_subclass_of_its_own():
    model = BareCalls()
    new = rewritten(model)
    assert isinstance(new, BareCalls)
    assert type(new) is not BareCalls
    assert (type(new).__name__, type(new).__module__) == ("BareCalls", BareCalls.__module__)
    assert type(model) is BareCalls
    assert "forward" not in vars(model)


def test_hooks_names_and_modes_stay():
    model, seen = nn.Sequential(BareCalls(), nn.Linear(6, 1)).eval(), []
    model[0].register_forward_hook(lambda m, args, out: seen.append(type(m).__name__))
    new = rewritten(model)
    seen.clear()
    new(ROWS)
    assert seen == ["BareCalls"]
    assert not any(m.training for m in new.modules())
    assert new[0].slaf_relu_0.slot == "0.slaf_relu_0"


def test_an_inner_module():
    model = nn.Sequential(nn.Linear(4, 4), BareCalls())
    assert [slot.id for slot in find_slots(model, ROWS)][:2] == ["1:relu#0", "1:relu#1"]
    new = rewritten(model)
    assert type(new) is nn.Sequential
    assert torch.equal(new(ROWS), ByHand(new[1])(new[0](ROWS)))


def test_copies_and_states_of_the_result():
    new = rewritten(BareCalls())
    again = copy.deepcopy(new)
    assert torch.equal(again(ROWS), new(ROWS))
    other = rewritten(BareCalls())
    other.load_state_dict(new.state_dict())
    assert torch.equal(other(ROWS), new(ROWS))


def test_exact_functions_change_nothing():
    model = BareCalls()
    new = rewritten(model, relu(), which={":relu#0", ":relu#1"})
    assert torch.equal(new(ROWS), model(ROWS))


def test_held_functions_are_no_bare_calls():
    def forward(self, x):
        return F.relu(self.held(F.relu(self.linear(x))) + 1)

    model = code(forward)
    new = rewritten(model, which={":relu#1"})
    assert torch.equal(new(ROWS), new.slaf_relu_1(F.relu(new.linear(ROWS)) + 1))
    assert new.held is F.relu
    everything = rewritten(model)
    assert isinstance(everything.held, SLAF)
    assert len([m for m in everything.modules() if isinstance(m, SLAF)]) == 3


def test_buffers_and_parameters_stay_live():
    def forward(self, x):
        self.count.add_(1)
        return F.relu(self.linear(x)) * self.scale + self.count

    model = code(forward)
    new = rewritten(model)
    before = new.count.item()
    assert before == model.count.item() == 0
    first, second = new(ROWS), new(ROWS)
    assert new.count.item() == 2
    assert torch.allclose(second, first + 1)
    with torch.no_grad():
        new.scale.zero_()
    assert torch.equal(new(ROWS), torch.full((2, 4), 3.0))
    assert model.count.item() == 0


def test_a_graph_module():
    model = fx.symbolic_trace(BareCalls())
    new = rewritten(model, which={":relu#0"})
    assert torch.equal(copy.deepcopy(new)(ROWS), new(ROWS))
    assert torch.equal(
        new(ROWS), model.act(model.second(new.slaf_relu_0(model.first(ROWS)) * 2).relu_()).tanh()
    )


def test_modules_without_slots_are_not_traced():
    # Only the code that calls is read: the container may do what it likes.
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = BareCalls()

        def forward(self, x):
            return self.inner(x) if x.sum() < 100 else x

    new = rewritten(Outer())
    assert type(new) is Outer
    assert len([m for m in new.modules() if isinstance(m, SLAF)]) == 4
