"""Arrays and tensors in memory as an `ArraySet`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from slaf_automl.errors import DataError
from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.channels import require_channels_first


def array_set_of(
    x: Any,
    y: Any,
    *,
    part: Any = None,
    target: str = "label",
    features: Sequence[str] | None = None,
    categorical: Sequence[int] = (),
    source: str = "arrays",
) -> ArraySet:
    """Return NumPy arrays or torch tensors, on any device, as an `ArraySet`.

    Args:
        x: `(rows, columns)`, `(rows, height, width)` or `(rows, channels, height, width)`.
        y: `(rows,)` or `(rows, targets)`.
        part: `(rows,)`, or None (see `ArraySet`, as for the others).
        target: name of the target.
        features: a name for each number of a row.
        categorical: indices of the columns whose numbers are codes.
        source: where they came from, for people.

    Raises:
        DataError: they cannot be arrays, or do not make an `ArraySet`.

    Example:
        >>> array_set_of(torch.zeros(6, 3, 8, 8), torch.arange(6)).image
        (3, 8, 8)
    """
    rows = array_of(source, "x", x)
    require_channels_first(source, rows)
    return ArraySet(
        source,
        rows,
        array_of(source, "y", y),
        None if part is None else array_of(source, "part", part),
        target,
        None if features is None else tuple(str(name) for name in features),
        tuple(int(column) for column in categorical),
    )


def array_of(source: str, name: str, value: Any) -> np.ndarray:
    """Return a tensor, array or sequence as an array, without a copy where that can be.

    Raises:
        DataError: it is sparse or masked, or its rows differ in length.

    Example:
        >>> array_of("made up", "x", torch.ones(2, requires_grad=True))
        array([1., 1.], dtype=float32)
    """
    if isinstance(value, np.ma.MaskedArray):
        raise DataError(
            f"{source}: {name} is a masked array",
            remedy="fill it: .filled(numpy.nan) or .filled(0)",
        )
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided:
            raise DataError(f"{source}: {name} is a sparse tensor", remedy="use .to_dense()")
        value = value.detach().cpu()
        # NumPy has no bfloat16.
        value = value.float() if value.dtype == torch.bfloat16 else value
        return np.asarray(value.resolve_conj().resolve_neg().numpy())
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(f"{source}: {name} is no array: {error}") from None
