"""optuna-dashboard on the storage of a run."""

from __future__ import annotations

import importlib
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slaf_automl.driver import read_studies
from slaf_automl.errors import SlafError


def serve_dashboard(
    run: str | Path,
    *,
    storage: str | None = None,
    host: str = "localhost",
    port: int = 8080,
    say: Callable[[str], None] = print,
) -> None:
    """Show the studies of a run in optuna-dashboard until Ctrl-C.

    A journal in the run folder is open for reading only: the page follows a search that runs, and
    what it would change is refused.

    Args:
        run: run folder of a search, or of Pareto fronts.
        storage: the Optuna storage URL, if the search was given one.
        host: where it listens.
        port: where it listens.
        say: told the address once it serves.

    Raises:
        SlafError: no run, no such port, or optuna-dashboard is not installed.
    """
    dashboard = _require_dashboard()
    studies = read_studies(Path(run), storage)
    if not 0 < port < 65_536:
        raise SlafError(f"port {port}", expected="a number from 1 to 65535")
    app = dashboard.wsgi(studies.storage)
    server = _listening(app, host, port)
    say(f"optuna-dashboard of {run}: http://{host}:{port}/ (Ctrl-C ends it)")
    with warnings.catch_warnings():
        # Its importances say this of every dimension that few trials have, at every look.
        warnings.filterwarnings("ignore", "Some regimes for parameter", UserWarning)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
        finally:
            server.server_close()


def _require_dashboard() -> Any:
    try:
        return importlib.import_module("optuna_dashboard")
    except ImportError:
        raise SlafError(
            "a dashboard without optuna-dashboard", remedy="pip install 'slaf-automl[dashboard]'"
        ) from None


def _listening(app: Any, host: str, port: int) -> Any:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return

    try:
        return make_server(host, port, app, server_class=Server, handler_class=Quiet)
    except OSError as error:
        word = "host" if isinstance(error, socket.gaierror) else "port"
        raise SlafError(
            f"cannot listen on {host}:{port}: {error.strerror}", remedy=f"choose another --{word}"
        ) from None
