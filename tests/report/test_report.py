"""The page of a run: opens anywhere, says what metrics.json says, and is the same each time."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest

import slaf_automl
from slaf_automl.cli import main
from slaf_automl.driver import RunFolder
from slaf_automl.report.figure_data import read_figure_data


class Page(HTMLParser):
    """Tags with their attributes, the `data` elements, and all text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.numbers: dict[str, tuple[str, str]] = {}
        self.text = ""
        self._open: dict[str, str | None] | None = None
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs) if tag == "data" else None

    def handle_data(self, data):
        self.text += data
        if self._open is not None:
            self.numbers[self._open["data-of"]] = (self._open["value"], data)
            self._open = None

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in found}


@pytest.fixture(scope="module")
def reported(run, tmp_path_factory):
    """The report of the finished run, and what writing it left of the run and of matplotlib."""
    out = tmp_path_factory.mktemp("out") / "report"
    before, parameters = files(run), dict(mpl.rcParams)
    path = slaf_automl.write_report(run, out)
    assert files(run) == before, "reading a run changed it"
    assert dict(mpl.rcParams) == parameters, "matplotlib was left changed"
    return path


@pytest.fixture(scope="module")
def page(reported):
    return Page(reported)


def test_the_page_needs_no_network_and_no_script(page):
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "object")]
    links = [
        str(value)
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "data")
    ]
    assert links
    assert not [link for link in links if re.match(r"(?:\w+:)?//|https?:", link)]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "url(" not in page.source.replace("url(#", "")
    assert "@import" not in page.source


def test_ids_are_unique_and_every_reference_has_its_target(page):
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    asked = re.findall(r'(?:href="#|url\(#)([^")]+)', page.source)
    assert asked
    assert set(asked) <= set(ids)


def test_it_is_small_and_its_figures_lie_beside_it(page, reported):
    assert reported.stat().st_size < 2**23
    named = {
        str(a["href"]) for tag, a in page.tags if tag == "a" and str(a["href"]).endswith(".png")
    }
    there = {path.name for path in reported.parent.glob("*.png")}
    assert named == there
    assert {"activations-mix.png", "curves.png", "placement.png", "history.png"} < there
    assert {"front-mix.png", "front-relu.png", "budget-mix.png", "budget-relu.png"} < there
    for path in reported.parent.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    assert page.source.count("<svg") == len(there)


def test_it_follows_the_colours_of_the_reader(page):
    assert "prefers-color-scheme: dark" in page.source
    assert 'name="viewport"' in page.source
    drawings = "".join(re.findall(r"<svg.*?</svg>", page.source, re.DOTALL))
    assert "var(--ink)" in drawings
    assert "var(--grid)" in drawings
    assert "#1f2937" not in drawings
    assert "#000000" not in drawings


def at(metrics, path):
    for key in path.split("."):
        metrics = metrics[int(key)] if isinstance(metrics, list) else metrics[key]
    return metrics


def test_every_number_is_that_of_metrics_json(page, run):
    metrics = json.loads((run / "best" / "metrics.json").read_text())
    for path, (value, text) in page.numbers.items():
        found = at(metrics, path)
        assert json.loads(value) == found, path
        assert float(text.replace(",", "")) == pytest.approx(found, rel=0.05), path
    arms = [f"{arm}.{key}" for arm in ("mix", "relu") for key in ("parameters", "mean", "trials")]
    wanted = {*arms, "mix.validation.mean", "relu.spread", "linear.test", "constant.validation"}
    wanted |= {"exported.test", "exported.seed", "difference.mean", "difference.interval.0"}
    assert wanted <= set(page.numbers)
    assert metrics["gain"] in page.words
    assert f"{metrics['winner']}, exported" in page.words


def test_a_strangers_names_are_text(page):
    shown = page.words
    assert '<script>alert("x")</script>, a & b, {{ 7 * 7 }}, $x^2$' in shown
    assert 'Classes: <img src=x onerror=alert(1)>, it\'s, say "no".' in shown
    assert "It predicts <b>target</b> from 4 features" in shown
    assert not [tag for tag, _ in page.tags if tag == "b"]


def test_sections_say_what_they_show(page, run):
    assert "4 finished trials" in page.words
    assert "The test rows were read once, after the decision." in page.words
    assert 'slaf_automl.load("RUN")' in page.words
    assert "slaf-automl predict RUN rows.csv" in page.words
    assert str(run) not in page.source
    assert "ReLU in" in page.words
    assert '<p class="missing">' not in page.source


