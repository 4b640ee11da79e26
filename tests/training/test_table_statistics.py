"""Statistics of the training rows: by hand, on those rows only, and what float32 cannot hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tables import make_table, normal_rows

from slaf_automl.errors import DataError
from slaf_automl.training import TableData
from slaf_automl.training.data.splits import split_rows
from slaf_automl.training.data.statistics import CENTRE_FROM, measure

ROWS = 100


def measured(x, y=None):
    """Measure all rows of a table."""
    x = np.asarray(x, dtype=np.float64)
    targets = None if y is None else np.asarray(y, dtype=np.float64)
    table = make_table(x, np.zeros(len(x)))
    return measure(table, table.features, x, targets)


def column_at(offset):
    """Return one column of spread exactly 2 whose mean is `offset` spreads from zero."""
    return (np.tile([-2.0, 2.0], ROWS // 2) + 2.0 * offset)[:, None]


def test_mean_and_scale_by_hand():
    # Columns (1, 3) and (10, 30): means 2 and 20, population spreads 1 and 10.
    found = measured([[1, 10], [3, 30]], [5, 9])
    assert found.mean.tolist() == [2, 20]
    assert found.scale.tolist() == pytest.approx([1.0, 0.1])
    assert (float(found.target_mean), float(found.target_spread)) == (7, 2)


def test_classification_leaves_the_outputs_alone():
    found = measured([[1, 10], [3, 30]])
    assert (float(found.target_mean), float(found.target_spread)) == (0, 1)


def test_everything_is_float32():
    found = measured(normal_rows(), normal_rows()[:, 0])
    for name in ("mean", "scale", "target_mean", "target_spread"):
        assert getattr(found, name).dtype == torch.float32


def test_constant_column_has_scale_zero():
    found = measured([[1, 7.3], [3, 7.3], [2, 7.3]])
    assert float(found.scale[1]) == 0
    assert float(found.scale[0]) > 0
    assert float(found.mean[1]) == pytest.approx(7.3)


def test_constant_column_whose_mean_rounds_is_still_constant():
    # The mean of equal float64 cells may differ from them by an ulp, which is no variation.
    x = np.column_stack([normal_rows(1000)[:, 0], np.full(1000, 0.1)])
    assert float(measured(x).scale[1]) == 0


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("offset", "centred"), [(0, False), (99, False), (101, True), (200, True)])
def test_column_far_from_zero_asks_for_centred_inputs(offset, centred, sign):
    assert CENTRE_FROM == 100
    x = np.hstack([normal_rows(ROWS), column_at(sign * offset)])
    assert measured(x).centred is centred


def test_constant_column_far_from_zero_does_not_ask_for_centred_inputs():
    assert not measured(np.column_stack([normal_rows()[:, 0], np.full(150, 1e6)])).centred


def test_column_that_float32_cannot_tell_apart_is_refused():
    with pytest.raises(DataError) as caught:
        measured(np.hstack([normal_rows(ROWS), column_at(2.0**20 + 1)]))
    message = str(caught.value)
    assert "column 'x3' varies by only 2 around" in message
    assert "subtract" in message
    assert measured(column_at(2.0**20 - 1)).centred


def test_table_of_constants_is_refused():
    with pytest.raises(DataError, match="every feature is constant"):
        measured(np.full((ROWS, 2), 3.0))


@pytest.mark.parametrize("value", [0.0, 0.1, -7.0])
def test_constant_regression_target_is_refused(value):
    with pytest.raises(DataError, match="target 'y' is constant"):
        measured(normal_rows(ROWS), np.full(ROWS, value))


@pytest.mark.parametrize(
    ("mean", "spread"),
    [(0.0, 1e39), (1e25, 1e20), (1e25, 1e12), (0.0, 1e-40)],
    ids=["float32 overflows", "far away", "far away, narrow", "float32 underflows"],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_target_whose_squares_float32_cannot_hold_is_refused(mean, spread):
    y = mean + spread * normal_rows(seed=1)[:, 0]
    assert len(np.unique(y)) > 100
    with pytest.raises(DataError) as caught:
        TableData(make_table(normal_rows(), y))
    message = str(caught.value)
    assert "target 'y' has a spread of" in message
    assert message.endswith("rescale it in the file")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("spread", [1e-40, 1e20])
def test_feature_whose_square_float32_cannot_hold_is_refused_by_name(spread):
    x = normal_rows()
    x[:, 1] *= spread
    with pytest.raises(DataError) as caught:
        TableData(make_table(x, normal_rows(seed=1)[:, 0]))
    message = str(caught.value)
    assert "column 'x1' has mean" in message
    assert "expected magnitudes between 1e-15 and 1e+15" in message
    assert message.endswith("rescale it in the file")
    assert len(message.splitlines()) == 1


def test_only_training_rows_are_measured():
    x, y = normal_rows(), normal_rows(seed=1)[:, 0]
    table = make_table(x, y)
    rows = split_rows(len(x), None, 0)
    statistics = TableData(table).statistics
    np.testing.assert_allclose(statistics.mean, x[rows.train].mean(0), rtol=1e-6)
    np.testing.assert_allclose(statistics.scale, 1 / x[rows.train].std(0), rtol=1e-6)
    np.testing.assert_allclose(statistics.target_mean, y[rows.train].mean(), rtol=1e-5)
    np.testing.assert_allclose(statistics.target_spread, y[rows.train].std(), rtol=1e-6)


@pytest.mark.parametrize("part", ["validation", "test", "train"])
def test_changed_rows_change_the_statistics_only_if_they_are_training_rows(part):
    x, y = normal_rows(), normal_rows(seed=1)[:, 0]
    table = make_table(x, y)
    rows = getattr(split_rows(len(x), None, 0), part)
    moved_x, moved_y = x.copy(), y.copy()
    moved_x[rows] += 1e3
    moved_y[rows] *= 50
    before = TableData(table).statistics
    after = TableData(replace(table, x=moved_x, y=moved_y)).statistics
    changed = [
        not torch.equal(getattr(before, name), getattr(after, name))
        for name in ("mean", "target_mean", "target_spread")
    ]
    assert changed == [part == "train"] * 3
    assert torch.equal(before.scale, after.scale) or part == "train"
