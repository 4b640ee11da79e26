"""The sets of the quality benchmark, and which of them the defaults were tuned on.

Every set is read with an outer split: its test rows are those of the standard split (UCI, as long
as there are any), of the file (MNIST-1D), or a random fifth. A set of Feynman is 1,000 points of a
formula, drawn uniformly from its ranges; their noise is none.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from slaf_automl import SlafError, TableData
from slaf_automl.files import read_json

UCI = {
    "boston": "bostonHousing",
    "concrete": "concrete",
    "energy": "energy",
    "kin8nm": "kin8nm",
    "naval": "naval-propulsion-plant",
    "power": "power-plant",
    "protein": "protein-tertiary-structure",
    "wine": "wine-quality-red",
    "yacht": "yacht",
}
TABLES = (
    "banana",
    "banknote_authentication",
    "german",
    "ionosphere",
    "penbased",
    "phoneme",
    "pima",
    "satimage",
    "segment",
    "sonar",
    "spambase",
    "tic-tac-toe",
    "twonorm",
    "vehicle",
    "vowel",
    "wdbc",
)
OTHERS = ("digits", "mnist1d")
TUNED = (
    "banana",
    "concrete",
    "digits",
    "energy",
    "kin8nm",
    "phoneme",
    "segment",
    "vowel",
    "yacht",
)
"""The sets on whose training and validation rows the defaults were tuned; others are read once."""

FORMULAS = tuple(range(0, 100, 5))
"""Every fifth formula of the file."""

_POINTS = 1_000
_FUNCTIONS = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "ln": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "arcsin": np.arcsin,
}
_OPERATORS = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}


@dataclass(frozen=True)
class BenchmarkSet:
    """A set of the benchmark.

    Args:
        name: how results call it.
        group: `uci`, `tables`, `others` or `feynman`.
        tuned: whether the defaults were tuned on it.
    """

    name: str
    group: str
    tuned: bool


def every_set(folder: Path) -> list[BenchmarkSet]:
    """Return all sets, the formulas last."""
    groups = {"uci": tuple(UCI), "tables": TABLES, "others": OTHERS}
    sets = [BenchmarkSet(n, group, n in TUNED) for group, names in groups.items() for n in names]
    formulas = read_json(folder / "feynman.json")
    return sets + [BenchmarkSet(formulas[i]["id"], "feynman", False) for i in FORMULAS]


def read_set(one: BenchmarkSet, folder: Path, split: int) -> TableData:
    """Return a set under an outer split."""
    if one.group == "uci":
        path = folder / "uci_regression" / f"{UCI[one.name]}.npz"
        return TableData.load(_standard_or_random(path, split), split=split, task="regression")
    if one.group == "tables":
        path = folder / "classification" / f"{one.name}.npz"
        return TableData.load(path, split=split, task="classification")
    if one.group == "feynman":
        return TableData.load(_points(one.name, folder), split=split, task="regression")
    if one.name == "digits":
        return TableData.load("sklearn:digits", split=split)
    return TableData.load(folder / "images" / f"{one.name}.npz", split=split)


def _standard_or_random(path: Path, split: int) -> Path | tuple[np.ndarray, np.ndarray]:
    """Return the file, or its rows alone where its own splits have come to an end."""
    with np.load(path) as arrays:
        if split < len(arrays["test_idx"]):
            return path
        return arrays["X"], arrays["y"]


def inner_rows(data: TableData, split: int) -> TableData:
    """Return the training and validation rows alone, split once more: what tuning may see."""
    x, y = (torch.cat(parts) for parts in zip(data.training, data.validation, strict=True))
    if data.info.task == "regression":
        return TableData.load(
            (x.double().numpy(), y.double().numpy()), split=split, task="regression"
        )
    labels = np.array([str(data.info.classes[int(i)]) for i in y])
    return TableData.load((x.double().numpy(), labels), split=split, task="classification")


def _points(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    formulas = read_json(folder / "feynman.json")
    number = next(i for i, one in enumerate(formulas) if one["id"] == name)
    one = formulas[number]
    low, high = np.array(one["ranges"]).T
    x = np.random.default_rng(number).uniform(low, high, (_POINTS, len(low)))
    return x, evaluate(one["formula"], dict(zip(one["vars"], x.T, strict=True)))


def evaluate(formula: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Evaluate a formula of numbers, variables, operators and known functions; nothing else runs.

    Raises:
        SlafError: it holds anything else.

    Example:
        >>> evaluate("2*sqrt(x)**2 - pi/pi", {"x": np.array([4.0])}).tolist()
        [7.0]
    """

    def of(node: ast.expr) -> np.ndarray | float:
        match node:
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name) if name in values:
                return values[name]
            case ast.Name(id="pi"):
                return math.pi
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -of(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](of(left), of(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _FUNCTIONS:
                return _FUNCTIONS[name](of(argument))
        raise SlafError(f"{ast.unparse(node)!r} in formula {formula!r}")

    return np.asarray(of(ast.parse(formula, mode="eval").body), dtype=np.float64)
