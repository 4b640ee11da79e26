"""Placement files are read strictly: every refusal names file, key and what is allowed."""

import pytest
import torch
import yaml
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from placement_cases import document, network

from slaf_automl.errors import SlafError, SpaceError
from slaf_automl.spaces import PlacementSpace, SearchSpace
from slaf_automl.spaces.dimensions import Constant, Searched
from slaf_automl.spaces.placement_file import parse_placement

ROW = torch.ones(1, 4)
DELETED = object()


def changed(key, value, encoding="slots", **dimensions):
    """Return a document with one key changed; a dot leads into the dimensions."""
    found = document(encoding, **dimensions)
    place = found
    if key not in found and key != "odd":
        place = found["dimensions"]
        key = key.removeprefix("dimensions.")
    if value is DELETED:
        del place[key]
    else:
        place[key] = value
    return found


def refusal(given):
    with pytest.raises(SpaceError) as caught:
        parse_placement(given, "mine.yaml")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith("mine.yaml: ")
    return message.removeprefix("mine.yaml: ")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 2, "schema 2; expected 1"),
        ("schema", True, "schema True; expected 1"),
        ("schema", DELETED, "key 'schema' is missing"),
        ("odd", 1, "unknown key 'odd'; expected schema, name, version, family, encoding, dim"),
        ("name", "", "name ''; expected a word"),
        ("name", 3, "name 3; expected a word"),
        ("version", 0, "version: 0; expected an integer of at least 1"),
        ("version", True, "version: True; expected an integer"),
        ("family", "mlp", "family 'mlp'; expected placement"),
        ("family", ["placement"], "family ['placement']; expected placement"),
        ("encoding", "bits", "encoding 'bits'; expected one of slots, pattern, share"),
        ("encoding", ["slots"], "encoding ['slots']; expected one of slots, pattern, share"),
        ("dimensions", [1], "dimensions: [1]; expected keys slot.activation, slot.basis"),
        ("dimensions.odd", {"value": 1}, "dimensions: unknown key 'odd'; expected slot.activation"),
        ("dimensions.pattern", {"value": "all"}, "dimensions: unknown key 'pattern'"),
        ("dimensions.count", {"value": 1}, "dimensions: unknown key 'count'"),
        ("clip", DELETED, "dimensions: key 'clip' is missing"),
        ("clip", 3.0, "clip: 3.0; expected one of {value: …}, {choices: […]} or {low: …"),
        ("clip", {"value": 0.1}, "clip: 0.1; expected a number from 0.5 to 100"),
        ("clip", {"choices": []}, "clip.choices: []; expected a list with an entry"),
        ("slot.degree", {"low": 5, "high": 2}, "slot.degree: low 5 above high 2; expected low ≤"),
        ("slot.degree", {"low": 2}, "slot.degree: {'low': 2}; expected one of {value: …}"),
        ("slot.degree", {"low": 2, "high": 99}, "slot.degree.high: 99; expected an integer from 1"),
        ("slot.degree", {"low": 2.5, "high": 3}, "slot.degree.low: 2.5; expected an integer"),
        ("slot.degree", {"choices": [2, 2]}, "slot.degree.choices: [2, 2]; expected every choice"),
        ("slot.degree", {"value": True}, "slot.degree: True; expected an integer"),
        ("slot.hybrid", {"value": 1.0}, "slot.hybrid: 1.0; expected a number from 0 to 0.95"),
        ("slot.basis", {"choices": ["hermit"]}, "slot.basis.choices: unknown basis 'hermit'"),
        ("slot.basis", {"low": 1, "high": 2}, "slot.basis: {'low': 1, 'high': 2}; expected one of"),
        (
            "slot.activation",
            {"value": "gelu"},
            "slot.activation: 'gelu'; expected one of keep, rel",
        ),
        ("slot.activation", {"choices": []}, "slot.activation.choices: []; expected a list with"),
        (
            "slot.activation",
            {"choices": "keep"},
            "slot.activation.choices: 'keep'; expected a list",
        ),
        (
            "slot.activation",
            {"choices": [["keep"]]},
            "slot.activation.choices: ['keep']; expected ",
        ),
        ("slot.activation", {"choices": ["keep", "keep"]}, "slot.activation.choices: ['keep', 'k"),
        ("slot.activation", ["keep"], "slot.activation: ['keep']; expected {value: …} or {choices"),
        ("slot.activation", {"low": 0, "high": 1}, "slot.activation: {'low': 0, 'high': 1}; expec"),
        ("start", {"value": "softmax"}, "start: 'softmax'; expected one of own, identity, relu"),
        ("start", {"choices": ["own", None]}, "start.choices: None; expected one of own"),
        ("sharing", {"value": 4}, "sharing: unknown sharing 4; expected one of layer, channel"),
        ("normaliser", {"value": "own"}, "normaliser: unknown normaliser 'own'; expected one of"),
    ],
)
def test_refusals(key, value, message):
    assert refusal(changed(key, value)).startswith(message)


