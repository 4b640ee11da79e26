"""Predictions of a bundle for the rows of a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch

from slaf_automl.export.bundle import Bundle
from slaf_automl.export.onnx import class_probabilities
from slaf_automl.files import write_bytes
from slaf_automl.training.data import read_features


def predict_rows(bundle: Bundle, source: str | Path) -> pa.Table:
    """Predict every row of a CSV file or `sklearn:NAME`; the target column need not be there.

    Returns:
        `prediction` (label or value), and for classification `probability_<class>` columns.

    Raises:
        DataError: the file cannot be read or lacks a feature.
    """
    x = read_features(source, bundle.info.features)
    with torch.no_grad():
        outputs = bundle.network(torch.from_numpy(x.astype(np.float32)))
    if bundle.info.task == "regression":
        return pa.table({"prediction": outputs.squeeze(1).numpy()})
    probabilities = class_probabilities(outputs)
    classes = list(bundle.info.classes)
    columns: dict[str, Any] = {"prediction": [classes[i] for i in probabilities.argmax(1).tolist()]}
    columns |= {f"probability_{c}": probabilities[:, i].numpy() for i, c in enumerate(classes)}
    return pa.table(columns)


def write_predictions(table: pa.Table, path: Path) -> None:
    """Write predictions as a CSV file, atomically."""
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer)
    write_bytes(path, buffer.getvalue())
