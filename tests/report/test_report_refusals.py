"""Bad input to `report` and `dashboard` is one line; a thin run gives a page that says so."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest

from slaf_automl.cli import main
from slaf_automl.driver import RunFolder
from slaf_automl.report import dashboard


def complaint(capsys, *arguments: object) -> str:
    """Run a command that must fail; return its one line."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    return err


@pytest.fixture
def words(monkeypatch, capsys):
    """Run ↦ the text of its page, whose figures are not rasterised."""
    monkeypatch.setattr("slaf_automl.report.drawing._rasterised", lambda figure: b"")

    def read(run: Path, *more: str) -> str:
        assert main(["report", str(run), *more]) == 0
        path = Path(capsys.readouterr().out.removeprefix("report: ").strip())
        source = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", path.read_text(), flags=re.DOTALL)
        return " ".join(re.sub(r"<[^>]*>", "", source).split())

    return read


@pytest.mark.parametrize("command", ["report", "dashboard"])
def test_what_is_no_run(command, tmp_path, capsys):
    assert "no folder" in complaint(capsys, command, tmp_path / "nothing")
    assert "is not a run folder: it has no run.json" in complaint(capsys, command, tmp_path)
    file = tmp_path / "file"
    file.touch()
    assert "no folder" in complaint(capsys, command, file)
    (tmp_path / "run.json").write_text("{")
    assert "run.json is damaged" in complaint(capsys, command, tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 7, "name": "a", "arms": {}}')
    line = complaint(capsys, command, tmp_path)
    assert "schema 7; expected schema 1; read it with the version" in line
    (tmp_path / "run.json").write_text('{"schema": 1, "name": "a", "arms": {}}')
    assert "keeps its trials in another storage; give --storage" in complaint(
        capsys, command, tmp_path
    )
    (tmp_path / "study.journal").touch()
    assert "holds no study of" in complaint(capsys, command, tmp_path)
    (tmp_path / "study.journal").write_text("nonsense\n")
    assert "study.journal is damaged" in complaint(capsys, command, tmp_path)
    assert not (tmp_path / "report").exists()


def test_no_finished_trial(write_run, capsys):
    line = complaint(capsys, "report", write_run())
    assert "has no finished trial yet; expected at least one; run the search longer" in line


def test_a_run_of_fronts(write_run, capsys):
    line = complaint(capsys, "report", write_run(arm="front-mix"))
    assert "is a run of Pareto fronts; draw those with slaf-automl front … --plot FILE" in line


def test_a_single_trial(write_run, make_trial, words):
    text = words(write_run([make_trial(0.75)]))
    assert "No verdict yet. Best validation accuracy so far: mix 0.75." in text
    assert "This run has no conclusion yet." in text
    assert "Importances need at least two trials whose values differ." in text
    assert (
        "ReLU in 1 of the 1 best trials that have this slot, and in 1 of all 1. No trial has SLAF"
    )
    assert "Times: a trial took 0.5 s" in text


def test_only_diverged_trials(write_run, make_trial, words):
    run = write_run([make_trial(0.1, kind, diverged=True) for kind in ("relu", "slaf", "slaf")])
    text = words(run)
    assert "mix: 3 finished trials, 3 of them complete, 0 stopped early, 3 diverged." in text
    assert "Importances need at least two trials whose values differ." in text
    assert "0.1 with ReLU (1 trial), 0.1 with SLAF (2 trials); no difference." in text


def test_a_trial_of_an_older_version(write_run, make_trial, words):
    text = words(write_run([make_trial(0.5, noted=False), make_trial(0.6, "slaf", noted=False)]))
    assert "0.5 with ReLU (1 trial), 0.6 with SLAF (1 trial); SLAF did better." in text
    assert "Times: not noted." in text


def test_trials_that_say_no_slots(write_run, make_trial, words):
    trial = make_trial(0.5, noted=False)
    trial.params, trial.distributions = {}, {}
    text = words(write_run([trial]))
    assert "No trial of the mix says what fills its slots." in text


