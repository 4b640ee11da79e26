"""The families of functions a SLAF is a weighted sum of: one table, one function a family."""

from __future__ import annotations

from slaf_automl.activations.bases.basis import Basis, FloatArray
from slaf_automl.activations.bases.bernstein import BERNSTEIN
from slaf_automl.activations.bases.limits import MAX_DEGREE, require_clip, require_degree
from slaf_automl.activations.bases.local import BSPLINE, GAUSSIAN, HAT, TENT
from slaf_automl.activations.bases.periodic import FOURIER
from slaf_automl.activations.bases.recurrences import (
    CHEBYSHEV,
    CHEBYSHEV_SECOND,
    HERMITE,
    LEGENDRE,
    MONOMIAL,
)
from slaf_automl.errors import ActivationError

BASES: dict[str, Basis] = {
    basis.name: basis
    for basis in (
        MONOMIAL,
        CHEBYSHEV,
        CHEBYSHEV_SECOND,
        LEGENDRE,
        HERMITE,
        BERNSTEIN,
        FOURIER,
        GAUSSIAN,
        HAT,
        TENT,
        BSPLINE,
    )
}
"""All bases by name."""


def register_basis(basis: Basis) -> None:
    """Add a basis of one's own: one function and one registration.

    Args:
        basis: what it says about itself; see `Basis` for what its function must do.

    Raises:
        ActivationError: a basis of that name exists, or it is not a `Basis`.

    Example:
        >>> import torch
        >>> def bent_lines(x, degree):
        ...     return [torch.tanh(i * x) for i in range(1, degree + 1)]
        >>> register_basis(
        ...     Basis(
        ...         name="bent_lines",
        ...         formula="φᵢ(x) = tanh(i·x)",
        ...         source="this example",
        ...         domain="clipped to [−c, c], then divided by c",
        ...         unit_domain=True,
        ...         evaluate=bent_lines,
        ...     )
        ... )
        >>> [round(e.item(), 4) for e in find_basis("bent_lines").elements(torch.tensor(0.5), 2)]
        [0.4621, 0.7616]
        >>> del BASES["bent_lines"]  # this example leaves no trace
    """
    if not isinstance(basis, Basis):
        raise ActivationError(f"{basis!r} to register", expected="a Basis")
    if basis.name in BASES:
        raise ActivationError(
            f"basis {basis.name!r} exists already", remedy="give yours another name"
        )
    BASES[basis.name] = basis


def find_basis(name: object) -> Basis:
    """Return the basis called `name`.

    Raises:
        ActivationError: no such basis; the message lists those that exist.

    Example:
        >>> find_basis("hermite").name
        'hermite'
    """
    if not isinstance(name, str) or name not in BASES:
        raise ActivationError(f"unknown basis {name!r}", expected="one of " + ", ".join(BASES))
    return BASES[name]


__all__ = [
    "BASES",
    "MAX_DEGREE",
    "Basis",
    "FloatArray",
    "find_basis",
    "register_basis",
    "require_clip",
    "require_degree",
]
