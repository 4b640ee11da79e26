"""Reading tables: what is accepted, and the one line that says what is wrong."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from slaf_automl.errors import DataError
from slaf_automl.training import read_table
from slaf_automl.training.data import BUNDLED, csv_file, from_arrow, memory, parquet_file


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
        (
            "a,b,y\n1,2,3\n4,5\n",
            ["not a readable CSV file", "line 3 has 2 columns", "3 columns, as in the header"],
        ),
        ("y\n1\n2\n", ["not a CSV file with columns", "'y'", "at least two names"]),
        ("a,b,a,y\n1,2,3,4\n", ["column 'a' appears 2 times", "rename"]),
        ("a,b,y\n1,2,3\n4,blue,6\n", ["row 2, column 'b'", "'blue'", "not a number"]),
        ("a;b;y\n1;2,5;3\n", ["row 1, column 'b'", "'2,5'", "not a number"]),
        ("a,b,y\n1,2,3\n4,inf,6\n", ["row 2, column 'b'", "inf", "finite"]),
        ("a,b,y\n1,2,3\n-inf,5,6\n", ["row 2, column 'a'", "-inf", "finite"]),
        ("a,b,y\n1,1e38,3\n4,1e39,6\n", ["row 2, column 'b'", "1e+39", "float32"]),
        ("a,b,y\n1,2020-01-31,3\n", ["column 'b'", "dates or times", "days"]),
        ("a,b,y\n1,2020-01-31 10:00:00,3\n", ["column 'b'", "dates or times"]),
        ("a,b,y\n1,10:20:30,3\n", ["column 'b'", "dates or times"]),
        ("a,b,y\n1,2,3\n4,5,\n", ["row 2, column 'y'", "empty"]),
        ("a,b,y\n1,2,3\n4,5,nan\n", ["row 2, column 'y'", "NaN"]),
        ("a,b,y\n1,2,3\n4,5,inf\n", ["row 2, column 'y'", "inf", "finite"]),
        ("a,b,y\n1,2,\n4,5,\n", ["target 'y' is empty"]),
        ("a,b,y\n1,2,x\n4,5,\n7,8,z\n", ["row 2, column 'y'", "empty"]),
        ("a,b,y\n1,2,3\n4,1_000,6\n", ["row 2, column 'b'", "'1_000'"]),
        ("a,b,y", ["header line but no rows"]),
    ],
    ids=lambda value: None if isinstance(value, list) else "",
)
def test_unusable_content_is_named_in_one_line(csv, content, words):
    path = csv(content)
    message = complaint(path)
    assert str(path) in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("content", "x"),
    [
        ("a,b,y\n1,2,3\n4,,6\n", [[1, 2], [4, None]]),
        ("a,b,y\n1,2,3\n4,NaN,6\n", [[1, 2], [4, None]]),
        ("a,b,y\n1,2,3\n4,NA,6\n", [[1, 2], [4, None]]),
        ("a,b,y\n1,,3\n4,,6\n", [[1, None], [4, None]]),
        ("a,b,y\n1,true,3\n4,,6\n", [[1, 1], [4, None]]),
        ("a,b,y\n1, 2 ,3\n4, ,6\n", [[1, 2], [4, None]]),
    ],
)
def test_gaps_are_nan(csv, content, x):
    found = read_table(csv(content)).x
    assert [[None if v != v else v for v in row] for row in found.tolist()] == x


def test_text_is_a_category(csv):
    table = read_table(csv("a,b,y\n1,red,3\n4,blue,6\n5,,7\n6, red,8\n"))
    assert table.levels == (None, ("(missing)", "blue", "red"))
    assert table.x.tolist() == [[1, 2], [4, 1], [5, 0], [6, 2]]


def test_numbers_named_as_categories(csv):
    table = read_table(csv("a,b,y\n1,20,3\n1.5,3,6\n,3,7\n"), categorical=["a", "b"])
    assert table.levels == (("(missing)", "1", "1.5"), ("20", "3"))
    assert table.x.tolist() == [[1, 0], [2, 1], [0, 1]]


def test_several_targets(csv):
    path = csv("a,b,c\n1,2,3\n4,5,6.5\n")
    for target in ("b,c", ["b", "c"], "b, c"):
        table = read_table(path, target)
        assert (table.targets, table.target, table.features) == (("b", "c"), "b,c", ("a",))
        assert table.y.tolist() == [[2, 3], [5, 6.5]]
    assert "holds text" in complaint(csv("a,b,c\n1,2,u\n4,5,v\n"), ["b", "c"])


def test_latin_1_is_read_where_it_is_no_utf_8(csv):
    table = read_table(csv("größe,y\n1,é\n2,ö\n".encode("latin1")))
    assert (table.features, table.y.tolist()) == (("größe",), ["é", "ö"])
    late = "a,y\n" + "1,u\n" * 40_000 + "1,é\n"  # after all that is looked at first
    assert read_table(csv(late.encode("latin1"))).y[-1] == "é"


def test_cells_in_quotes_may_hold_lines_and_delimiters(csv):
    table = read_table(csv('a,b,y\n1,"x\n,""y""",3\n4,"z",6\n'))
    assert table.levels[1] == ('x\n,"y"', "z")


