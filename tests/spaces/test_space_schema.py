"""Space files are read strictly: each mistake is named by file, key path and what is allowed."""

import pytest
import yaml
from space_cases import DELETED, document, edited, write

from slaf_automl.activations import BASES, Basis, register_basis
from slaf_automl.errors import SpaceError
from slaf_automl.spaces import SearchSpace, shipped_names
from slaf_automl.spaces.files import find_space_file

TOP = ("schema", "name", "version", "family", "widths", "dimensions", "training")
WIDTHS = ("least", "most")
TRAINING = ("epochs", "least_steps", "first_rung", "reduction", "gradient_clip", "patience")
DIMENSIONS = (
    "depth",
    "shape",
    "slot.activation",
    "slot.basis",
    "slot.degree",
    "slot.hybrid",
    "sharing",
    "normaliser",
    "start",
    "clip",
    "learning_rate",
    "weight_decay",
    "routine",
    "coefficient_rate",
)
FORMS = ("value", "choices", "low", "high", "log")
DEPTH_FORMS = ("value", "low", "high", "log")

SHAPES = ("constant", "decreasing", "increasing")
NORMALISERS = ("none", "input", "element")
ROUTINES = ("joint", "alternate", "two_speed")
STARTS = ("identity", "relu", "silu", "gelu", "tanh")


def refusal(path):
    """Return the one-line message with which the file is refused; it names the file."""
    with pytest.raises(SpaceError) as caught:
        SearchSpace.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message.splitlines()) == 1
    return message


def dimension(name, content):
    return (("dimensions", name), content)


def training(name, content):
    return (("training", name), content)


UNKNOWN_KEYS = [
    ((("colour",), "red"), ("'colour'", *TOP)),
    ((("widths", "mean"), 8), ("widths", "'mean'", *WIDTHS)),
    (dimension("slot.colour", {"value": 1}), ("dimensions", "'slot.colour'", *DIMENSIONS)),
    (dimension("slot.activation.kind", {"value": "relu"}), ("dimensions", *DIMENSIONS)),
    ((("dimensions", "depth", "step"), 1), ("depth", "'step'", *DEPTH_FORMS)),
    ((("dimensions", "depth", "choices"), [1]), ("depth", "'choices'", *FORMS)),
    ((("dimensions", "shape", "value"), "constant"), ("shape", "'value'", *FORMS)),
    (training("momentum", 0.9), ("training", "'momentum'", *TRAINING)),
]

MISSING_KEYS = [
    *[(key,) for key in TOP],
    *[("widths", key) for key in WIDTHS],
    *[("dimensions", key) for key in DIMENSIONS],
    *[("training", key) for key in TRAINING],
]

WRONG_TYPES = [
    ((("name",), 5), ("name 5", "a word")),
    ((("name",), ""), ("name ''", "a word")),
    ((("version",), "one"), ("version", "'one'", "an integer")),
    ((("version",), 0), ("version", "at least 1")),
    ((("version",), True), ("version", "True", "an integer")),
    ((("widths",), [2, 3]), ("widths", "[2, 3]", *WIDTHS)),
    ((("widths", "least"), 0), ("widths.least", "0", "at least 1")),
    ((("widths", "least"), "two"), ("widths.least", "'two'", "an integer")),
    ((("widths", "most"), 2.5), ("widths.most", "2.5", "an integer")),
    ((("widths", "most"), 1), ("widths.most", "at least 2")),
    ((("dimensions",), ["depth"]), ("dimensions", *DIMENSIONS)),
    ((("training",), None), ("training", "None", *TRAINING)),
    (training("epochs", 0), ("training.epochs", "at least 1")),
    (training("epochs", "many"), ("training.epochs", "'many'", "an integer")),
    (training("epochs", True), ("training.epochs", "True", "an integer")),
    (training("least_steps", -1), ("training.least_steps", "at least 0")),
    (training("least_steps", None), ("training.least_steps", "None", "an integer")),
    (training("first_rung", 0), ("training.first_rung", "at least 1")),
    (training("reduction", 1), ("training.reduction", "at least 2")),
    (training("gradient_clip", 0), ("training.gradient_clip", "positive number or null")),
    (training("gradient_clip", "off"), ("training.gradient_clip", "'off'", "null")),
    (training("gradient_clip", True), ("training.gradient_clip", "True", "null")),
    (training("gradient_clip", float("inf")), ("training.gradient_clip", "inf", "null")),
    (training("gradient_clip", 10**400), ("training.gradient_clip", "positive number or null")),
    (training("patience", 0), ("training.patience", "at least 1")),
    (training("patience", 2.5), ("training.patience", "2.5", "an integer")),
    (dimension("depth", 3), ("depth", "3", *DEPTH_FORMS)),
    (dimension("depth", None), ("depth", "None", *DEPTH_FORMS)),
    (dimension("depth", {}), ("depth", *DEPTH_FORMS)),
    (dimension("depth", {"choices": [1, 3]}), ("depth", "{'choices': [1, 3]}", *FORMS)),
    (dimension("depth", {"low": 1}), ("depth", *DEPTH_FORMS)),
    (dimension("depth", {"low": "one", "high": 3}), ("depth.low", "'one'", "1 to 16")),
    (dimension("depth", {"low": 1, "high": True}), ("depth.high", "True", "1 to 16")),
    (dimension("shape", {"low": 1, "high": 3}), ("shape", *FORMS)),
    (dimension("shape", {"choices": "constant"}), ("shape.choices", "a list")),
    (dimension("shape", {"choices": {"constant": 1}}), ("shape.choices", "a list")),
    (dimension("shape", {"choices": [["constant"]]}), ("shape.choices", *SHAPES)),
    (dimension("learning_rate", {"low": 0.1, "high": 1.0, "log": "yes"}), ("learning_rate.log",)),
    (dimension("learning_rate", {"value": None}), ("learning_rate", "None", "a number")),
    (dimension("learning_rate", {"choices": ["fast"]}), ("learning_rate.choices", "'fast'")),
]

