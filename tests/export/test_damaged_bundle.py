"""Damaged, missing and foreign files: one line, and nothing is ever unpickled."""

import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from slaf_automl.errors import BundleError
from slaf_automl.export import load


@pytest.fixture
def folder(exported, tmp_path):
    """Return a copy of a good bundle to damage."""
    return shutil.copytree(exported("iris").folder, tmp_path / "bundle")


def complaint(path):
    with pytest.raises(BundleError) as caught:
        load(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    return message


def edited(folder, edit):
    """Change `candidate.json` by a function of its document."""
    path = folder / "candidate.json"
    document = json.loads(path.read_text())
    changed = edit(document)
    path.write_text(json.dumps(document if changed is None else changed))


def slot(document):
    return document["candidate"]["architecture"]["placement"][0]


@pytest.mark.parametrize("what", ["missing", "empty folder", "file"])
def test_place_without_a_bundle_says_what_is_expected(tmp_path, what):
    path = tmp_path / "nothing"
    if what == "empty folder":
        path.mkdir()
    elif what == "file":
        path.write_text("a file")
    message = complaint(path)
    assert message.startswith(f"no bundle in {path}; expected a bundle or the run folder")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\x00", b'{"schema": 1', b"[" * 10**5])
def test_candidate_that_is_not_json(folder, content):
    (folder / "candidate.json").write_bytes(content)
    assert f"{folder} is not a readable bundle" in complaint(folder)


@pytest.mark.parametrize(
    "document", [[], "text", None, 7, {}, {"schema": 2}, {"schema": "1"}, {"schema": None}]
)
def test_foreign_json_and_newer_schemas_are_refused(folder, document):
    edited(folder, lambda _: document)
    if document is None:
        (folder / "candidate.json").write_text("null")
    message = complaint(folder)
    assert "not a candidate of schema 1" in message
    assert "version of slaf_automl that wrote it" in message


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        (lambda d: d.pop("candidate") and None, "Candidate"),
        (lambda d: d.pop("data") and None, "DataInfo"),
        (lambda d: d.update(candidate=None), "Candidate"),
        (lambda d: d.update(data=[1, 2]), "DataInfo"),
        (lambda d: d["candidate"].update(schema=9), "schema 9"),
        (lambda d: d["candidate"]["architecture"].pop("widths") and None, "widths"),
        (lambda d: d["candidate"]["architecture"].update(widths=[]), "widths"),
        (lambda d: d["candidate"]["architecture"].update(widths=[6]), "2 activation specs"),
        (lambda d: d["candidate"]["architecture"].update(family="cnn"), "'cnn'"),
        (lambda d: d["candidate"]["architecture"].update(surprise=1), "'surprise'"),
        (lambda d: d["candidate"]["architecture"].update(widths=[10**9, 10**9]), "memory"),
        (lambda d: d["candidate"]["architecture"].update(widths=[10**30, 5]), ""),
        (lambda d: d["candidate"]["recipe"].update(epochs="many"), "epochs"),
        (lambda d: d["data"].update(features=d["data"]["features"][:1]), "inputs 4; expected 1"),
        (lambda d: d["data"].update(task="regression"), "3 classes for task regression"),
        (lambda d: d["data"].update(task="regression", classes=[]), "outputs 3; expected 1"),
        (lambda d: d["data"].update(centred_inputs=True), "centred_inputs False; expected True"),
        (lambda d: slot(d)["parameters"].pop("start") and None, "'start' of activation 'slaf'"),
        (lambda d: slot(d)["parameters"].pop("clip") and None, "'clip' of activation 'slaf'"),
        (lambda d: d["data"].update(classes=[]), "classes"),
        (lambda d: d["data"].update(task="ranking"), "'ranking'"),
        (lambda d: slot(d).update(kind="snake"), "'snake'"),
        (lambda d: slot(d)["parameters"].update(degree="high"), "'high'"),
        (lambda d: slot(d)["parameters"].update(hybrid=2.0), "hybrid 2.0"),
    ],
)
def test_field_that_does_not_fit_is_named(folder, edit, word):
    edited(folder, edit)
    message = complaint(folder)
    assert f"{folder} is not a readable bundle" in message
    assert word in message


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: d["candidate"]["architecture"].update(widths=[7, 5]),
        lambda d: d["candidate"]["architecture"].update(inputs=5),
        lambda d: d["candidate"]["architecture"].update(centred_inputs=True),
        lambda d: slot(d)["parameters"].update(degree=4),
        lambda d: slot(d)["parameters"].update(hybrid=0.5),
        lambda d: slot(d).update(kind="relu"),
    ],
    ids=["width", "inputs", "centre", "degree", "hybrid", "kind"],
)
def test_candidate_of_another_network_is_refused(folder, edit):
    edited(folder, edit)
    assert f"{folder} is not a readable bundle" in complaint(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "metrics.json"])
@pytest.mark.parametrize("how", ["missing", "folder", "empty", "cut"])
def test_missing_or_truncated_file_is_refused(folder, name, how):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes(b"" if how == "empty" else content[: len(content) - 7])
    assert f"{folder} is not a readable bundle" in complaint(folder)


def without(name):
    def change(state):
        del state[name]

    return change


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (without("layers.0.bias"), "layers.0.bias"),
        (without("slots.0.coefficients"), "slots.0.coefficients"),
        (lambda state: state.update(extra=torch.ones(2)), "extra"),
        (lambda state: state.update({"layers.0.bias": torch.ones(9)}), "layers.0.bias"),
    ],
    ids=["no bias", "no coefficients", "one more", "another shape"],
)
def test_missing_foreign_and_misshapen_tensors_are_named(folder, change, word):
    path = folder / "model.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    assert word in complaint(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.to(torch.int32),
        lambda t: t.double(),
        lambda t: t.half(),
        lambda t: torch.full_like(t, torch.nan),
        lambda t: torch.cat([t[:-1], torch.full_like(t[-1:], -torch.inf)]),
    ],
    ids=["int32", "float64", "float16", "nan", "one infinity"],
)
@pytest.mark.parametrize("name", ["layers.1.weight", "slots.0.coefficients"])
def test_tensor_that_is_not_finite_float32_is_named(folder, name, damage):
    path = folder / "model.safetensors"
    state = load_file(path)
    state[name] = damage(state[name])
    save_file(state, path)
    assert complaint(folder) == f"{folder}: tensor {name!r} is not finite float32"


@pytest.mark.parametrize("document", [[], "text", 7, None])
def test_metrics_that_are_no_object_are_refused(folder, document):
    (folder / "metrics.json").write_text(json.dumps(document))
    message = complaint(folder)
    assert message == (f"{folder / 'metrics.json'}: {type(document).__name__}; expected an object")


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "candidate.json", "metrics.json"])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickle_in_the_place_of_a_file_is_refused_and_never_run(folder, tmp_path, name, writer):
    sprung = tmp_path / "sprung"
    with (folder / name).open("wb") as file:
        if writer == "pickle":
            pickle.dump(Trap(sprung), file)
        else:
            torch.save(Trap(sprung), file)
    assert f"{folder} is not a readable bundle" in complaint(folder)
    assert not sprung.exists()


def test_loading_never_looks_at_other_files(folder, tmp_path):
    sprung = tmp_path / "sprung"
    for name in ("pytorch_model.bin", "model.pt2", "__init__.py"):
        (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    assert load(folder)(torch.zeros(1, 4)).shape == (1, 3)
    assert not sprung.exists()
