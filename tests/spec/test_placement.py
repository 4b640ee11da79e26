"""Slots and placements: ids, limits, JSON."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaf_automl.errors import SpecError
from slaf_automl.spec import FORMS, ActivationSpec, Placement, Slot, dumps

SLOT = Slot("layer1.0.relu", 1, 2, "relu", 64, 1, 64 * 56 * 56)
BARE = Slot("", 0, 1, "tanh", 3, -1, 12, "call", uses=2, in_place=True)
SPEC = ActivationSpec("slaf", {"degree": 3, "clip": None})
RELU = ActivationSpec("relu", {"normaliser": "none"})


@st.composite
def slots(draw):
    calls = draw(st.integers(1, 5))
    form = draw(st.sampled_from(FORMS))
    return Slot(
        draw(st.text(min_size=int(form != "call"), max_size=8)),
        draw(st.integers(0, calls - 1)),
        calls,
        draw(st.text(max_size=8)),
        draw(st.integers(1, 10**6)),
        draw(st.integers(-16, 16)),
        draw(st.integers(0, 10**12)),
        form,
        draw(st.integers(1, 9)),
        draw(st.booleans()),
    )


def refusal(make, *arguments):
    with pytest.raises(SpecError) as caught:
        make(*arguments)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_ids():
    assert SLOT.id == "layer1.0.relu#1"
    assert BARE.id == ":tanh#0"
    assert dataclasses.replace(BARE, path="block.1").id == "block.1:tanh#0"
    assert Slot("act", 0, 1, "gelu", 8, 1, 8, "attribute").id == "act#0"


@given(slot=slots())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_slots_survive_the_journey_through_json(slot):
    again = Slot.from_json(json.loads(dumps(slot.to_json())))
    assert again == slot
    assert hash(again) == hash(slot)


def test_placements_survive_the_journey_through_json():
    placement = Placement((SLOT, BARE), (SPEC, RELU))
    again = Placement.from_json(json.loads(dumps(placement.to_json())))
    assert again == placement
    assert list(again) == [(SLOT, SPEC), (BARE, RELU)]
    assert len(again) == 2
    assert Placement.from_json(Placement((), ()).to_json()) == Placement((), ())


def test_documents_of_before_a_field_are_read():
    document = SLOT.to_json()
    del document["form"], document["uses"], document["in_place"]
    assert Slot.from_json(document) == SLOT


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("path", None, "Slot.path None"),
        ("path", "", "Slot.path ''.*form 'module'.*only a bare call"),
        ("call", -1, "Slot.call -1"),
        ("call", 2, "Slot.calls 2; expected an integer of at least 3"),
        ("calls", True, "Slot.calls True"),
        ("activation", 3, "Slot.activation 3"),
        ("channels", 0, "Slot.channels 0; expected an integer of at least 1"),
        ("channel_dim", 1.0, "Slot.channel_dim 1.0"),
        ("channel_dim", -17, "Slot.channel_dim -17"),
        ("values", -1, "Slot.values -1"),
        ("form", "lambda", "unknown Slot.form 'lambda'; expected one of module, attribute, call"),
        ("uses", 0, "Slot.uses 0"),
        ("in_place", 1, "Slot.in_place 1; expected bool"),
    ],
)
def test_a_slot_out_of_range_is_refused(field, value, named):
    with pytest.raises(SpecError, match=named):
        dataclasses.replace(SLOT, **{field: value})


@pytest.mark.parametrize(
    ("slots", "specs", "named"),
    [
        ([SLOT], (SPEC,), "Placement.slots"),
        ((SLOT,), [SPEC], "Placement.specs"),
        (("relu#0",), (SPEC,), "Placement.slots"),
        ((SLOT,), ("slaf",), "Placement.specs"),
        ((SLOT,), (), "0 specs for 1 slots; expected one spec a slot"),
        ((SLOT, SLOT), (SPEC, RELU), "slot 'layer1.0.relu#1' twice in a placement"),
        ((SLOT, dataclasses.replace(SLOT, channels=3)), (SPEC, RELU), "twice in a placement"),
    ],
)
def test_a_placement_that_does_not_fit_is_refused(slots, specs, named):
    assert named in refusal(Placement, slots, specs)


def test_slots_are_keys():
    assert {SLOT: 1, BARE: 2}[dataclasses.replace(SLOT)] == 1
