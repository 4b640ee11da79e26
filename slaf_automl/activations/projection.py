"""Starting coefficients: a target function projected on a basis under a Gaussian weight."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from slaf_automl.activations.bases import (
    Basis,
    FloatArray,
    find_basis,
    require_clip,
    require_degree,
)
from slaf_automl.errors import ActivationError

TARGETS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "elu": functional.elu,
    "mish": functional.mish,
}
"""Functions a SLAF can start as, by name."""

_NODES = 20_001
_REACH = 6.0


@dataclass(frozen=True)
class Projection:
    """A target function in a basis: t(x) ≈ c₀ + Σᵢ cᵢ·φᵢ(x).

    Args:
        coefficients: c₀ … c_degree, float64.
        error: root mean square of the difference under the weight.
        means: mean of each φ₁ … φ_degree under the weight.
        deviations: standard deviation of each φ₁ … φ_degree under the weight.
    """

    coefficients: tuple[float, ...]
    error: float
    means: tuple[float, ...]
    deviations: tuple[float, ...]


def fit_activation(
    target: str | Callable[[Tensor], Tensor],
    basis: str,
    degree: int,
    *,
    clip: float | None = 3.0,
    samples: Tensor | None = None,
    ridge: float = 0.0,
) -> Projection:
    """Project a function on a basis by least squares under a standard normal weight.

    Minimises E[(t(u) − c₀ − Σᵢ cᵢ·φᵢ(u))²] over c for u = min(max(x, −clip), clip), x ~ N(0, 1), on
    a grid of 20,001 points over ±6 standard deviations, in float64. A basis whose natural domain is
    [−1, 1] is evaluated at u/clip, as the SLAF does. With `samples` the expectation is over them
    instead: the data's own distribution.

    With `ridge` = κ, the solution minimises E[…] + κ·e²·Σᵢ (cᵢ·sᵢ)² instead, with e² the least
    E[…] and sᵢ the deviation of φᵢ(u). Elements that are nearly dependent, such as high powers,
    then do not cancel in large coefficients, which would multiply the noise of batch statistics; a
    target that the basis holds exactly (e = 0) is met exactly.

    Args:
        target: a name of `TARGETS`, or a function of a float64 tensor.
        basis: name of the basis.
        degree: highest degree, 1 to 16.
        clip: the SLAF's clip range in standard deviations; None for no clipping.
        samples: standardised inputs of any shape, at least `degree` + 1 different ones.
        ridge: κ ≥ 0.

    Returns:
        The coefficients, the error, and the elements' moments under the weight.

    Raises:
        ActivationError: unknown target, basis, degree, clip or ridge, a target that is not finite,
            or samples that are not finite or too few to tell the elements apart.

    Example:
        >>> fit = fit_activation("relu", "hermite", 2, clip=None)
        >>> [round(c, 4) for c in fit.coefficients]  # 1/√(2π), 1/2, 1/√(4π)
        [0.3989, 0.5, 0.2821]
    """
    require_degree(degree)
    require_clip(clip)
    if not 0.0 <= ridge < np.inf:
        raise ActivationError(f"ridge {ridge!r}", expected="a number of at least 0")
    found = find_basis(basis)
    if samples is None and isinstance(target, str):
        return _named(target, found, degree, clip, ridge)
    return _fit(_target(target), found, degree, clip, samples, ridge)


@functools.lru_cache(maxsize=256)
def _named(target: str, basis: Basis, degree: int, clip: float | None, ridge: float) -> Projection:
    """Remember what every slot of a network asks for again: a fit takes as long as a layer."""
    return _fit(_target(target), basis, degree, clip, None, ridge)


def _fit(
    function: Callable[[Tensor], Tensor],
    found: Basis,
    degree: int,
    clip: float | None,
    samples: Tensor | None,
    ridge: float,
) -> Projection:
    x, weight = _gaussian() if samples is None else _empirical(samples, degree)
    u = x if clip is None else x.clamp(-clip, clip)
    domain = u / clip if clip is not None and found.unit_domain else u
    wanted = function(u).detach().numpy()
    if not np.isfinite(wanted).all():
        raise ActivationError(
            "the target function is not finite everywhere on the clip range",
            remedy="give a function that is, or a narrower clip",
        )
    elements = np.stack([e.numpy() for e in found.elements(domain, degree)], axis=1)
    design = np.concatenate([np.ones((len(x), 1)), elements], axis=1)
    means = weight @ elements
    deviations = np.sqrt(weight @ (elements - means) ** 2)
    rows, values = design * np.sqrt(weight)[:, None], wanted * np.sqrt(weight)
    coefficients = _least_squares(rows, values)
    error = np.linalg.norm(rows @ coefficients - values)
    if ridge > 0.0:  # The penalty as rows of their own: a sum of squares like the others.
        penalty = np.sqrt(ridge) * error * np.diag([0.0, *deviations])
        coefficients = _least_squares(
            np.concatenate([rows, penalty]), np.concatenate([values, np.zeros(degree + 1)])
        )
        error = np.linalg.norm(rows @ coefficients - values)
    return Projection(
        tuple(coefficients.tolist()),
        float(error),
        tuple(means.tolist()),
        tuple(deviations.tolist()),
    )


@functools.lru_cache(maxsize=1)
def _gaussian() -> tuple[Tensor, FloatArray]:
    x = torch.linspace(-_REACH, _REACH, _NODES, dtype=torch.float64)
    weight = torch.exp(-0.5 * x**2).numpy()
    return x, weight / weight.sum()


def _empirical(samples: Tensor, degree: int) -> tuple[Tensor, FloatArray]:
    x = samples.detach().double().cpu().flatten()
    if not bool(torch.isfinite(x).all()) or len(np.unique(x.numpy())) <= degree:
        raise ActivationError(
            f"{x.numel()} samples to weigh a projection of degree {degree} by",
            expected=f"finite numbers, at least {degree + 1} different ones",
        )
    return x, np.full(len(x), 1.0 / len(x))


def _least_squares(design: FloatArray, wanted: FloatArray) -> FloatArray:
    """Solve by QR of the columns at unit length, which truncates nothing.

    `lstsq` drops directions below its cut-off, and unclipped Chebyshev columns of degree 16 differ
    in length by 10¹⁷.
    """
    lengths = np.linalg.norm(design, axis=0)
    used = lengths > 0  # A local element that no sample reaches stays at 0.
    columns = design[:, used] / lengths[used]
    solution: FloatArray = np.zeros(len(lengths))
    q, r = np.linalg.qr(columns)
    if np.abs(np.diag(r)).min() > 1e-12:
        found = np.linalg.solve(r, q.T @ wanted)
    else:  # Samples on which the elements depend on one another: the smallest solution.
        found = np.linalg.lstsq(columns, wanted, rcond=1e-12)[0]
    solution[used] = found / lengths[used]
    return solution


def _target(target: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    if callable(target):
        return target
    if not isinstance(target, str) or target not in TARGETS:
        raise ActivationError(f"unknown target {target!r}", expected="one of " + ", ".join(TARGETS))
    return TARGETS[target]
