"""Frames, arrays and data modules of other libraries become data as files do."""

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl.spec import Column
from slaf_automl.training import TableData
from slaf_automl.training.data.inputs import read_inputs

ROWS = 60


def columns():
    random = np.random.default_rng(0)
    age = random.normal(40, 10, ROWS)
    age[::7] = np.nan
    return {
        "age": age,
        "colour": [("red", "blue")[i % 2] for i in range(ROWS)],
        "size": [f"{i % 3}" if i % 4 else None for i in range(ROWS)],
        "own": [i % 5 < 2 for i in range(ROWS)],
        "y": random.normal(size=ROWS),
    }


WANTED = (
    Column("age", gaps=True),
    Column("colour", ("blue", "red")),
    Column("size", ("(missing)", "0", "1", "2")),
    Column("own"),
)


def check(frame, without_target):
    data = TableData.load(frame, "y", categorical=["size"])
    assert data.info.columns == WANTED
    x, notes = read_inputs(without_target, data.info)
    assert not notes
    assert np.array_equal(x[data.rows.train], data.training[0].numpy(), equal_nan=True)


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(columns()).astype({"colour": "category"})
    check(frame, frame.drop(columns="y"))


def test_polars():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({**columns(), "age": polars.Series(columns()["age"]).fill_nan(None)})
    frame = frame.with_columns(polars.col("colour").cast(polars.Categorical))
    check(frame, frame.drop("y"))


class Module(LightningDataModule):
    """A user's own data module, with test rows of its own."""

    def __init__(self):
        super().__init__()
        self.x = torch.randn(ROWS, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        self.y = torch.arange(ROWS) % 3

    def train_dataloader(self):
        return DataLoader(TensorDataset(self.x[:45], self.y[:45]), 7, shuffle=True)

    def test_dataloader(self):
        return DataLoader(TensorDataset(self.x[45:], self.y[45:]), 7)


def test_a_data_module():
    module = Module()
    data = TableData.load(module)
    assert (data.info.task, data.info.image) == ("multiclass", (1, 4, 4))
    assert torch.equal(data.open_test()[0], module.x[45:].flatten(1))
    assert len(data.validation[1]) == 9


def test_integers_of_images_are_classes_however_many():
    x = np.random.default_rng(0).normal(size=(300, 4, 4))
    assert TableData.load((x, np.arange(300) % 30)).info.task == "multiclass"
    assert TableData.load((x.reshape(300, -1), np.arange(300) % 30)).info.task == "regression"
