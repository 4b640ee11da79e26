"""Shared by all tests: one thread, and a search space that trains for a moment only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from slaf_automl.spaces.files import find_space_file

# Small networks gain nothing from more threads, and timings stay steady.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def quick_space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped space, cut to two layers and nine epochs."""
    document = yaml.safe_load(find_space_file("mlp").read_text())
    document["dimensions"]["depth"] = {"low": 1, "high": 2}
    document["training"].update(epochs=9, least_steps=0, first_rung=1)
    path = tmp_path_factory.mktemp("spaces") / "quick.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    """A regression table of 120 rows: y = a·b + noise, beside a column that says nothing."""
    generator = torch.Generator().manual_seed(0)
    a, b, noise = torch.randn(3, 120, generator=generator)
    rows = [
        f"{x:.6f},{y:.6f},7,{100 + 20 * (x * y + 0.1 * e):.6f}"
        for x, y, e in zip(a, b, noise, strict=True)
    ]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,constant,y", *rows]) + "\n")
    return path
