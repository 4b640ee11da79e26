"""Values to JSON and back: nothing is lost, nothing unknown is accepted."""

import dataclasses
import itertools
import json

import pytest
from hypothesis import given, settings
from spec_values import EXAMPLES, RELU, name_of, values

from slaf_automl.errors import SpecError
from slaf_automl.spec import SCHEMA, ActivationSpec, DataInfo, Recipe, Value, dumps


def refusal(cls, document):
    """Return the message with which `cls` refuses the document."""
    with pytest.raises(SpecError) as caught:
        cls.from_json(document)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def fields_of(value):
    """Return the fields that its document has: optional ones are left out where they are None."""
    fields = dataclasses.fields(value)
    return [
        f.name
        for f in fields
        if getattr(value, f.name) is not None or not f.metadata.get("optional")
    ]


FIELDS = [
    pytest.param(value, name, id=f"{name_of(value)}.{name}")
    for value in EXAMPLES
    for name in fields_of(value)
]
REQUIRED = [
    pytest.param(value, f.name, id=f"{name_of(value)}.{f.name}")
    for value in EXAMPLES
    for f in dataclasses.fields(value)
    if f.default is dataclasses.MISSING
]


def test_the_examples_hold_every_kind_of_value():
    # A value added later must join the battery.
    room = {v for v in Value.__subclasses__() if v.__module__.startswith("slaf_automl.spec")}
    assert {type(v) for v in EXAMPLES} == room


@given(value=values())
@settings(deadline=None, max_examples=200, derandomize=True)
def test_values_survive_the_journey_through_json(value):
    text = dumps(value.to_json())
    again = type(value).from_json(json.loads(text))
    assert again == value
    assert hash(again) == hash(value)
    # Equality alone would let 1, 1.0 and True pass for one another.
    assert dumps(again.to_json()) == text


@pytest.mark.parametrize("value", EXAMPLES, ids=name_of)
def test_documents_name_their_schema_and_type(value):
    document = value.to_json()
    assert document["schema"] == SCHEMA
    assert document["type"] == type(value).__name__
    assert set(document) == {"schema", "type", *fields_of(value)}


@pytest.mark.parametrize(("value", "field"), REQUIRED)
def test_a_missing_key_is_refused_by_name(value, field):
    document = value.to_json()
    del document[field]
    assert repr(field) in refusal(type(value), document)


def test_keys_with_a_default_may_be_missing():
    assert Recipe.from_json({"schema": SCHEMA, "type": "Recipe"}) == Recipe()


@pytest.mark.parametrize("value", EXAMPLES, ids=name_of)
def test_an_unknown_key_is_refused_by_name(value):
    message = refusal(type(value), {**value.to_json(), "colour": "red"})
    assert "unknown field 'colour'" in message
    # The message lists what would have been accepted.
    assert all(field in message for field in fields_of(value))


@pytest.mark.parametrize("part", ["architecture", "recipe"])
def test_an_unknown_key_inside_a_value_is_refused_by_its_path(part):
    document = next(v for v in EXAMPLES if name_of(v) == "Candidate").to_json()
    document[part] = {**document[part], "colour": "red"}
    message = refusal(type(EXAMPLES[3]), document)
    assert f"Candidate.{part}: unknown field 'colour'" in message


@pytest.mark.parametrize(("value", "field"), FIELDS)
def test_a_wrong_type_is_refused_by_field(value, field):
    # No field of any value can hold an object with a list in it.
    document = {**value.to_json(), field: {"nested": [1]}}
    assert f"{name_of(value)}.{field}" in refusal(type(value), document)


