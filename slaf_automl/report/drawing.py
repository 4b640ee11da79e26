"""Figures as SVG for a page and as PNG beside it, drawn the same each time."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slaf_automl.errors import SlafError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRID = "#1f2937", "#d1d5db"
"""Text and lines; in a page they follow its own colours."""

COLOURS = {"mix": "#ea580c", "relu": "#718096"}
"""Of the arms; seen on white and on black alike."""

LINES = {"mix": "-", "relu": "--"}
"""Of the arms, told apart without colours."""

WIDTH = 4.8
"""Inches; text of a figure stays readable on a phone."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "slaf_automl",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color", "axes.titlecolor"), INK),
}


@dataclass(frozen=True)
class Drawing:
    """A figure, drawn.

    Args:
        name: of its file, and before every id in its SVG.
        alt: what it shows, for those who cannot see it.
        svg: an `<svg>` element whose ink and grid are `var(--ink)` and `var(--grid)`.
        png: the same on white.
    """

    name: str
    alt: str
    svg: str
    png: bytes


def require_drawing() -> None:
    """Raise a `SlafError` that says what to install unless matplotlib and Jinja2 are there."""
    for module in ("matplotlib", "jinja2"):
        try:
            importlib.import_module(module)
        except ImportError:
            raise SlafError(
                f"a report without {module}", remedy="pip install 'slaf-automl[report]'"
            ) from None


@contextmanager
def styled() -> Iterator[None]:
    """Within the block matplotlib draws in the style of the reports, and afterwards as before."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        parameters: Any = mpl.rcParams  # matplotlib's own types name every key
        parameters.update(_STYLE)
        yield


def new_figure(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure, and its axes row by row; to be called within `styled()`.

    Args:
        height: in inches.
        rows: of axes.
        columns: of axes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def drawn(name: str, alt: str, figure: Figure) -> Drawing:
    """Draw a figure; to be called within `styled()`.

    Args:
        name: of its file: letters, digits and dashes.
        alt: what it shows.
        figure: the figure, in `INK`, `GRID` and colours that read on white and on black.
    """
    vector = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(vector, format="svg", metadata=nothing, transparent=True)
    figure.set_layout_engine("none")  # It is laid out: not a second time.
    return Drawing(name, alt, inline_svg(vector.getvalue(), name, alt), _rasterised(figure))


def _rasterised(figure: Figure) -> bytes:
    pixels = io.BytesIO()
    figure.savefig(pixels, format="png", dpi=150, facecolor="white", metadata={"Software": None})
    return pixels.getvalue()


def inline_svg(document: str, name: str, alt: str) -> str:
    """Return the `<svg>` element of matplotlib's document, for a page that holds others too.

    Ids get a prefix; sizes, joins and fonts are left to the page, and so are ink and grid, as its
    variables.

    Example:
        >>> inline_svg('<?xml?><svg width="9pt" height="5pt"><g id="a"/></svg>', "one", 'a < b')
        '<svg role="img" aria-label="a &lt; b"><g id="one-a"/></svg>'
    """
    from markupsafe import escape

    text = document[document.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]*; ?", "", text)
    head, _, body = text.partition(">")
    head = re.sub(r' (?:width|height|version)="[^"]*"', "", head)
    head = head.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = body.replace(INK, "var(--ink)").replace(GRID, "var(--grid)")
    return f"{head}>{body}"
