"""Small trained candidates as bundles, with the metrics a conclusion would write beside them."""

from __future__ import annotations

import numpy as np
import torch

import slaf_automl
from slaf_automl.activations import find_kind
from slaf_automl.export import Bundle, write_bundle
from slaf_automl.networks import count_cost
from slaf_automl.report import ArmFigures, slot_in_words
from slaf_automl.spec import Architecture, Candidate, Recipe
from slaf_automl.training import TableData, find_metric
from slaf_automl.training.data import Table

SLAF, RELU = find_kind("slaf"), find_kind("relu")

PLACEMENTS = {
    "mix": (SLAF.spec(hybrid=0.25), RELU.spec(normaliser="element")),
    "smooth": (SLAF.spec(basis="hermite", degree=7, sharing="layer", normaliser="input"),) * 2,
    "unclipped": (SLAF.spec(basis="legendre", normaliser="none", clip=None),),
    "rectified": (RELU.spec(), RELU.spec()),
}


def made_up(kind: str) -> TableData:
    """Return a table whose classes are integers, or whose first column is far from zero."""
    x = np.random.default_rng(1).normal(size=(120, 3))
    wave = np.sin(2 * x[:, 0]) + x[:, 1]
    y = {
        "two numbers": np.where(wave > 0, 7, -3),
        "three numbers": np.digitize(wave, [-0.5, 0.5]) * 10,
        "far": 40 + 5 * wave,
    }[kind]
    if kind == "far":
        x[:, 0] += 300
    return TableData(Table("made up", ("u", "v", "w"), x, "y", y))


CASES = {
    "iris": ("mix", lambda: TableData.load("sklearn:iris")),
    "breast_cancer": ("smooth", lambda: TableData.load("sklearn:breast_cancer")),
    "diabetes": ("mix", lambda: TableData.load("sklearn:diabetes")),
    "two numbers": ("rectified", lambda: made_up("two numbers")),
    "three numbers": ("unclipped", lambda: made_up("three numbers")),
    "far": ("smooth", lambda: made_up("far")),
}


def make_candidate(data: TableData, placement: str) -> Candidate:
    architecture = Architecture(
        family="mlp",
        inputs=len(data.info.features),
        outputs=data.info.outputs,
        widths=(6, 5)[: len(PLACEMENTS[placement])],
        placement=PLACEMENTS[placement],
        centred_inputs=data.info.centred_inputs,
    )
    return Candidate(architecture, Recipe(epochs=3, batch_size=16, learning_rate=1e-2))


def make_metrics(candidate: Candidate, data: TableData) -> dict:
    architecture, kind = candidate.architecture, find_metric(None, data.info)
    mix = ArmFigures(
        "mix",
        count_cost(architecture).parameters,
        4,
        tuple(slot_in_words(spec) for spec in architecture.placement),
        architecture.widths,
        (0.5, 0.75),
        (0.625, 0.5),
    ).to_json()
    return {
        "schema": 1,
        "metric": kind.name,
        "direction": kind.direction,
        "parameters": mix["parameters"],
        "budget": mix["parameters"] + 3,
        "winner": "mix",
        "exported": {"seed": 1, "validation": 0.75, "test": 0.5, "refit": False},
        "test": {key: mix[key] for key in ("mean", "spread", "values")},
        "mix": mix,
        "relu": None,
        "difference": None,
        "gain": "No ReLU control was run, so no gain is claimed.",
        "linear": {"parameters": 9, "validation": 0.5, "test": 0.5},
        "constant": {"parameters": 3, "validation": 0.25, "test": 0.25},
        "test_openings": 1,
        "data": {
            "source": data.table.source,
            "split": data.split,
            "identity": data.fingerprint(),
            "validation_rows": len(data.validation[1]),
            "test_rows": data.test_rows,
        },
    }


class Exported:
    """A fitted candidate and the folder it was exported to."""

    def __init__(self, name: str, folder):
        placement, load = CASES[name]
        self.data = load()
        candidate = make_candidate(self.data, placement)
        self.module = slaf_automl.fit(candidate, self.data, seed=1, accelerator="cpu").module
        metrics = make_metrics(candidate, self.data)
        self.bundle = Bundle(self.module.deployed(), candidate, self.data.info, metrics)
        self.folder = folder
        self.write(folder)

    def write(self, folder, **changes):
        """Write the bundle, with other parts where given."""
        parts = {**vars(self.bundle), **changes}
        sample = self.data.validation[0]
        write_bundle(folder, Bundle(**parts), sample, float(self.data.statistics.target_spread))

    def rows(self) -> torch.Tensor:
        """Return raw rows: those of the table, and some far outside of it."""
        x = torch.cat([self.data.training[0], self.data.validation[0], self.data.open_test()[0]])
        return torch.cat([x, x.mean(0) + 4 * (x[:20] - x.mean(0))])
