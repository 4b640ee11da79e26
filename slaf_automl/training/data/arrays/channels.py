"""Where an image's channels stand."""

from __future__ import annotations

import numpy as np

from slaf_automl.errors import DataError


def require_channels_first(source: str, x: np.ndarray) -> None:
    """Refuse square images whose channels stand last, as other libraries store them.

    They would be read as dozens of channels of narrow images. An `ArraySet` itself takes them.

    Args:
        source: where they came from, for people.
        x: `(rows, *shape)`.

    Raises:
        DataError: the shape is that of `(rows, size, size, channels)` with 1, 3 or 4 channels.

    Example:
        >>> require_channels_first("made up", np.zeros((5, 3, 32, 32)))
    """
    if x.ndim == 4 and x.shape[1] == x.shape[2] > 4 and x.shape[3] in (1, 3, 4):
        raise DataError(
            f"{source}: images of the shape {x.shape[1:]} with their channels last",
            expected="(channels, height, width)",
            remedy="use x.transpose(0, 3, 1, 2)",
        )
