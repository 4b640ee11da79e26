"""Which inputs a table's columns become, chosen on the training rows alone."""

from dataclasses import replace

import numpy as np
import pytest
from small_tables import make_table, normal_rows

from slaf_automl.errors import DataError, SpecError
from slaf_automl.spec import Column, DataInfo
from slaf_automl.training import TableData
from slaf_automl.training.data import Table
from slaf_automl.training.data.encoding import LEAST_ROWS, MOST_LEVELS, choose_encoding

ROWS = 100


def table(*columns, levels=None):
    """Return a table of these columns; `levels` by place."""
    x = np.stack([np.asarray(c, dtype=np.float64) for c in columns], 1)
    made = make_table(x, np.arange(len(x)))
    found = tuple((levels or {}).get(i) for i in range(len(columns)))
    return replace(made, levels=found if levels else None)


def choose(made):
    return choose_encoding(made, np.arange(ROWS))


def test_plain_numbers_are_not_copied():
    made = make_table(normal_rows(ROWS), np.arange(ROWS))
    encoding = choose(made)
    assert encoding.plain
    assert encoding.features == made.features
    assert encoding.encode(made) is made.x


def test_each_level_has_an_input_and_rare_ones_share_one():
    counts = [50, 40, LEAST_ROWS, LEAST_ROWS - 1, 1]
    codes = np.repeat(np.arange(5), counts)
    made = table(codes, np.arange(ROWS), levels={0: ("e", "b", "c", "d", "a")})
    encoding = choose(made)
    assert encoding.columns[0] == Column("x0", ("e", "b", "c"), other=True)
    x = encoding.encode(made)
    assert x[:, :4].sum(0).tolist() == [50, 40, LEAST_ROWS, LEAST_ROWS]
    assert (x[:, :4].sum(1) == 1).all()
    assert np.array_equal(x[:, 4], np.arange(ROWS))
    assert encoding.notes == ("column 'x0': 2 of 5 levels are rare and share an input",)


def test_no_more_levels_than_the_most():
    codes = np.arange(1000) % 30
    codes[:100] = 29
    names = tuple(f"v{i:02}" for i in range(30))
    made = table(codes, np.arange(1000), levels={0: names})
    column = choose_encoding(made, np.arange(1000)).columns[0]
    assert len(column.levels) == MOST_LEVELS
    assert "v29" in column.levels
    assert column.other


def test_levels_beyond_the_training_rows_count_for_nothing():
    codes = np.repeat([0, 1, 2], [60, 40, 50])
    made = table(codes, np.arange(150), levels={0: ("a", "b", "later")})
    assert choose(made).columns[0] == Column("x0", ("a", "b"), other=True)


def test_gaps_have_an_input_of_their_own():
    values = normal_rows(ROWS)[:, 0]
    values[3] = np.nan
    made = table(values, np.arange(ROWS))
    encoding = choose(made)
    assert encoding.features == ("x0", "x0 is missing", "x1")
    x = encoding.encode(made)
    assert np.isnan(x[3, 0])
    assert x[:, 1].tolist() == [float(i == 3) for i in range(ROWS)]


def test_what_carries_nothing_is_left_out_and_said():
    first = np.arange(float(ROWS))
    made = table(first, np.full(ROWS, 7.0), np.full(ROWS, np.nan), first, -first)
    encoding = choose(made)
    assert encoding.features == ("x0", "x4")
    assert np.array_equal(encoding.encode(made), made.x[:, [0, 4]])
    assert encoding.notes == (
        "column 'x1' has one value in the training rows: left out",
        "column 'x2' is empty in the training rows: left out",
        "column 'x3' is the same as 'x0': left out",
    )
    names = tuple(f"v{i}" for i in range(ROWS))
    spread = table(first, -first, levels={0: names})
    assert choose(spread).notes == (
        "column 'x0': none of its 100 levels has 5 training rows: left out",
    )


def test_an_images_pixels_all_stay():
    x = np.zeros((ROWS, 4))
    x[:, 3] = np.arange(ROWS)
    made = replace(make_table(x, np.arange(ROWS)), image=(1, 2, 2))
    assert choose(made).features == made.features


def test_nothing_left_is_refused():
    with pytest.raises(DataError, match="every feature is constant"):
        choose(table(np.full(ROWS, 1.0)))


def test_data_describe_their_columns():
    x = normal_rows(150, 2)
    x[:, 1] = np.arange(150) % 3
    x[::10, 0] = np.nan
    data = TableData(Table("t", ("u", "v"), x, "y", x[:, 1] + 0.5, levels=(None, ("a", "b", "c"))))
    info = data.info
    assert info.columns == (Column("u", gaps=True), Column("v", ("a", "b", "c")))
    assert info.features == ("u", "u is missing", "v=a", "v=b", "v=c")
    assert info.filled == (0,)
    assert DataInfo.from_json(info.to_json()) == info
    assert TableData(make_table(normal_rows(), np.arange(150))).info.columns is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", ("a", "a")), "a repeated level of column 'x'"),
        (("x", (), True), "column 'x' with other levels"),
        (("x", ("a",), False, True), "column 'x' with gaps"),
        ((3,), "Column.name 3"),
        (("x", (1,)), "levels of column 'x'"),
    ],
)
def test_columns_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(SpecError, match=message):
        Column(*arguments)
