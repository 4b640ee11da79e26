"""Pareto fronts as a table and as a plot."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from slaf_automl.errors import SlafError
from slaf_automl.spec import COSTS, Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLOURS = {"mix": "#c2410c", "relu": "#475569"}


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
        costs: one or two; the first is drawn sideways on a log scale, the second as the size of the
            points.
        fronts: arm ↦ its points.
        trials: arm ↦ values of all its trials, the metric first.
        path: an `.html` file.

    Raises:
        SlafError: plotly is not installed.
    """
    figure = require_plot().Figure()
    for arm, points in fronts.items():
        seen = trials[arm]
        style: dict[str, Any] = {"color": _COLOURS[arm]}
        figure.add_scatter(
            x=[values[1] for values in seen],
            y=[values[0] for values in seen],
            mode="markers",
            marker={**style, "opacity": 0.25, **_sizes(seen)},
            name=f"{arm}, all trials",
        )
        figure.add_scatter(
            x=[point.costs[costs[0]] for point in points],
            y=[point.value for point in points],
            mode="lines+markers",
            line={**style, "shape": "hv" if len(costs) == 1 else "linear"},
            marker={**style, "size": 9},
            name=f"{arm}, front",
            text=[f"trial {point.number}" for point in points],
        )
    figure.update_layout(
        template="plotly_white",
        xaxis={"title": COSTS[costs[0]].word, "type": "log"},
        yaxis={"title": f"validation {metric}"},
        title=f"{metric} against {' and '.join(COSTS[cost].word for cost in costs)}",
    )
    figure.write_html(path, include_plotlyjs=True)


def require_plot() -> Any:
    """Return plotly's graph objects, or raise a `SlafError` that says how to install it."""
    try:
        return importlib.import_module("plotly.graph_objects")
    except ImportError:
        raise SlafError(
            "a plot without plotly", remedy="pip install 'slaf-automl[report]'"
        ) from None


def _sizes(seen: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    """Return point sizes by the second cost, if there is one."""
    if not seen or len(seen[0]) < 3:
        return {"size": 6}
    most = max(values[2] for values in seen) or 1.0
    return {"size": [4 + 14 * values[2] / most for values in seen]}
