"""The ONNX file says in onnxruntime, on raw rows, what the network says in torch."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from slaf_automl.errors import BundleError
from slaf_automl.export import load
from slaf_automl.export import onnx as export
from slaf_automl.export.onnx import class_probabilities, run_onnx, to_onnx


def session_of(case):
    """Open the file as a user would, without this package."""
    return onnxruntime.InferenceSession(
        str(case.folder / "model.onnx"), providers=["CPUExecutionProvider"]
    )


def run(case, x):
    session = session_of(case)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"features": x.numpy()}), strict=True))


def torch_outputs(case, x):
    with torch.no_grad():
        return load(case.folder)(x)


def close(found, wanted, unit=1.0):
    limit = 1e-4 * np.maximum(unit, np.abs(wanted))
    return bool((np.abs(found - wanted) <= limit).all())


def test_outputs_are_the_network_s(each):
    x = each.rows()
    found, wanted = run(each, x)["output"], torch_outputs(each, x).numpy()
    assert found.shape == wanted.shape == (len(x), each.data.info.outputs)
    assert found.dtype == np.float32
    assert close(found, wanted)


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
def test_any_number_of_rows_goes_in(each, rows):
    x = each.rows()
    x = x[torch.arange(rows) % len(x)]
    found = run(each, x)
    assert all(len(values) == rows for values in found.values())
    assert close(found["output"], torch_outputs(each, x).numpy())


def test_rows_do_not_depend_on_their_neighbours(each):
    x = each.rows()
    together, alone = run(each, x)["output"], run(each, x[5:6])["output"]
    assert close(alone[0], together[5])


def test_probabilities_sum_to_one_and_labels_are_the_likeliest_class(each):
    info, x = each.data.info, each.rows()
    found = run(each, x)
    if info.task == "regression":
        assert set(found) == {"output"}
        return
    assert set(found) == {"output", "probabilities", "label"}
    shares, labels = found["probabilities"], found["label"]
    assert shares.shape == (len(x), len(info.classes))
    assert np.abs(shares.sum(1) - 1).max() < 1e-5
    assert shares.min() >= 0
    assert labels.tolist() == [info.classes[i] for i in shares.argmax(1)]
    assert len(set(labels.tolist())) > 1
    assert labels.dtype == (object if isinstance(info.classes[0], str) else np.int64)
    wanted = class_probabilities(torch_outputs(each, x)).numpy()
    assert np.abs(shares - wanted).max() < 1e-5


def test_only_standard_operators_are_used(each):
    model = onnx.load(each.folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert [(o.domain, o.version) for o in model.opset_import] == [("", export.OPSET)]
    assert list(model.functions) == []


def test_graph_takes_raw_features_and_names_its_outputs(each):
    session, info = session_of(each), each.data.info
    (taken,) = session.get_inputs()
    assert (taken.name, taken.type) == ("features", "tensor(float)")
    assert taken.shape == ["rows", len(info.features)]
    assert all(output.shape[0] == "rows" for output in session.get_outputs())


def test_every_stored_value_is_in_the_graph_unchanged(each):
    model = onnx.load(each.folder / "model.onnx")
    held = [onnx.numpy_helper.to_array(i).ravel() for i in model.graph.initializer]
    numbers = np.concatenate([a for a in held if a.dtype == np.float32])
    for tensor in load(each.folder).state_dict().values():
        assert np.isin(tensor.numpy().ravel(), numbers).all()


def test_properties_say_what_the_columns_are(each):
    properties, info = session_of(each).get_modelmeta().custom_metadata_map, each.data.info
    assert tuple(json.loads(properties["features"])) == info.features
    assert tuple(json.loads(properties["classes"])) == info.classes
    assert properties["target"] == info.target


@pytest.mark.parametrize("logit", [-80.0, -20.0, 0.0, 3.0, 20.0, 80.0])
def test_two_class_probabilities_keep_the_digits_of_small_shares(logit):
    shares = class_probabilities(torch.tensor([[logit]]))[0].double()
    exact = [1 / (1 + np.exp(logit)), 1 / (1 + np.exp(-logit))]
    assert shares.tolist() == pytest.approx(exact, rel=1e-5, abs=0)


def test_probabilities_of_several_classes_are_the_softmax():
    shares = class_probabilities(torch.tensor([[0.0, np.log(2.0), np.log(5.0)]]))
    assert shares[0].tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8])


def test_network_that_onnxruntime_does_not_reproduce_is_refused(exported, monkeypatch):
    case = exported("diabetes")
    sample = case.data.validation[0]
    monkeypatch.setattr(
        export, "run_onnx", lambda content, x: {"output": run_onnx(content, 2 * x)["output"]}
    )
    with pytest.raises(BundleError, match="differs from the network by"):
        to_onnx(case.bundle.network, case.data.info, sample, 1.0)


def test_exporting_says_nothing_and_leaves_the_random_state_alone(exported, capfd):
    case = exported("iris")
    before = torch.random.get_rng_state()
    to_onnx(case.bundle.network, case.data.info, case.data.validation[0], 1.0)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")
