"""The learned activation functions, drawn over the distribution of their inputs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slaf_automl.report.drawing import COLOURS, INK, Drawing, drawn, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {"relu": "ReLU", "silu": "SiLU", "gelu": "GELU"}
"""Of the fixed activations."""

_INPUTS = "#3b82f6"
_HEIGHT = 0.45


def draw_activations(arm: str, slots: Sequence[Mapping[str, Any]]) -> Drawing:
    """Draw each slot's functions, one panel a slot in order of use.

    Every function is drawn through zero at input 0: constants are carried by the next layer's
    bias.

    Args:
        arm: the arm whose winner has the slots.
        slots: of `sample_slots`.
    """
    columns = 1 if len(slots) == 1 else 2
    rows = -(-len(slots) // columns)
    with styled():
        figure, axes = new_figure(2.25 * rows + 0.4, rows, columns)
        for panel, slot in zip(axes, slots, strict=False):
            _draw_slot(panel, slot, columns)
        for panel in axes[len(slots) :]:
            panel.set_visible(False)
        _legend(figure, slots)
        return drawn(
            f"activations-{arm}",
            f"The functions in each slot of the {arm} winner over the distribution of their inputs",
            figure,
        )


def channels_in_words(slot: Mapping[str, Any]) -> str:
    """Say which channels of a slot are drawn.

    Example:
        >>> slot = {"kind": "slaf", "channels": 30, "learned": 24, "shown": [0, 8, 16, 23]}
        >>> channels_in_words(slot)
        '4 of 24 learned channels, 6 ReLU'
        >>> channels_in_words({"kind": "relu", "channels": 30, "learned": 0, "shown": [0]})
        '30 ReLU channels'
    """
    channels, learned, shown = slot["channels"], slot["learned"], len(slot["shown"])
    if not learned:
        word = NAMES.get(slot["kind"], slot["kind"])
        return f"{channels} {word} channels" if channels > 1 else f"1 {word} channel"
    words = f"{learned}" if shown == learned else f"{shown} of {learned}"
    words += " learned channels" if learned > 1 else " learned channel"
    return f"{words}, {channels - learned} ReLU" if channels > learned else words


def _draw_slot(axes: Axes, slot: Mapping[str, Any], columns: int) -> None:
    low, high = slot["range"]
    edges = np.linspace(low, high, len(slot["inputs"]) + 1)
    heights = np.array(slot["inputs"]) * (_HEIGHT / max(max(slot["inputs"]), 1e-9))
    below = axes.get_xaxis_transform()  # heights are shares of the panel's
    axes.stairs(heights, edges, fill=True, color=_INPUTS, alpha=0.3, transform=below, zorder=1)
    x = np.linspace(low, high, len(slot["functions"][0]))
    learned = slot["learned"] > 0
    for values in slot["functions"]:
        y = np.array([np.nan if value is None else value for value in values])
        style = {"color": COLOURS["mix"], "linewidth": 1.1, "alpha": 0.7} if learned else _relu()
        axes.plot(x, y - np.interp(0.0, x, y), **style)
    if learned:
        # What the slot would be without its functions.
        if _of_inputs(slot):
            axes.plot(x, x, **_plain())
        else:
            axes.plot(x, np.maximum(x, 0.0), **_relu())
        for end in _clip_ends(slot):
            axes.axvline(end, color=INK, linewidth=0.8, linestyle=":")
    title = f"{slot['name']}: {slot['slot']}\n{channels_in_words(slot)}"
    width = 30 if columns == 2 else 70
    lines = [wrapped for line in title.split("\n") for wrapped in textwrap.wrap(line, width)]
    axes.set_title("\n".join(lines), loc="left")
    axes.set_xlabel("input of the slot")


def _of_inputs(slot: Mapping[str, Any]) -> bool:
    return bool(slot["name"] == "inputs")


def _clip_ends(slot: Mapping[str, Any]) -> list[float]:
    """Return the ends of the clip range that lie in the panel."""
    low, high = slot["range"]
    return [end for end in (-1.0, 1.0) if slot["clipped"] and low < end < high]


def _plain() -> dict[str, Any]:
    return {"color": INK, "linewidth": 1.0, "linestyle": "-."}


def _relu() -> dict[str, Any]:
    return {"color": COLOURS["relu"], "linewidth": 1.4, "linestyle": "--"}


def _legend(figure: Any, slots: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    fixed = sorted({NAMES.get(s["kind"], s["kind"]) for s in slots if not s["learned"]} | {"ReLU"})
    if len(fixed) > 1 and not any(slot["kind"] == "relu" or slot["learned"] for slot in slots):
        fixed.remove("ReLU")
    handles: list[Any] = [Line2D([], [], label=" or ".join(fixed), **_relu())]
    if any(slot["learned"] for slot in slots):
        handles.insert(0, Line2D([], [], color=COLOURS["mix"], label="learned functions"))
        if any(_of_inputs(slot) for slot in slots):
            handles.append(Line2D([], [], label="the input itself", **_plain()))
        if any(map(_clip_ends, slots)):
            clip = Line2D([], [], color=INK, linestyle=":", label="clip range")
            handles.append(clip)
    handles.append(Patch(color=_INPUTS, alpha=0.3, label="inputs (validation rows)"))
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