def test_groups_and_times_are_no_features(csv):
    path = csv("id,a,when,y\nu,1,2020-01-31,3\nv,2,2019-01-31,4\nu,3,2021-01-31,5\n")
    assert "dates or times" in complaint(path)
    grouped = read_table(csv("id,a,y\nu,1,3\nv,2,4\nu,3,5\n"), group="id")
    assert (grouped.features, grouped.groups.tolist()) == (("a",), [0, 1, 0])
    path = csv("id,a,when,y\nu,1,2020-01-31,3\nv,2,2019-01-31,4\nu,3,2021-01-31,5\n")
    timed = read_table(path, time="when")
    assert timed.features == ("id", "a")
    assert np.argsort(timed.times).tolist() == [1, 0, 2]
    with pytest.raises(DataError, match="ISO form"):
        read_table(csv("a,t,y\n1,31.1.2020,3\n2,1.2.2020,4\n"), time="t")
    with pytest.raises(DataError, match="no column 'day'"):
        read_table(path, time="day")
    with pytest.raises(DataError, match="one of the two"):
        read_table(path, time="when", group="id")
    with pytest.raises(DataError, match="two roles"):
        read_table(path, "y", time="y")


def test_given_parts_share_types_and_levels(tmp_path):
    for name, text in (
        ("main", "a,b,y\n1,red,3\n4,blue,6\n"),
        ("validation", "b,y,a\nblue,1,0\n"),
        ("test", "y,a,b,more\n2,1.5,mauve,9\n"),
    ):
        (tmp_path / f"{name}.csv").write_text(text)
    table = read_table(
        tmp_path / "main.csv", validation=tmp_path / "validation.csv", test=tmp_path / "test.csv"
    )
    assert table.x.tolist() == [[1, 2], [4, 0], [0, 0], [1.5, 1]]
    assert table.levels[1] == ("blue", "mauve", "red")
    assert table.part.tolist() == [3, 3, 1, 2]
    partly = read_table(tmp_path / "main.csv", test=tmp_path / "test.csv")
    assert partly.part.tolist() == [0, 0, 2]
    (tmp_path / "other.csv").write_text("a,c,y\n1,2,3\n")
    with pytest.raises(DataError, match=r"other.csv: column 'b' of .*main.csv is missing"):
        read_table(tmp_path / "main.csv", test=tmp_path / "other.csv")
    (tmp_path / "text.csv").write_text("a,b,y\nx,red,3\n")
    with pytest.raises(DataError, match=r"hold different types: .*Field a"):
        read_table(tmp_path / "main.csv", test=tmp_path / "text.csv")


def test_parquet(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table(
        {"a": [1, None, 3], "b": pa.array(["u", "v", "u"]).dictionary_encode(), "y": [1.0, 2, 3]}
    )
    pyarrow.parquet.write_table(table, path)
    found = read_table(path)
    assert (found.features, found.levels) == (("a", "b"), (None, ("u", "v")))
    pyarrow.parquet.write_table(pa.table({"a": [[1], [2]], "y": [1, 2]}), path)
    assert "column 'a' is nested" in complaint(path)
    pyarrow.parquet.write_table(
        pa.table({"a": pa.array([], pa.int64()), "y": pa.array([], pa.int64())}), path
    )
    assert "has no rows" in complaint(path)
    path.write_bytes(b"PAR1 and no more")
    assert "not a readable Parquet file" in complaint(path)


def test_a_parquet_file_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"a": np.arange(2**20), "y": np.arange(2**20)}), path)
    monkeypatch.setattr(memory, "free_memory", lambda: 2**24)
    message = complaint(path)
    assert "1,048,576 rows × 2 columns take 0.0 GiB to train" in message
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert len(read_table(path).y) == 2**20


