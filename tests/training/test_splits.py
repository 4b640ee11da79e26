"""Splits: disjoint, complete, stratified, and fixed by their number alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaf_automl.errors import DataError
from slaf_automl.training.data.splits import split_rows

LABELS = np.repeat([0, 1, 2], [100, 60, 40])


def parts(split):
    return split.train, split.validation, split.test


@given(rows=st.integers(20, 400), number=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_every_row_is_in_exactly_one_part(rows, number):
    joined = np.concatenate(parts(split_rows(rows, None, number)))
    assert np.array_equal(np.sort(joined), np.arange(rows))


def test_shares_are_a_fifth_for_test_and_a_fifth_of_the_rest():
    assert [len(part) for part in parts(split_rows(1000, None, 0))] == [640, 160, 200]


@pytest.mark.parametrize("labels", [None, LABELS])
def test_same_number_gives_the_same_rows(labels):
    first, second = split_rows(200, labels, 7), split_rows(200, labels, 7)
    for one, other in zip(parts(first), parts(second), strict=True):
        assert np.array_equal(one, other)


def test_split_zero_is_the_one_that_earlier_results_were_made_with():
    # A change here makes every stored run incomparable with new ones.
    assert split_rows(200, None, 0).test[:5].tolist() == [18, 170, 107, 98, 177]


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_different_numbers_give_different_rows(part):
    drawn = {tuple(sorted(getattr(split_rows(200, LABELS, n), part))) for n in range(5)}
    assert len(drawn) == 5


@pytest.mark.parametrize("number", range(3))
def test_class_shares_are_those_of_the_table(number):
    split = split_rows(200, LABELS, number)
    assert np.bincount(LABELS[split.test]).tolist() == [20, 12, 8]
    for part in parts(split):
        shares = np.bincount(LABELS[part]) / len(part)
        assert np.abs(shares - [0.5, 0.3, 0.2]).max() <= 1 / len(part)


@pytest.mark.parametrize("rows", [1, 19])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(DataError, match=f"^{rows} rows; expected at least 20; add rows$"):
        split_rows(rows, None, 0)


def test_twenty_rows_are_enough():
    assert [len(part) for part in parts(split_rows(20, None, 0))] == [12, 4, 4]


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat([0, 1], [99, 1]),  # a class that no two parts can share
        np.arange(100) // 2,  # more classes than test rows
    ],
)
def test_classes_too_rare_to_split_are_refused_in_one_line(labels):
    with pytest.raises(DataError) as caught:
        split_rows(100, labels, 0)
    message = str(caught.value)
    assert "cannot be split by class" in message
    assert "drop or merge the rarest classes" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("number", range(4))
def test_class_of_a_few_rows_that_some_part_would_lack_is_refused_in_words(count, number):
    with pytest.raises(DataError) as caught:
        split_rows(100, np.repeat([0, 1], [100 - count, count]), number)
    message = str(caught.value)
    assert message.startswith(f"class number 1 has {count} rows, too few for training, validation")
    assert message.endswith("drop or merge the rarest classes, or add rows")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_split_number_may_be_a_numpy_integer(kind):
    for one, other in zip(
        parts(split_rows(100, None, kind(7))), parts(split_rows(100, None, 7)), strict=True
    ):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("number", [-1, 2**32, 1.0, "0", None, True, False, np.int64(-1)])
def test_split_number_must_be_an_index(number):
    with pytest.raises(DataError, match="expected an integer from 0"):
        split_rows(100, None, number)
