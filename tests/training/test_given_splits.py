"""Splits that follow what the source says: parts, groups, times."""

import numpy as np
import pytest
from small_tables import make_table, normal_rows

from slaf_automl.errors import DataError
from slaf_automl.training import TableData
from slaf_automl.training.data.parts import TEST, TO_SPLIT, TRAINING, VALIDATION
from slaf_automl.training.data.repeats import repeated_rows
from slaf_automl.training.data.splits import Given, split_rows

ROWS = 100


def parts(split):
    return tuple(set(part.tolist()) for part in (split.train, split.validation, split.test))


def whole(split, rows=ROWS):
    """Check that every row is in exactly one part, and return the parts."""
    found = parts(split)
    assert sum(len(part) for part in found) == rows
    assert set.union(*found) == set(range(rows))
    return found


def test_given_test_rows_stay_the_test_rows():
    part = np.full(ROWS, TO_SPLIT)
    part[60:] = TEST
    _, validation, test = whole(split_rows(ROWS, None, 0, Given(part)))
    assert test == set(range(60, ROWS))
    assert len(validation) == 12
    assert parts(split_rows(ROWS, None, 4, Given(part)))[1] != validation


def test_given_validation_rows_stay_the_validation_rows():
    part = np.full(ROWS, TO_SPLIT)
    part[:10] = VALIDATION
    _, validation, test = whole(split_rows(ROWS, None, 0, Given(part)))
    assert validation == set(range(10))
    assert len(test) == 18


def test_all_given():
    part = np.repeat([TRAINING, VALIDATION, TEST], [50, 30, 20])
    found = whole(split_rows(ROWS, None, 0, Given(part)))
    assert found == (set(range(50)), set(range(50, 80)), set(range(80, 100)))


def test_given_rows_need_not_have_every_class():
    part = np.repeat([TRAINING, VALIDATION, TEST], [50, 30, 20])
    labels = np.arange(ROWS) % 2
    labels[50:] = 0
    split_rows(ROWS, labels, 0, Given(part))
    labels[:] = 0
    labels[99] = 1
    with pytest.raises(DataError, match="class number 1 has no training rows"):
        split_rows(ROWS, labels, 0, Given(part))


def test_groups_stay_whole():
    groups = np.arange(ROWS) // 5
    for number in range(5):
        found = whole(split_rows(ROWS, None, number, Given(groups=groups)))
        for one in found:
            for other in found:
                assert one is other or not {groups[i] for i in one} & {groups[i] for i in other}
        assert 10 <= len(found[2]) <= 30
    with pytest.raises(DataError, match="2 groups; expected at least 3"):
        split_rows(ROWS, None, 0, Given(groups=np.arange(ROWS) % 2))


def test_times_are_cut_in_order():
    times = np.random.default_rng(0).permutation(ROWS).astype(float)
    train, validation, test = whole(split_rows(ROWS, None, 0, Given(times=times)))
    assert {times[i] for i in test} == set(range(80, 100))
    assert {times[i] for i in validation} == set(range(64, 80))
    assert parts(split_rows(ROWS, None, 5, Given(times=times))) == (train, validation, test)


def test_rows_that_repeat_training_rows_are_found():
    x = np.array([[1.0, np.nan], [2.0, 3.0], [1.0, np.nan], [2.0, 3.0], [2.0, 3.0]])
    y = np.array([0, 1, 0, 0, 1])
    assert repeated_rows(x, y, np.array([0, 1]), np.array([2, 3, 4])).tolist() == [2, 4]


def test_repeated_rows_are_said():
    x = normal_rows(ROWS)
    x[50:] = x[:50]
    y = x[:, 0] * 2
    notes = TableData(make_table(x, y)).notes
    assert len(notes) == 1
    assert notes[0].endswith("validation and test rows repeat training rows exactly")
    assert not TableData(make_table(normal_rows(ROWS), np.arange(ROWS))).notes
