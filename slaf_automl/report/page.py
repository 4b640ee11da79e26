"""One HTML page around a figure: opens offline, in any width, light and dark."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from slaf_automl.files import write_bytes

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ --ink: #1f2937; --grid: #e5e7eb; --paper: #ffffff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e5e7eb; --grid: #374151; --paper: #111827; }}
}}
* {{ box-sizing: border-box; }}
body {{
  margin: 0; padding: 1rem; height: 100vh; min-height: 30rem; display: flex;
  flex-direction: column; color: var(--ink); background: var(--paper);
  font-family: system-ui, sans-serif;
}}
h1 {{ font-size: 1.25rem; margin: 0 0 .25rem; }}
p {{ margin: 0; font-size: .875rem; line-height: 1.4; }}
main {{ flex: 1; min-height: 0; min-width: 0; }}
/* A figure carries its colours in each element. */
.xtick text, .ytick text, .xtitle, .ytitle, .legendtext {{ fill: var(--ink) !important; }}
.gridlayer path {{ stroke: var(--grid) !important; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{text}</p>
<main>{figure}</main>
</body>
</html>
"""


def write_page(title: str, text: str, figure: Any, path: Path) -> None:
    """Write a plotly figure as a page of its own; plotly's script is in it.

    Args:
        title: heading, and name of the browser's tab.
        text: what is to be seen.
        figure: drawn over the whole rest of the window, on a background of the page's.
        path: an `.html` file.

    Raises:
        SlafError: the file cannot be written.
    """
    clear = "rgba(0, 0, 0, 0)"
    figure.update_layout(paper_bgcolor=clear, plot_bgcolor=clear)
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        default_height="100%",
        config={"responsive": True, "displaylogo": False},
    )
    page = _PAGE.format(title=escape(title), text=escape(text), figure=drawn)
    write_bytes(path, page.encode())
