"""From arrays of rows to a `Table`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays import ArraySet
from slaf_automl.training.data.cells import Category
from slaf_automl.training.data.table import MISSING, Table, shown


def table_from_arrays(arrays: ArraySet, categorical: Sequence[str] = ()) -> Table:
    """Return arrays as a table whose columns are the numbers of a row.

    Args:
        arrays: rows of any shape.
        categorical: names of columns that are categories, beside those that the arrays name.

    Raises:
        DataError: no such column, or a category among an image's pixels.
    """
    x, image = arrays.rows(), arrays.image
    names = arrays.features or tuple(
        f"{'x' if image is None else 'pixel'}{i}" for i in range(x.shape[1])
    )
    for name in categorical:
        if name not in names:
            raise DataError(
                f"{arrays.source}: no column {name!r}", expected="one of " + shown(names)
            )
    codes = sorted({*arrays.categorical, *(names.index(name) for name in categorical)})
    if codes and image is not None:
        raise DataError(
            f"{arrays.source}: column {names[codes[0]]!r} of an image as a category",
            expected="numbers",
        )
    levels: list[tuple[str, ...] | None] = [None] * len(names)
    if codes:
        x = x.astype(np.float64)
        for i in codes:
            found = coded(x[:, i])
            x[:, i], levels[i] = found.codes, found.labels
    several = None
    if arrays.y.ndim == 2:
        several = tuple(f"{arrays.target}{i}" for i in range(arrays.y.shape[1]))
    return Table(
        arrays.source,
        names,
        x,
        arrays.target if several is None else ",".join(several),
        arrays.y if several is None else arrays.y.astype(np.float64),
        image,
        tuple(levels) if codes else None,
        arrays.part,
        targets=several,
    )


def coded(values: np.ndarray) -> Category:
    """Return numbers as a category whose labels are the numbers; NaN is the level `(missing)`."""
    found, codes = np.unique(values, return_inverse=True)  # NaN, once, comes last
    labels = tuple(
        MISSING if v != v else str(int(v)) if float(v).is_integer() else repr(float(v))
        for v in found
    )
    return Category(codes.reshape(-1).astype(np.int64), labels)
