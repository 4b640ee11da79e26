"""Every kind of source from the command line: searched, exported, and predicted from as it is."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from sklearn.datasets import load_digits

import slaf_automl
from slaf_automl.cli import main
from slaf_automl.spaces.files import find_space_file
from slaf_automl.training import TableData

ROWS = 300


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Some 8×8 digits of three classes, and those of each in turn."""
    x, y = load_digits(n_class=3, return_X_y=True)
    return (x[:ROWS] * 15).astype(np.uint8).reshape(-1, 8, 8), y[:ROWS].astype(np.uint8)


def npz(folder: Path) -> Path:
    x, y = digits()
    path = folder / "digits.npz"
    np.savez(path, X_train=x[:200], y_train=y[:200], X_test=x[200:], y_test=y[200:])
    return path


def idx(folder: Path) -> Path:
    x, y = digits()
    folder = folder / "idx"
    folder.mkdir()
    for prefix, part in (("train", slice(0, 200)), ("t10k", slice(200, ROWS))):
        for name, values in (("images-idx3", x[part]), ("labels-idx1", y[part])):
            head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(
                f">{values.ndim}I", *values.shape
            )
            content = gzip.compress(head + values.tobytes())
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(content)
    return folder


def pictures(folder: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    x, y = digits()
    for i, (pixels, label) in enumerate(zip(x, y, strict=True)):
        part = folder / "pictures" / ("train" if i < 200 else "test") / f"digit {label}"
        part.mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels).save(part / f"{i:03}.png")
    return folder / "pictures"


def parquet(folder: Path) -> Path:
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, ROWS))
    shade = np.where(random.random(ROWS) < 0.5, "dark", "light")
    a[::9] = np.nan
    columns = {"a": pa.array(a, from_pandas=True), "shade": shade, "b": b > 0}
    y = np.nan_to_num(a) + (shade == "dark") - b
    path = folder / "table.parquet"
    pyarrow.parquet.write_table(pa.table({**columns, "y": y, "z": y**2}), path)
    return path


def series(folder: Path) -> Path:
    random = np.random.default_rng(0)
    y = random.integers(0, 3, ROWS)
    x = random.normal(size=(ROWS, 24)) * 0.3 + np.sin(np.arange(24) * (1 + y[:, None]) / 3)
    path = folder / "series.npz"
    np.savez(path, X=x, y=y)
    return path


CASES = {
    "npz": (npz, "cnn", [], 100),
    "idx": (idx, "cnn", [], 100),
    "pictures": (pictures, "cnn", ["--class-weights", "balanced", "--metric", "f1"], 100),
    "parquet": (parquet, "mlp", ["--target", "y,z", "--metric", "mae"], 60),
    "series": (series, "conv1d", ["--shape", "1x24", "--metric", "auroc"], 60),
}


def without_labels(case: str, folder: Path, source: Path) -> list[tuple[Path, tuple[int, int]]]:
    """Return copies of some rows without their labels, and which rows of the source they are."""
    bare = folder / "bare"
    bare.mkdir()
    if case == "idx":
        name = "train-images-idx3-ubyte.gz"
        shutil.copy(source / name, bare / name)
        return [(bare / name, (0, 200))]
    if case == "pictures":
        zeros = sorted((source / "train" / "digit 0").iterdir())
        for path in zeros:
            shutil.copy(path, bare / path.name)
        return [(bare, (0, len(zeros))), (zeros[3], (3, 1))]
    if case == "parquet":
        table = pyarrow.parquet.read_table(source).drop_columns(["y", "z"])
        pyarrow.parquet.write_table(table.slice(0, 50), bare / "table.parquet")
        return [(bare / "table.parquet", (0, 50))]
    with np.load(source) as archive:
        x = archive["X" if case == "series" else "X_train"]
    np.savez(bare / "rows.npz", X=x[:1])
    return [(bare / "rows.npz", (0, 1))]


@pytest.mark.parametrize("case", CASES)
def test_the_raw_source_gives_the_figures_of_the_search(case, tmp_path, capsys):
    make, family, options, test_rows = CASES[case]
    source, out = make(tmp_path), tmp_path / "run"
    document = yaml.safe_load(find_space_file(family).read_text())
    document["training"].update(epochs=3, least_steps=0, first_rung=1)
    document["dimensions"]["depth"] = {"value": 2}
    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(document))
    words = [str(source), *options, "--space", str(space), "--out", str(out)]
    assert main(["search", *words, "--budget", "900", "--trials", "2", "--confirmations", "1"]) == 0
    assert f"{test_rows} test rows" in capsys.readouterr().out
    figures = json.loads((out / "best" / "metrics.json").read_text())
    assert main(["predict", str(out), str(source), "--out", str(tmp_path / "p.csv")]) == 0
    predicted = pyarrow.csv.read_csv(tmp_path / "p.csv")
    for bare, rows in without_labels(case, tmp_path, source):
        assert main(["predict", str(out), str(bare), "--out", str(tmp_path / "q.csv")]) == 0
        found, wanted = pyarrow.csv.read_csv(tmp_path / "q.csv"), predicted.slice(*rows)
        for name in wanted.column_names[case != "parquet" :]:
            assert np.allclose(found.column(name), wanted.column(name), rtol=1e-4, atol=1e-6)
        if case != "parquet":
            assert found.column("prediction").equals(wanted.column("prediction"))
    data = TableData.load(
        source,
        ["y", "z"] if case == "parquet" else None,
        shape=(1, 24) if case == "series" else None,
    )
    assert predicted.num_rows == len(data.table.y)
    rows = data.rows.test
    if case == "parquet":
        found = np.stack([predicted.column(f"prediction_{n}").to_numpy() for n in "yz"], 1)
        wanted = np.abs(found[rows] - data.table.y[rows]).mean()
        assert figures["exported"]["test"] == pytest.approx(wanted, rel=1e-5)
        return
    labels = np.array(predicted.column("prediction").to_pylist())
    right = (labels[rows] == data.table.y[rows]).mean()
    network, (x, y) = slaf_automl.load(out), data.open_test()
    assert (network(x).argmax(1) == y).float().mean() == pytest.approx(right)
    if case in ("npz", "idx"):
        assert figures["exported"]["test"] == pytest.approx(right)


@pytest.mark.parametrize(
    ("case", "family", "words"),
    [
        (series, "conv1d", "expected series"),
        (series, "cnn", "expected images"),
        (parquet, "conv1d", "expected series"),
    ],
)
def test_a_space_for_other_data_is_one_line(case, family, words, tmp_path, capsys):
    arguments = ["--space", family, "--budget", "900", "--out", str(tmp_path / "run")]
    assert main(["search", str(case(tmp_path)), *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
