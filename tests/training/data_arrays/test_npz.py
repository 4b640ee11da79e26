"""NumPy archives: the forms that are read, and the one line that says what is wrong."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from slaf_automl.training.data.arrays import TEST, TO_SPLIT, TRAINING, VALIDATION, read_npz

X = np.arange(18.0).reshape(6, 3)
Y = np.arange(6) * 10


@pytest.fixture
def npz(tmp_path):
    """Write an archive and return its path."""

    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return path

    return write


def parts(prefix="X", target="y", **rows):
    """Return arrays such as X_train and y_train, with the row's number in every cell."""
    arrays, start = {}, 0
    for name, count in rows.items():
        number = np.arange(start, start + count)
        arrays[f"{prefix}_{name}"] = np.repeat(number, 4).reshape(count, 2, 2).astype(np.uint8)
        arrays[f"{target}_{name}"] = number
        start += count
    return arrays


@pytest.mark.parametrize("letter", ["X", "x"])
def test_features_and_target_are_read_under_their_names(npz, letter):
    held = read_npz(npz(**{letter: X}, y=Y))
    assert np.array_equal(held.x, X)
    assert (held.y.tolist(), held.target, held.part) == (Y.tolist(), "y", None)
    assert (held.features, held.categorical) == (None, ())


def test_path_may_be_text_and_the_archive_compressed(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, X=X, y=Y)
    held = read_npz(str(path))
    assert held.source == str(path)
    assert np.array_equal(held.x, X)


def test_another_target_can_be_named(npz):
    held = read_npz(npz(X=X, y=Y, price=Y / 2), "price")
    assert (held.target, held.y.tolist()) == ("price", (Y / 2).tolist())
    arrays = parts(target="price", train=3, test=2)
    assert read_npz(npz(**arrays), "price").y.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("letter", ["X", "x"])
def test_given_test_rows_follow_the_training_rows(npz, letter):
    held = read_npz(npz(**parts(letter, train=3, test=2)))
    assert held.part.tolist() == [TO_SPLIT] * 3 + [TEST] * 2
    assert held.x[:, 0, 0].tolist() == held.y.tolist() == [0, 1, 2, 3, 4]
    assert (held.image, held.x.dtype) == ((1, 2, 2), np.uint8)


@pytest.mark.parametrize("word", ["val", "validation"])
def test_given_validation_rows_too_leave_nothing_to_split(npz, word):
    held = read_npz(npz(**parts(train=3, test=2, **{word: 1})))
    assert held.part.tolist() == [TRAINING] * 3 + [VALIDATION] + [TEST] * 2
    # Written after the test rows, read before them.
    assert held.x[:, 0, 0].tolist() == held.y.tolist() == [0, 1, 2, 5, 3, 4]


def test_only_validation_rows_leave_the_test_rows_to_split(npz):
    held = read_npz(npz(**parts(train=3, val=2)))
    assert held.part.tolist() == [TO_SPLIT] * 3 + [VALIDATION] * 2


def test_indices_of_one_split_name_the_parts(npz):
    path = npz(X=X, y=Y, train_idx=[5, 0, 2, 4], test_idx=[1, 3])
    for split in (0, 7):
        held = read_npz(path, split=split)
        assert held.part.tolist() == [0, TEST, 0, TEST, 0, 0]
        assert np.array_equal(held.x, X)


def test_the_split_is_chosen_among_several(npz):
    path = npz(X=X, y=Y, train_idx=[[0, 1, 2, 3], [2, 3, 4, 5]], test_idx=[[4, 5], [0, 1]])
    assert read_npz(path).part.tolist() == [0, 0, 0, 0, TEST, TEST]
    assert read_npz(path, split=1).part.tolist() == [TEST, TEST, 0, 0, 0, 0]


def test_rows_of_no_part_are_left_out(npz):
    held = read_npz(npz(X=X, y=Y, train_idx=[4, 0], test_idx=[2]))
    assert held.x[:, 0].tolist() == [0, 6, 12]
    assert (held.y.tolist(), held.part.tolist()) == ([0, 20, 40], [0, TEST, 0])


def test_indices_of_validation_rows_leave_nothing_to_split(npz):
    held = read_npz(npz(X=X, y=Y, train_idx=[0, 1, 2], val_idx=[3], test_idx=[4, 5]))
    assert held.part.tolist() == [TRAINING] * 3 + [VALIDATION, TEST, TEST]


