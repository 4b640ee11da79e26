"""What the package promises as a whole: light imports, public names, files that keep loading."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import slaf_automl
from slaf_automl.networks import count_cost
from slaf_automl.spec import Candidate

GOLDEN = Path(__file__).with_name("golden")


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert not {"torch", "optuna", "lightning", "numpy"} & loaded_after("import slaf_automl")


def test_the_driver_never_sees_torch():
    loaded = loaded_after("import slaf_automl.driver")
    assert "optuna" in loaded
    assert not {"torch", "lightning"} & loaded


@pytest.mark.parametrize("name", slaf_automl.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(slaf_automl, name)
    assert value.__doc__
    assert name in dir(slaf_automl)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nosuch"):
        slaf_automl.nosuch  # noqa: B018


def test_search_stays_callable_whatever_is_imported():
    import slaf_automl.api
    import slaf_automl.driver.desk

    assert callable(slaf_automl.search)
    assert callable(slaf_automl.load)


@pytest.mark.parametrize("version", sorted(p.name for p in GOLDEN.iterdir()))
def test_bundles_of_every_version_keep_loading(version):
    folder = GOLDEN / version
    network = slaf_automl.load(folder)
    cases = json.loads((folder / "outputs.json").read_text())
    outputs = network(torch.tensor(cases["features"]))
    torch.testing.assert_close(outputs, torch.tensor(cases["outputs"]), rtol=1e-5, atol=1e-5)
    document = json.loads((folder / "candidate.json").read_text())
    candidate = Candidate.from_json(document["candidate"])
    stored = sum(t.numel() for t in network.state_dict().values())
    assert count_cost(candidate.architecture).parameters == stored
