"""Predictions of a bundle for the rows of a file."""

import csv

import numpy as np
import pyarrow as pa
import pytest
import torch

from slaf_automl.errors import DataError, SlafError
from slaf_automl.export import predict_rows, read_bundle, write_predictions
from slaf_automl.export.onnx import class_probabilities


def write_csv(path, names, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
    return path


@pytest.fixture
def rows(each, tmp_path):
    """Return a CSV file of the case's features, with enough digits to come back exactly."""
    names = each.data.info.features
    cells = [[repr(float(v)) for v in row] for row in each.data.table.x[:40]]
    return write_csv(tmp_path / "rows.csv", names, cells)


def own_outputs(case):
    x = torch.from_numpy(case.data.table.x[:40].astype(np.float32))
    with torch.no_grad():
        return read_bundle(case.folder).network(x)


def test_predictions_are_the_network_s_own(each, rows):
    bundle, info = read_bundle(each.folder), each.data.info
    found, outputs = predict_rows(bundle, rows), own_outputs(each)
    if info.task == "regression":
        assert found.column_names == ["prediction"]
        assert found["prediction"].to_pylist() == outputs[:, 0].tolist()
        return
    shares = class_probabilities(outputs)
    assert found.column_names == ["prediction", *(f"probability_{c}" for c in info.classes)]
    assert found["prediction"].to_pylist() == [info.classes[i] for i in shares.argmax(1)]
    columns = [found[f"probability_{c}"].to_pylist() for c in info.classes]
    assert np.array_equal(np.transpose(columns), shares.numpy().astype(np.float64))


def test_other_columns_and_their_order_do_not_matter(exported, tmp_path):
    case = exported("three numbers")
    bundle, x = read_bundle(case.folder), case.data.table.x[:10].round(3).tolist()
    plain = write_csv(tmp_path / "plain.csv", ("u", "v", "w"), x)
    mixed = [[w, "text", "", v, u] for u, v, w in x]
    names = ("w", "remark", "y", "v", "u")
    other = write_csv(tmp_path / "mixed.csv", names, mixed)
    assert predict_rows(bundle, other).equals(predict_rows(bundle, plain))


def test_bundled_table_is_predicted_without_a_file(exported):
    case = exported("iris")
    found = predict_rows(read_bundle(case.folder), "sklearn:iris")
    assert found.num_rows == 150
    shares = class_probabilities(own_outputs(case))
    wanted = [case.data.info.classes[i] for i in shares.argmax(1)]
    assert found["prediction"].to_pylist()[:40] == wanted


@pytest.mark.parametrize(
    ("names", "row", "words"),
    [
        (("u", "v"), [1, 2], "column 'w' is missing"),
        (("u", "v", "w"), [1, "blue", 2], "row 1, column 'v'"),
        (("u", "v", "w"), [1, "", 2], "column 'v' is empty"),
    ],
)
def test_file_that_lacks_a_feature_is_refused(exported, tmp_path, names, row, words):
    bundle = read_bundle(exported("three numbers").folder)
    with pytest.raises(DataError, match=words):
        predict_rows(bundle, write_csv(tmp_path / "rows.csv", names, [row]))


def test_predictions_are_written_as_csv(each, rows, tmp_path):
    table = predict_rows(read_bundle(each.folder), rows)
    path = tmp_path / "out.csv"
    write_predictions(table, path)
    with path.open(newline="") as file:
        names, *lines = csv.reader(file)
    assert names == table.column_names
    assert [line[0] for line in lines if each.data.info.classes] == [
        str(label) for label in table["prediction"].to_pylist() if each.data.info.classes
    ]
    numbers = np.array([line[-1] for line in lines], dtype=np.float32)
    assert np.array_equal(numbers, np.array(table.columns[-1], dtype=np.float32))


def test_unwritable_place_is_one_line_and_leaves_nothing(tmp_path):
    with pytest.raises(SlafError, match="cannot write") as caught:
        write_predictions(pa.table({"prediction": [1.0]}), tmp_path / "missing" / "out.csv")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
