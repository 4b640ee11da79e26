"""Patterns: one rule that says of all slots at once which are SLAF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

PATTERNS = ("none", "all", "first", "last", "alternate")
"""Which slots are SLAF: none, all, the first or last `count`, or every other from the first."""

COUNTED = ("first", "last")
"""The patterns that take a number of slots."""


def pattern_slots(pattern: str, count: int, slots: int) -> Sequence[int]:
    """Return which slots a pattern fills.

    Example:
        >>> [list(pattern_slots(p, 2, 5)) for p in ("none", "all", "first", "last", "alternate")]
        [[], [0, 1, 2, 3, 4], [0, 1], [3, 4], [0, 2, 4]]
    """
    taken: dict[str, Callable[[], range]] = {
        "none": lambda: range(0),
        "all": lambda: range(slots),
        "first": lambda: range(min(count, slots)),
        "last": lambda: range(max(0, slots - count), slots),
        "alternate": lambda: range(0, slots, 2),
    }
    return taken[pattern]()


def counted_patterns(patterns: Iterable[str], slots: int) -> list[tuple[str, int]]:
    """Return each pattern with each count that it may have; 1 for those that take none.

    Example:
        >>> counted_patterns(["all", "last"], 2)
        [('all', 1), ('last', 1), ('last', 2)]
    """
    return [
        (pattern, count)
        for pattern in patterns
        for count in range(1, (slots if pattern in COUNTED else 1) + 1)
    ]