OUT_OF_RANGE = [
    (dimension("depth", {"low": 3, "high": 1}), ("depth", "3 above high 1", "low ≤ high")),
    (dimension("clip", {"low": 4.0, "high": 3.0}), ("clip", "4 above high 3", "low ≤ high")),
    (
        dimension("weight_decay", {"low": 0.0, "high": 1.0, "log": True}),
        ("weight_decay", "low 0 on a log scale", "low above 0"),
    ),
    (dimension("depth", {"low": 0, "high": 3}), ("depth.low", "0", "1 to 16")),
    (dimension("depth", {"value": 17}), ("depth", "17", "1 to 16")),
    (dimension("slot.degree", {"value": 99}), ("slot.degree", "99", "1 to 16")),
    (dimension("slot.degree", {"low": 2, "high": 99}), ("slot.degree.high", "99", "1 to 16")),
    (dimension("slot.degree", {"choices": [2, 99]}), ("slot.degree.choices", "99", "1 to 16")),
    (dimension("slot.degree", {"choices": [2, 2.5]}), ("slot.degree.choices", "2.5", "integer")),
    (dimension("slot.hybrid", {"choices": [0.0, 1.0]}), ("slot.hybrid.choices", "1.0", "0.95")),
    (dimension("clip", {"low": None, "high": 3.0}), ("clip", "None to 3.0", "null is one of")),
    (dimension("clip", {"low": 0.5, "high": None}), ("clip", "0.5 to None", "null is one of")),
    (dimension("clip", {"value": 0}), ("clip", "0", "0.5 to 100")),
    (dimension("learning_rate", {"value": float("nan")}), ("learning_rate", "nan")),
    (dimension("learning_rate", {"value": float("inf")}), ("learning_rate", "inf", "1000")),
    (dimension("coefficient_rate", {"value": 0}), ("coefficient_rate", "0", "1e-06")),
    (dimension("shape", {"choices": []}), ("shape.choices", "[]", "a list with an entry")),
    (
        dimension("shape", {"choices": ["constant", "constant"]}),
        ("shape.choices", "every choice once"),
    ),
    (dimension("slot.hybrid", {"choices": [0, 0.0]}), ("slot.hybrid", "every choice once")),
    (dimension("clip", {"choices": [None, None]}), ("clip.choices", "every choice once")),
]

UNKNOWN_WORDS = [
    (dimension("shape", {"value": "triangle"}), ("shape", "'triangle'", *SHAPES)),
    (dimension("shape", {"choices": ["constant", "u"]}), ("shape.choices", "'u'", *SHAPES)),
    (dimension("slot.activation", {"choices": ["gelu"]}), ("slot.activation", "'gelu'", "slaf")),
    (dimension("slot.basis", {"choices": ["wavelet"]}), ("slot.basis", "'wavelet'", *BASES)),
    (dimension("sharing", {"value": "unit"}), ("sharing", "'unit'", "layer", "channel")),
    (dimension("normaliser", {"choices": ["batch"]}), ("normaliser", "'batch'", *NORMALISERS)),
    (dimension("start", {"choices": ["zero"]}), ("start", "'zero'", *STARTS)),
    (dimension("routine", {"choices": ["sgd"]}), ("routine", "'sgd'", *ROUTINES)),
    (dimension("routine", {"value": None}), ("routine", "None", *ROUTINES)),
    ((("family",), "rnn"), ("family 'rnn'", "one of mlp, cnn, resnet, conv1d")),
    ((("schema",), 2), ("schema 2", "expected 1")),
    ((("schema",), 0), ("schema 0", "expected 1")),
    ((("schema",), "1"), ("schema '1'", "expected 1")),
    ((("schema",), True), ("schema True", "expected 1")),
]

NOT_A_SPACE = [
    ("", "None"),
    ("5", "5"),
    ("- schema\n- name", "['schema', 'name']"),
    ("mlp", "'mlp'"),
]


@pytest.mark.parametrize(
    ("change", "fragments"),
    [*UNKNOWN_KEYS, *WRONG_TYPES, *OUT_OF_RANGE, *UNKNOWN_WORDS],
    ids=lambda part: f"{'.'.join(part[0])}={part[1]!r:.60}" if isinstance(part[0], tuple) else "",
)
def test_a_mistake_is_refused_by_key_and_with_what_is_allowed(tmp_path, change, fragments):
    message = refusal(write(tmp_path, edited(change)))
    assert [f for f in fragments if f not in message] == []


