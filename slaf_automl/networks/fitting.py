"""Whether an architecture is complete and takes the data it is given."""

from __future__ import annotations

from slaf_automl.activations.kinds import validated
from slaf_automl.errors import SpecError
from slaf_automl.spec import Architecture, Candidate, DataInfo


def require_complete(architecture: Architecture) -> None:
    """Raise a `SlafError` unless every spec names every parameter of its kind, all valid.

    A missing parameter would otherwise be guessed, and a stored architecture mean something else
    once a default changes.
    """
    for slot, spec in enumerate(architecture.specs):
        complete = validated(spec)
        if missing := sorted(set(complete.parameters) - set(spec.parameters)):
            raise SpecError(
                f"slot {slot}: parameter {missing[0]!r} of activation {spec.kind!r} is missing",
                remedy="build specs with find_kind(kind).spec(...), which fills in the defaults",
            )


def require_fit(candidate: Candidate, info: DataInfo) -> None:
    """Raise a `SlafError` unless the candidate's network takes this data."""
    architecture = candidate.architecture
    require_complete(architecture)
    for name, given, expected in (
        ("inputs", architecture.inputs, len(info.features)),
        ("outputs", architecture.outputs, info.outputs),
        ("centred_inputs", architecture.centred_inputs, info.centred_inputs),
        ("filled_inputs", architecture.filled_inputs, info.filled),
        ("image", architecture.image, info.image if architecture.image else None),
    ):
        if given != expected:
            raise SpecError(
                f"an architecture with {name} {given}",
                expected=f"{expected} for this data",
                remedy="let a SearchSpace suggest it, or build it from the data's DataInfo",
            )