@pytest.mark.parametrize("given", [None, [], "slots", 3])
def test_no_mapping_at_all(given):
    with pytest.raises(SpaceError, match=r"mine\.yaml: .*expected keys schema"):
        parse_placement(given, "mine.yaml")


def test_patterns_are_words():
    given = document("pattern", pattern=["none", "middle"])
    words = "'middle'; expected one of none, all, first, last, alternate"
    assert refusal(given) == f"pattern.choices: {words}"
    assert refusal(document("share", pattern="all")).startswith("dimensions: unknown key 'pattern'")
    missing = changed("pattern", DELETED, "pattern")
    assert refusal(missing) == "dimensions: key 'pattern' is missing"


def test_what_a_file_says():
    file = parse_placement(
        document(
            "pattern",
            pattern="all",
            slot_degree={"low": 2, "high": 8, "log": True},
            slot_hybrid={"low": 0.0, "high": 0.5},
            start=["own", "tanh"],
            clip=[None, 2],
        ),
        "mine.yaml",
    )
    assert (file.name, file.version, file.family, file.encoding) == (
        "placement",
        1,
        "placement",
        "pattern",
    )
    found = file.dimensions
    assert found["pattern"] == Constant("all")
    assert found["slot.degree"] == Searched(IntDistribution(2, 8, log=True))
    assert found["slot.hybrid"] == Searched(FloatDistribution(0.0, 0.5))
    assert found["start"] == Searched(CategoricalDistribution(["own", "tanh"]))
    assert found["clip"] == Searched(CategoricalDistribution([None, 2.0]))
    assert "slot.activation" not in found


def test_files_are_found_and_named(tmp_path):
    model = network((3,), ("relu",))
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(document("share")), encoding="utf-8")
    assert PlacementSpace.of(model, ROW, space=path).file.encoding == "share"
    with pytest.raises(SpaceError, match=r"mine\.yaml.*for_model"):
        SearchSpace.load(path)
    path.write_text(yaml.safe_dump(changed("slot.degree", 3)), encoding="utf-8")
    with pytest.raises(SpaceError, match=r"mine\.yaml: slot\.degree: 3; expected"):
        PlacementSpace.of(model, ROW, space=path)
    with pytest.raises(SpaceError, match=r"mlp\.yaml"):
        PlacementSpace.of(model, ROW, space="mlp")
    with pytest.raises(SpaceError, match="unknown space 'odd'"):
        PlacementSpace.of(model, ROW, space="odd")


@pytest.mark.parametrize("order", [(0,), (0, 0), (1, 2), (0, 1, 2)])
def test_orders_name_every_slot_once(order):
    with pytest.raises(SpaceError, match="expected each number from 0 to 1 once"):
        PlacementSpace.of(network((3, 3), ("relu", "gelu")), ROW, order=order)


def test_networks_of_bare_calls_need_leave():
    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x) + torch.tanh(x)

    with pytest.raises(SlafError, match="bare calls only: :relu#0, :tanh#0") as caught:
        PlacementSpace.of(Net(), ROW)
    assert len(str(caught.value).splitlines()) == 1
    assert len(PlacementSpace.of(Net(), ROW, rewrite_calls=True).slots) == 2
