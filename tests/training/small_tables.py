"""Small tables and candidates that train in a fraction of a second."""

from __future__ import annotations

import numpy as np
import torch

from slaf_automl.activations import find_kind
from slaf_automl.spec import ActivationSpec, Architecture, Candidate, Recipe
from slaf_automl.training import TableData
from slaf_automl.training.data import Table

ROWS = 150


def relu(normaliser: str = "none") -> ActivationSpec:
    return find_kind("relu").spec(normaliser=normaliser)


def slaf(**parameters) -> ActivationSpec:
    return find_kind("slaf").spec(**parameters)


def make_table(x, y, *, source="made up", features=None, target="y") -> Table:
    x = np.asarray(x, dtype=np.float64)
    names = features or tuple(f"x{i}" for i in range(x.shape[1]))
    return Table(source, names, x, target, np.asarray(y))


def normal_rows(rows: int = ROWS, columns: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def make_data(task: str, *, far: float = 0.0, rows: int = ROWS, split: int = 0) -> TableData:
    """Return a table of a task; its first column lies `far` spreads from zero."""
    x = normal_rows(rows)
    wave = np.sin(2 * x[:, 0]) + x[:, 1] ** 2
    y = {
        "regression": 40.0 + 5.0 * wave,
        "binary": np.where(wave > np.median(wave), "yes", "no"),
        "multiclass": np.digitize(wave, np.quantile(wave, [0.3, 0.6])),
    }[task]
    x[:, 0] += far
    return TableData(make_table(x, y), split=split)


def make_contrary_data() -> TableData:
    """Return a regression table whose validation rows contradict its training rows.

    Whatever is learned makes the validation worse, so the first epochs are the best.
    """
    data = make_data("regression")
    x, y = data.validation
    data.validation = (x, 2 * data.training[1].mean() - y)
    return data


HOPELESS = {"learning_rate": 100.0, "gradient_clip": None}
"""Recipe of a network far worse than the constant predictor, with finite losses (under ReLU)."""


def make_candidate(data: TableData, placement=None, widths=None, **recipe) -> Candidate:
    """Return a candidate for the data; by default a mix of SLAF and ReLU, three short epochs."""
    placement = placement or (slaf(), relu("element"))
    architecture = Architecture(
        family="mlp",
        inputs=len(data.info.features),
        outputs=data.info.outputs,
        widths=widths or (6, 5, 4)[: len(placement)],
        placement=tuple(placement),
        centred_inputs=data.info.centred_inputs,
    )
    defaults = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-2}
    return Candidate(architecture, Recipe(**{**defaults, **recipe}))


def same_state(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    """Say whether two modules hold the same values, bit for bit."""
    one, other = a.state_dict(), b.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)
