"""Reading tables: what is accepted, and the one line that says what is wrong."""

import numpy as np
import pytest

from slaf_automl.errors import DataError
from slaf_automl.training import read_table
from slaf_automl.training.data import BUNDLED


@pytest.fixture
def csv(tmp_path):
    """Write a CSV file from text or bytes and return its path."""

    def write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def complaint(source, target=None):
    """Return the message of the error that reading must raise: one line."""
    with pytest.raises(DataError) as caught:
        read_table(source, target)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


GOOD = "a,b,y\n1,2,3\n4,5,6\n"


def test_plain_csv_is_read_with_the_last_column_as_target(csv):
    table = read_table(csv(GOOD))
    assert table.features == ("a", "b")
    assert table.x.tolist() == [[1, 2], [4, 5]]
    assert (table.target, table.y.tolist()) == ("y", [3, 6])


def test_named_target_leaves_the_other_columns_in_order(csv):
    table = read_table(csv(GOOD), "a")
    assert (table.features, table.target, table.y.tolist()) == (("b", "y"), "a", [1, 4])
    assert table.x.tolist() == [[2, 3], [5, 6]]


def test_the_path_may_be_text_or_path(csv):
    path = csv(GOOD)
    assert np.array_equal(read_table(str(path)).x, read_table(path).x)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_found_in_the_header(csv, delimiter):
    table = read_table(csv(GOOD.replace(",", delimiter)))
    assert table.features == ("a", "b")
    assert table.x.tolist() == [[1, 2], [4, 5]]


def test_delimiter_inside_quotes_does_not_count(csv):
    table = read_table(csv('"a,b,c";"d";y\n1;2;3\n'))
    assert table.features == ("a,b,c", "d")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_may_end_either_way_and_start_with_a_byte_order_mark(csv, newline):
    table = read_table(csv("\ufeff" + GOOD.replace("\n", newline)))
    assert table.features == ("a", "b")
    assert table.y.tolist() == [3, 6]


def test_boolean_features_become_zeros_and_ones(csv):
    assert read_table(csv("a,b,y\ntrue,1,2\nfalse,3,4\n")).x.tolist() == [[1, 1], [0, 3]]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (("cat", "dog", "cat"), "U", ["cat", "dog", "cat"]),
        (("3", "-1", "3"), "i", [3, -1, 3]),
        (("true", "false", "true"), "U", ["True", "False", "True"]),
        (("1.5", "2", "1e3"), "f", [1.5, 2.0, 1000.0]),
        # A label such as NA (a country, a sodium salt) is text, not a gap.
        (("NA", "SA", "NA"), "U", ["NA", "SA", "NA"]),
    ],
)
def test_target_keeps_its_type(csv, cells, kind, values):
    y = read_table(csv("x,y\n" + "".join(f"{i},{c}\n" for i, c in enumerate(cells)))).y
    assert y.dtype.kind == kind
    assert y.tolist() == values


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("\n  \n", ["is empty"]),
        ("a,b,y\n", ["header line but no rows"]),
        (b"\x7fELF\x00\x01,\x02\n", ["binary data"]),
        ("a,b\n1,2\n".encode("utf-16"), ["binary data"]),
        (b"\x89PNG\r\n\x1a\n\xff\xfe,", ["not a CSV file"]),
        ("a,b,y\n1,2,3\n4,5\n", ["not a readable CSV file", "3 columns, got 2"]),
        ("y\n1\n2\n", ["not a CSV file with columns", "'y'", "at least two names"]),
        ("a,b,a,y\n1,2,3,4\n", ["column 'a' appears 2 times", "rename"]),
        ("a,b,y\n1,2,3\n4,blue,6\n", ["row 2, column 'b'", "'blue'", "not a number"]),
        ("a;b;y\n1;2,5;3\n", ["row 1, column 'b'", "'2,5'", "not a number"]),
        ("a,b,y\n1,2,3\n4,,6\n", ["row 2, column 'b'", "empty"]),
        ("a,b,y\n1,2,3\n4,NaN,6\n", ["row 2, column 'b'", "NaN"]),
        ("a,b,y\n1,2,3\n4,inf,6\n", ["row 2, column 'b'", "inf", "finite"]),
        ("a,b,y\n1,2,3\n-inf,5,6\n", ["row 2, column 'a'", "-inf", "finite"]),
        ("a,b,y\n1,1e38,3\n4,1e39,6\n", ["row 2, column 'b'", "1e+39", "float32"]),
        ("a,b,y\n1,2020-01-31,3\n", ["column 'b'", "dates or times", "days"]),
        ("a,b,y\n1,2020-01-31 10:00:00,3\n", ["column 'b'", "dates or times"]),
        ("a,b,y\n1,10:20:30,3\n", ["column 'b'", "dates or times"]),
        ("a,b,y\n1,,3\n4,,6\n", ["column 'b' is empty", "a number in every row"]),
        ("a,b,y\n1,2,3\n4,5,\n", ["row 2, column 'y'", "empty"]),
        ("a,b,y\n1,2,3\n4,5,nan\n", ["row 2, column 'y'", "NaN"]),
        ("a,b,y\n1,2,3\n4,5,inf\n", ["row 2, column 'y'", "inf", "finite"]),
        ("a,b,y\n1,2,\n4,5,\n", ["row 1, column 'y'", "empty"]),
        ("a,b,y\n1,2,x\n4,5,\n7,8,z\n", ["row 2, column 'y'", "empty"]),
        ("a,b,y\n1,2,3\n4,1_000,6\n", ["row 2, column 'b'", "'1_000'"]),
        ("a,b,y", ["header line but no rows"]),
        ("a,y\n1,é\n2,ö\n".encode("latin1"), ["column 'y' is not UTF-8", "save the file"]),
        ("aé,y\n1,2\n".encode("latin1"), ["its header line is not UTF-8", "save the file"]),
    ],
    ids=lambda value: None if isinstance(value, list) else "",
)
def test_unusable_content_is_named_in_one_line(csv, content, words):
    path = csv(content)
    message = complaint(path)
    assert str(path) in message
    assert all(word in message for word in words), message


