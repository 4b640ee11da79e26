"""Frames of pandas, polars and Arrow as one kind of table."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from slaf_automl.training.data.arrays import is_frame, table_of

COLUMNS = {
    "whole": [1, 2, None],
    "part": [0.5, None, 2.5],
    "text": ["a", None, "c"],
    "flag": [True, None, False],
}


def test_arrow_tables_pass():
    table = pa.table(COLUMNS)
    assert table_of(table).equals(table)
    assert table_of(table.to_batches()[0]).equals(table)
    assert is_frame(table)
    assert is_frame(table.to_batches()[0])


@pytest.mark.parametrize("value", [[[1, 2]], {"a": [1]}, np.zeros((2, 2)), "table.csv", None])
def test_other_values_are_refused(complaint, value):
    assert not is_frame(value)
    assert "expected a pandas or polars DataFrame or a pyarrow Table" in complaint(table_of, value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"a": pa.array([], pa.int64())}), "has 0 rows of the columns 'a'"),
        (pa.table({}), "has 0 rows of the columns none"),
        (pa.table([[1], [2]], ["a", "a"]), "column 'a' appears 2 times; rename"),
        (pa.table([[1], [2]], ["a", ""]), "column 2 has no name"),
    ],
)
def test_unusable_tables_are_refused(complaint, table, words):
    assert words in complaint(table_of, table)


def test_neither_library_is_needed(monkeypatch, complaint):
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert table_of(pa.table({"a": [1]})).num_rows == 1
    complaint(table_of, [1])


class TestPandas:
    @pytest.fixture
    def pd(self):
        return pytest.importorskip("pandas")

    def test_gaps_become_nulls_and_the_index_is_left_out(self, pd):
        frame = pd.DataFrame(COLUMNS, index=pd.Index([9, 8, 7], name="row"))
        assert is_frame(frame)
        table = table_of(frame)
        assert table.column_names == list(COLUMNS)
        assert table.schema.metadata is None
        assert table.column("part").to_pylist() == [0.5, None, 2.5]
        # A column of integers with a gap is one of floats in pandas.
        assert table.column("whole").to_pylist() == [1.0, 2.0, None]
        assert table.column("text").to_pylist() == ["a", None, "c"]
        assert table.column("flag").to_pylist() == [True, None, False]

    def test_nullable_types_keep_their_kind(self, pd):
        kinds = {"whole": "Int64", "part": "Float64", "text": "string", "flag": "boolean"}
        table = table_of(pd.DataFrame(COLUMNS).astype(kinds))
        assert pa.types.is_integer(table.column("whole").type)
        assert pa.types.is_boolean(table.column("flag").type)
        assert table.to_pydict() == COLUMNS

    def test_arrow_backed_columns(self, pd):
        frame = pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")})
        assert table_of(frame).column("a").to_pylist() == [1, None]

    def test_categories_stay_dictionaries(self, pd):
        frame = pd.DataFrame({"a": pd.Categorical(["x", "y", None, "x"])})
        column = table_of(frame).column("a")
        assert pa.types.is_dictionary(column.type)
        assert column.to_pylist() == ["x", "y", None, "x"]

    def test_names_become_text(self, pd):
        assert table_of(pd.DataFrame({0: [1], ("a", 1): [2]})).column_names == ["0", "('a', 1)"]

    def test_a_subclass_is_a_frame_too(self, pd):
        class Mine(pd.DataFrame):
            pass

        assert table_of(Mine({"a": [1]})).column("a").to_pylist() == [1]

    def test_cells_of_several_kinds_are_refused_by_column(self, pd, complaint):
        frame = pd.DataFrame({"a": [1, 2], "b": [1, "x"]})
        message = complaint(table_of, frame)
        assert "column 'b' of the type object cannot be read" in message
        assert "cells of one kind" in message

    def test_names_that_are_alike_are_refused(self, pd, complaint):
        assert "column 'a' appears 2 times" in complaint(
            table_of, pd.DataFrame([[1, 2]], columns=["a", "a"])
        )
        assert "column '1' appears 2 times" in complaint(table_of, pd.DataFrame({1: [1], "1": [2]}))

    def test_no_rows_and_series_are_refused(self, pd, complaint):
        assert "has 0 rows" in complaint(table_of, pd.DataFrame({"a": []}))
        assert "has 0 rows" in complaint(table_of, pd.DataFrame(index=[1, 2]))
        assert "use .to_frame()" in complaint(table_of, pd.Series([1, 2]))


class TestPolars:
    @pytest.fixture
    def pl(self):
        return pytest.importorskip("polars")

    def test_columns_keep_their_kind(self, pl):
        frame = pl.DataFrame(COLUMNS)
        assert is_frame(frame)
        table = table_of(frame)
        assert pa.types.is_integer(table.column("whole").type)
        assert table.to_pydict() == COLUMNS

    def test_a_lazy_frame_is_collected(self, pl):
        frame = pl.LazyFrame(COLUMNS).filter(pl.col("whole") == 2)
        assert is_frame(frame)
        assert table_of(frame).column("whole").to_pylist() == [2]

    def test_categories_stay_dictionaries(self, pl):
        frame = pl.DataFrame(
            {
                "a": pl.Series(["x", "y", None], dtype=pl.Categorical),
                "b": pl.Series(["u", "u", "v"], dtype=pl.Enum(["u", "v"])),
            }
        )
        table = table_of(frame)
        assert all(pa.types.is_dictionary(kind) for kind in table.schema.types)
        assert table.to_pydict() == {"a": ["x", "y", None], "b": ["u", "u", "v"]}

    def test_objects_no_rows_and_series_are_refused(self, pl, complaint):
        objects = pl.DataFrame({"a": pl.Series([object()], dtype=pl.Object)})
        assert "column 'a' of the type Object cannot be read" in complaint(table_of, objects)
        assert "has 0 rows" in complaint(table_of, pl.DataFrame({"a": []}))
        assert "use .to_frame()" in complaint(table_of, pl.Series([1, 2]))
