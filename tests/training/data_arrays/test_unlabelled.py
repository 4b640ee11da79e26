"""Rows to predict that come without labels, and what is left to the readers of labelled ones."""

import struct

import numpy as np
import pytest

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.unlabelled import read_unlabelled


def idx(path, values):
    head = struct.pack(">HBB", 0, 8, values.ndim)
    path.write_bytes(head + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes())


def test_an_archive_of_features_alone(tmp_path):
    x, path = np.arange(12.0).reshape(3, 4), tmp_path / "rows.npz"
    np.savez(path, X=x, feature_names=np.array(list("abcd")))
    found = read_unlabelled(path)
    assert np.array_equal(found.x, x)
    assert found.features == ("a", "b", "c", "d")
    np.savez(path, x=x[:1])
    assert read_unlabelled(str(path)).x.shape == (1, 4)


@pytest.mark.parametrize("more", [{"y": np.zeros(3)}, {"X_train": np.zeros((2, 4))}])
def test_an_archive_with_labels_is_left_to_its_reader(tmp_path, more):
    np.savez(tmp_path / "rows.npz", X=np.zeros((3, 4)), **more)
    assert read_unlabelled(tmp_path / "rows.npz") is None


def test_images_without_their_labels(tmp_path):
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    idx(tmp_path / "train-images-idx3-ubyte", values)
    assert np.array_equal(read_unlabelled(tmp_path / "train-images-idx3-ubyte").x, values)
    idx(tmp_path / "train-labels-idx1-ubyte", values[:, 0, 0])
    assert read_unlabelled(tmp_path / "train-images-idx3-ubyte") is None
    assert read_unlabelled(tmp_path / "train-labels-idx1-ubyte") is None
    assert read_unlabelled(tmp_path) is None


def test_pictures_without_classes(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.arange(36, dtype=np.uint8).reshape(2, 3, 6)
    for i, one in enumerate(pixels):
        image.fromarray(one).save(tmp_path / f"{i}.png")
    assert np.array_equal(read_unlabelled(tmp_path).x, pixels)
    assert np.array_equal(read_unlabelled(tmp_path / "1.png").x, pixels[1:])
    (tmp_path / "notes.txt").write_text("no image")
    assert read_unlabelled(tmp_path) is None


def test_damage_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK and no more")
    with pytest.raises(DataError, match=r"a\.npz"):
        read_unlabelled(tmp_path / "a.npz")
    pytest.importorskip("PIL.Image")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"a\.png"):
        read_unlabelled(tmp_path / "a.png")


def test_other_files_are_none_of_its_business(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert read_unlabelled(tmp_path / "t.csv") is None
    assert read_unlabelled(tmp_path / "nowhere.npz") is None
    (tmp_path / "empty").mkdir()
    assert read_unlabelled(tmp_path / "empty") is None
