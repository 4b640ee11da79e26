"""A finished run of names that a page must not take for markup, and runs written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from optuna.trial import TrialState, create_trial

import slaf_automl
from slaf_automl.driver import Identity, RunFolder

HOSTILE = ('<script>alert("x")</script>', "a & b", "{{ 7 * 7 }}", "$x^2$")
CLASSES = ("<img src=x onerror=alert(1)>", 'say "no"', "it's")


@pytest.fixture(scope="session")
def hostile_csv(tmp_path_factory) -> Path:
    """A table of three classes whose columns and classes are markup."""
    x = torch.randn(150, 4, generator=torch.Generator().manual_seed(0))
    chosen = (x[:, 0] * x[:, 1] + x[:, 2]).argsort().argsort() * 3 // 150

    def quoted(cell: object) -> str:
        return '"' + str(cell).replace('"', '""') + '"'

    rows = [[*row, CLASSES[int(c)]] for row, c in zip(x.tolist(), chosen, strict=True)]
    lines = [",".join(map(quoted, row)) for row in [[*HOSTILE, "<b>target</b>"], *rows]]
    path = tmp_path_factory.mktemp("report") / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def search_again(tmp_path_factory, hostile_csv, quick_space):
    """() ↦ the folder of another search with the same seed."""

    def again(folder: Path | None = None) -> Path:
        found = slaf_automl.search(
            hostile_csv,
            budget=150,
            space=quick_space,
            trials=4,
            confirmations=2,
            out=tmp_path_factory.mktemp("run") / "run" if folder is None else folder,
        )
        return found.folder

    return again


@pytest.fixture(scope="session")
def run(search_again) -> Path:
    """A finished run, to be read only."""
    return search_again()


@pytest.fixture
def write_run(tmp_path):
    """(trials of the mix) ↦ the folder of a run that holds them and nothing else."""

    def write(trials: Sequence[Any] = (), arm: str = "mix", storage: str | None = None) -> Path:
        identity = Identity(arm, "mlp", 2, "a", 100, "t.csv", "d", "accuracy", 0)
        directions = ("maximize", "minimize") if arm.startswith("front") else "maximize"
        with RunFolder(tmp_path / "written", storage) as opened:
            study = opened.study(identity, directions, 3)
            for trial in trials:
                study.add_trial(trial)
        return tmp_path / "written"

    return write


@pytest.fixture
def make_trial():
    """(value, …) ↦ a finished trial of one slot."""

    def make(
        value: float,
        kind: str = "relu",
        *,
        rungs: dict[int, float] | None = None,
        pruned: bool = False,
        diverged: bool = False,
        noted: bool = True,
    ) -> optuna.trial.FrozenTrial:
        state = "pruned" if pruned else "complete"
        attributes: dict[str, Any] = {"parameters": 90}
        if noted:
            slot = {"kind": kind, "basis": "hermite", "degree": 3, "hybrid": 0.25}
            attributes["slots"] = {"slot 0": slot}
            attributes["result"] = {"state": state, "diverged": diverged, "seconds": 0.5}
        choices = optuna.distributions.CategoricalDistribution(["relu", "slaf"])
        return create_trial(
            state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
            value=value,
            params={"slot0.activation": kind},
            distributions={"slot0.activation": choices},
            user_attrs=attributes,
            intermediate_values=rungs or {},
        )

    return make