def test_a_bundle_of_a_newer_version(write_run, make_trial, capsys):
    run = write_run([make_trial(0.5)])
    (run / "best").mkdir()
    (run / "best" / "metrics.json").write_text('{"schema": 9}')
    assert "metrics.json has schema 9; expected schema 1" in complaint(capsys, "report", run)
    (run / "best" / "metrics.json").write_text('{"schema": 1}')
    assert "metrics.json has no 'budget'" in complaint(capsys, "report", run)
    keys = "metric direction winner parameters budget exported test mix relu gain linear constant"
    metrics = dict.fromkeys([*keys.split(), "test_openings"]) | {"schema": 1}
    (run / "best" / "metrics.json").write_text(json.dumps(metrics))
    assert "metrics.json has no 'constant'" in complaint(capsys, "report", run)
    trivial = dict.fromkeys(["parameters", "validation", "test"], 0.5)
    arm = dict.fromkeys([*trivial, "mean", "values", "trials", "slots", "widths"], 1)
    arm["spread"] = None
    metrics = {**dict.fromkeys(metrics, 1), "relu": None, "budget": None}
    metrics |= {"mix": arm, "test": arm, "linear": trivial, "constant": trivial}
    for wrong, name in (({}, "exported.seed"), (7, "exported"), ({"seed": 1}, "exported.test")):
        metrics["exported"] = {"validation": None, **wrong} if isinstance(wrong, dict) else wrong
        (run / "best" / "metrics.json").write_text(json.dumps(metrics))
        assert f"metrics.json has no '{name}'" in complaint(capsys, "report", run)
    metrics["exported"] = {"validation": None, "seed": 1, "test": None}
    (run / "best" / "metrics.json").write_text(json.dumps(metrics))
    assert "metrics.json has no 'exported.test'" in complaint(capsys, "report", run)
    metrics["exported"]["test"] = 0.5
    (run / "best" / "metrics.json").write_text(json.dumps(metrics))
    assert "cannot read" in complaint(capsys, "report", run)
    (run / "best" / "candidate.json").write_text(json.dumps({"candidate": {}}))
    assert "schema None" in complaint(capsys, "report", run)


def test_another_storage_is_asked_for(write_run, make_trial, capsys, words, tmp_path):
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    run = write_run([make_trial(0.75)], storage=url)
    assert "give --storage as its search had it" in complaint(capsys, "report", run)
    assert "Best validation accuracy so far: mix 0.75" in words(run, "--storage", url)
    absent = tmp_path / "absent.db"
    line = complaint(capsys, "report", run, "--storage", f"sqlite:///{absent}")
    assert "cannot open storage" in line
    assert not absent.exists()
    (tmp_path / "empty.db").touch()
    line = complaint(capsys, "report", run, "--storage", f"sqlite:///{tmp_path / 'empty.db'}")
    assert "storage" in line


def test_a_folder_that_cannot_be_written(write_run, make_trial, capsys, tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert "cannot write" in complaint(
        capsys, "report", write_run([make_trial(0.5)]), "--out", file / "report"
    )


@pytest.mark.parametrize("module", ["matplotlib", "jinja2"])
def test_a_missing_package_is_named(module, write_run, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    line = complaint(capsys, "report", write_run())
    assert f"a report without {module}; pip install 'slaf-automl[report]'" in line


def test_a_missing_dashboard_is_named(write_run, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert "pip install 'slaf-automl[dashboard]'" in complaint(capsys, "dashboard", write_run())


def test_a_port_that_cannot_be(write_run, capsys):
    run = write_run()
    assert "port 70000; expected" in complaint(capsys, "dashboard", run, "--port", 70_000)
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = complaint(capsys, "dashboard", run, "--port", port)
    assert f"cannot listen on localhost:{port}" in line
    assert "choose another --port" in line
    line = complaint(capsys, "dashboard", run, "--host", "no such host")
    assert line.rstrip().endswith("choose another --host")


class Served:
    """Stands for the server: asks the application instead of listening."""

    def __init__(self, app, ask):
        self.app, self.ask, self.closed = app, ask, False

    def serve_forever(self):
        self.ask(self.app)
        raise KeyboardInterrupt

    def server_close(self):
        self.closed = True


def asked(app, path: str, method: str = "GET", body: bytes = b"") -> tuple[str, bytes]:
    """Ask a WSGI application; return the status and what it answers."""
    import io

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    status: list[str] = []
    content = b"".join(app(environ, lambda line, headers, *more: status.append(line)))
    return status[0], content


def test_the_dashboard_reads_and_never_writes(write_run, make_trial, capsys, monkeypatch):
    run = write_run([make_trial(0.75)])
    journal = run / "study.journal"
    before = journal.read_bytes()
    servers, seen = [], {}

    def ask(app):
        seen["studies"] = json.loads(asked(app, "/api/studies")[1])["study_summaries"]
        note = json.dumps({"body": "x", "version": 1}).encode()
        seen["note"] = asked(app, "/api/studies/0/note", "PUT", note)[0]
        with RunFolder(run) as opened:  # a search goes on beside it
            opened._storage.set_study_user_attr(0, "more", 1)
        seen["more"] = asked(app, "/api/studies")[1]

    def listen(app, host, port):
        servers.append(Served(app, ask))
        return servers[0]

    monkeypatch.setattr(dashboard, "_listening", listen)
    assert main(["dashboard", str(run)]) == 0
    assert "http://localhost:8080/ (Ctrl-C ends it)" in capsys.readouterr().out
    assert [study["study_name"] for study in seen["studies"]] == ["mix"]
    assert seen["note"].startswith("500")
    assert b'"more"' in seen["more"]
    assert servers[0].closed
    assert journal.read_bytes().startswith(before)
    assert b"note" not in journal.read_bytes()[len(before) :]
