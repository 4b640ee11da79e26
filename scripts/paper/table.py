"""The table that ends every experiment, and the verdict under it."""

from __future__ import annotations

from collections.abc import Iterable


def print_table(title: str, other: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """Print rows of (what, our figure, the figure beside it)."""
    cells = [("what", "ours", other), *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    rule = "-+-".join("-" * width for width in widths)
    print("", title, lines[0], rule, *lines[1:], sep="\n", flush=True)


def print_verdict(bar: str, reached: bool | None) -> None:
    """Print whether the bar is reached; None where this run cannot tell."""
    word = {True: "reached", False: "not reached", None: "undecided"}[reached]
    print(f"bar: {bar}: {word}", flush=True)


def percent(share: float) -> str:
    """Return a share as a percentage with two decimals.

    Example:
        >>> percent(0.9915)
        '99.15%'
    """
    return f"{100 * share:.2f}%"
