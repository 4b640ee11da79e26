"""Linked hidden layers end to end: search, count, export, and the bundle's ONNX file."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import yaml
from safetensors.torch import load_file

import slaf_automl
from slaf_automl.networks import count_cost
from slaf_automl.spaces.files import find_space_file
from slaf_automl.training import TableData


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    """A search of a moment in which every network has links, and ReLUs scale their outputs."""
    folder = tmp_path_factory.mktemp("linked")
    document = yaml.safe_load(find_space_file("mlp_residual").read_text())
    document["training"].update(epochs=9, least_steps=0, first_rung=3)
    fixed = {"depth": 3, "residual": True, "normaliser": "element"}
    document["dimensions"].update({name: {"value": value} for name, value in fixed.items()})
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(document))
    return slaf_automl.search(
        "sklearn:iris", budget=700, trials=3, space=path, confirmations=2, out=folder / "run"
    )


def test_both_arms_have_links_and_store_what_is_counted(linked):
    architecture = linked.best.architecture
    assert architecture.residual is True
    assert len(architecture.widths) == 3
    assert len(set(linked.metrics["relu"]["widths"])) == 1
    stored = load_file(linked.folder / "best/model.safetensors")
    counted = count_cost(architecture).parameters
    assert sum(t.numel() for t in stored.values()) == counted == linked.metrics["parameters"] <= 700


def test_the_bundle_reproduces_its_figure_in_onnxruntime_and_torch(linked):
    x, y = TableData.load("sklearn:iris").open_test()
    session = onnxruntime.InferenceSession(linked.folder / "best/model.onnx")
    outputs, _, labels = session.run(None, {"features": x.numpy()})
    assert np.abs(slaf_automl.load(linked.folder)(x).numpy() - outputs).max() < 1e-4
    names = TableData.load("sklearn:iris").info.classes
    accuracy = np.mean([label == names[int(i)] for label, i in zip(labels, y, strict=True)])
    assert accuracy == pytest.approx(linked.metrics["exported"]["test"])