@pytest.mark.parametrize(
    ("name", "field", "plain", "path"),
    [
        ("Budget", "parameters", "5000", "Budget.parameters"),
        ("Budget", "parameters", 5000.0, "Budget.parameters"),
        ("Budget", "parameters", True, "Budget.parameters"),
        ("Budget", "depth", 5.5, "Budget.depth"),
        ("Budget", "macs", "many", "Budget.macs"),
        ("Recipe", "learning_rate", "fast", "Recipe.learning_rate"),
        ("Recipe", "learning_rate", True, "Recipe.learning_rate"),
        pytest.param(*("Recipe", "learning_rate", 10**400, "Recipe.learning_rate"), id="huge"),
        pytest.param(*("Recipe", "gradient_clip", -(10**400), "Recipe.gradient_clip"), id="-huge"),
        ("Recipe", "epochs", 5.5, "Recipe.epochs"),
        ("Recipe", "epochs", None, "Recipe.epochs"),
        ("Recipe", "gradient_clip", "off", "Recipe.gradient_clip"),
        ("Recipe", "patience", 1.5, "Recipe.patience"),
        ("Recipe", "routine", None, "Recipe.routine"),
        ("Architecture", "centred_inputs", 1, "Architecture.centred_inputs"),
        ("Architecture", "widths", 8, "Architecture.widths"),
        ("Architecture", "widths", [8, "5"], "Architecture.widths[1]"),
        ("Architecture", "placement", ["relu"], "Architecture.placement[0]"),
        ("Cost", "parts", [["a", 1, 2]], "Cost.parts[0]"),
        ("Cost", "parts", [["a", 1], [2, 3]], "Cost.parts[1][0]"),
        ("Cost", "operations", [{"name": "a", "macs": 1.5}], "Cost.operations[0].macs"),
        ("Cost", "operations", [{"name": "a", "depth": "deep"}], "Cost.operations[0].depth"),
        ("DataInfo", "classes", [0, 1, 2.5], "DataInfo.classes[2]"),
        ("DataInfo", "classes", [0, 1, True], "DataInfo.classes[2]"),
        ("DataInfo", "features", "width", "DataInfo.features"),
        ("TrialResult", "diverged", 0, "TrialResult.diverged"),
        ("TrialResult", "value", None, "TrialResult.value"),
        ("ActivationSpec", "parameters", {"degree": [3]}, "ActivationSpec.parameters.degree"),
        ("ActivationSpec", "parameters", [], "ActivationSpec.parameters"),
    ],
)
def test_a_neighbouring_type_is_refused_by_its_path(name, field, plain, path):
    value = next(v for v in EXAMPLES if name_of(v) == name)
    message = refusal(type(value), {**value.to_json(), field: plain})
    assert message.startswith(f"{path}:")
    assert "expected" in message


@pytest.mark.parametrize("value", EXAMPLES, ids=name_of)
@pytest.mark.parametrize("schema", [SCHEMA + 1, SCHEMA - 1, str(SCHEMA), None])
def test_another_schema_is_refused_with_what_to_do(value, schema):
    message = refusal(type(value), {**value.to_json(), "schema": schema})
    assert f"schema {schema!r}" in message
    assert f"expected schema {SCHEMA}" in message
    assert "version of slaf_automl" in message


@pytest.mark.parametrize("value", EXAMPLES, ids=name_of)
def test_a_document_without_a_schema_is_refused(value):
    document = value.to_json()
    del document["schema"]
    assert "schema" in refusal(type(value), document)


@pytest.mark.parametrize(("wanted", "given_"), [*itertools.permutations(EXAMPLES, 2)], ids=name_of)
def test_another_values_document_is_refused(wanted, given_):
    message = refusal(type(wanted), given_.to_json())
    assert repr(name_of(given_)) in message
    assert repr(name_of(wanted)) in message


@pytest.mark.parametrize("document", [None, 5, "Budget", ["Budget", 5]])
def test_a_document_that_is_no_object_is_refused(document):
    assert "a JSON object" in refusal(type(EXAMPLES[5]), document)


def test_scalars_keep_their_exact_type():
    parameters = {"a": 3, "b": 3.0, "c": True, "d": "3", "e": None, "f": 0, "g": False}
    spec = ActivationSpec("custom", parameters)
    again = ActivationSpec.from_json(json.loads(dumps(spec.to_json())))
    kept = {name: (type(v), v) for name, v in again.parameters.items()}
    assert kept == {name: (type(v), v) for name, v in parameters.items()}


def test_class_labels_keep_their_exact_type():
    info = DataInfo(("x",), "y", "multiclass", (1, "1", "one"), rows=3)
    again = DataInfo.from_json(json.loads(dumps(info.to_json())))
    assert [type(label) for label in again.classes] == [int, str, str]


def test_a_whole_number_becomes_a_float_where_only_float_is_allowed():
    # JSON writers of other languages print 1.0 as 1.
    recipe = Recipe.from_json({**Recipe().to_json(), "learning_rate": 1, "gradient_clip": 2})
    assert (type(recipe.learning_rate), type(recipe.gradient_clip)) == (float, float)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_dumps_refuses_what_json_does_not_have(number):
    with pytest.raises(ValueError, match="JSON"):
        dumps({"value": number})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_spec_never_holds_what_json_does_not_have(number):
    with pytest.raises(SpecError, match="finite"):
        ActivationSpec("custom", {"clip": number})


def test_dumps_is_deterministic_and_readable():
    text = dumps({"b": 1, "a": "Größe"})
    assert text == '{\n  "a": "Größe",\n  "b": 1\n}\n'


def test_the_order_of_parameters_does_not_matter():
    backwards = ActivationSpec("slaf", {"degree": 2, "basis": "hermite"})
    forwards = ActivationSpec("slaf", {"basis": "hermite", "degree": 2})
    assert backwards == forwards
    assert hash(backwards) == hash(forwards)
    assert dumps(backwards.to_json()) == dumps(forwards.to_json())
    assert backwards != RELU