@pytest.mark.parametrize("path", MISSING_KEYS, ids=".".join)
def test_a_missing_key_is_refused_by_name(tmp_path, path):
    message = refusal(write(tmp_path, edited((path, DELETED))))
    assert f"key {path[-1]!r} is missing" in message
    assert all(parent in message for parent in path[:-1])


def test_the_missing_keys_above_are_all_keys_of_the_shipped_space():
    shipped = document()
    assert tuple(shipped) == TOP
    assert tuple(shipped["widths"]) == WIDTHS
    assert tuple(shipped["dimensions"]) == DIMENSIONS
    assert tuple(shipped["training"]) == ("population", *TRAINING)  # It alone may be left out.


@pytest.mark.parametrize(("text", "given"), NOT_A_SPACE)
def test_a_document_that_is_no_mapping_is_refused(tmp_path, text, given):
    message = refusal(write(tmp_path, text))
    assert given in message
    assert all(key in message for key in TOP)


@pytest.mark.parametrize(
    "text",
    [
        *("{", "a: b: c", "key: [1, 2", "\tkey: 1", "? [a]\n: {b: *c}"),
        pytest.param("version: 2024-99-45", id="no such date"),
        pytest.param("[" * 3000, id="nested beyond the stack"),
    ],
)
def test_text_that_is_not_yaml_is_refused(tmp_path, text):
    assert "not valid YAML" in refusal(write(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("version: 2\n", "version"),
        ("  epochs: 54\n", "epochs"),
        ("  depth:\n    low: 1\n    high: 3\n", "depth"),
    ],
)
def test_a_key_that_is_given_twice_is_refused(tmp_path, line, key):
    text = yaml.safe_dump(document(), sort_keys=False)
    assert text.count(line) == 1
    message = refusal(write(tmp_path, text.replace(line, line + line)))
    assert f"key {key!r} is given twice" in message


@pytest.mark.parametrize(("share", "needed"), [(0.75, 2), (0.95, 10)])
def test_widths_must_leave_room_for_a_learned_channel(tmp_path, share, needed):
    def sized(most):
        hybrid = dimension("slot.hybrid", {"choices": [0.0, share]})
        return edited((("widths",), {"least": 1, "most": most}), hybrid)

    message = refusal(write(tmp_path, sized(needed - 1)))
    assert f"widths.most {needed - 1}; expected at least {needed}" in message
    assert f"hybrid share of {share}" in message
    assert SearchSpace.load(write(tmp_path, sized(needed))).file.widths.most == needed


def test_bytes_that_are_not_text_are_refused(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_bytes(b"\xff\xfe\x00schema: 1")
    assert "not valid YAML" in refusal(path)


def test_yaml_cannot_run_code(tmp_path):
    marker = tmp_path / "ran"
    path = write(tmp_path, f"schema: !!python/object/apply:os.mkdir ['{marker}']")
    assert "not valid YAML" in refusal(path)
    assert not marker.exists()


def test_a_directory_and_a_missing_file_are_refused_with_the_shipped_names(tmp_path):
    too_long = "x" * 300  # for a file's name on any usual file system
    for path in (tmp_path, tmp_path / "missing.yaml", "mpl", too_long):
        message = refusal(path)
        assert f"a shipped space ({', '.join(shipped_names())}) or a YAML file" in message


def test_the_shipped_space_loads_by_name_and_by_file(tmp_path):
    assert "mlp" in shipped_names()
    by_file = SearchSpace.load(find_space_file("mlp"))
    by_name, text = SearchSpace.load("mlp"), find_space_file("mlp").read_text(encoding="utf-8")
    by_text = SearchSpace.load(str(write(tmp_path, text)))
    assert by_name.name == by_file.name == by_text.name == "mlp"
    assert by_name == by_file == by_text


def test_every_shipped_space_loads_under_its_own_name():
    tables = [name for name in shipped_names() if name != "placement"]
    assert [SearchSpace.load(name).name for name in tables] == tables


def test_a_basis_registered_by_the_user_is_offered(tmp_path):
    own = Basis(
        name="sines",
        formula="φᵢ(x) = sin(i·x)",
        source="this test",
        domain="all numbers",
        unit_domain=False,
        evaluate=lambda x, degree: [(i * x).sin() for i in range(1, degree + 1)],
    )
    path = write(tmp_path, edited(dimension("slot.basis", {"choices": ["chebyshev", "sines"]})))
    assert "'sines'" in refusal(path)
    register_basis(own)
    try:
        assert SearchSpace.load(path).file.dimensions["slot.basis"].values() == (
            "chebyshev",
            "sines",
        )
    finally:
        del BASES["sines"]


@pytest.mark.parametrize("word", [["chebyshev"], {"a": 1}, 3, None, True])
def test_a_word_of_another_type_is_refused(tmp_path, word):
    path = write(tmp_path, edited(dimension("slot.basis", {"value": word})))
    assert "unknown basis" in refusal(path)
