"""The critical difference plot: average ranks on a line, arms that cannot be told apart joined."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from evidence.standings import Ranks

_NAMES = {"mix": "SLAF/ReLU mix", "relu": "ReLU", "silu": "SiLU", "gelu": "GELU"}
_INK = "#1f2937"
_ACCENT = "#ea580c"


def cliques(ranks: Ranks) -> list[tuple[float, float]]:
    """Return the longest runs of arms whose average ranks are within the critical difference.

    Example:
        >>> cliques(Ranks({"a": 1.0, "b": 1.6, "c": 2.9}, 10, 0.01, 0.8))
        [(1.0, 1.6)]
    """
    values = sorted(ranks.average.values())
    runs: list[tuple[float, float]] = []
    for i, low in enumerate(values):
        high = max(v for v in values[i:] if v - low <= ranks.critical)
        if high > low and not any(a <= low and high <= b for a, b in runs):
            runs.append((low, high))
    return runs


def plot_ranks(panels: dict[str, Ranks], path: Path) -> None:
    """Draw one panel for each entry, by its title."""
    figure = Figure(figsize=(7.2, 1.9 * len(panels)), layout="constrained")
    for axes, (title, one) in zip(_axes(figure, len(panels)), panels.items(), strict=True):
        _panel(axes, title, one)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    # Text stays text, and names of parts do not change from run to run.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "quality"}):
        figure.savefig(path, metadata=metadata)


def _axes(figure: Figure, count: int) -> list[Any]:
    return list(figure.subplots(count, 1, squeeze=False)[:, 0])


def _panel(axes: Any, title: str, one: Ranks) -> None:
    arms = sorted(one.average, key=lambda arm: one.average[arm])
    count = len(arms)
    axes.set(xlim=(0.8, count + 0.2), ylim=(-0.55 * count, 1.9), yticks=[])
    axes.set_title(title, fontsize=10, loc="left", color=_INK)
    for side in ("left", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.xaxis.tick_top()
    axes.set_xticks(range(1, count + 1))
    axes.tick_params(labelsize=8, colors=_INK, pad=1)
    for place, arm in enumerate(arms):
        rank, low = one.average[arm], -0.55 * (place + 1) + 0.1
        colour = _ACCENT if arm == "mix" else _INK
        axes.plot([rank, rank], [1.9, low], color=colour, lw=1)
        text = f"{_NAMES.get(arm, arm)}  {rank:.2f} "
        axes.text(rank, low, text, ha="right", va="center", fontsize=9, color=colour)
    for k, (low, high) in enumerate(cliques(one)):
        height = 1.25 - 0.35 * k
        axes.plot([low - 0.03, high + 0.03], [height, height], color=_INK, lw=3)
    note = f"critical difference {one.critical:.2f} ({one.sets} sets)"
    axes.text(count + 0.2, -0.5 * count, note, ha="right", fontsize=8, color=_INK)
