"""Training curves: the validation metric and the training loss by epoch, one line a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slaf_automl.report.drawing import COLOURS, LINES, Drawing, drawn, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = {"regression": "squared spreads of the target"}
"""Of the training loss by task; else nats."""


def draw_curves(
    metric: str, task: str | None, curves: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Drawing | None:
    """Draw the trainings of the confirmation.

    Args:
        metric: name of the validation metric.
        task: the data's task, None where it is not known.
        curves: arm ↦ its seeds' curves (see `arm_data`).

    Returns:
        The drawing, None where no curve was kept.
    """
    known = {arm: [c for c in seeds if c["epochs"]] for arm, seeds in curves.items()}
    if not any(known.values()):
        return None
    with styled():
        figure, axes = new_figure(4.6, 2, 1)
        unit = "" if task is None else f", {UNITS.get(task, 'nats')}"
        panels = (("validation", f"validation {metric}"), ("training_loss", f"training loss{unit}"))
        for panel, (key, label) in zip(axes, panels, strict=True):
            for arm, seeds in known.items():
                for curve in seeds:
                    _draw_curve(panel, arm, curve, key)
            panel.set_title(label, loc="left")
            panel.set_xlabel("epoch")
        _log_scale(axes[1])
        handles, labels = axes[0].get_legend_handles_labels()
        first = dict(zip(labels, handles, strict=True))
        figure.legend(first.values(), first.keys(), loc="outside lower left", ncols=2)
        count = max(len(seeds) for seeds in known.values())
        alt = f"Validation {metric} and training loss by epoch of both winners, {count} seeds each"
        return drawn("curves", alt, figure)


def _draw_curve(axes: Axes, arm: str, curve: Mapping[str, Any], key: str) -> None:
    values = np.array([np.nan if v is None else v for v in curve[key]])
    style: dict[str, Any] = {"color": COLOURS[arm], "linestyle": LINES[arm], "linewidth": 1.0}
    axes.plot(curve["epochs"], values, alpha=0.75, label=f"{arm} winner", **style)
    if key == "validation" and curve["best_epoch"] in curve["epochs"]:
        best = curve["epochs"].index(curve["best_epoch"])
        axes.plot(curve["best_epoch"], values[best], "o", color=COLOURS[arm], markersize=3.5)


def _log_scale(axes: Axes) -> None:
    """Draw a loss that falls far on a log scale."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 30 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(lambda value, _: "")
        axes.set_title(f"{axes.get_title(loc='left')} (log scale)", loc="left")
