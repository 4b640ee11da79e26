"""The slot of the inputs in a space: whether each input has a learned activation, and which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from slaf_automl.activations import find_basis, find_kind
from slaf_automl.spaces.dimensions import Constant, contains
from slaf_automl.spaces.schema import INPUTS, SpaceFile
from slaf_automl.spec import ActivationSpec, DataInfo, Scalar

_FIXED: dict[str, Scalar] = {
    "sharing": "channel",
    "normaliser": "frozen",
    "clip": 3.0,
    "start": "identity",
}
"""Inputs are standardised, so their statistics need no batch; and a function starts as x itself."""


_ROWS = {"regression": 25, "classification": 50}
"""Training rows for each input from which on its function was of use: docs/evidence.md."""


def few_rows(info: DataInfo) -> bool:
    """Say whether the training rows are too few for a function of each input.

    Example:
        >>> few_rows(DataInfo(("a", "b"), "y", "regression", (), rows=49))
        True
        >>> few_rows(DataInfo(("a", "b"), "y", "regression", (), rows=50))
        False
    """
    task = "regression" if info.task == "regression" else "classification"
    return info.rows < _ROWS[task] * len(info.features)


def input_spec(file: SpaceFile, choose: Callable[..., Any]) -> ActivationSpec | None:
    """Ask whether the inputs have an activation, and return its spec if they have.

    Args:
        file: the space.
        choose: asked with a dimension's name.
    """
    word, basis, degree = INPUTS
    if word not in file.dimensions or choose(word) == "none":
        return None
    return find_kind("slaf").spec(basis=choose(basis), degree=choose(degree), **_FIXED)


def input_answers(spec: ActivationSpec | None) -> dict[str, Scalar]:
    """Return the answers that give this spec."""
    if spec is None:
        return {INPUTS[0]: "none"}
    return dict(zip(INPUTS, ("slaf", spec["basis"], spec["degree"]), strict=True))


def costliest_inputs(file: SpaceFile) -> ActivationSpec | None:
    """Return the spec of the inputs that stores most, None if none may have one."""
    if not may_learn_inputs(file):
        return None
    basis, degrees = file.dimensions[INPUTS[1]], file.dimensions[INPUTS[2]].values()
    most = max(int(value or 1) for value in degrees)
    return find_kind("slaf").spec(basis=basis.values()[0], degree=most, **_FIXED)


def may_learn_inputs(file: SpaceFile, *, polynomials: bool = False) -> bool:
    """Say whether some network may have an activation of its inputs, or a polynomial one."""
    word, basis, _ = INPUTS
    if word not in file.dimensions or "slaf" not in file.dimensions[word].values():
        return False
    bases = file.dimensions[basis].values()
    return not polynomials or any(find_basis(name).polynomial for name in bases)


def without_inputs(file: SpaceFile) -> SpaceFile | None:
    """Return the space with plain inputs alone, None if it has no such network."""
    word = INPUTS[0]
    if not may_learn_inputs(file):
        return file
    dimension = file.dimensions[word]
    if isinstance(dimension, Constant) or not contains(dimension.distribution, "none"):
        return None
    return replace(file, dimensions={**file.dimensions, word: Constant("none")})
