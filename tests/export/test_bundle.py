"""Bundles: written whole, read back the same, and nothing in them is a pickle."""

import io
import json
import pickle
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import slaf_automl
from slaf_automl.errors import BundleError, SlafError
from slaf_automl.export import Bundle, copy_bundle, find_bundle, load, read_bundle
from slaf_automl.export.bundle import FILES


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_written_is_read_back(each):
    found = read_bundle(each.folder)
    assert (found.candidate, found.info) == (each.bundle.candidate, each.bundle.info)
    assert found.metrics == each.bundle.metrics
    written = each.bundle.network.state_dict()
    assert found.network.state_dict().keys() == written.keys()
    assert all(torch.equal(t, written[n]) for n, t in found.network.state_dict().items())


def test_loaded_network_says_what_the_trained_module_said(each):
    network, x = slaf_automl.load(str(each.folder)), each.rows()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    with torch.no_grad():
        found, wanted = network(x), each.module.eval()(x)
    unit = max(1.0, float(each.data.statistics.target_spread))
    assert ((found - wanted).abs() <= 1e-4 * wanted.abs().clamp(min=unit)).all()


def test_stored_values_are_as_many_as_metrics_say(each):
    stored = load_file(each.folder / "model.safetensors")
    metrics = json.loads((each.folder / "metrics.json").read_text())
    assert sum(t.numel() for t in stored.values()) == metrics["parameters"]
    assert {t.dtype for t in stored.values()} == {torch.float32}


def test_no_learned_value_is_in_the_json(each):
    # What is learned counts, and what counts lives in model.safetensors.
    text = (each.folder / "candidate.json").read_text()
    document = json.loads(text)
    assert set(document) == {"schema", "candidate", "data"}
    for tensor in load_file(each.folder / "model.safetensors").values():
        assert repr(float(tensor.flatten()[0])) not in text


def test_bundle_is_five_files_and_none_is_a_pickle(each):
    files = contents(each.folder)
    assert set(files) == set(FILES)
    assert len(FILES) == 5
    for content in files.values():
        assert not zipfile.is_zipfile(io.BytesIO(content))  # what torch.save writes
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, no pickle
            pickle.loads(content)


def test_nothing_is_left_beside_the_bundle(each):
    assert [path.name for path in each.folder.parent.iterdir()] == ["best"]


def test_run_folder_stands_for_its_bundle(exported):
    case = exported("iris")
    assert find_bundle(case.folder.parent) == find_bundle(case.folder) == case.folder
    x = case.rows()
    assert torch.equal(load(case.folder.parent)(x), load(case.folder)(x))


def test_same_bundle_gives_the_same_bytes(exported, tmp_path):
    case = exported("iris")
    case.write(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(case.folder)


def test_new_bundle_replaces_the_old_one_whole(exported, tmp_path):
    folder = tmp_path / "best"
    exported("iris").write(folder)
    (folder / "leftover.txt").write_text("of an earlier version")
    exported("diabetes").write(folder)
    assert contents(folder) == contents(exported("diabetes").folder)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def nan_network(case):
    network = slaf_automl.load(case.folder)
    network.layers[0].weight.fill_(torch.nan)
    return {"network": network}


def wrong_count(case):
    return {"metrics": {**case.bundle.metrics, "parameters": case.bundle.metrics["parameters"] + 1}}


def other_architecture(case):
    candidate = case.bundle.candidate
    architecture = replace(candidate.architecture, widths=(7, 5))
    return {"candidate": replace(candidate, architecture=architecture)}


@pytest.mark.parametrize("flaw", [nan_network, wrong_count, other_architecture])
def test_bundle_that_would_not_say_what_the_network_says_is_never_written(exported, tmp_path, flaw):
    case, folder = exported("iris"), tmp_path / "best"
    case.write(folder)
    before = contents(folder)
    with pytest.raises(BundleError) as caught:
        case.write(folder, **flaw(case))
    assert len(str(caught.value).splitlines()) == 1
    assert contents(folder) == before


def test_place_that_cannot_be_written_is_one_line(exported, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SlafError, match="cannot write") as caught:
        exported("iris").write(tmp_path / "file" / "best")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("there", ["new", "nested", "empty"])
def test_copy_goes_to_a_new_or_empty_folder(exported, tmp_path, there):
    case, target = exported("iris"), tmp_path / ("a/b/c" if there == "nested" else "copy")
    if there == "empty":
        target.mkdir()
    copy_bundle(case.folder, target)
    assert contents(target) == contents(case.folder)


@pytest.mark.parametrize("there", ["file in it", "folder in it", "hidden file in it", "a file"])
def test_copy_refuses_a_place_that_holds_something(exported, tmp_path, there):
    target = tmp_path / "copy"
    if there == "a file":
        target.write_text("precious")
    else:
        target.mkdir()
        inner = target / (".hidden" if "hidden" in there else "thing")
        inner.mkdir() if "folder" in there else inner.write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError) as caught:
        copy_bundle(exported("iris").folder, target)
    assert str(caught.value) == f"{target} exists; expected a new or empty folder"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("there", ["new", "empty"])
def test_copy_of_an_incomplete_bundle_makes_nothing(exported, tmp_path, name, there):
    source, target = tmp_path / "source", tmp_path / "deep" / "copy"
    copy_bundle(exported("iris").folder, source)
    (source / name).unlink()
    if there == "empty":
        target.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError) as caught:
        copy_bundle(source, target)
    assert str(caught.value) == f"{source / name} is missing; search again to export anew"
    assert sorted(tmp_path.rglob("*")) == before


def test_bundle_can_be_written_from_what_was_read(exported, tmp_path):
    case = exported("far")
    found = read_bundle(case.folder)
    assert isinstance(found, Bundle)
    case.write(tmp_path / "again", **vars(found))
    assert contents(tmp_path / "again") == contents(case.folder)
