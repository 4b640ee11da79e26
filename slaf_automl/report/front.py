"""Pareto fronts as a table and as a plot."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from slaf_automl.errors import SlafError
from slaf_automl.report.page import write_page
from slaf_automl.spec import COSTS, Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping

# Seen on white and on black alike, and told apart without colours.
_COLOURS = {"mix": "#ea580c", "relu": "#718096"}
_SYMBOLS = {"mix": "circle", "relu": "diamond"}


class Point(Protocol):
    """A candidate on a front."""

    @property
    def number(self) -> int:
        """Number of its trial."""

    @property
    def value(self) -> float:
        """Its validation metric."""

    @property
    def costs(self) -> Mapping[str, float | None]:
        """Its costs by name."""

    @property
    def candidate(self) -> Candidate:
        """Architecture and recipe."""


def front_table(
    metric: str, costs: Sequence[str], mix: Sequence[Point], relu: Sequence[Point]
) -> str:
    """Return both fronts as text, the cheapest first."""
    head = f"{'':6}{'trial':>7}" + "".join(f"{cost:>14}" for cost in costs) + f"{metric:>12}"
    lines = [f"validation {metric} against {' and '.join(costs)}", f"{head}  slots"]
    for arm, points in (("mix", mix), ("relu", relu)):
        for point in points:
            numbers = "".join(f"{point.costs[cost] or 0:>14,.0f}" for cost in costs)
            slots = ", ".join(point.candidate.architecture.kinds)
            lines.append(f"{arm:6}{point.number:>7}{numbers}{point.value:>12.4f}  {slots}")
        if not points:
            lines.append(f"{arm:6}   no network")
    return "\n".join(lines)


def plot_front(
    metric: str,
    costs: Sequence[str],
    fronts: Mapping[str, Sequence[Point]],
    trials: Mapping[str, Sequence[tuple[float, ...]]],
    path: Path,
) -> None:
    """Write the fronts over all trials as a page that needs no network.

    Args:
        metric: name of the metric, drawn upwards.
        costs: one or two; the first is drawn sideways, the second as the size of the points.
        fronts: arm ↦ its points.
        trials: arm ↦ values of all its trials, the metric first.
        path: an `.html` file.

    Raises:
        SlafError: plotly is not installed.
    """
    figure = require_plot().Figure()
    most = max((values[-1] for seen in trials.values() for values in seen), default=1.0) or 1.0

    def sizes(values: Sequence[float | None]) -> list[float]:
        """Return sizes in proportion to the second cost, on one scale for all arms."""
        return [5 + 15 * (value or 0) / most for value in values]

    second = len(costs) > 1
    for arm, points in fronts.items():
        seen = trials[arm]
        style = {"color": _COLOURS[arm], "symbol": _SYMBOLS[arm], "line": {"width": 0}}
        figure.add_scatter(
            x=[values[1] for values in seen],
            y=[values[0] for values in seen],
            mode="markers",
            marker={
                **style,
                "opacity": 0.4,
                "size": sizes([values[2] for values in seen]) if second else 6,
            },
            name=f"{arm}, all trials",
        )
        figure.add_scatter(
            x=[point.costs[costs[0]] for point in points],
            y=[point.value for point in points],
            # Of two costs only one is seen sideways: a line would join what does not follow.
            mode="markers" if second else "lines+markers",
            line={"color": _COLOURS[arm], "shape": "hv"},
            marker={
                **style,
                "opacity": 1.0,
                "size": sizes([point.costs[costs[1]] for point in points]) if second else 9,
            },
            name=f"{arm}, front",
            text=[_words(point, costs) for point in points],
        )
    seen_costs = [values[1] for seen in trials.values() for values in seen]
    figure.update_layout(
        template="plotly_white",
        xaxis=_axis(COSTS[costs[0]].word, seen_costs),
        yaxis={"title": {"text": f"validation {metric}"}, "automargin": True},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
    )
    title = f"{metric} against {' and '.join(COSTS[cost].word for cost in costs)}"
    text = "The front: networks that no other of their arm beats in everything. Faint: all trials."
    if second:
        text += f" The larger a point, the more {COSTS[costs[1]].word}."
    write_page(title, text, figure, path)


def _words(point: Point, costs: Sequence[str]) -> str:
    numbers = ", ".join(f"{point.costs[cost] or 0:,.0f} {COSTS[cost].word}" for cost in costs)
    return f"trial {point.number}: {', '.join(point.candidate.architecture.kinds)}; {numbers}"


def _axis(word: str, values: Sequence[float]) -> dict[str, Any]:
    """Return the axis of a cost: a log scale with round numbers where it spans enough for one."""
    axis: dict[str, Any] = {"title": {"text": word}, "tickformat": ",", "automargin": True}
    least, most = min(values, default=0), max(values, default=0)
    if least <= 0 or most < 3 * least:  # a log scale has no zero
        return axis
    rounds = (1,) if most > 1000 * least else (1, 3) if most > 30 * least else (1, 2, 5)
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    ticks = [number * 10**power for power in powers for number in rounds]
    axis["title"] = {"text": f"{word} (log scale)"}
    return {**axis, "type": "log", "tickvals": ticks, "ticktext": [f"{t:,.10g}" for t in ticks]}


def require_plot() -> Any:
    """Return plotly's graph objects, or raise a `SlafError` that says how to install it."""
    try:
        return importlib.import_module("plotly.graph_objects")
    except ImportError:
        raise SlafError(
            "a plot without plotly", remedy="pip install 'slaf-automl[report]'"
        ) from None
