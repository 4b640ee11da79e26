"""ArraySet: what it holds, how its shape is read, and what it refuses."""

import dataclasses

import numpy as np
import pytest

from slaf_automl.training.data.arrays import (
    TEST,
    TO_SPLIT,
    TRAINING,
    VALIDATION,
    ArraySet,
)
from slaf_automl.training.data.arrays.channels import require_channels_first
from slaf_automl.training.data.arrays.joining import join
from slaf_automl.training.data.parts import given_parts


def make(x=None, y=None, **options) -> ArraySet:
    x = np.zeros((4, 3)) if x is None else x
    return ArraySet("made up", x, np.arange(len(x)) if y is None else y, **options)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i8", "f2", "f4", "f8", "?", "u8"])
def test_features_keep_their_dtype_and_their_memory(dtype):
    x = np.ones((4, 3), dtype)
    held = make(x)
    assert held.x is x or np.shares_memory(held.x, x)
    assert held.x.dtype == x.dtype
    assert np.shares_memory(held.rows(), x)


def test_another_byte_order_becomes_the_machines_own():
    held = make(np.arange(6, dtype=">f4").reshape(2, 3))
    assert held.x.dtype.isnative
    assert held.x.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("shape", "image"),
    [((4, 9), None), ((4, 5, 6), (1, 5, 6)), ((4, 3, 5, 6), (3, 5, 6)), ((4, 1, 5, 6), (1, 5, 6))],
)
def test_image_is_read_off_the_shape(shape, image):
    held = make(np.zeros(shape, np.uint8))
    assert held.image == image
    assert held.rows().shape == (4, np.prod(shape[1:]))


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((1, 40), (1, 1, 40)),
        ((4, 10), (4, 1, 10)),
        ((2, 4, 5), (2, 4, 5)),
        ((np.int64(1), 5, 8), (1, 5, 8)),
        ((40,), None),
    ],
)
def test_rows_take_another_shape_without_a_copy(shape, image):
    series = make(np.arange(160.0).reshape(4, 40))
    shaped = series.with_shape(shape)
    assert shaped.image == image
    assert np.shares_memory(shaped.x, series.x)
    assert np.array_equal(shaped.rows(), series.rows())
    assert np.array_equal(shaped.with_shape((40,)).x, series.x)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1, 41), "the shape 1 x 41 for rows of 40 numbers"),
        ((), "the shape of nothing"),
        ((1, 1, 5, 8), "the shape 1 x 1 x 5 x 8"),
        ((-1, 40), "the shape -1 x 40"),
        ((-1, -40), "the shape -1 x -40"),
        ((1, 40.0), "the shape 1 x 40.0"),
        ((True, 40), "the shape True x 40"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(complaint, shape, words):
    message = complaint(make(np.zeros((4, 40))).with_shape, shape)
    assert words in message
    assert "channels x height x width or channels x length whose product is 40" in message


def test_other_fields_stay_when_the_shape_changes():
    names = tuple(f"t{i}" for i in range(4))
    held = make(np.zeros((3, 4)), part=np.array([0, 1, 2]), target="t", features=names)
    shaped = held.with_shape((1, 4))
    assert (shaped.source, shaped.target, shaped.features) == ("made up", "t", names)
    assert shaped.part.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("y", "kind", "values"),
    [
        (np.array([3, 1], np.uint8), "int64", [3, 1]),
        (np.array([3, 1], ">i4"), "int64", [3, 1]),
        (np.array([1.0, 2.0], np.float32), "float64", [1.0, 2.0]),
        (np.array([True, False]), "<U5", ["True", "False"]),
        (np.array(["a", "bc"]), "<U2", ["a", "bc"]),
        (np.array([b"a", "ö".encode()]), "<U1", ["a", "ö"]),
        (np.array(["a", "bc"], object), "<U2", ["a", "bc"]),
        (np.array([1, 2], object), "int64", [1, 2]),
        (np.array([True, False], object), "<U5", ["True", "False"]),
        (np.array([[1], [2]]), "int64", [1, 2]),
        (np.array([[1, 2], [3, 4]]), "int64", [[1, 2], [3, 4]]),
        (np.array([[1, 2.5], [3, 4]], object), "float64", [[1.0, 2.5], [3.0, 4.0]]),
    ],
)
def test_targets_become_integers_floats_or_text(y, kind, values):
    held = make(np.zeros((2, 3)), y).y
    assert held.dtype == np.dtype(kind)
    assert held.tolist() == values