def test_names_categories_and_classes_are_read(npz):
    held = read_npz(
        npz(
            X=X,
            y=np.array([0, 1, 1, 0, 1, 0], np.int16),
            feature_names=np.array(["a", "b", "c"]),
            cat_cols=np.array([1, 2], np.int32),
            classes=np.array(["no", "yes"]),
        )
    )
    assert (held.features, held.categorical) == (("a", "b", "c"), (1, 2))
    assert held.y.tolist() == ["no", "yes", "yes", "no", "yes", "no"]


@pytest.mark.parametrize("y", [Y, Y.astype(float), Y.astype(str), np.arange(6) - 1])
def test_classes_are_names_of_indices_only(npz, y):
    held = read_npz(npz(X=X, y=y, classes=np.array(list("abcdef")), cat_cols=np.array([])))
    assert np.array_equal(held.y, y)
    assert held.categorical == ()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": X}, ["holds no array 'y'", "it holds 'X'", "--target"]),
        ({"y": Y}, ["holds no array 'X'", "X and y, or X_train"]),
        ({}, ["holds no array 'X'", "it holds none"]),
        ({"X_test": X, "y_test": Y}, ["holds no array 'X'"]),
        ({"X_train": X, "X_test": X, "y_test": Y}, ["holds no array 'y_train'"]),
        ({"X_train": X, "y_train": Y, "X_test": X}, ["holds no array 'y_test'"]),
        ({"X_train": X, "y_train": Y, "y_test": Y}, ["holds no array 'X_test'"]),
        ({"X": X, "X_train": X, "y_train": Y}, ["holds 'X' and 'X_train'", "one or the other"]),
        (
            {**parts(train=2, val=2), **parts(validation=2)},
            ["holds 'X_val' and 'X_validation'", "one or the other"],
        ),
        ({"X": X, "y": Y[:5]}, ["'X' has 6 rows, 'y' 5", "as many"]),
        ({**parts(train=3, test=2), "y_test": Y}, ["'X_test' has 2 rows, 'y_test' 6"]),
        ({"X": X, "y": np.array(1)}, ["'y' is a single value"]),
        ({"X": X[:0], "y": Y[:0]}, ["has no rows", "at least two rows"]),
        ({"X": X[:1], "y": Y[:1]}, ["has 1 row", "at least two rows"]),
        ({"X": X.astype(object), "y": Y}, ["'X' holds pickled objects", "X.astype(float)"]),
        ({"X": X, "y": Y.astype(object)}, ["'y' holds pickled objects", "y.astype(str)"]),
        ({"X": X.astype(str), "y": Y}, ["the features are <U"]),
        ({"X": np.where(X == 4, np.inf, X), "y": Y}, ["row 2 at x[1, 1]: inf"]),
        (
            {**parts(train=3), "X_test": np.zeros((2, 2, 3), np.uint8), "y_test": Y[:2]},
            ["rows of X_train have the shape (2, 2), those of X_test (2, 3)"],
        ),
        (
            {**parts(train=3), "X_test": np.zeros((2, 2, 2)), "y_test": Y[:2]},
            ["X_train holds uint8, X_test float64"],
        ),
        (
            {**parts(train=3, test=2), "y_test": np.array(["a", "b"])},
            ["y_train holds int64, y_test <U1"],
        ),
        ({"X": X, "y": Y, "train_idx": [0, 1]}, ["holds no array 'test_idx'"]),
        ({"X": X, "y": Y, "test_idx": [0, 1]}, ["holds no array 'train_idx'"]),
        ({"X": X, "y": Y, "train_idx": [0, 6], "test_idx": [1]}, ["names the row 6", "0 to 5"]),
        ({"X": X, "y": Y, "train_idx": [0, -1], "test_idx": [1]}, ["names the row -1"]),
        (
            {"X": X, "y": Y, "train_idx": [0, 1], "test_idx": [2, 1]},
            ["'test_idx' names the row 1, which is taken already"],
        ),
        ({"X": X, "y": Y, "train_idx": [3, 3], "test_idx": [1]}, ["'train_idx' names the row 3"]),
        ({"X": X, "y": Y, "train_idx": [0.0], "test_idx": [1]}, ["'train_idx' holds float64"]),
        (
            {"X": X, "y": Y, "train_idx": np.zeros((1, 1, 1), int), "test_idx": [1]},
            ["of the shape (1, 1, 1)", "(rows,) or (splits, rows)"],
        ),
        ({"X": X, "y": Y, "feature_names": np.array([1, 2, 3])}, ["'feature_names' holds int64"]),
        ({"X": X, "y": Y, "feature_names": np.array(["a"])}, ["1 names for 3 features"]),
        ({"X": X, "y": Y, "cat_cols": np.array([0.5])}, ["'cat_cols' holds float64"]),
        ({"X": X, "y": Y, "cat_cols": np.array([3])}, ["categorical columns (3,)"]),
        ({"X": X, "y": Y, "classes": np.array(["a", "a"])}, ["'classes' repeats a name"]),
        (
            {"X": np.zeros((6, 8, 8, 3)), "y": Y},
            ["(8, 8, 3) with their channels last", "transpose(0, 3, 1, 2)"],
        ),
    ],
)
def test_unusable_arrays_are_named_in_one_line(npz, complaint, arrays, words):
    path = npz(**arrays)
    message = complaint(read_npz, path)
    assert str(path) in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize("split", [2, -1])
