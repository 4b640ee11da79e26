"""What replace refuses, and how it says so."""

import pytest
import torch
from network_strategies import slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.errors import ActivationError, SlafError
from slaf_automl.networks.slots import find_slots, replace
from slaf_automl.spec import ActivationSpec, Slot

ROWS = torch.linspace(-1, 1, 8).reshape(2, 4)
IMAGES = torch.linspace(-1, 1, 2 * 3 * 25).reshape(2, 3, 5, 5)
PLAIN = slaf(normaliser="none")


class Net(nn.Module):
    """A module, a held function and a module under a name of another order."""

    def __init__(self):
        super().__init__()
        self.last = nn.Tanh()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.first, self.held = nn.ReLU(inplace=True), F.gelu
        self.linear = nn.Linear(4, 5)

    def forward(self, x):
        x = self.held(self.first(self.bn(self.conv(x))))
        return self.last(self.linear(x.mean((2, 3))))


def refusal(model, placement, **options):
    with pytest.raises(SlafError) as caught:
        replace(model, placement, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_the_slots_of_another_network_are_refused():
    slots = find_slots(Net(), IMAGES)
    other = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    for slot in slots:
        message = refusal(other, {slot: PLAIN})
        assert message.startswith(f"Sequential has no slot {slot.id!r} that holds")
        assert message.endswith("find the slots of this very model with find_slots")
    (slot,) = find_slots(other, ROWS)
    assert "no slot '1#0' that holds relu" in refusal(
        nn.Sequential(nn.ReLU(), nn.GELU()), {slot: PLAIN}
    )
    assert "no slot '1#0'" in refusal(replace(other, {slot: PLAIN}), {slot: PLAIN})


@pytest.mark.parametrize(
    "slot",
    [
        Slot("held", 0, 1, "gelu", 4, 1, 9, "module"),
        Slot("held", 0, 1, "relu", 4, 1, 9, "attribute"),
        Slot("first", 0, 1, "relu", 4, 1, 9, "attribute"),
        Slot("forward", 0, 1, "relu", 4, 1, 9, "attribute"),
        Slot("conv.first", 0, 1, "relu", 4, 1, 9),
        Slot("nowhere", 0, 1, "relu", 4, 1, 9, "call"),
    ],
)
def test_slots_of_the_wrong_form_are_refused(slot):
    assert "has no slot" in refusal(Net(), {slot: PLAIN}, rewrite_calls=True)


def test_slots_that_disagree_are_refused():
    slots = (Slot("first", 0, 1, "relu", 4, 1, 9), Slot("first", 1, 2, "relu", 4, 1, 9))
    assert "disagree on how often" in refusal(Net(), dict.fromkeys(slots, PLAIN))


def test_specs_that_cannot_be_built_are_refused():
    slot, *_ = find_slots(Net(), IMAGES)
    message = refusal(Net(), {slot: slaf(hybrid=0.9)})
    assert message.startswith("slot 'first#0' has 4 channels; expected at least 5 for slaf")
    assert "expected at least 9" in refusal(Net(), {slot: slaf(sharing=9)})
    with pytest.raises(ActivationError, match="unknown activation kind 'spline'"):
        replace(Net(), {slot: ActivationSpec("spline", {})})
    with pytest.raises(ActivationError, match="degree"):
        replace(Net(), {slot: ActivationSpec("slaf", {"degree": 99})})


def test_a_spec_without_all_parameters_takes_the_defaults():
    slot, *_ = find_slots(Net(), IMAGES)
    assert replace(Net(), {slot: ActivationSpec("slaf", {"degree": 2})}).first.degree == 2


def test_what_is_no_placement_is_refused():
    assert "a placement of type list; expected a Placement" in refusal(Net(), [])


def test_networks_that_cannot_be_copied_or_changed_are_refused():
    slot, *_ = find_slots(Net(), IMAGES)
    model = Net()
    model.kept = model(IMAGES)
    assert refusal(model, {slot: PLAIN}).startswith("Net cannot be copied")
    assert "compile the result" in refusal(torch.compile(Net(), backend="eager"), {slot: PLAIN})
    assert "expected a torch.nn.Module" in refusal(Net, {slot: PLAIN})
