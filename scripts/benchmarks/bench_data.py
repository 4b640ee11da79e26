"""The data of throughput.py: digits, or some rows of MNIST as 28×28 images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slaf_automl import TableData
from slaf_automl.training.data import Table


def load(settings: dict) -> TableData:
    """Return the data that the settings name; MNIST is read from `data_dir`/images/mnist.npz."""
    if settings["data"] == "digits":
        return TableData.load("sklearn:digits")
    with np.load(Path(settings["data_dir"]) / "images" / "mnist.npz", allow_pickle=False) as file:
        x, y = file["X_train"][: settings["rows"]], file["y_train"][: settings["rows"]]
    names = tuple(f"pixel{i}" for i in range(784))
    pixels = x.reshape(len(x), 784).astype(np.float64)
    return TableData(Table("mnist", names, pixels, "digit", y.astype(np.int64), (1, 28, 28)))
