"""Arrays and tensors in memory."""

import numpy as np
import pytest
import torch

from slaf_automl.training.data.arrays import TEST, array_set_of


def test_arrays_are_not_copied():
    x, y = np.zeros((4, 3), np.float32), np.arange(4)
    held = array_set_of(x, y)
    assert np.shares_memory(held.x, x)
    assert np.shares_memory(held.y, y)
    assert (held.source, held.target, held.part) == ("arrays", "label", None)


def test_tensors_are_detached_and_not_copied():
    x = torch.zeros(4, 3, 8, 8, requires_grad=True)
    held = array_set_of(x, torch.tensor([True, False, True, True]))
    assert held.x.ctypes.data == x.data_ptr()
    assert held.image == (3, 8, 8)
    assert held.y.tolist() == ["True", "False", "True", "True"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")
def test_tensors_of_a_device_come_back():
    assert array_set_of(torch.ones(4, 3, device="cuda"), torch.arange(4)).x.sum() == 12


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (torch.ones(4, 3, dtype=torch.bfloat16), "float32"),
        (torch.ones(4, 3, dtype=torch.float16), "float16"),
        (torch.ones(4, 3, dtype=torch.uint8), "uint8"),
        (torch.ones(4, 3, dtype=torch.complex64).imag.neg(), "float32"),
        ([[1, 2], [3, 4], [5, 6], [7, 8]], "int64"),
    ],
)
def test_dtypes_stay_where_numpy_has_them(x, dtype):
    assert array_set_of(x, torch.arange(4)).x.dtype == np.dtype(dtype)


def test_all_else_is_handed_on():
    held = array_set_of(
        np.zeros((3, 2)),
        ["a", "b", "a"],
        part=torch.tensor([0, 0, 2]),
        target="kind",
        features=["u", "v"],
        categorical=np.array([1]),
        source="mine",
    )
    assert (held.source, held.target) == ("mine", "kind")
    assert (held.features, held.categorical) == (("u", "v"), (1,))
    assert held.part.tolist() == [0, 0, TEST]
    assert held.y.tolist() == ["a", "b", "a"]


def test_series_of_pandas_and_polars_are_targets():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    x = np.zeros((3, 2))
    for series in (
        pd.Series(["a", "b", "a"]),
        pd.Series(["a", "b", "a"], dtype="category"),
        pl.Series(["a", "b", "a"]),
    ):
        assert array_set_of(x, series).y.tolist() == ["a", "b", "a"]
    assert array_set_of(x, pd.Series([1, 2, 3], dtype="Int64")).y.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (torch.eye(4).to_sparse(), [0, 1, 2, 3], "x is a sparse tensor; use .to_dense()"),
        (np.ma.masked_equal(np.eye(4), 1), [0, 1, 2, 3], "x is a masked array; fill it"),
        ([[1, 2], [3]], [0, 1], "x is no array"),
        (np.eye(4), torch.arange(3), "4 rows of features, 3 of target"),
        (np.eye(4).astype(object), [0, 1, 2, 3], "the features are object"),
        (torch.zeros(4, 9, 9, 3), [0, 1, 2, 3], "their channels last"),
        (torch.tensor([[0.0], [np.inf]]), [0, 1], "row 2 at x[1, 0]: inf"),
    ],
)
def test_unusable_values_are_named(complaint, x, y, words):
    assert words in complaint(array_set_of, x, y)
