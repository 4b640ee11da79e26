"""The README's Python runs as written, under every sampler, and its commands name real options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import optuna
import pytest

from slaf_automl.cli import _parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def block(heading: str, language: str) -> str:
    section = README.split(f"## {heading}")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[0]


SAMPLERS = {
    "tpe": lambda: optuna.samplers.TPESampler(seed=0, n_startup_trials=2),
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
    "gp": lambda: optuna.samplers.GPSampler(seed=0, n_startup_trials=2),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_ones_own_study_runs_in_at_most_15_lines(sampler, monkeypatch, tmp_path):
    code = block("In your own study", "python")
    assert len(code.strip().splitlines()) <= 15
    monkeypatch.chdir(tmp_path)
    create = optuna.create_study
    monkeypatch.setattr(
        optuna, "create_study", lambda **given: create(sampler=SAMPLERS[sampler](), **given)
    )
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    study, space = names["study"], names["space"]
    assert len(study.trials) == 4
    assert all(t.state.name == "COMPLETE" for t in study.trials)
    known = space.distributions(names["data"], names["budget"])
    assert all(set(t.params) <= set(known) for t in study.trials)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")
def test_ones_own_network_runs_in_at_most_15_lines(monkeypatch, tmp_path):
    code = block("Your own network", "python")
    assert len(code.strip().splitlines()) <= 15
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    trials = names["study"].trials
    assert [t.state.name for t in trials] == ["COMPLETE"] * 4
    alone = names["space"].costs().parameters
    for trial in trials:
        placement = names["space"].decode(trial.params, extra=names["Budget"](parameters=300))
        assert names["space"].costs(placement).parameters <= alone + 300


@pytest.mark.slow
def test_the_python_search_runs_as_written(monkeypatch, tmp_path, capsys, quick_space):
    monkeypatch.chdir(tmp_path)
    code = block("Your data", "python").replace("trials=8", f"trials=2, space={str(quick_space)!r}")
    assert "space=" in code
    exec(compile(code, "README.md", "exec"), {})
    assert "mix" in capsys.readouterr().out
    assert (tmp_path / "runs/wine_model/model.onnx").exists()


def commands() -> list[str]:
    lines = block("Your data", "sh").strip().splitlines()
    return [line for line in lines if line.startswith("slaf-automl")]


@pytest.mark.parametrize("command", commands())
def test_every_command_names_real_options(command):
    parsed = _parser().parse_args(shlex.split(command)[1:])
    assert parsed.command == shlex.split(command)[1]


def test_every_path_the_readme_names_exists():
    named = set(re.findall(r"(?:scripts|docs|search_spaces|slaf_automl)/[\w/.]*", README))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


def test_no_figure_is_left_open():
    assert "FIGURE" not in README
