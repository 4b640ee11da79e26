"""The data module: task, classes, identity, and the count of looks at the test rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tables import make_data, make_table, normal_rows

from slaf_automl.errors import DataError
from slaf_automl.training import TableData
from slaf_automl.training.data.splits import split_rows

ROWS = 150


def cycle(*values):
    """Return a target column that repeats the values."""
    return np.resize(np.array(values), ROWS)


def data_of(y, **options):
    return TableData(make_table(normal_rows(), y), **options)


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        (cycle("no", "yes"), "binary", ("no", "yes")),
        (cycle("c", "a", "b"), "multiclass", ("a", "b", "c")),
        (cycle(7, -3), "binary", (-3, 7)),
        (cycle(10, 9, 2), "multiclass", (2, 9, 10)),
        (cycle("True", "False"), "binary", ("False", "True")),
        (cycle(*range(20))[:ROWS], "multiclass", tuple(range(20))),
        (cycle(*range(21)), "regression", ()),
        (cycle(0.0, 1.0), "regression", ()),
        (cycle(0.5, 1.5, 2.5), "regression", ()),
    ],
)
def test_task_follows_from_the_target(y, task, classes):
    info = data_of(y).info
    assert (info.task, info.classes) == (task, classes)
    assert all(type(label) in (int, str) for label in info.classes)


@pytest.mark.parametrize(
    ("y", "asked", "task"),
    [
        (cycle(1, 2, 3), "regression", "regression"),
        (cycle(*range(21)), "classification", "multiclass"),
        (cycle(1.0, 2.0), "classification", "binary"),
    ],
)
def test_task_may_be_asked_for(y, asked, task):
    assert data_of(y, task=asked).info.task == task


def test_whole_numbers_stored_as_fractions_are_integer_labels():
    assert data_of(cycle(1.0, 2.0), task="classification").info.classes == (1, 2)


@pytest.mark.parametrize(
    ("y", "options", "words"),
    [
        (cycle("a", "b"), {"task": "ranking"}, ["unknown task 'ranking'", "regression"]),
        (cycle("a", "b"), {"task": "regression"}, ["holds text", "'a'", "numbers"]),
        (cycle(0.5, 1.0), {"task": "classification"}, ["fractions such as 0.5"]),
        (cycle("a"), {}, ["target 'y' has one class, a", "at least two"]),
        (cycle(4), {}, ["target 'y' has one class, 4"]),
        (cycle(4.5), {}, ["target 'y' is constant"]),
    ],
)
def test_unusable_target_is_refused_in_one_line(y, options, words):
    with pytest.raises(DataError) as caught:
        data_of(y, **options)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert len(message.splitlines()) == 1


def test_parts_hold_the_rows_of_the_split():
    x, y = normal_rows(), cycle("c", "a", "b")
    data = TableData(make_table(x, y), split=5)
    rows = split_rows(ROWS, np.unique(y, return_inverse=True)[1], 5)
    for part, index in (
        (data.training, rows.train),
        (data.validation, rows.validation),
        (data.open_test(), rows.test),
    ):
        assert torch.equal(part[0], torch.from_numpy(x[index].astype(np.float32)))
        assert [data.info.classes[i] for i in part[1].tolist()] == y[index].tolist()


def test_info_describes_the_training_rows():
    data = make_data("regression")
    assert data.info.rows == len(data.training[0]) == 96
    assert (data.info.features, data.info.target) == (("x0", "x1", "x2"), "y")
    assert data.training[0].dtype == data.training[1].dtype == torch.float32
    assert make_data("multiclass").training[1].dtype == torch.int64


def test_info_says_whether_inputs_are_centred():
    assert make_data("regression", far=300.0).info.centred_inputs
    assert not make_data("regression").info.centred_inputs


def test_looks_at_the_test_rows_are_counted():
    data = make_data("regression")
    data.train_dataloader(), data.val_dataloader(), data.fingerprint()
    assert data.test_openings == 0
    data.open_test()
    assert data.test_openings == 1
    loader = data.test_dataloader()
    assert data.test_openings == 2
    assert sum(len(y) for _, y in loader) == data.test_rows == 30


def test_loaders_shuffle_training_rows_only():
    data = make_data("regression")
    assert data.train_dataloader().sampler is not None
    x = torch.cat([x for x, _ in data.val_dataloader()])
    assert torch.equal(x, data.validation[0])


def test_batch_size_follows_from_the_rows_unless_it_is_given():
    data = make_data("regression")
    assert data.train_dataloader().batch_size == data.info.batch_size == 16
    given = TableData(data.table, batch_size=5)
    assert len(next(iter(given.train_dataloader()))[1]) == 5


def test_loaded_csv_takes_the_last_column_or_the_named_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("u,v,w\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(40)))
    last = TableData.load(path)
    assert (last.info.features, last.info.target, last.info.task) == (("u", "v"), "w", "binary")
    named = TableData.load(path, "v", task="regression", split=2, seed=5)
    assert (named.info.features, named.info.target) == (("u", "w"), "v")
    assert (named.info.task, named.split, named.seed) == ("regression", 2, 5)


BASE = make_table(normal_rows(), cycle(*range(21)).astype(np.int64))


def moved_cell(table):
    x = table.x.copy()
    x[-1, -1] = np.nextafter(x[-1, -1], np.inf)
    return replace(table, x=x)


def moved_target(table):
    y = table.y.copy()
    y[0], y[1] = y[1], y[0]
    return replace(table, y=y)


@pytest.mark.parametrize(
    ("table", "options"),
    [
        (moved_cell(BASE), {}),
        (moved_target(BASE), {}),
        (replace(BASE, target="z"), {}),
        (replace(BASE, features=("x0", "x2", "x1")), {}),
        (BASE, {"split": 1}),
        (BASE, {"task": "classification"}),
        (replace(BASE, x=BASE.x[:, ::-1]), {}),
        (replace(BASE, x=BASE.x[:-1], y=BASE.y[:-1]), {}),
    ],
    ids=["cell", "target", "target name", "names", "split", "task", "columns", "rows"],
)
def test_fingerprint_changes_with_everything_that_is_learned_from(table, options):
    assert TableData(table, **options).fingerprint() != TableData(BASE).fingerprint()


def test_fingerprint_changes_with_a_class_name():
    one = data_of(cycle("a", "b")).fingerprint()
    assert data_of(cycle("a", "c")).fingerprint() != one
    assert data_of(cycle("b", "a")).fingerprint() != one


def test_fingerprint_does_not_change_with_the_path_or_the_order_of_batches():
    same = replace(BASE, source="/elsewhere/table.csv")
    assert TableData(same, seed=9).fingerprint() == TableData(BASE).fingerprint()


def test_fingerprint_is_the_one_that_stored_studies_hold():
    # A change refuses to resume every one of them.
    x = np.arange(60.0).reshape(30, 2)
    data = TableData(make_table(x, np.arange(30) % 2))
    assert data.fingerprint() == "c2b89d5d8ed08d86"
