"""Reading the features of new rows: by name, whatever else the file holds."""

import numpy as np
import pytest

from slaf_automl.errors import DataError
from slaf_automl.training import read_features, read_table


@pytest.fixture
def csv(tmp_path):
    def write(text):
        path = tmp_path / "rows.csv"
        path.write_text(text)
        return path

    return write


def test_order_of_the_columns_in_the_file_does_not_matter(csv):
    assert read_features(csv("b,a\n1,2\n3,4\n"), ("a", "b")).tolist() == [[2, 1], [4, 3]]


def test_other_columns_are_ignored_whatever_they_hold(csv):
    path = csv("id,a,when,gap,b\nx7,1,2020-01-31,,2\nx8,3,2020-02-01,,4\n")
    assert read_features(path, ("a", "b")).tolist() == [[1, 2], [3, 4]]


def test_target_need_not_be_there_and_may_be(csv):
    with_target = read_features(csv("a,b,y\n1,2,9\n"), ("a", "b"))
    assert np.array_equal(read_features(csv("a,b\n1,2\n"), ("a", "b")), with_target)


def test_file_of_one_column_is_enough_for_one_feature(csv):
    # A target needs a second column; the rows to predict do not.
    path = csv("a\n1\n2.5\n")
    assert read_features(path, ("a",)).tolist() == [[1], [2.5]]
    with pytest.raises(DataError, match="not a CSV file with columns"):
        read_table(path)
    with pytest.raises(DataError, match="column 'b' is missing"):
        read_features(path, ("b",))


def test_integers_come_back_as_float64(csv):
    assert read_features(csv("a,b\n1,2\n"), ("a", "b")).dtype == np.float64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,c\n1,2\n", ["column 'b' is missing", "'a', 'b'"]),
        ("a,b\n1,2\n3,red\n", ["row 2, column 'b'", "'red'"]),
        ("a,b\n1,2\n3,\n", ["row 2, column 'b'", "empty"]),
        ("a,b\n1,2\n1e39,2\n", ["row 2, column 'a'", "float32"]),
        ("a,b\n", ["no rows"]),
    ],
)
def test_unusable_features_are_named_in_one_line(csv, text, words):
    with pytest.raises(DataError) as caught:
        read_features(csv(text), ("a", "b"))
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert len(message.splitlines()) == 1


def test_bundled_table_gives_the_named_columns():
    table = read_table("sklearn:wine")
    chosen = (table.features[4], table.features[0])
    assert np.array_equal(read_features("sklearn:wine", chosen), table.x[:, [4, 0]])
    with pytest.raises(DataError, match="column 'petals' is missing"):
        read_features("sklearn:wine", ("petals",))
