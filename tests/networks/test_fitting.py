"""Architectures that lack a parameter, or that do not take the data, are refused by name."""

from dataclasses import replace

import pytest
from network_strategies import generator, relu, slaf

from slaf_automl.errors import SlafError, SpecError
from slaf_automl.networks import DeployedNetwork, Network, require_complete, require_fit
from slaf_automl.spec import ActivationSpec, Architecture, Candidate, DataInfo, Recipe

INFO = DataInfo(("a", "b"), "y", "multiclass", (0, 1, 2), rows=100)
FITTING = Architecture("mlp", 2, 3, (4, 5), (slaf(), relu()))


def refusal(call):
    with pytest.raises(SlafError) as caught:
        call()
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def without(spec, name):
    """Return the spec as a document that forgot a parameter would give it."""
    return ActivationSpec(spec.kind, {k: v for k, v in spec.parameters.items() if k != name})


BUILDERS = {
    "trained": lambda architecture: Network(architecture, generator(0)),
    "deployed": DeployedNetwork,
    "check": require_complete,
    "fit": lambda architecture: require_fit(Candidate(architecture, Recipe()), INFO),
}


@pytest.mark.parametrize("builder", BUILDERS)
def test_complete_architecture_is_taken(builder):
    BUILDERS[builder](FITTING)


@pytest.mark.parametrize("builder", BUILDERS)
def test_first_missing_parameter_is_named_with_its_slot(builder):
    bare = replace(FITTING, placement=(slaf(), ActivationSpec("slaf", {"degree": 2})))
    message = refusal(lambda: BUILDERS[builder](bare))
    assert "slot 1: parameter 'basis' of activation 'slaf' is missing" in message


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(
    ("slot", "name"),
    [*((0, name) for name in slaf().parameters), (1, "normaliser")],
)
def test_no_parameter_is_guessed(builder, slot, name):
    placement = list(FITTING.placement)
    placement[slot] = without(placement[slot], name)
    lacking = replace(FITTING, placement=tuple(placement))
    kind = FITTING.kinds[slot]
    message = refusal(lambda: BUILDERS[builder](lacking))
    assert f"slot {slot}: parameter {name!r} of activation {kind!r} is missing" in message


@pytest.mark.parametrize(
    ("change", "given", "expected"),
    [
        ({"inputs": 3}, "inputs 3", "expected 2 for this data"),
        ({"outputs": 1}, "outputs 1", "expected 3 for this data"),
        ({"centred_inputs": True}, "centred_inputs True", "expected False for this data"),
    ],
)
def test_architecture_of_other_data_is_refused(change, given, expected):
    with pytest.raises(SpecError) as caught:
        require_fit(Candidate(replace(FITTING, **change), Recipe()), INFO)
    assert str(caught.value).startswith(f"an architecture with {given}; {expected}; ")


def test_data_that_want_centred_inputs_refuse_a_network_without():
    with pytest.raises(SpecError, match="centred_inputs False; expected True"):
        require_fit(Candidate(FITTING, Recipe()), replace(INFO, centred_inputs=True))
