"""scripts/own_network.py: every network of others is searched, trained and deployed, in small."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import optuna
import pytest

sys.path.append(str(Path(__file__).parents[1] / "scripts"))

from networks_of_others import NETWORKS
from own_network import main

FEW = ["--epochs", "1", "--more", "1", "--trials", "3", "--extra", "200"]
ATTENTION = {"vit", "bert", "encoder", "ft_transformer"}


@pytest.fixture(autouse=True)
def words_as_before():
    """Leave Lightning and Optuna as talkative as they were."""
    logger, level = logging.getLogger("lightning.pytorch"), optuna.logging.get_verbosity()
    before = logger.level
    yield
    logger.setLevel(before)
    optuna.logging.set_verbosity(level)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_others_from_training_to_deployment(name, capsys):
    if name == "resnet":  # The only one whose package the extra `test` does not install.
        pytest.importorskip("pytorchcv")
    assert main(["--network", name, *FEW]) == 0
    printed = capsys.readouterr().out
    rows = re.findall(r"^(.+?) +([\d,]+) +([\d.]+)% +([\d.]+)%$", printed, re.MULTILINE)
    stored = [int(row[1].replace(",", "")) for row in rows]
    original, control, learned, deployed = stored
    assert original == control < learned <= original + 200
    # What was counted before the training is what the deployed network holds.
    assert learned == deployed
    assert all(0 <= float(share) <= 100 for row in rows for share in row[2:])
    assert rows[2][2:] == rows[3][2:]
    assert float(re.findall(r"at most (\S+)$", printed, re.MULTILINE)[0]) < 1e-4
    slots = re.findall(r"^  (\S+): \w+ → (.+)$", printed, re.MULTILINE)
    assert len(slots) == int(re.findall(r"(\d+) slots", printed)[0])
    assert any("of degree" in what for _, what in slots)


def test_at_least_three_networks_of_two_packages_one_with_attention():
    packages = {name: network.package for name, network in NETWORKS.items()}
    installed = {n: p for n, p in packages.items() if n != "resnet"}
    assert len(installed) >= 3
    assert len(set(installed.values()) - {"torch"}) >= 2
    assert set(installed) >= ATTENTION


def test_a_package_that_is_not_there_is_named_in_one_line(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_tcn", None)
    assert main(["--network", "tcn", *FEW]) == 2
    error = capsys.readouterr().err
    assert error.startswith("own_network.py: network 'tcn'")
    assert error.endswith("pip install pytorch-tcn\n")
    assert error.count("\n") == 1


def test_limits_that_no_learned_activation_meets_are_refused_in_one_line(capsys, monkeypatch):
    monkeypatch.setattr("own_network.Experiment.train", lambda *_, **__: (None, 1.0))
    assert main(["--network", "encoder", *FEW, "--extra", "1"]) == 2
    error = capsys.readouterr().err
    assert error == "own_network.py: no trial finished that replaces anything; more --trials\n"


@pytest.mark.parametrize("words", [[], ["--network", "x"], ["--network", "vit", "--trials", "0"]])
def test_wrong_words_end_with_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: own_network.py" in capsys.readouterr().err
