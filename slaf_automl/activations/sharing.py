"""How many rows of coefficients the channels of a SLAF share, trained and deployed."""

from __future__ import annotations

from slaf_automl.errors import ActivationError

SHARING = ("layer", "channel")
"""One row of coefficients for the whole layer, or one per channel; a number asks for groups."""


def require_sharing(sharing: object) -> str | int:
    """Return `sharing` if it is a word of `SHARING` or a number of groups, else raise."""
    if isinstance(sharing, str) and sharing in SHARING:
        return sharing
    if isinstance(sharing, int) and not isinstance(sharing, bool) and sharing >= 1:
        return sharing
    raise ActivationError(
        f"unknown sharing {sharing!r}",
        expected="one of " + ", ".join(SHARING) + ", or a number of groups",
    )


def trained_rows(sharing: str | int, learned: int) -> int:
    """Return how many rows of coefficients are trained for `learned` SLAF channels.

    Raises:
        ActivationError: more groups than channels.

    Example:
        >>> [trained_rows(s, 6) for s in ("layer", "channel", 2)]
        [1, 6, 2]
    """
    if sharing == "layer":
        return 1
    if sharing == "channel":
        return learned
    groups = int(sharing)
    if groups > learned:
        raise ActivationError(
            f"{groups} groups of {learned} SLAF channels",
            expected="at most as many groups as channels",
        )
    return groups


def deployed_rows(sharing: str | int, normaliser: str, learned: int) -> int:
    """Return how many rows are stored: statistics per channel turn shared rows into one each."""
    return learned if normaliser == "element" else trained_rows(sharing, learned)
