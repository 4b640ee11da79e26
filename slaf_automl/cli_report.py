"""The commands that show a run: `slaf-automl report` and `slaf-automl dashboard`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from jsonargparse import ArgumentParser, Namespace


def _report_parser(parser: ArgumentParser) -> ArgumentParser:
    """Add the options of `report` to a parser, and return it."""
    parser.description = "Write a run's report: an HTML page that opens offline, and its figures."
    _add_run(parser)
    parser.add_argument("--out", type=str | None, help="folder to write (default: RUN/report)")
    return parser


def _dashboard_parser(parser: ArgumentParser) -> ArgumentParser:
    """Add the options of `dashboard` to a parser, and return it."""
    parser.description = "Show a run's studies in optuna-dashboard, also while it searches."
    _add_run(parser)
    parser.add_argument("--host", type=str, default="localhost", help="where it listens")
    parser.add_argument("--port", type=int, default=8080, help="where it listens")
    return parser


def _add_run(parser: ArgumentParser) -> None:
    parser.add_argument("run", type=str, help="run folder of a search")
    parser.add_argument("--storage", type=str | None, help="storage URL, if its search had one")


def _report(options: Namespace) -> None:
    """Write the report and print where it is."""
    from slaf_automl.report.document import write_report

    os.environ["MPLBACKEND"] = (
        "agg"  # A notebook's own, inherited by this process, may not be here.
    )
    print(f"report: {write_report(options.run, options.out, storage=options.storage)}")


def _dashboard(options: Namespace) -> None:
    """Serve the dashboard until Ctrl-C."""
    from slaf_automl.report.dashboard import serve_dashboard

    serve_dashboard(
        options.run, storage=options.storage, host=options.host, port=options.port, say=_say
    )


def _say(text: str) -> None:
    print(text, flush=True)


class Command(NamedTuple):
    """A command: what adds its options to a parser, what runs it, and one line of help."""

    build: Callable[[ArgumentParser], ArgumentParser]
    run: Callable[[Namespace], None]
    help: str


COMMANDS = {
    "report": Command(_report_parser, _report, "write a run as one HTML page"),
    "dashboard": Command(_dashboard_parser, _dashboard, "show a run in optuna-dashboard"),
}
