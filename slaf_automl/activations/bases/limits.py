"""What every basis is held to: the degrees it must serve and the clip ranges of its input."""

from __future__ import annotations

import math

from slaf_automl.errors import ActivationError

MAX_DEGREE = 16
"""Above this degree float32 powers and conversions lose the digits a network needs."""


def require_degree(degree: object) -> int:
    """Return `degree` if it is an int of 1 … `MAX_DEGREE`, else raise an `ActivationError`."""
    if not isinstance(degree, int) or isinstance(degree, bool) or not 1 <= degree <= MAX_DEGREE:
        raise ActivationError(f"degree {degree!r}", expected=f"an integer of 1 to {MAX_DEGREE}")
    return degree


def require_clip(clip: object) -> float | None:
    """Return the clip range if it is None or a positive number, else raise an `ActivationError`."""
    if clip is None:
        return None
    if isinstance(clip, (int, float)) and not isinstance(clip, bool) and 0.0 < clip < math.inf:
        return float(clip)
    raise ActivationError(f"clip {clip!r}", expected="a positive number or null")
