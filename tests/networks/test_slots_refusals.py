"""What replace refuses, and how it says so."""

import pytest
import torch
from network_strategies import slaf
from slot_networks import IMAGES, ROWS, Mixed
from torch import nn

from slaf_automl.errors import ActivationError, SlafError
from slaf_automl.networks.slots import find_slots, replace
from slaf_automl.spec import ActivationSpec, Slot

PLAIN = slaf(normaliser="none")


def refusal(model, placement, **options):
    with pytest.raises(SlafError) as caught:
        replace(model, placement, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_the_slots_of_another_network_are_refused():
    slots = find_slots(Mixed(), IMAGES)
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
    assert "has no slot" in refusal(Mixed(), {slot: PLAIN}, rewrite_calls=True)


def test_slots_that_disagree_are_refused():
    slots = (Slot("first", 0, 1, "relu", 4, 1, 9), Slot("first", 1, 2, "relu", 4, 1, 9))
    assert "disagree on how often" in refusal(Mixed(), dict.fromkeys(slots, PLAIN))


def test_specs_that_cannot_be_built_are_refused():
    slot, *_ = find_slots(Mixed(), IMAGES)
    message = refusal(Mixed(), {slot: slaf(hybrid=0.9)})
    assert message.startswith("slot 'first#0' has 4 channels; expected at least 5 for slaf")
    assert "expected at least 9" in refusal(Mixed(), {slot: slaf(sharing=9)})
    with pytest.raises(ActivationError, match="unknown activation kind 'spline'"):
        replace(Mixed(), {slot: ActivationSpec("spline", {})})
    with pytest.raises(ActivationError, match="degree"):
        replace(Mixed(), {slot: ActivationSpec("slaf", {"degree": 99})})


def test_a_spec_without_all_parameters_takes_the_defaults():
    slot, *_ = find_slots(Mixed(), IMAGES)
    assert replace(Mixed(), {slot: ActivationSpec("slaf", {"degree": 2})}).first.degree == 2


def test_what_is_no_placement_is_refused():
    assert "a placement of type list; expected a Placement" in refusal(Mixed(), [])


def test_networks_that_cannot_be_copied_or_changed_are_refused():
    slot, *_ = find_slots(Mixed(), IMAGES)
    model = Mixed()
    model.kept = model(IMAGES)
    assert refusal(model, {slot: PLAIN}).startswith("Mixed cannot be copied")
    assert "compile the result" in refusal(torch.compile(Mixed(), backend="eager"), {slot: PLAIN})
    assert "expected a torch.nn.Module" in refusal(Mixed, {slot: PLAIN})
