"""Images and series end to end: search, export, ONNX and prediction of their networks."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from safetensors.torch import load_file

import slaf_automl
from slaf_automl.networks import count_cost
from slaf_automl.spaces.files import find_space_file
from slaf_automl.training import TableData
from slaf_automl.training.data.sources import read_table


def digits(family):
    """Return 8×8 digits, as series their rows of pixels one after another."""
    table = read_table("sklearn:digits")
    return TableData(replace(table, image=(1, 1, 64)) if family == "conv1d" else table)


@pytest.fixture(scope="module", params=["cnn", "resnet", "conv1d"])
def images(request, tmp_path_factory):
    """A search of a moment."""
    folder = tmp_path_factory.mktemp(request.param)
    document = yaml.safe_load(find_space_file(request.param).read_text())
    document["training"].update(epochs=3, least_steps=0)
    document["dimensions"]["depth"] = {"value": 2}
    if request.param == "resnet":
        document["dimensions"]["blocks"] = {"value": 1}
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(document))
    return slaf_automl.search(
        digits(request.param),
        budget=4_000,
        trials=2,
        space=path,
        confirmations=1,
        out=folder / "run",
    )


def test_stored_and_counted_values_are_one_number(images):
    stored = sum(t.numel() for t in load_file(images.folder / "best/model.safetensors").values())
    metrics = json.loads((images.folder / "best/metrics.json").read_text())
    assert stored == metrics["parameters"] == count_cost(images.best.architecture).parameters
    assert stored <= 4_000
    assert (images.folder / "best/MODEL_CARD.md").read_text().count("\n| ") >= len(
        images.best.architecture.placement
    )


def test_the_bundle_reproduces_its_figures_in_onnxruntime_and_torch(images):
    x, y = digits(images.best.architecture.family).open_test()
    session = onnxruntime.InferenceSession(images.folder / "best/model.onnx")
    outputs, _, labels = session.run(None, {"features": x.numpy()})
    network = slaf_automl.load(images.folder)
    assert np.abs(network(x).numpy() - outputs).max() < 1e-3
    accuracy = float((torch.tensor(labels) == y).float().mean())
    assert accuracy == pytest.approx(images.metrics["exported"]["test"])


def test_most_digits_are_told_apart(images):
    assert images.metrics["exported"]["test"] > 0.5
