"""The report of a run: one self-contained HTML page, and its figures as PNG files beside it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from slaf_automl.files import make_folder, write_bytes
from slaf_automl.report.drawing import Drawing, require_drawing
from slaf_automl.report.run import Run, read_run
from slaf_automl.report.sections import Sections

PAGE = "index.html"

_DRAWN = (
    *("activations-mix", "activations-relu", "placement", "history", "importances"),
    *("front-mix", "front-relu", "curves", "budget-mix", "budget-relu"),
)
"""Names of all figures: one of an earlier report that is no longer drawn goes."""


def write_report(
    run: str | Path, out: str | Path | None = None, *, storage: str | None = None
) -> Path:
    """Write the report of a run, and return its page `index.html`.

    The run is only read: it may still be searching. Two runs of one seed give the same page but
    for the line of class `times`.

    Args:
        run: run folder of a search.
        out: folder for the page and the figures (PNG); None takes `report` in the run folder.
        storage: the Optuna storage URL, if the search was given one.

    Raises:
        SlafError: no run or one without a finished trial, a package that is missing, or a folder
            that cannot be written.
    """
    require_drawing()
    found = read_run(Path(run), storage)
    folder = Path(run) / "report" if out is None else Path(out)
    page, drawings = build_page(found)
    make_folder(folder)
    for name in {*_DRAWN} - {drawing.name for drawing in drawings}:
        (folder / f"{name}.png").unlink(missing_ok=True)
    for drawing in drawings:
        write_bytes(folder / f"{drawing.name}.png", drawing.png)
    write_bytes(folder / PAGE, page.encode())
    return folder / PAGE


def build_page(run: Run) -> tuple[str, list[Drawing]]:
    """Return the page of a run, and the figures that are in it."""
    import jinja2

    sections = Sections(run)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    template = resources.files("slaf_automl.report").joinpath("template.html").read_text("utf-8")
    text = environment.from_string(template).render(page=sections.all())
    return text, sections.drawings
