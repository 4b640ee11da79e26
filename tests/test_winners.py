"""The winners of a search in onnxruntime: timed side by side where that is asked for."""

import math
from dataclasses import replace

import pytest

import slaf_automl
from slaf_automl import TableData
from slaf_automl.export import read_bundle
from slaf_automl.export.latency import latencies
from slaf_automl.report import ArmFigures
from slaf_automl.training.confirmation import ConfirmedNetwork
from slaf_automl.winners import ArmWinner, timed


@pytest.fixture(scope="module")
def result(quick_space, tmp_path_factory):
    return slaf_automl.search(
        "sklearn:iris",
        budget=200,
        space=quick_space,
        trials=2,
        confirmations=2,
        latency=True,
        out=tmp_path_factory.mktemp("run") / "run",
    )


def test_both_arms_have_macs_and_the_time_of_a_row(result):
    for arm in ("mix", "relu"):
        figures = result.metrics[arm]
        assert 0.1 < figures["latency"]["one_row_us"] < 1e5
        assert figures["costs"]["parameters"] == figures["parameters"]
        assert figures["costs"]["macs"] > 0
    (line,) = (line for line in str(result).splitlines() if line.startswith("macs a row"))
    assert line.count("µs") == 2


def winner(name, result, network):
    figures = ArmFigures(name, 9, 1, ("relu",), (3,), (0.5, 0.6))
    networks = [ConfirmedNetwork(seed, 0.5 + 0.1 * seed, 1, network) for seed in range(2)]
    return ArmWinner(result.best, 0, networks, figures)


def test_an_arm_whose_every_seed_diverged_is_not_timed(result):
    whole = read_bundle(result.folder).network
    broken = read_bundle(result.folder).network
    broken.layers[0].weight.fill_(math.nan)
    data = TableData.load("sklearn:iris")
    winners = [winner("mix", result, broken), winner("relu", result, whole)]
    assert winners[0].best(float.__gt__) is None
    assert winners[1].best(float.__gt__).seed == 1
    assert winners[1].best(float.__lt__).seed == 0
    mix, relu = timed(winners, data, float.__gt__)
    assert mix.figures.latency is None
    assert relu.figures.latency > 0
    assert replace(relu.figures, latency=None) == winners[1].figures


def test_nothing_to_time_is_no_time(result):
    row = TableData.load("sklearn:iris").validation[0][:1].numpy()
    assert latencies({}, row) == {}
    content = (result.folder / "best" / "model.onnx").read_bytes()
    assert set(latencies({"a": content, "b": content}, row)) == {"a", "b"}