def test_frames_and_arrays(tmp_path):
    assert read_table(pa.table({"a": [1, 2], "y": [3, 4]})).x.tolist() == [[1], [2]]
    table = read_table((np.arange(6.0).reshape(3, 2), np.array(["u", "v", "u"])))
    assert (table.features, table.y.tolist()) == (("x0", "x1"), ["u", "v", "u"])
    with pytest.raises(DataError, match="data of type dict"):
        read_table({"a": [1]})


def test_shapes_are_of_arrays(csv):
    series = (np.arange(240.0).reshape(6, 40), np.arange(6))
    assert read_table(series, shape=(1, 40)).image == (1, 1, 40)
    assert read_table("sklearn:digits", shape=(4, 4, 4)).image == (4, 4, 4)
    with pytest.raises(DataError, match="product is 40"):
        read_table(series, shape=(7, 7))
    with pytest.raises(DataError, match="a shape of a table's rows"):
        read_table(csv(GOOD), shape=(1, 2))
    with pytest.raises(DataError, match="beside arrays"):
        read_table(series, group="x0")


def test_first_bad_cell_is_the_one_named(csv):
    message = complaint(csv("a,b,y\n1,2,3\n4,inf,6\n-inf,inf,9\n"))
    assert "row 3, column 'a': -inf" in message


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


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "a,b,y\n" + "1.5,u,0\n" * 50,
        "a,b,y\n" + "1,2,0\n" * 400_000 + "1.5,2,0\n",  # no integers after all
        'a,b,y\n1.5,"x\n,y",3\n2.5,z,4\n',
        ("a,b,y\n" + "1.5,u,0\n" * 50 + "2.5,é,1\n").encode("latin1"),
        "a,b,y\n1e9,1,3\n1000000001.25,2,4\n1000000002,3,5\n",  # more digits than float32 has
    ],
    ids=["plain", "text", "late fraction", "quoted", "latin", "far"],
)
def test_a_long_file_read_in_pieces_is_the_same_table(csv, content, monkeypatch):
    path = csv(content)
    wanted = read_table(path)
    monkeypatch.setattr(csv_file, "_LONG", 0)
    found = read_table(path)
    assert (found.features, found.levels) == (wanted.features, wanted.levels)
    assert np.array_equal(found.x, wanted.x)
    assert found.y.dtype == wanted.y.dtype
    assert np.array_equal(found.y, wanted.y)


def test_a_late_cell_of_a_long_file_is_named_as_ever(csv, monkeypatch):
    monkeypatch.setattr(csv_file, "_LONG", 0)
    path = csv("a,b,y\n" + "1.5,2,0\n" * 400_000 + "1.5,z,0\n")
    assert "row 400001, column 'b': 'z' is not a number" in complaint(path)


def test_a_long_parquet_file_is_the_same_table(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    a = np.array([1.5, np.nan, 3.25])
    columns = {"a": pa.array(a, from_pandas=True), "b": ["u", None, "v"], "c": [1e9, 1e9 + 1, 1e9]}
    pyarrow.parquet.write_table(pa.table({**columns, "y": [1, 2, 3]}), path)
    wanted = read_table(path)
    monkeypatch.setattr(parquet_file, "LARGE", 0)
    found = read_table(path)
    assert found.levels == wanted.levels
    assert np.array_equal(found.x, wanted.x, equal_nan=True)
    assert found.y.dtype == np.int64


def test_a_long_table_is_kept_in_float32(csv, monkeypatch):
    monkeypatch.setattr(from_arrow, "LARGE", 0)
    assert read_table(csv(GOOD)).x.dtype == np.float32
    far = "a,b,y\n1e9,1,3\n1000000000.5,2,4\n1000000001,3,5\n"
    assert "float32 cannot tell apart" in complaint(csv(far))
