"""The registry of activation kinds: everything a kind must know stands in its own file."""

from __future__ import annotations

from slaf_automl.activations.kinds.base import ActivationKind, Foldable
from slaf_automl.activations.kinds.fixed import FixedKind
from slaf_automl.activations.kinds.slaf import SLAFKind
from slaf_automl.activations.passes import FIXED
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec

_KINDS: dict[str, ActivationKind] = {
    kind.name: kind for kind in (*map(FixedKind, FIXED), SLAFKind())
}


def register(kind: ActivationKind) -> None:
    """Add a kind of one's own.

    Raises:
        ActivationError: a kind of that name exists.
    """
    if kind.name in _KINDS:
        raise ActivationError(f"activation kind {kind.name!r} exists already")
    _KINDS[kind.name] = kind


def find_kind(name: str) -> ActivationKind:
    """Return the kind called `name`.

    Raises:
        ActivationError: no such kind; the message lists those that exist.

    Example:
        >>> find_kind("slaf").spec(degree=2)["basis"]
        'chebyshev'
    """
    if name not in _KINDS:
        raise ActivationError(
            f"unknown activation kind {name!r}", expected="one of " + ", ".join(_KINDS)
        )
    return _KINDS[name]


def validated(spec: ActivationSpec) -> ActivationSpec:
    """Return `spec` with defaults filled in, or raise an `ActivationError`."""
    return find_kind(spec.kind).spec(**spec.parameters)


__all__ = ["ActivationKind", "Foldable", "find_kind", "register", "validated"]