def test_text_of_variable_length_is_plain_text():
    strings = getattr(np.dtypes, "StringDType", None)
    if strings is None:
        pytest.skip("this NumPy has no StringDType")
    assert make(np.zeros((2, 3)), np.array(["a", "bc"], strings())).y.dtype == np.dtype("U2")


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.zeros(3), "4 rows of features, 3 of target 'label'"),
        (np.zeros((4, 2, 2)), "target 'label' has the shape (4, 2, 2)"),
        (np.zeros((4, 0)), "target 'label' has the shape (4, 0)"),
        (np.array(1), "target 'label' has the shape ()"),
        (np.array([0, np.nan, 1, 2]), "row 2, target 'label': nan; expected a finite target"),
        (np.array([[0, 1], [0, np.inf], [0, 0], [0, 0]]), "row 2, target 'label' number 2: inf"),
        (np.array(["a", "b", "", "c"]), "row 3, target 'label' is empty or missing"),
        (np.array(["a", None, "b", "c"], object), "row 2, target 'label' is empty or missing"),
        (np.array([1, 2, 3, np.nan], object), "row 4, target 'label' is empty or missing"),
        (np.array(["a", 1, 2, 3], object), "target 'label' holds objects such as 'a'"),
        (np.array([2**70, 1, 2, 3], object), "holds objects such as"),
        (np.array([{}, {}, {}, {}], object), "holds objects such as '{}'"),
        (np.array([b"\xff", b"a", b"b", b"c"]), "target 'label' is not UTF-8 text"),
        (np.zeros(4, complex), "target 'label' holds complex128"),
        (np.zeros(4, "M8[D]"), "target 'label' holds datetime64[D]"),
        (np.array([1, 2, 3, 2**63], np.uint64), "holds 9223372036854775808"),
    ],
)
def test_unusable_targets_are_named(complaint, y, words):
    message = complaint(make, np.zeros((4, 3)), y)
    assert message.startswith("made up: ")
    assert words in message


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((0, 3)), "made up has no rows; expected at least two rows"),
        (np.zeros((1, 3)), "made up has 1 row; expected at least two rows"),
        (np.zeros(4), "features of the shape (4,)"),
        (np.zeros((4, 0)), "features of the shape (4, 0)"),
        (np.zeros((4, 3, 0)), "features of the shape (4, 3, 0)"),
        (np.zeros((4, 1, 2, 2, 2)), "features of the shape (4, 1, 2, 2, 2)"),
        (np.zeros((4, 3), object), "the features are object"),
        (np.full((4, 3), "1"), "the features are <U1"),
        (np.zeros((4, 3), complex), "the features are complex128"),
        (np.zeros((4, 3), "M8[D]"), "the features are datetime64[D]"),
        ([[1.0, 2.0], [3.0, 4.0]], "the features are list"),
    ],
)
def test_unusable_features_are_refused(complaint, x, words):
    assert words in complaint(make, x)


@pytest.mark.parametrize(
    ("value", "dtype"), [(np.inf, "f4"), (-np.inf, "f8"), (1e39, "f8"), (np.inf, "f2")]
)
def test_numbers_beyond_float32_are_named_by_row(complaint, value, dtype):
    x = np.zeros((4, 3), dtype)
    x[2, 1] = value
    assert f"row 3 at x[2, 1]: {value}" in complaint(make, x)
    assert f"row 3, column 'b': {value}" in complaint(make, x, features=("a", "b", "c"))


