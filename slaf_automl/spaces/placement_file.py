"""The YAML schema of a placement space: what may fill the slots of anyone's network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution

from slaf_automl.activations.kinds import find_kind
from slaf_automl.activations.projection import TARGETS
from slaf_automl.errors import SlafError, SpaceError
from slaf_automl.spaces.dimensions import Constant, Dimension, Searched
from slaf_automl.spaces.patterns import PATTERNS
from slaf_automl.spaces.schema import parse_dimension, require_header, require_mapping

ENCODINGS = ("slots", "pattern", "share")
"""One choice a slot; one rule for all slots; or how many slots, taken in a given order."""

ACTIVATIONS = ("keep", "relu", "slaf")
"""What may fill a slot: what the network has there, our ReLU, or a SLAF."""

OWN_START = "own"
"""The start that is the function a slot holds already, ReLU where no SLAF can start as that."""

SLOT = ("slot.basis", "slot.degree", "slot.hybrid")
"""Dimensions of a SLAF slot: each has its own under `slots`, all have the same otherwise."""

SHARED = ("sharing", "normaliser", "start", "clip")
"""Dimensions that all filled slots share."""

OWN: Mapping[str, tuple[str, ...]] = {
    "slots": ("slot.activation",),
    "pattern": ("pattern",),
    "share": (),
}
"""The dimensions that only one encoding has; `count` follows from the number of slots."""


@dataclass(frozen=True)
class PlacementFile:
    """A validated placement space.

    Args:
        name: its name.
        version: its version.
        encoding: one of `ENCODINGS`.
        dimensions: by name; those of `SLOT` and `SHARED`, and the encoding's own.
    """

    name: str
    version: int
    encoding: str
    dimensions: Mapping[str, Dimension]

    @property
    def family(self) -> str:
        """The word of the file's `family` key."""
        return "placement"


def parse_placement(document: Any, where: str) -> PlacementFile:
    """Validate a parsed YAML document.

    Args:
        document: what `yaml.safe_load` returned.
        where: the file's name, for messages.

    Raises:
        SpaceError: names file, key path and what is allowed.
    """
    top = require_header(document, where, ("placement",), ("encoding", "dimensions"))
    encoding = top["encoding"]
    if not isinstance(encoding, str) or encoding not in ENCODINGS:
        raise SpaceError(
            f"{where}: encoding {encoding!r}", expected="one of " + ", ".join(ENCODINGS)
        )
    own = OWN[encoding]
    given = require_mapping(top["dimensions"], f"{where}: dimensions", (*own, *SLOT, *SHARED))
    words = {
        "slot.activation": ACTIVATIONS,
        "pattern": PATTERNS,
        "start": (OWN_START, *TARGETS),
    }
    dimensions = {
        name: _words(given[name], words[name], f"{where}: {name}")
        if name in words
        else parse_dimension(name, given[name], f"{where}: {name}")
        for name in (*own, *SLOT, *SHARED)
    }
    for name in (*SLOT, *SHARED):
        for value in dimensions[name].values():
            if value == OWN_START:
                continue
            try:
                find_kind("slaf").spec(**{name.removeprefix("slot."): value})
            except SlafError as error:
                raise SpaceError(f"{where}: {name}: {error}") from None
    return PlacementFile(top["name"], top["version"], encoding, dimensions)


def _words(document: Any, words: tuple[str, ...], where: str) -> Dimension:
    forms = "{value: …} or {choices: […]}"
    if not isinstance(document, Mapping) or set(document) not in ({"value"}, {"choices"}):
        raise SpaceError(f"{where}: {document!r}", expected=forms)
    choices = document.get("choices", [document.get("value")])
    if not isinstance(choices, list) or not choices:
        raise SpaceError(f"{where}.choices: {choices!r}", expected="a list with an entry")
    for choice in choices:
        if not isinstance(choice, str) or choice not in words:
            place = where if "value" in document else f"{where}.choices"
            raise SpaceError(f"{place}: {choice!r}", expected="one of " + ", ".join(words))
    if len(set(choices)) < len(choices):
        raise SpaceError(f"{where}.choices: {choices!r}", expected="every choice once")
    if "value" in document:
        return Constant(choices[0])
    return Searched(CategoricalDistribution(choices))