def test_pyplot_keeps_no_figure(reported):
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_the_same_seed_gives_the_same_report_but_for_times(page, search_again, tmp_path):
    again = Page(slaf_automl.write_report(search_again(), tmp_path / "again"))
    lines = [
        [line for line in p.source.splitlines() if 'class="soft times"' not in line]
        for p in (page, again)
    ]
    assert lines[0] == lines[1]
    assert len(again.source.splitlines()) == len(lines[1]) + 1


@pytest.fixture
def copied(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "copied"))


def test_a_running_search_and_a_torn_line_are_no_hindrance(copied, capsys, page):
    journal = copied / "study.journal"
    with RunFolder(copied), journal.open("ab") as file:
        file.write(b'{"op_code": 4, "worker_')
        file.flush()
        before = files(copied)
        assert main(["report", str(copied)]) == 0
        path = copied / "report" / "index.html"
        assert capsys.readouterr().out == f"report: {path}\n"
        after = {name: kept for name, kept in files(copied).items() if name[:7] != "report/"}
        assert after == before
    assert Page(path).source == page.source


def test_a_run_of_an_older_version_says_what_is_missing_until_searched_again(
    copied, search_again, monkeypatch
):
    monkeypatch.setattr("slaf_automl.report.drawing._rasterised", lambda figure: b"")
    (copied / "figures.json").unlink()
    for path in (copied / "confirmation").glob("*.json"):
        notes = json.loads(path.read_text())
        del notes["curve"]
        path.write_text(json.dumps(notes))
    metrics = (copied / "best" / "metrics.json").read_bytes()
    old = Page(slaf_automl.write_report(copied))
    assert "This run has no figures.json of its conclusion" in old.words
    assert "Its search command once more writes it" in old.words
    assert "mix.mean" in old.numbers
    assert not (copied / "report" / "curves.png").exists()
    search_again(copied)
    assert (copied / "best" / "metrics.json").read_bytes() == metrics  # test rows stayed closed
    new = Page(slaf_automl.write_report(copied))
    assert "figures.json" not in new.words
    assert (copied / "report" / "activations-mix.png").exists()
    assert "were trained by an older version, which kept no curves" in new.words


def test_figures_of_another_conclusion_do_not_count(copied):
    decision = json.loads((copied / "evidence.json").read_text())["decision"]
    assert set(read_figure_data(copied, decision)) == {"mix", "relu"}
    assert read_figure_data(copied, {**decision, "refit": True}) is None
    document = json.loads((copied / "figures.json").read_text())
    (copied / "figures.json").write_text(json.dumps({**document, "schema": 2}))
    assert read_figure_data(copied, decision) is None
    for entry, key in (("slots", "functions"), ("curves", "epochs")):
        torn = json.loads(json.dumps(document))
        del torn["arms"]["mix"][entry][0][key]
        (copied / "figures.json").write_text(json.dumps(torn))
        assert read_figure_data(copied, decision) is None
    (copied / "figures.json").write_text("{")
    assert read_figure_data(copied, decision) is None


@pytest.mark.parametrize("step", [-0.1, 0.1])
def test_a_network_behind_a_trivial_predictor_is_said_to_be(step, copied, monkeypatch):
    monkeypatch.setattr("slaf_automl.report.drawing._rasterised", lambda figure: b"")
    path = copied / "best" / "metrics.json"
    metrics = json.loads(path.read_text())
    sign = 1 if metrics["direction"] == "maximize" else -1
    metrics["linear"]["test"] = metrics["exported"]["test"] - sign
    metrics["constant"]["test"] = metrics["exported"]["test"] + sign * step
    path.write_text(json.dumps(metrics))
    shown = Page(slaf_automl.write_report(copied)).words
    assert ("is behind the constant predictor (" in shown) == (step > 0)
    assert "linear predictor" not in shown


def test_the_function_of_the_inputs_is_named_without_figures_too(copied, monkeypatch):
    monkeypatch.setattr("slaf_automl.report.drawing._rasterised", lambda figure: b"")
    (copied / "figures.json").unlink()
    path = copied / "best" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["winner"] = "relu"
    metrics["mix"] |= {"slots": ["relu"], "widths": [5], "inputs": "slaf tent 12"}
    path.write_text(json.dumps(metrics))
    shown = Page(slaf_automl.write_report(copied)).words
    assert "In the winner of the mix 1 of 2 slots stayed ReLU: slot 0." in shown
