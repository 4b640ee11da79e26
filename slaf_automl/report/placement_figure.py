"""The placement heat map: what fills each slot of the best trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slaf_automl.report.drawing import INK, Drawing, drawn, new_figure, styled
from slaf_automl.report.placement import Placements

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RELU = "#64748b"
_BASES = ("#c2410c", "#1d4ed8", "#047857", "#7c3aed", "#a16207", "#be185d", "#0e7490", "#4d7c0f")


def draw_placements(placements: Placements) -> Drawing:
    """Draw a column for each of the best trials, the best first, and a row for each slot.

    A cell has the colour of the basis (of inputs: and of whether they share one function) and the
    number of the degree; its lower part is grey as far as the slot's channels are ReLU. It is empty
    where a network has no such slot. A line parts the complete trials from those that were stopped.
    """
    colours = _colours(placements)
    with styled():
        rows = placements.shown_slots
        figure, (axes,) = new_figure(0.3 * len(rows) + 1.3)
        for column, trial in enumerate(placements.shown):
            for name, slot in trial.slots.items():
                _draw_cell(axes, column, rows.index(name), slot, colours)
        axes.set_xlim(-0.5, len(placements.shown) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        numbers = [str(trial.number) for trial in placements.shown]
        complete = sum(trial.complete for trial in placements.shown)
        if 0 < complete < len(numbers):
            axes.axvline(complete - 0.5, color=INK, linewidth=1.2)
        turned = 90 if max(map(len, numbers)) > 2 else 0
        axes.set_xticks(range(len(numbers)), numbers, fontsize=7.5, rotation=turned)
        axes.set_yticks(range(len(rows)), rows)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set_xlabel("number of the trial, the best first")
        _legend(figure, colours)
        count = len(placements.shown)
        return drawn("placement", f"What fills each slot of the {count} best mix trials", figure)


def _colours(placements: Placements) -> dict[str, str]:
    """Return a colour for each basis, in the order of their names."""
    slots = [slot for trial in placements.trials for slot in trial.slots.values()]
    names = sorted({_basis(slot) for slot in slots if slot["kind"] != "relu"})
    return {name: _BASES[i % len(_BASES)] for i, name in enumerate(names)}


def _basis(slot: Mapping[str, Any]) -> str:
    name = str(slot.get("basis", slot["kind"]))
    return f"{name}, one for all" if slot.get("sharing") == "layer" else name


def _draw_cell(
    axes: Axes, column: int, row: int, slot: Mapping[str, Any], colours: Mapping[str, str]
) -> None:
    from matplotlib.patches import Rectangle

    left, top, width, height = column - 0.44, row - 0.42, 0.88, 0.84
    if slot["kind"] == "relu":
        axes.add_patch(Rectangle((left, top), width, height, color=_RELU, linewidth=0))
        return
    share = float(slot.get("hybrid") or 0.0)
    learned = height * (1 - share)
    colour = colours[_basis(slot)]
    axes.add_patch(Rectangle((left, top), width, learned, color=colour, linewidth=0))
    axes.add_patch(
        Rectangle((left, top + learned), width, height - learned, color=_RELU, linewidth=0)
    )
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8.0, "color": "#ffffff"}
    axes.text(column, row, str(slot.get("degree", "")), fontweight="bold", **style)


def _legend(figure: Any, colours: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=name) for name, colour in colours.items()]
    handles.append(Patch(color=_RELU, label="ReLU"))
    figure.legend(handles=handles, loc="outside lower left", ncols=4, columnspacing=1.2)
