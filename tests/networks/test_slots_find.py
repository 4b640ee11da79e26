"""Finding slots: which activations are offered, under which names, in which order."""

import pytest
import torch
from slot_networks import ROWS, Calls
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import find_kind
from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import MODULES, find_slots, replace

FUNCTIONS = [name for name in MODULES.values() if name != "prelu"]  # which takes a weight


class BasicBlock(nn.Module):
    """As in torchvision: one ReLU object for two places."""

    def __init__(self, channels):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)  # registered first, used second and fourth
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + x)


def ids(model, example=ROWS, **options):
    return [slot.id for slot in find_slots(model, example, **options)]


def refusal(model, example=ROWS, **options):
    with pytest.raises(SlafError) as caught:
        find_slots(model, example, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_every_activation_module_is_a_slot(kind):
    (slot,) = find_slots(nn.Sequential(nn.Linear(4, 3), kind()), ROWS)
    assert (slot.id, slot.activation, slot.form) == ("1#0", MODULES[kind], "module")
    # Two rows of three numbers: three numbers for one example.
    assert (slot.channels, slot.channel_dim, slot.values, slot.uses) == (3, 1, 3, 1)


@pytest.mark.parametrize("name", [*FUNCTIONS, *(f"{f}_" for f in FUNCTIONS if hasattr(F, f"{f}_"))])
def test_every_activation_function_is_a_slot(name):
    function = getattr(F, name)
    (slot,) = find_slots(Calls(lambda self, x: function(x)), ROWS)
    assert (slot.id, slot.path, slot.form) == (f":{name.strip('_')}#0", "", "call")


@pytest.mark.parametrize(
    "function",
    [
        torch.relu,
        torch.relu_,
        lambda x: x.relu(),
        lambda x: x.relu_(),
        lambda x: F.relu(x, inplace=True),
        lambda x: F.relu(input=x),
    ],
)
def test_every_spelling_of_relu_is_the_same_slot(function):
    assert ids(Calls(lambda self, x: function(x))) == [":relu#0"]


def test_a_parametric_relu_with_a_weight_of_its_own_is_found():
    model = Calls(lambda self, x: F.prelu(x, self.slope), slope=nn.Parameter(torch.tensor([0.1])))
    assert ids(model) == [":prelu#0"]


def test_a_subclass_counts_as_its_base():
    class Mine(nn.ReLU):
        pass

    (slot,) = find_slots(nn.Sequential(nn.Linear(4, 4), Mine()), ROWS)
    assert slot.activation == "relu"


def test_slots_come_in_order_of_use():
    model = Calls(
        lambda self, x: self.late(self.middle(self.early(x))),
        late=nn.ReLU(),
        early=nn.Tanh(),
        middle=nn.GELU(),
    )
    assert ids(model) == ["early#0", "middle#0", "late#0"]


def test_a_module_that_its_block_calls_twice_has_two_slots():
    model = nn.Sequential(BasicBlock(3), BasicBlock(3))
    slots = find_slots(model, torch.zeros(5, 3, 6, 7))
    assert [slot.id for slot in slots] == ["0.relu#0", "0.relu#1", "1.relu#0", "1.relu#1"]
    assert [(slot.call, slot.calls) for slot in slots] == [(0, 2), (1, 2)] * 2
    assert {(slot.channels, slot.channel_dim, slot.values) for slot in slots} == {(3, 1, 126)}


def test_an_object_under_two_names_has_a_slot_for_each():
    act = nn.ReLU()
    assert ids(nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)) == ["1#0", "3#0"]
    assert ids(Calls(lambda self, x: self.b(self.a(self.b(x))), a=act, b=act)) == [
        "b#0",
        "a#0",
        "b#1",
    ]


def test_a_weighted_activation_under_two_names_has_the_slots_of_the_first():
    act = nn.PReLU()
    model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)
    assert ids(model) == ["1#0", "1#1"]


def test_a_block_used_twice_has_one_slot_of_two_uses():
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    (slot,) = find_slots(nn.Sequential(block, block), ROWS)
    assert (slot.id, slot.calls, slot.uses, slot.values) == ("0.1#0", 1, 2, 8)


def test_a_slot_of_two_widths_is_refused():
    act = Calls(lambda self, x: self.act(torch.cat([x, x], 1)), act=nn.ReLU())
    block = nn.Sequential(nn.ReLU())
    model = Calls(lambda self, x: self.block(torch.cat([self.block(x)] * 2, 1)), block=block)
    assert ids(act) == ["act#0"]
    message = refusal(model)
    assert "'block.0#0'" in message
    assert "4 and 8 channels" in message
    assert "a module of its own for each use" in message


def test_a_module_that_is_never_called_is_no_slot():
    model = Calls(lambda self, x: self.used(x), used=nn.ReLU(), spare=nn.ReLU())
    assert ids(model) == ["used#0"]


def test_a_slot_that_only_training_reaches():
    model = Calls(
        lambda self, x: self.main(x) + (self.aux(x) if self.training else 0),
        main=nn.ReLU(),
        aux=nn.Tanh(),
    )
    assert ids(model) == ["main#0"]
    assert ids(model, training=True) == ["main#0", "aux#0"]


def test_an_argument_given_by_name_hides_nothing():
    assert ids(Calls(lambda self, x: self.act(input=x), act=nn.ReLU())) == ["act#0"]


@pytest.mark.parametrize(
    ("picky", "before"),
    [(nn.Sequential(nn.Tanh(), nn.Linear(5, 5)), ["picky.0#0"]), (nn.PReLU(5), [])],
)
def test_a_pass_with_an_exception_that_the_network_catches(picky, before):
    def attempt(self, x):
        try:
            self.picky(x)
        except RuntimeError:
            return F.relu(x)

    assert ids(Calls(attempt, picky=picky)) == [*before, ":relu#0"]


def test_containers_without_code():
    model = Calls(
        lambda self, x: self.acts["a"](self.layers[0](self.acts["a"](x))),
        acts=nn.ModuleDict({"a": nn.ReLU()}),
        layers=nn.ModuleList([nn.Linear(4, 4)]),
    )
    assert ids(model) == ["acts.a#0", "acts.a#1"]


def test_calls_of_one_module_by_several_others():
    inner = Calls(lambda self, x: self.act(x), act=nn.ReLU())
    twice = Calls(lambda self, x: self.inner.act(self.inner.act(x)), inner=inner)
    assert ids(twice) == ["inner.act#0", "inner.act#1"]
    uneven = Calls(lambda self, x: self.inner.act(self.inner.act(self.inner(x))), inner=inner)
    message = refusal(uneven)
    assert message.startswith("inner.act is called by '' and 'inner', not always equally often")


def test_our_own_activations_are_no_slots():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
    first, _ = find_slots(model, ROWS)
    for spec in (find_kind("slaf").spec(hybrid=0.5, normaliser="none"), find_kind("relu").spec()):
        assert ids(replace(model, {first: spec})) == ["3#0"]


def test_no_slots_at_all():
    message = refusal(nn.Linear(4, 4))
    assert message.startswith("Linear has no activation that could be a slot; expected ReLU")
    assert "no activation" in refusal(nn.ReLU())  # it is the network itself
