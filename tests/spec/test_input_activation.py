"""A slot of the inputs in an architecture: what it may be, and its documents."""

from dataclasses import replace

import pytest
from spec_values import ARCHITECTURE, RELU

from slaf_automl.activations import find_kind
from slaf_automl.errors import SpecError
from slaf_automl.spec import Architecture, Candidate, Recipe, dumps


def spec(**parameters):
    return find_kind("slaf").spec(**{"basis": "tent", "normaliser": "frozen", **parameters})


INPUT = spec(degree=6)
WITH = replace(ARCHITECTURE, input_activation=INPUT)


@pytest.mark.parametrize("normaliser", ["input", "frozen"])
def test_round_trip(normaliser):
    architecture = replace(ARCHITECTURE, input_activation=spec(normaliser=normaliser))
    assert Architecture.from_json(architecture.to_json()) == architecture
    candidate = Candidate(architecture, Recipe())
    assert dumps(Candidate.from_json(candidate.to_json()).to_json()) == dumps(candidate.to_json())


def test_older_documents_have_no_such_field_and_load():
    document = ARCHITECTURE.to_json()
    assert "input_activation" not in document
    loaded = Architecture.from_json(document)
    assert loaded == ARCHITECTURE
    assert loaded.input_activation is None
    assert loaded.specs == loaded.placement


def test_its_spec_is_the_last():
    assert WITH.specs == (*ARCHITECTURE.placement, INPUT)
    assert WITH.placement == ARCHITECTURE.placement
    assert WITH.kinds == ARCHITECTURE.kinds
    for architecture in (ARCHITECTURE, WITH):
        assert architecture.with_specs(architecture.specs) == architecture
    lower = WITH.with_specs((RELU, *WITH.specs[1:-1], spec(degree=2)))
    assert lower.input_activation["degree"] == 2
    assert lower.placement == (RELU, *ARCHITECTURE.placement[1:])
    assert WITH.with_specs(ARCHITECTURE.placement) == ARCHITECTURE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input_activation": RELU}, "of kind 'relu', family 'mlp'; expected a slaf, of an mlp"),
        ({"input_activation": find_kind("silu").spec()}, "of kind 'silu'"),
        ({"input_activation": spec(normaliser="none")}, "'normaliser': 'none'"),
        ({"input_activation": spec(normaliser="element")}, "'normaliser': 'element'"),
        ({"input_activation": spec(sharing=2)}, "'sharing': 2"),
        ({"input_activation": spec(hybrid=0.5)}, "hybrid 0.5; expected 0.0"),
        ({"input_activation": "slaf"}, "Architecture.input_activation"),
        (
            {
                "family": "cnn",
                "image": (1, 2, 2),
                "pooling": "max",
                "input_activation": INPUT,
            },
            "of kind 'slaf', family 'cnn'; expected a slaf, of an mlp",
        ),
    ],
)
def test_what_it_cannot_be_is_one_line(change, words):
    with pytest.raises(SpecError) as caught:
        replace(ARCHITECTURE, **change)
    message = str(caught.value)
    assert words in message
    assert "input_activation" in message
    assert len(message.splitlines()) == 1


def test_a_document_with_half_a_spec_is_refused():
    document = WITH.to_json()
    document["input_activation"]["parameters"] = {}
    with pytest.raises(SpecError, match="normaliser 'input' or 'frozen'"):
        Architecture.from_json(document)


def test_there_is_no_relu_to_start_from():
    with pytest.raises(SpecError, match="'warm_start' with an activation of the inputs") as caught:
        Candidate(WITH, Recipe(routine="warm_start"))
    assert len(str(caught.value).splitlines()) == 1
    for routine in ("joint", "alternate", "two_speed"):
        assert Candidate(WITH, Recipe(routine=routine)).architecture is WITH
