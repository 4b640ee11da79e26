"""Where the values that a network stores lie, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slaf_automl.networks import count_cost
from slaf_automl.networks.families import layout
from slaf_automl.networks.layout import Layer, SlotStep
from slaf_automl.report.drawing import INK, Drawing, drawn, new_figure, styled
from slaf_automl.spec import Architecture

_COLOURS = {
    "weights": "#0d9488",
    "biases": "#8b5cf6",
    "activations": "#ea580c",
    "inputs": "#718096",
}


class Share(NamedTuple):
    """What one part of a network stores.

    Args:
        part: in words, as `linear 64 → 42`.
        kind: `weights`, `biases`, `activations` or `inputs`.
        values: how many.
    """

    part: str
    kind: str
    values: int


def budget_shares(architecture: Architecture) -> list[Share]:
    """Return what each layer and slot stores, in order of use; their sum is the network's cost.

    Example:
        >>> from slaf_automl.activations import find_kind
        >>> slaf = find_kind("slaf").spec(degree=3)
        >>> shares = budget_shares(Architecture("mlp", 4, 3, (5,), (slaf,)))
        >>> [(share.part, share.values) for share in shares]  # doctest: +NORMALIZE_WHITESPACE
        [('linear 4 → 5', 20), ('linear 4 → 5', 5), ('slot 0', 15), ('linear 5 → 3', 15),
         ('linear 5 → 3', 3)]
    """
    stored = dict(count_cost(architecture).parts)
    names = {"centre": ("means of the inputs", "inputs"), "fills": ("fills of gaps", "inputs")}
    for step in layout(architecture).flat():
        if isinstance(step, Layer):
            word = _layer_in_words(step)
            names[f"layers.{step.index}.weight"] = (word, "weights")
            names[f"layers.{step.index}.bias"] = (word, "biases")
        elif isinstance(step, SlotStep):
            inputs = step.index >= len(architecture.placement)
            word = "slot of the inputs" if inputs else f"slot {step.index}"
            for name in (f"slots.{step.index}", f"slots.{step.index}.coefficients"):
                names[name] = (word, "activations")
    return [Share(*names[name], values) for name, values in stored.items()]


def _layer_in_words(layer: Layer) -> str:
    if layer.kernel is None:
        return f"linear {layer.inputs} → {layer.outputs}"
    return f"conv {layer.kernel[0]}×{layer.kernel[1]}, {layer.inputs} → {layer.outputs}"


def draw_budget(arm: str, shares: Sequence[Share], limit: int | None) -> Drawing:
    """Draw what each part of an arm's winner stores, from the inputs down.

    Args:
        arm: the arm.
        shares: of `budget_shares`.
        limit: the budget in stored values, None without one.
    """
    rows: dict[tuple[int, str], dict[str, int]] = {}
    for index, share in _rows(shares):
        rows.setdefault((index, share.part), {})[share.kind] = share.values
    total = sum(share.values for share in shares)
    with styled():
        figure, (axes,) = new_figure(0.26 * len(rows) + 1.15)
        seen: set[str] = set()
        for y, parts in enumerate(rows.values()):
            start = 0
            for kind, values in parts.items():
                label = None if kind in seen else kind
                seen.add(kind)
                axes.barh(y, values, left=start, color=_COLOURS[kind], label=label, height=0.7)
                start += values
            axes.annotate(
                f"{start:,}", (start, y), (4, 0), textcoords="offset points", va="center", color=INK
            )
        axes.set_yticks(range(len(rows)), [part for _, part in rows])
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.grid(visible=False, axis="y")
        of = "" if limit is None else f" of {limit:,} allowed"
        axes.set_title(f"{arm} winner: {total:,} stored values{of}", loc="left")
        axes.set_xlabel("stored values")
        figure.legend(loc="outside lower left", ncols=4)
        alt = f"Stored values of the {arm} winner by layer, {total:,} in all"
        return drawn(f"budget-{arm}", alt, figure)


def _rows(shares: Sequence[Share]) -> list[tuple[int, Share]]:
    """Number the parts: weights and biases of a layer are one, equal layers are not."""
    numbered, index = [], -1
    for share in shares:
        if share.kind != "biases":
            index += 1
        numbered.append((index, share))
    return numbered
