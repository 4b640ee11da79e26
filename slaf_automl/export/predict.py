"""Predictions of a bundle for the rows of a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import torch

from slaf_automl.export.bundle import Bundle
from slaf_automl.export.onnx import class_probabilities
from slaf_automl.files import write_bytes
from slaf_automl.training.data import read_inputs

_AT_ONCE = 4096
"""Rows that are predicted at once: the maps of images take many times their pixels."""


def predict_rows(
    bundle: Bundle, source: Any, say: Callable[[str], None] = lambda note: None
) -> pa.Table:
    """Predict every row of a file, a frame or `sklearn:NAME`; the target need not be there.

    Args:
        bundle: the model.
        source: what `read_table` takes.
        say: told in words of levels that training never saw.

    Returns:
        `prediction` (label or value; of several targets `prediction_<target>`), and for
        classification `probability_<class>` columns.

    Raises:
        DataError: the file cannot be read or lacks a feature.
    """
    x, notes = read_inputs(source, bundle.info)
    for note in notes:
        say(note)
    with torch.no_grad():
        parts = torch.split(torch.from_numpy(x), _AT_ONCE)
        outputs = torch.cat([bundle.network(part) for part in parts])
    if bundle.info.task == "regression":
        names = [f"prediction_{name}" for name in bundle.info.targets or ()] or ["prediction"]
        return pa.table({name: outputs[:, i].numpy() for i, name in enumerate(names)})
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
