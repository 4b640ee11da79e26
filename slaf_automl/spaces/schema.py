"""The YAML schema of a space file, version 1, read strictly."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from slaf_automl.activations.bases import BASES, MAX_DEGREE
from slaf_automl.activations.fixed import NORMALISERS
from slaf_automl.activations.projection import TARGETS
from slaf_automl.activations.sharing import SHARING
from slaf_automl.errors import SpaceError, SpecError
from slaf_automl.networks import SHAPES, WidthLimits
from slaf_automl.spaces.dimensions import Constant, Dimension, Searched
from slaf_automl.spaces.patterns import PATTERNS
from slaf_automl.spec import FAMILIES, HEADS, POOLINGS, ROUTINES
from slaf_automl.spec.trial import require_population

SCHEMA = 1

_WORDS: dict[str, Collection[str]] = {
    "shape": tuple(SHAPES),
    "slot.activation": ("relu", "slaf"),
    "pattern": PATTERNS,
    "slot.basis": BASES,  # itself, so that a basis registered later is offered too
    "sharing": SHARING,
    "normaliser": NORMALISERS,
    "start": tuple(TARGETS),
    "routine": ROUTINES,
    "pooling": POOLINGS,
    "head": HEADS,
    "inputs.activation": ("none", "shared", "slaf"),
    "inputs.basis": BASES,
}
_RANGES: dict[str, tuple[type, float, float]] = {
    "depth": (int, 1, 16),
    "blocks": (int, 1, 16),
    "kernel": (int, 2, 16),
    "slot.degree": (int, 1, MAX_DEGREE),
    "slot.hybrid": (float, 0.0, 0.95),
    "inputs.degree": (int, 1, MAX_DEGREE),
    "clip": (float, 0.5, 100.0),
    "learning_rate": (float, 1e-8, 1e3),
    "weight_decay": (float, 0.0, 1e3),
    "coefficient_rate": (float, 1e-6, 1e6),
}
DIMENSIONS = (
    "depth",
    "shape",
    "slot.activation",
    "slot.basis",
    "slot.degree",
    "slot.hybrid",
    "sharing",
    "normaliser",
    "start",
    "clip",
    "learning_rate",
    "weight_decay",
    "routine",
    "coefficient_rate",
)
"""Dimensions of every space file; all must be given, as a range, as choices or as a value."""

OF_FAMILY: Mapping[str, tuple[str, ...]] = {
    "mlp": (),
    "cnn": ("pooling",),
    "resnet": ("blocks",),
    "conv1d": ("pooling", "kernel", "head"),
}
"""The further dimensions of each family."""

INPUTS = ("inputs.activation", "inputs.basis", "inputs.degree")
"""Dimensions of the slot of the inputs; a file has all of them or none."""

MAY_HAVE: Mapping[str, tuple[tuple[str, ...], ...]] = {"mlp": (("residual",), INPUTS)}
"""Dimensions of a family that a file may leave out, those that belong together."""

ENCODINGS: Mapping[str, tuple[str, ...]] = {
    "slots": DIMENSIONS,
    "pattern": tuple("pattern" if n == "slot.activation" else n for n in DIMENSIONS),
}
"""The dimensions under each encoding: every slot chooses for itself, or one rule for all slots."""


@dataclass(frozen=True)
class Schedule:
    """How long candidates train, and where they are compared.

    Args:
        epochs: passes over the training rows, at least.
        least_steps: small tables train `epochs` times a whole number so that at least this many
            optimiser steps are made.
        first_rung: epochs at which candidates are first compared (multiplied likewise).
        reduction: of the candidates at a rung, 1/reduction go on to the next.
        gradient_clip: upper limit of the global gradient norm, or None.
        patience: epochs without progress before a training ends (multiplied likewise), or None.
    """

    epochs: int
    least_steps: int
    first_rung: int
    reduction: int
    gradient_clip: float | None
    patience: int | None


@dataclass(frozen=True)
class SpaceFile:
    """A validated space file; `encoding` is one of `ENCODINGS`.

    `population` is how many candidates a search asks for at once; it is no part of the space's
    identity, since a study keeps the number itself.
    """

    name: str
    version: int
    family: str
    widths: WidthLimits
    # Mappings have no hash; equal files have equal hashes without it too.
    dimensions: Mapping[str, Dimension] = field(hash=False)
    schedule: Schedule
    encoding: str = "slots"
    population: int = 1


def parse_space(document: Any, where: str) -> SpaceFile:
    """Validate a parsed YAML document.

    Args:
        document: what `yaml.safe_load` returned.
        where: the file's name, for messages.

    Raises:
        SpaceError: names file, key path and what is allowed.
    """
    if isinstance(document, Mapping):
        document = {"encoding": "slots", **document}
    top = require_header(
        document, where, FAMILIES, ("encoding", "widths", "dimensions", "training")
    )
    names = (*ENCODINGS[_encoding(top["encoding"], where)], *OF_FAMILY[top["family"]])
    widths = require_mapping(top["widths"], f"{where}: widths", ("least", "most"))
    least = require_whole(widths["least"], f"{where}: widths.least", 1)
    if isinstance(given := top["dimensions"], Mapping):
        for some in MAY_HAVE.get(top["family"], ()):
            names += some if any(name in given for name in some) else ()
    dimensions = require_mapping(given, f"{where}: dimensions", names)
    return SpaceFile(
        name=top["name"],
        version=top["version"],
        family=top["family"],
        widths=WidthLimits(least, require_whole(widths["most"], f"{where}: widths.most", least)),
        dimensions={n: parse_dimension(n, dimensions[n], f"{where}: {n}") for n in names},
        schedule=_schedule(top["training"], f"{where}: training"),
        encoding=top["encoding"],
        population=_population(top["training"], f"{where}: training"),
    )


def require_header(
    document: Any, where: str, families: tuple[str, ...], keys: tuple[str, ...]
) -> Mapping[str, Any]:
    """Return the top of a space file, its schema, name, version and family checked.

    Args:
        document: the whole file.
        where: its name, for messages.
        families: one of which it must be of.
        keys: the further keys that these families have.

    Raises:
        SpaceError: a key that is missing, unknown or wrong.
    """
    header = ("schema", "name", "version", "family")
    top = require_mapping(document, where, (*header, *keys))
    if type(top["schema"]) is not int or top["schema"] != SCHEMA:
        raise SpaceError(f"{where}: schema {top['schema']!r}", expected=str(SCHEMA))
    if top["family"] not in families:
        expected = families[0] if len(families) == 1 else "one of " + ", ".join(families)
        raise SpaceError(f"{where}: family {top['family']!r}", expected=expected)
    if not isinstance(top["name"], str) or not top["name"]:
        raise SpaceError(f"{where}: name {top['name']!r}", expected="a word")
    require_whole(top["version"], f"{where}: version", 1)
    return top


def _encoding(word: Any, where: str) -> str:
    if word == "share":
        raise SpaceError(
            f"{where}: encoding 'share', whose order of slots only a trained network has",
            expected="one of " + ", ".join(ENCODINGS),
            remedy="for a trained network of your own use SearchSpace.for_model",
        )
    if not isinstance(word, str) or word not in ENCODINGS:
        raise SpaceError(f"{where}: encoding {word!r}", expected="one of " + ", ".join(ENCODINGS))
    return word


def _schedule(document: Any, where: str) -> Schedule:
    keys = ("epochs", "least_steps", "first_rung", "reduction", "gradient_clip", "patience")
    if isinstance(document, Mapping):
        document = {"population": 1, **document}
    training = require_mapping(document, where, (*keys, "population"))
    clip, patience = training["gradient_clip"], training["patience"]
    if clip is not None and not (_is_number(clip) and clip > 0):
        raise SpaceError(f"{where}.gradient_clip {clip!r}", expected="a positive number or null")
    return Schedule(
        epochs=require_whole(training["epochs"], f"{where}.epochs", 1),
        least_steps=require_whole(training["least_steps"], f"{where}.least_steps", 0),
        first_rung=require_whole(training["first_rung"], f"{where}.first_rung", 1),
        reduction=require_whole(training["reduction"], f"{where}.reduction", 2),
        gradient_clip=None if clip is None else float(clip),
        patience=None if patience is None else require_whole(patience, f"{where}.patience", 1),
    )


def _population(training: Mapping[str, Any], where: str) -> int:
    try:
        return require_population(training.get("population", 1))
    except SpecError as error:
        raise SpaceError(f"{where}: {error}") from None


def parse_dimension(name: str, document: Any, where: str) -> Dimension:
    """Return a dimension of this name from its YAML value, or raise a `SpaceError`."""
    forms = "one of {value: …}, {choices: […]} or {low: …, high: …, log: …}"
    if not isinstance(document, Mapping):
        raise SpaceError(f"{where}: {document!r}", expected=forms)
    keys = set(document)
    if keys == {"value"}:
        return Constant(_value(name, document["value"], where))
    if keys == {"choices"} and name != "depth":
        choices = document["choices"]
        if not isinstance(choices, list) or not choices:
            raise SpaceError(f"{where}.choices: {choices!r}", expected="a list with an entry")
        values = [_value(name, choice, f"{where}.choices") for choice in choices]
        if len(set(values)) < len(values):
            raise SpaceError(f"{where}.choices: {choices!r}", expected="every choice once")
        return Searched(CategoricalDistribution(values))
    if {"low", "high"} <= keys <= {"low", "high", "log"} and name in _RANGES:
        return _range(name, document, where)
    if name == "depth":
        forms = "one of {value: …} or {low: …, high: …, log: …}"
    raise SpaceError(f"{where}: {dict(document)!r}", expected=forms)


def _range(name: str, document: Mapping[str, Any], where: str) -> Dimension:
    low = _value(name, document["low"], f"{where}.low")
    high = _value(name, document["high"], f"{where}.high")
    if low is None or high is None:
        raise SpaceError(
            f"{where}: a range from {document['low']!r} to {document['high']!r}",
            expected="numbers; null is one of choices: [null, …]",
        )
    log = document.get("log", False)
    if not isinstance(log, bool):
        raise SpaceError(f"{where}.log: {log!r}", expected="true or false")
    if low > high:
        raise SpaceError(f"{where}: low {low:g} above high {high:g}", expected="low ≤ high")
    if log and low <= 0:
        raise SpaceError(f"{where}: low {low:g} on a log scale", expected="low above 0")
    if _RANGES[name][0] is int:
        return Searched(IntDistribution(low, high, log=log))
    return Searched(FloatDistribution(low, high, log=log))


def _value(name: str, value: Any, where: str) -> Any:
    if name in _WORDS:
        if not isinstance(value, str) or value not in _WORDS[name]:
            expected = "one of " + ", ".join(_WORDS[name])
            raise SpaceError(f"{where}: unknown {name.split('.')[-1]} {value!r}", expected=expected)
        return value
    if name == "residual":
        if not isinstance(value, bool):
            raise SpaceError(f"{where}: {value!r}", expected="true or false")
        return value
    if name == "clip" and value is None:
        return None
    kind, low, high = _RANGES[name]
    fits = _is_number(value) and low <= value <= high and (kind is float or value == int(value))
    if not fits:
        noun = "an integer" if kind is int else "a number"
        raise SpaceError(f"{where}: {value!r}", expected=f"{noun} from {low:g} to {high:g}")
    return kind(value)


def require_mapping(document: Any, where: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a mapping of exactly these keys, or raise a `SpaceError`."""
    if not isinstance(document, Mapping):
        raise SpaceError(f"{where}: {document!r}", expected="keys " + ", ".join(keys))
    if unknown := [key for key in document if key not in keys]:
        raise SpaceError(f"{where}: unknown key {unknown[0]!r}", expected=", ".join(keys))
    if missing := [key for key in keys if key not in document]:
        raise SpaceError(f"{where}: key {missing[0]!r} is missing")
    return document


def require_whole(value: Any, where: str, least: int) -> int:
    """Return an integer of at least `least`, or raise a `SpaceError`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SpaceError(f"{where}: {value!r}", expected=f"an integer of at least {least}")
    return value


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )
