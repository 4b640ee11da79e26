"""An activation of the inputs end to end: search, bundle, ONNX, predictions, report, card."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pyarrow.csv
import pytest
import yaml
from safetensors.torch import load_file

import slaf_automl
from slaf_automl.cli import main
from slaf_automl.networks import count_cost
from slaf_automl.training import TableData


@pytest.fixture(scope="module", params=["tent", "chebyshev"])
def found(request, tmp_path_factory, quick_space):
    """A search of a moment in which the mix must learn a function of every input, and has gaps."""
    folder = tmp_path_factory.mktemp("inputs")
    document = yaml.safe_load(quick_space.read_text())
    fixed = {"activation": "slaf", "basis": request.param, "degree": 4}
    document["dimensions"].update({f"inputs.{n}": {"value": v} for n, v in fixed.items()})
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(document))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 3)) * (1.0, 10.0, 0.1) + (0.0, 500.0, 0.0)
    # What single inputs say, and a sum of them cannot: the mix wins.
    y = 10 * np.abs(x[:, 0]) + np.abs(x[:, 1] - 500) + rng.normal(size=160) * 0.1
    cells = [[f"{v:.6f}" for v in row] for row in x]
    for row in cells[::7]:
        row[0] = ""
    lines = [",".join([*row, f"{v:.6f}"]) for row, v in zip(cells, y, strict=True)]
    table = folder / "table.csv"
    table.write_text("\n".join(["a,b,c,y", *lines]) + "\n")
    return table, slaf_automl.search(
        str(table), budget=120, trials=4, space=path, confirmations=2, out=folder / "run"
    )


def test_the_network_stores_what_is_counted(found):
    _, result = found
    architecture = result.best.architecture
    metrics = result.metrics
    if metrics["winner"] == "mix":
        assert architecture.input_activation["degree"] == 4
    stored = load_file(result.folder / "best/model.safetensors")
    counted = count_cost(architecture).parameters
    assert sum(t.numel() for t in stored.values()) == counted == metrics["parameters"] <= 120


def test_the_mix_wins(found):
    assert found[1].metrics["winner"] == "mix"
    assert found[1].best.architecture.input_activation is not None
    candidate = json.loads((found[1].folder / "best/candidate.json").read_text())
    assert "input_activation" in json.dumps(candidate)


def test_loaded_exported_and_predicted_rows_are_the_same(found, tmp_path, capsys):
    table, result = found
    x, y = TableData.load(str(table)).open_test()
    network = slaf_automl.load(result.folder)
    far = x + 1000 * (x - x.nanmean(0))
    session = onnxruntime.InferenceSession(result.folder / "best/model.onnx")
    for rows in (x, far):
        outputs = session.run(["output"], {"features": rows.numpy()})[0]
        wanted = network(rows).detach().numpy()
        assert np.isfinite(outputs).all()
        assert np.abs(wanted - outputs).max() < 1e-4 * max(1.0, np.abs(wanted).max())
    rmse = float(((network(x).squeeze(1) - y) ** 2).mean().sqrt())
    assert rmse == pytest.approx(result.metrics["exported"]["test"], rel=1e-4)
    target = tmp_path / "predictions.csv"
    assert main(["predict", str(result.folder), str(table), "--out", str(target)]) == 0
    predicted = pyarrow.csv.read_csv(target)
    assert predicted.num_rows == 160
    assert np.isfinite(predicted["prediction"].to_numpy()).all()
    capsys.readouterr()


@pytest.mark.parametrize("found", ["tent"], indirect=True)
def test_the_card_and_the_page_name_it(found, capsys):
    _, result = found
    basis = result.best.architecture.input_activation["basis"]
    card = "\n".join(p.read_text() for p in (result.folder / "best").glob("*.md"))
    assert basis in card
    assert "input" in card
    assert main(["report", str(result.folder)]) == 0
    capsys.readouterr()
    (page,) = result.folder.rglob("*.html")
    text = page.read_text()
    assert basis in text
    assert "inputs" in text
