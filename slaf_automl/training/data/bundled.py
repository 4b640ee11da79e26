"""The data sets that come with scikit-learn."""

from __future__ import annotations

import importlib

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.table import Table

BUNDLED = ("digits", "breast_cancer", "wine", "iris", "diabetes")
"""Names that follow `sklearn:`."""

PREFIX = "sklearn:"


def bundled_table(source: str, target: str | None = None) -> Table:
    """Return a data set of scikit-learn.

    Args:
        source: `sklearn:NAME`.
        target: `target`, or None.

    Raises:
        DataError: no such data set or target.
    """
    name = source.removeprefix(PREFIX)
    if name not in BUNDLED:
        raise DataError(f"unknown data set {source!r}", expected="one of " + ", ".join(BUNDLED))
    if target not in (None, "target"):
        raise DataError(f"{source} has no column {target!r} to predict", expected="'target'")
    bunch = getattr(importlib.import_module("sklearn.datasets"), f"load_{name}")()
    y = np.asarray(bunch.target)
    labels = getattr(bunch, "target_names", None)
    if name != "diabetes":
        named = labels is not None and not np.issubdtype(np.asarray(labels).dtype, np.integer)
        y = np.asarray(labels)[y].astype(str) if named else y.astype(np.int64)
    return Table(
        source,
        tuple(str(n) for n in bunch.feature_names),
        np.asarray(bunch.data, dtype=np.float64),
        "target",
        y,
        image=(1, *bunch.images.shape[1:]) if "images" in bunch else None,
    )