def test_first_bad_cell_is_the_one_named(csv):
    message = complaint(csv("a,b,y\n1,2,3\n4,inf,6\ninf,inf,9\n"))
    assert "row 2, column 'b'" in message


def test_missing_file_names_itself_and_the_bundled_sets(tmp_path):
    path = tmp_path / "nowhere.csv"
    message = complaint(path)
    assert f"no such file: {path}" in message
    assert all(f"sklearn:{name}" in message for name in BUNDLED)


def test_folder_is_not_a_table(tmp_path):
    assert f"{tmp_path} is a folder" in complaint(tmp_path)


def test_path_through_a_file_is_no_such_file(csv):
    assert "no such file" in complaint(csv(GOOD) / "inner.csv")


def test_unknown_target_lists_the_columns(csv):
    message = complaint(csv(GOOD), "price")
    assert "no column 'price'" in message
    assert "'a', 'b', 'y'" in message


def test_list_of_many_columns_is_cut(csv):
    names = [f"column{i}" for i in range(30)]
    message = complaint(csv(",".join(names) + "\n" + ",".join("1" * 30) + "\n"), "price")
    assert "'column7' and 22 more" in message
    assert "'column8'" not in message


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [
        ("digits", (1797, 64), "i"),
        ("breast_cancer", (569, 30), "U"),
        ("wine", (178, 13), "U"),
        ("iris", (150, 4), "U"),
        ("diabetes", (442, 10), "f"),
    ],
)
def test_bundled_tables_need_no_file(name, shape, kind):
    table = read_table(f"sklearn:{name}")
    assert table.x.shape == shape
    assert (len(table.features), len(table.y)) == (shape[1], shape[0])
    assert table.y.dtype.kind == kind
    assert set(BUNDLED) == {"digits", "breast_cancer", "wine", "iris", "diabetes"}


def test_unknown_bundled_name_lists_the_known_ones():
    message = complaint("sklearn:boston")
    assert "'sklearn:boston'" in message
    assert all(name in message for name in BUNDLED)


def test_bundled_table_has_only_its_own_target():
    assert np.array_equal(read_table("sklearn:iris", "target").y, read_table("sklearn:iris").y)
    assert "no column 'species'" in complaint("sklearn:iris", "species")
