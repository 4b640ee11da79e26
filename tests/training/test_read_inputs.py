"""Reading the inputs of new rows: by name, whatever else the file holds."""

import numpy as np
import pyarrow as pa
import pytest

from slaf_automl.errors import DataError
from slaf_automl.spec import Column, DataInfo
from slaf_automl.training import read_inputs, read_table
from slaf_automl.training.data import ArraySet


def info(*columns, image=None):
    """The data that columns, or names of plain ones, belong to."""
    plain = all(isinstance(column, str) for column in columns)
    found = tuple(Column(c) if isinstance(c, str) else c for c in columns)
    return DataInfo(
        tuple(name for c in found for name in c.inputs),
        "y",
        "regression",
        (),
        10,
        image=image,
        columns=None if plain else found,
    )


@pytest.fixture
def csv(tmp_path):
    def write(text):
        path = tmp_path / "rows.csv"
        path.write_text(text)
        return path

    return write


def read(source, *columns):
    x, notes = read_inputs(source, info(*columns))
    assert x.dtype == np.float32
    assert not notes
    return x.tolist()


def test_order_of_the_columns_in_the_file_does_not_matter(csv):
    assert read(csv("b,a\n1,2\n3,4\n"), "a", "b") == [[2, 1], [4, 3]]


def test_other_columns_are_ignored_whatever_they_hold(csv):
    path = csv("id,a,when,gap,b\nx7,1,2020-01-31,,2\nx8,3,2020-02-01,,4\n")
    assert read(path, "a", "b") == [[1, 2], [3, 4]]


def test_target_need_not_be_there_and_may_be(csv):
    assert read(csv("a,b,y\n1,2,9\n"), "a", "b") == read(csv("a,b\n1,2\n"), "a", "b")


def test_file_of_one_column_is_enough_for_one_feature(csv):
    # A target needs a second column; the rows to predict do not.
    path = csv("a\n1\n2.5\n")
    assert read(path, "a") == [[1], [2.5]]
    with pytest.raises(DataError, match="not a CSV file with columns"):
        read_table(path)
    with pytest.raises(DataError, match="column 'b' is missing"):
        read_inputs(path, info("b"))


def test_categories_and_gaps_become_the_inputs_of_training(csv):
    colour = Column("colour", ("blue", "red"), other=True)
    path = csv("colour,age\nred,4\nblue,\nmauve,6\n,7\n")
    x, notes = read_inputs(path, info(colour, Column("age", gaps=True)))
    assert x[:, :3].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert x[[0, 2, 3], 3].tolist() == [4, 6, 7]
    assert np.isnan(x[1, 3])
    assert x[:, 4].tolist() == [0, 1, 0, 0]
    assert notes == ("column 'colour': 2 rows with '(missing)', 'mauve' count as its other levels",)


def test_levels_never_seen_are_none_of_those_known(csv):
    x, notes = read_inputs(csv("c,d\nu,1\na,2\nv,3\n"), info(Column("c", ("a", "b")), "d"))
    assert x.tolist() == [[0, 0, 1], [1, 0, 2], [0, 0, 3]]
    assert notes == ("column 'c': 2 rows with 'u', 'v' count as none of its levels",)


def test_a_column_of_numbers_that_training_took_for_a_category(csv):
    column = Column("zone", ("1", "2"), other=True)
    assert read_inputs(csv("zone,b\n1,0\n2,0\n3,0\n"), info(column))[0].tolist() == [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    # A gap makes floats of integers.
    x, _ = read_inputs(csv("zone,b\n1,0\n,0\n"), info(column))
    assert x.tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,c\n1,2\n", ["column 'b' is missing", "'a', 'b'"]),
        ("a,b\n1,2\n3,red\n", ["row 2, column 'b'", "'red'"]),
        ("a,b\n1,2\n3,\n", ["row 2, column 'b'", "empty", "no gaps in training"]),
        ("a,b\n1,2\n1e39,2\n", ["row 2, column 'a'", "float32"]),
        ("a,b\n", ["no rows"]),
    ],
)
def test_unusable_features_are_named_in_one_line(csv, text, words):
    with pytest.raises(DataError) as caught:
        read_inputs(csv(text), info("a", "b"))
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert len(message.splitlines()) == 1


def test_bundled_table_gives_the_named_columns():
    table = read_table("sklearn:wine")
    chosen = (table.features[4], table.features[0])
    wanted = table.x[:, [4, 0]].astype(np.float32)
    assert np.array_equal(read("sklearn:wine", *chosen), wanted)
    with pytest.raises(DataError, match="column 'petals' is missing"):
        read_inputs("sklearn:wine", info("petals"))


def test_frames_and_arrays_serve_as_files_do():
    assert read(pa.table({"b": [1, 2], "a": [3, 4]}), "a", "b") == [[3, 1], [4, 2]]
    arrays = ArraySet(
        "made up", np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros(2), features=("u", "v")
    )
    assert read(arrays, "v", "u") == [[2, 1], [4, 3]]
    x, _ = read_inputs(arrays, info("v", Column("u", ("1", "7"))))
    assert x.tolist() == [[2, 1, 0], [4, 0, 0]]


def test_images_go_by_place():
    images = ArraySet("made up", np.arange(32, dtype=np.uint8).reshape(2, 4, 4), np.zeros(2))
    names = tuple(f"p{i}" for i in range(16))
    x, _ = read_inputs(images, info(*names, image=(1, 4, 4)))
    assert np.array_equal(x, images.rows())
    with pytest.raises(DataError, match=r"rows of 16 numbers.*expected 9"):
        read_inputs(images, info(*names[:9], image=(1, 3, 3)))
