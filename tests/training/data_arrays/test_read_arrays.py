"""Which reader a path belongs to."""

import sys

import numpy as np
import pytest

from slaf_automl.errors import SlafError
from slaf_automl.training.data.arrays import ArraySet, read_arrays

IDX = {
    "train-images-idx3-ubyte": bytes.fromhex("00000803 00000002 00000001 00000002 01020304"),
    "train-labels-idx1-ubyte": bytes.fromhex("00000801 00000002 0506"),
}


@pytest.fixture
def mnist(tmp_path):
    for name, content in IDX.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_archives(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.eye(4), y=np.arange(4), z=np.ones(4), train_idx=[[0, 1], [2, 3]],
             test_idx=[[2, 3], [0, 1]])  # fmt: skip
    assert isinstance(read_arrays(path), ArraySet)
    held = read_arrays(str(path), "z", split=1)
    assert (held.target, held.part.tolist()) == ("z", [2, 2, 0, 0])


def test_single_arrays_are_refused(tmp_path, complaint):
    np.save(tmp_path / "data.npy", np.eye(4))
    assert "is a single array" in complaint(read_arrays, tmp_path / "data.npy")


def test_a_missing_archive_is_named(tmp_path, complaint):
    assert "no such file" in complaint(read_arrays, tmp_path / "data.npz")


def test_idx_files_and_their_folder(mnist):
    for path in (mnist, mnist / "train-images-idx3-ubyte"):
        assert read_arrays(path).x.tolist() == [[[1, 2]], [[3, 4]]]


@pytest.mark.parametrize("name", IDX)
def test_a_folder_of_half_of_idx_is_still_one(mnist, complaint, name):
    (mnist / name).unlink()
    assert f"holds no {name}" in complaint(read_arrays, mnist)


def test_other_targets_than_the_label_are_refused(mnist, complaint):
    assert read_arrays(mnist, "label").y.tolist() == [5, 6]
    assert "has no 'price' to predict; expected 'label'" in complaint(read_arrays, mnist, "price")


@pytest.mark.parametrize("inner", ["a.png", "cat/a.jpg", "train/cat/a.WEBP"])
def test_a_folder_with_an_image_is_one_of_images(tmp_path, monkeypatch, inner):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    path = tmp_path / inner
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if path.parent == tmp_path:
        (tmp_path / "cat").mkdir()
    with pytest.raises(SlafError, match=r"Pillow|no class"):
        read_arrays(tmp_path)


def test_images_are_read(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        image.new("L", (3, 2)).save(tmp_path / name / "0.png")
    assert read_arrays(tmp_path).y.tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    "files",
    [
        [],
        ["part-0.parquet"],
        ["year=2024/part-0.parquet"],
        ["notes/images.txt", ".hidden/a.png"],
        ["a/b/c/too-deep.png"],
    ],
)
def test_other_folders_are_none_of_these(tmp_path, files):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert read_arrays(tmp_path) is None


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "sklearn:iris", "a.png", "no"])
def test_other_paths_are_none_of_these(name):
    assert read_arrays(name) is None