def test_a_split_that_is_not_there_is_refused(npz, complaint, split):
    path = npz(X=X, y=Y, train_idx=[[0, 1], [1, 2]], test_idx=[[4, 5], [0, 3]])
    message = complaint(read_npz, path, split=split)
    assert f"split {split} of 'train_idx'; expected 0 to 1" in message


def test_missing_target_lists_what_is_there(npz, complaint):
    message = complaint(read_npz, npz(X=X, y=Y), "price")
    assert "holds no array 'price'" in message
    assert "it holds 'X', 'y'" in message


def test_a_single_array_is_refused_with_advice(tmp_path, complaint):
    path = tmp_path / "data.npy"
    np.save(path, X)
    message = complaint(read_npz, path)
    assert "is a single array" in message
    assert "numpy.savez(path, X=features, y=target)" in message
    renamed = path.rename(tmp_path / "data.npz")
    assert "is a single array" in complaint(read_npz, renamed)


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95, 0.99])
def test_a_truncated_archive_is_damaged(npz, complaint, kept):
    path = npz(X=X, y=Y)
    os.truncate(path, int(path.stat().st_size * kept))
    assert f"{path} is damaged or cut short" in complaint(read_npz, path)


@pytest.mark.parametrize("place", [200, 240])
def test_a_changed_byte_is_found(npz, complaint, place):
    path = npz(X=X, y=Y)
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    assert "is damaged or cut short" in complaint(read_npz, path)


def test_a_header_of_impossible_size_is_damaged(tmp_path, complaint):
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)}
    )
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", member.getvalue())
        archive.writestr("y.npy", member.getvalue())
    assert "is damaged or cut short" in complaint(read_npz, path)


def test_what_is_no_array_in_an_archive_is_refused(tmp_path, complaint):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", b"not an array")
        archive.writestr("y.npy", b"nor this")
    assert "'X' is not an array" in complaint(read_npz, path)


class _Unpickled:
    """Says so if somebody unpickles it."""

    def __reduce__(self):
        return (pytest.fail, ("the pickle was loaded",))


@pytest.mark.parametrize("content", [b"", b"P", b"a,b\n1,2\n", pickle.dumps(_Unpickled())], ids=len)
def test_other_files_are_no_archives_and_never_unpickled(tmp_path, complaint, content):
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    assert f"{path} is not a NumPy archive" in complaint(read_npz, path)


def test_pickles_in_an_archive_are_never_loaded(npz, complaint):
    path = npz(X=np.array([_Unpickled(), _Unpickled()], object), y=Y[:2])
    assert "'X' holds pickled objects, which are not read" in complaint(read_npz, path)


def test_missing_files_and_folders_are_named(tmp_path, complaint):
    assert f"no such file: {tmp_path / 'no.npz'}" in complaint(read_npz, tmp_path / "no.npz")
    assert f"{tmp_path} is a folder" in complaint(read_npz, tmp_path)
