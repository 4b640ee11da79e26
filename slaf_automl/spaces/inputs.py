"""The slot of the inputs in a space: whether they have learned activations, and which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from optuna.distributions import CategoricalDistribution

from slaf_automl.activations import find_basis, find_kind
from slaf_automl.spaces.dimensions import Constant, Searched
from slaf_automl.spaces.schema import INPUTS, SpaceFile
from slaf_automl.spec import ActivationSpec, DataInfo, Scalar

_SHARING: dict[str, Scalar] = {"shared": "layer", "slaf": "channel"}
"""Words of the first dimension beside `none`: one function for all inputs, or one for each."""

_FIXED: dict[str, Scalar] = {
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
    if word not in file.dimensions or (chosen := choose(word)) == "none":
        return None
    return _spec(chosen, choose(basis), choose(degree))


def input_answers(spec: ActivationSpec | None) -> dict[str, Scalar]:
    """Return the answers that give this spec."""
    if spec is None:
        return {INPUTS[0]: "none"}
    word = next(word for word, sharing in _SHARING.items() if sharing == spec["sharing"])
    return dict(zip(INPUTS, (word, spec["basis"], spec["degree"]), strict=True))


def _spec(word: Scalar, basis: Scalar, degree: Scalar) -> ActivationSpec:
    sharing = _SHARING[str(word)]
    return find_kind("slaf").spec(basis=basis, degree=degree, sharing=sharing, **_FIXED)


def costliest_inputs(file: SpaceFile) -> ActivationSpec | None:
    """Return the spec of the inputs that stores most, None if none may have one."""
    if not may_learn_inputs(file):
        return None
    basis, degrees = file.dimensions[INPUTS[1]], file.dimensions[INPUTS[2]].values()
    word = "slaf" if "slaf" in file.dimensions[INPUTS[0]].values() else "shared"
    return _spec(word, basis.values()[0], max(int(value or 1) for value in degrees))


def may_learn_inputs(file: SpaceFile, *, polynomials: bool = False) -> bool:
    """Say whether some network may have an activation of its inputs, or a polynomial one."""
    word, basis, _ = INPUTS
    if word not in file.dimensions or set(file.dimensions[word].values()) == {"none"}:
        return False
    bases = file.dimensions[basis].values()
    return not polynomials or any(find_basis(name).polynomial for name in bases)


def fewer_inputs(file: SpaceFile) -> list[SpaceFile]:
    """Return the space without a function for each input, then with plain inputs alone.

    A space that is left no network is not among them.
    """
    given = file.dimensions.get(INPUTS[0])
    if given is None or isinstance(given, Constant):
        return []
    cheaper = (("none", "shared"), ("none",))
    left = [tuple(word for word in given.values() if word in words) for words in cheaper]
    found = []
    for words in dict.fromkeys(filter(None, left)):
        plain = words == ("none",)
        dimension = Constant("none") if plain else Searched(CategoricalDistribution(words))
        found.append(replace(file, dimensions={**file.dimensions, INPUTS[0]: dimension}))
    return found


def without_inputs(file: SpaceFile) -> SpaceFile | None:
    """Return the space with plain inputs alone, None if it has no such network."""
    if not may_learn_inputs(file):
        return file
    plain = [one for one in fewer_inputs(file) if not may_learn_inputs(one)]
    return plain[0] if plain else None