def test_a_bad_number_far_down_is_found(complaint):
    x = np.zeros((700_000, 3), np.float32)
    x[650_000, 2] = np.inf
    assert "row 650001 at x[650000, 2]: inf" in complaint(make, x)


def test_gaps_are_for_tables_only(complaint):
    x = np.zeros((4, 6))
    x[1, 5] = np.nan
    table = make(x)
    assert np.isnan(table.x[1, 5])
    assert "row 2 at x[1, 1, 0, 2]: nan" in complaint(table.with_shape, (2, 3))
    assert "row 2 at x[1, 1, 2]: nan" in complaint(make, x.reshape(4, 2, 3))


def test_parts_are_eight_bit_integers():
    held = make(part=np.array([TRAINING, VALIDATION, TEST, TRAINING]))
    assert held.part.dtype == np.int8
    assert held.part.tolist() == [3, 1, 2, 3]
    assert make().part is None


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ([0, 1, 2], "parts of the shape (3,)"),
        ([0, 1, 2, 4], "with values [0, 1, 2, 4]"),
        ([0, 1, 2, 0.5], "with values [0.0, 0.5, 1.0, 2.0]"),
        ([1, 1, 2, 2], "every row is a validation or test row; add training rows"),
    ],
)
def test_unusable_parts_are_refused(complaint, part, words):
    assert words in complaint(make, part=np.array(part))


@pytest.mark.parametrize(
    ("counts", "parts"),
    [
        ((2,), None),
        ((2, 1), [TO_SPLIT, TO_SPLIT, VALIDATION]),
        ((2, 0, 1), [TO_SPLIT, TO_SPLIT, TEST]),
        ((2, 1, 1), [TRAINING, TRAINING, VALIDATION, TEST]),
    ],
)
def test_training_rows_are_split_only_while_a_part_is_missing(counts, parts):
    found = given_parts(*counts)
    assert (None if found is None else found.tolist()) == parts


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"features": ("a", "b")}, "2 names for 3 features"),
        ({"features": ("a", "b", "a")}, "a name is empty or repeated among 'a', 'b', 'a'"),
        ({"features": ("a", "b", "")}, "a name is empty or repeated"),
        ({"categorical": (3,)}, "categorical columns (3,)"),
        ({"categorical": (-1,)}, "categorical columns (-1,)"),
        ({"categorical": (1, 1)}, "categorical columns (1, 1)"),
    ],
)
def test_names_and_categories_must_fit_the_columns(complaint, options, words):
    assert words in complaint(make, **options)


def test_codes_are_not_pixels(complaint):
    table = make(categorical=(0, 2))
    assert table.categorical == (0, 2)
    assert "categorical columns (0, 2)" in complaint(table.with_shape, (1, 3))


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().source = "another"


def test_channels_must_stand_first(complaint):
    message = complaint(require_channels_first, "made up", np.zeros((2, 32, 32, 3)))
    assert "images of the shape (32, 32, 3) with their channels last" in message
    assert "x.transpose(0, 3, 1, 2)" in message
    # The value itself takes them: they may be what they seem.
    assert make(np.zeros((2, 32, 32, 3))).image == (32, 32, 3)


def test_pieces_of_one_shape_are_joined(complaint):
    a, b = np.zeros((2, 3), np.uint8), np.ones((1, 3), np.uint8)
    assert join("made up", ["a"], [a]) is a
    assert join("made up", ["a", "b"], [a, b]).tolist() == [[0] * 3, [0] * 3, [1] * 3]
    message = complaint(join, "made up", ["a", "b"], [a, np.ones((1, 4), np.uint8)])
    assert "the rows of a have the shape (3,), those of b (4,)" in message
    message = complaint(join, "made up", ["a", "b"], [a, np.ones((1, 3), np.float32)])
    assert "a holds uint8, b float32; expected one kind of values" in message
