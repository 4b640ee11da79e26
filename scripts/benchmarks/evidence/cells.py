"""One cell of the quality benchmark: one arm's search on one set, under one budget and split."""

from __future__ import annotations

import dataclasses
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch

import slaf_automl
from evidence.peers import PEERS
from evidence.sets import BenchmarkSet, read_set
from slaf_automl import SearchSpace, TableData

TWICE = "relu_twice"
"""ReLU with twice the trials: those of both arms, of which a search exports the better."""

ARMS = ("mix", "relu", "silu", "gelu", TWICE)
"""Arms that are searched alike: the space as it is, and with every slot one fixed activation."""

BUDGETS = (300, 1_000, 5_000)


@dataclass(frozen=True)
class Cell:
    """What is searched.

    Args:
        set: the set.
        budget: stored values at most.
        split: number of the outer split.
        arm: of `ARMS`, or a peer's name.
    """

    set: BenchmarkSet
    budget: int
    split: int
    arm: str

    @property
    def name(self) -> str:
        """A file's name for it."""
        return f"{self.set.name} {self.budget} {self.split} {self.arm}"


@dataclass(frozen=True)
class Effort:
    """How hard every arm tries.

    Args:
        trials: finished trials of a search.
        confirmations: fresh seeds that the winner is trained with.
        space: the search space, shipped or a file.
    """

    trials: int
    confirmations: int
    space: str

    @property
    def identity(self) -> str:
        """A text that differs where results may not be mixed."""
        space = SearchSpace.load(self.space).identity()
        return f"{space}, {self.trials} trials, {self.confirmations} seeds"


def run_cell(cell: Cell, effort: Effort, folder: Path) -> dict[str, Any]:
    """Search, confirm, read the test rows once; return the row of results."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    data = read_set(cell.set, folder, cell.split)
    began = time.perf_counter()
    figures = _peer(cell, data, effort) if cell.arm in PEERS else _arm(cell, data, effort)
    return {
        "set": cell.set.name,
        "group": cell.set.group,
        "tuned": cell.set.tuned,
        "budget": cell.budget,
        "split": cell.split,
        "arm": cell.arm,
        "effort": effort.identity,
        **figures,
        "seconds": round(time.perf_counter() - began, 1),
    }


def _arm(cell: Cell, data: TableData, effort: Effort) -> dict[str, Any]:
    space = SearchSpace.load(effort.space)
    twice = cell.arm == TWICE
    with tempfile.TemporaryDirectory() as run:
        result = slaf_automl.search(
            data,
            budget=cell.budget,
            space=space if cell.arm == "mix" else space.control("relu" if twice else cell.arm),
            trials=effort.trials * (2 if twice else 1),
            confirmations=effort.confirmations,
            seed=cell.split,
            control=False,
            out=run,
            progress=False,
            accelerator="cpu",
        )
    found = result.metrics
    inputs = [f"inputs: {found['mix']['inputs']}"] if "inputs" in found["mix"] else []
    return {
        "metric": found["metric"],
        "direction": found["direction"],
        "parameters": found["parameters"],
        "macs": found["costs"]["macs"],
        "validation": found["mix"]["validation"]["values"],
        "test": found["mix"]["values"],
        "linear": found["linear"]["test"],
        "constant": found["constant"]["test"],
        "chosen": " | ".join(inputs + found["mix"]["slots"]),
        "widths": list(result.best.architecture.widths),
        "recipe": repr(dataclasses.asdict(result.best.recipe)),
    }


def _peer(cell: Cell, data: TableData, effort: Effort) -> dict[str, Any]:
    found = PEERS[cell.arm](data, cell.budget, effort.trials, effort.confirmations, cell.split)
    classes = data.info.task != "regression"
    return {
        "metric": "accuracy" if classes else "rmse",
        "direction": "maximize" if classes else "minimize",
        "parameters": found.parameters,
        "validation": list(found.validation),
        "test": list(found.test),
        "chosen": found.chosen,
    }
