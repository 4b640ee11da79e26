"""The page of a Pareto front: what it draws, along which axes, and that it needs no network."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from types import SimpleNamespace

import plotly.graph_objects
import pytest

from slaf_automl.report import front as report
from slaf_automl.report.front import plot_front


@dataclass
class Found:
    number: int
    value: float
    costs: dict
    candidate: object = field(
        default_factory=lambda: SimpleNamespace(
            architecture=SimpleNamespace(kinds=("slaf", "relu"))
        )
    )


def drawn(tmp_path, trials, costs=("parameters",)):
    """Draw fronts of each arm's first trial; return the page and its figure."""
    fronts = {
        arm: [Found(3, values[0][0], dict(zip(costs, values[0][1:], strict=True)))]
        for arm, values in trials.items()
    }
    path = tmp_path / "front.html"
    plot_front("accuracy", costs, fronts, trials, path)
    page = path.read_text()
    call = re.search(r"Plotly\.newPlot\(\s*\"[^\"]+\",\s*(\[.*?\]),\s*(\{.*?\}),\s*\{\"resp", page)
    data, layout = (json.loads(part) for part in call.groups())
    return page, plotly.graph_objects.Figure(data, layout)


def test_the_page_opens_anywhere(tmp_path):
    page, _ = drawn(tmp_path, {"mix": [(0.9, 100)]})
    assert "<title>accuracy against parameters</title>" in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)  # nothing to fetch


def test_costs_are_on_a_log_scale_with_round_numbers(tmp_path):
    _, figure = drawn(tmp_path, {"mix": [(0.9, 37), (0.8, 445)], "relu": [(0.7, 60)]})
    axis = figure.layout.xaxis
    assert (axis.type, axis.title.text) == ("log", "parameters (log scale)")
    assert axis.ticktext == ("10", "20", "50", "100", "200", "500", "1,000", "2,000", "5,000")
    assert [trace.mode for trace in figure.data] == ["markers", "lines+markers"] * 2


@pytest.mark.parametrize(
    ("most", "some"), [(2_000, ("10", "30", "100")), (90_000, ("10", "100", "1,000"))]
)
def test_a_wider_span_has_fewer_numbers(tmp_path, most, some):
    _, figure = drawn(tmp_path, {"mix": [(0.9, 37), (0.8, most)]})
    assert figure.layout.xaxis.ticktext[:3] == some


@pytest.mark.parametrize("values", [(0, 400), (100, 120), (50, 50)])
def test_a_log_scale_needs_a_span_and_has_no_zero(tmp_path, values):
    # Polynomial networks make no ReLU evaluation: a log scale would drop them.
    trials = {"mix": [(0.9, value) for value in values]}
    _, figure = drawn(tmp_path, trials, costs=("relus",))
    assert figure.layout.xaxis.type is None
    assert list(figure.data[0].x) == list(values)


def test_the_second_cost_is_the_size_on_one_scale(tmp_path):
    trials = {"mix": [(0.9, 50, 100)], "relu": [(0.8, 60, 400), (0.7, 90, 100)]}
    page, figure = drawn(tmp_path, trials, costs=("parameters", "macs"))
    sizes = [list(trace.marker.size) for trace in figure.data]
    assert sizes == [[8.75], [8.75], [20.0, 8.75], [20.0]]
    # Points that follow one another sideways need not in the second cost: no line joins them.
    assert {trace.mode for trace in figure.data} == {"markers"}
    assert "The larger a point, the more macs." in page


def test_a_point_says_what_it_is(tmp_path):
    _, figure = drawn(tmp_path, {"mix": [(0.9, 1_234)]})
    assert figure.data[1].text == ("trial 3: slaf, relu; 1,234 parameters",)


def test_arms_are_told_apart_without_colours(tmp_path):
    _, figure = drawn(tmp_path, {"mix": [(0.9, 50)], "relu": [(0.8, 60)]})
    assert len({trace.marker.symbol for trace in figure.data}) == 2
    assert report._SYMBOLS.keys() == report._COLOURS.keys() == {"mix", "relu"}
