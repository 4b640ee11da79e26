"""Searches under limits on other costs than parameters, end to end."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

import slaf_automl
from slaf_automl.cli import main
from slaf_automl.driver.run import RunFolder
from slaf_automl.errors import BudgetError, SlafError, StudyError
from slaf_automl.networks import count_cost
from slaf_automl.spec import Budget


@pytest.fixture(scope="module")
def smooth_space(tmp_path_factory, quick_space) -> Path:
    """The quick space with a choice of no clip, narrow enough for any budget."""
    document = yaml.safe_load(quick_space.read_text())
    document["widths"] = {"least": 2, "most": 24}
    document["dimensions"]["clip"] = {"choices": [None, 3.0]}
    document["dimensions"]["slot.hybrid"] = {"choices": [0.0, 0.5]}
    path = tmp_path_factory.mktemp("spaces") / "smooth.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(scope="module")
def polynomial(tmp_path_factory, smooth_space):
    """A search under a depth limit, to be read only."""
    return slaf_automl.search(
        "sklearn:iris",
        budget=Budget(depth=7),
        trials=3,
        space=smooth_space,
        confirmations=2,
        out=tmp_path_factory.mktemp("depth") / "run",
    )


def test_a_depth_limit_gives_a_polynomial(polynomial):
    architecture = polynomial.best.architecture
    assert set(architecture.kinds) == {"slaf"}
    assert count_cost(architecture).depth <= 7
    # Along a line a polynomial of degree n has no differences of order n + 1; a ReLU or a clip
    # anywhere on it would leave some.
    order = 1 + math.prod(spec["degree"] for spec in architecture.placement)
    line = torch.linspace(-100, 100, order + 20, dtype=torch.float64)
    values = copy.deepcopy(polynomial.model).double()(line[:, None].expand(-1, 4))
    largest = values.abs().max()
    for _ in range(order):
        values = values.diff(dim=0)
    assert values.abs().max() <= 1e-9 * largest


def test_without_a_twin_the_mix_is_compared_with_the_linear_predictor(polynomial):
    metrics, text = polynomial.metrics, str(polynomial)
    assert polynomial.control is None
    assert metrics["relu"] is metrics["difference"] is None
    assert (metrics["winner"], metrics["comparison"]) == ("mix", "linear")
    words = "No ReLU network can meet 7 levels of multiplicative depth."
    assert metrics["gain"].startswith(words)
    assert "linear predictor" in metrics["gain"]
    assert words in text
    assert "none can meet the budget" in text
    assert "not run" not in text


def test_metrics_hold_every_limit_and_every_cost(polynomial):
    metrics = json.loads((polynomial.folder / "best/metrics.json").read_text())
    totals = count_cost(polynomial.best.architecture).totals
    assert metrics["budget"] is None
    assert metrics["limits"] == {"depth": 7}
    assert metrics["costs"] == totals
    stored = sum(
        t.numel() for t in load_file(polynomial.folder / "best/model.safetensors").values()
    )
    assert stored == metrics["parameters"] == metrics["costs"]["parameters"]
    card = (polynomial.folder / "best/MODEL_CARD.md").read_text()
    assert "(budget 7 levels of multiplicative depth)" in card


def test_the_same_budget_resumes_and_another_is_refused(polynomial, smooth_space):
    arguments = {"trials": 3, "space": smooth_space, "confirmations": 2, "out": polynomial.folder}
    again = slaf_automl.search("sklearn:iris", budget=Budget(depth=7), **arguments)
    assert again.metrics == polynomial.metrics
    for budget in (Budget(depth=8), Budget(depth=7, macs=10**6), 5_000):
        with pytest.raises(StudyError, match="another budget: 7 levels of multiplicative depth "):
            slaf_automl.search("sklearn:iris", budget=budget, **arguments)


def test_all_limits_hold_in_both_arms(tmp_path, smooth_space):
    budget = Budget(parameters=200, macs=150, relus=16)
    result = slaf_automl.search(
        "sklearn:iris",
        budget=budget,
        trials=3,
        space=smooth_space,
        confirmations=1,
        out=tmp_path / "run",
    )
    assert len(result.control.trials) == 3
    metrics = result.metrics
    assert metrics["limits"] == budget.limits
    assert (metrics["budget"], metrics["comparison"]) == (200, "relu")
    assert metrics["costs"]["depth"] is None or metrics["costs"]["relus"] == 0
    assert all(metrics["costs"][name] <= limit for name, limit in budget.limits.items())
    assert metrics["relu"]["widths"][0] <= 16
    assert f"{metrics['costs']['macs']:,} of 150 macs" in str(result)


def test_a_parameter_budget_of_an_earlier_version_resumes(tmp_path, quick_space):
    arguments = {"trials": 1, "space": quick_space, "confirmations": 1, "out": tmp_path / "run"}
    first = slaf_automl.search("sklearn:iris", budget=200, **arguments)
    # What earlier versions wrote, key by key.
    keys = {"arm", "space", "space_version", "space_identity", "budget", "data", "data_identity"}
    keys |= {"metric", "seed", "population"}
    stored = json.loads((tmp_path / "run/run.json").read_text())["arms"]
    assert all(set(arm) == keys and arm["budget"] == 200 for arm in stored.values())
    assert first.study.user_attrs["slaf_automl"]["budget"] == 200
    again = slaf_automl.search("sklearn:iris", budget=Budget(parameters=200), **arguments)
    assert again.metrics == first.metrics
    with pytest.raises(StudyError, match="another budget: 200 parameters there, 200 par"):
        slaf_automl.search("sklearn:iris", budget=Budget(200, relus=50), **arguments)


def test_evidence_of_an_earlier_version_still_makes_its_table(tmp_path, quick_space):
    arguments = {"trials": 1, "space": quick_space, "confirmations": 1, "out": tmp_path / "run"}
    first = slaf_automl.search("sklearn:iris", budget=200, **arguments)
    new = ("limits", "costs", "comparison")
    for path in ("evidence.json", "best/metrics.json"):
        file = tmp_path / "run" / path
        document = json.loads(file.read_text())
        for key in new:
            del document.get("metrics", document)[key]
        file.write_text(json.dumps(document))
    again = slaf_automl.search("sklearn:iris", budget=200, **arguments)
    assert str(again) == str(first)
    (tmp_path / "run/best/model.onnx").unlink()
    rebuilt = slaf_automl.search("sklearn:iris", budget=200, **arguments)
    assert rebuilt.metrics["test_openings"] == 1


def test_the_command_line_takes_every_limit(tmp_path, smooth_space, capsys):
    run = tmp_path / "run"
    arguments = ["search", "sklearn:iris", "--space", str(smooth_space), "--trials", "1"]
    arguments += ["--confirmations", "1", "--out", str(run)]
    limits = ["--macs", "2000", "--relus", "0", "--depth", "7", "--budget", "300"]
    assert main([*arguments, *limits]) == 0
    metrics = json.loads((run / "best/metrics.json").read_text())
    assert metrics["limits"] == {"parameters": 300, "macs": 2000, "relus": 0, "depth": 7}
    out = capsys.readouterr().out
    assert "No ReLU network can meet 300 parameters, 2,000 macs, 0 ReLU evaluations and 7" in out
    with RunFolder(run) as opened:
        assert not opened.holds("relu")


def complaint(capsys, arguments) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ([], "no budget; expected at least one of --budget, --macs, --relus, --depth"),
        (["--macs", "many"], "macs"),
        (["--macs", "0"], "Budget.macs 0; expected an integer of at least 1"),
        (["--relus", "-1"], "Budget.relus -1; expected an integer of at least 0"),
        (["--depth", "2.5"], "depth"),
        (
            ["--budget", "500", "--depth", "9"],
            "slot.hybrid: 0.0 is not among the choices of space 'mlp'",
        ),
        (["--relus", "50"], "widths.most 32,768 of space 'mlp'"),
        (["--budget", "500", "--macs", "9"], "expected at least 22 macs for space 'mlp'"),
    ],
)
def test_a_bad_limit_is_one_line(limits, words, tmp_path, capsys):
    run = tmp_path / "run"
    line = complaint(capsys, ["search", "sklearn:iris", *limits, "--out", str(run)])
    assert words in line
    assert not run.exists()


@pytest.mark.parametrize("budget", [None, 0, "5000", Budget])
def test_a_budget_that_is_none_is_refused(tmp_path, budget):
    with pytest.raises(SlafError, match="Budget"):
        slaf_automl.search("sklearn:iris", budget=budget, out=tmp_path / "run")


def test_a_budget_that_leaves_nothing_makes_no_folder(tmp_path, smooth_space):
    with pytest.raises(BudgetError, match=r"2 levels of .* expected at least 4"):
        slaf_automl.search(
            "sklearn:iris", budget=Budget(depth=2), space=smooth_space, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()
