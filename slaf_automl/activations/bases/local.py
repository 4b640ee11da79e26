"""Families of elements that each live around their own point of [−1, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from slaf_automl.activations.bases.basis import Basis
from slaf_automl.activations.bases.recurrences import UNIT

SPLINE_DEGREE = 3
"""Cubic pieces, as in KAN; fewer elements have pieces of a lower degree."""


def gaussian_elements(x: Tensor, degree: int) -> list[Tensor]:
    """Evaluate exp(−((x − cₖ)/h)²/2) on `degree` centres cₖ, uniform from −1 to 1.

    h is the spacing of the centres, so that neighbours meet at exp(−1/8) ≈ 0.88 of their peaks. A
    single element has its centre at 0 and h = 1.

    Args:
        x: any shape, floating point.
        degree: number of elements.

    Returns:
        `degree` tensors of the shape and dtype of `x`.

    Example:
        >>> import torch
        >>> [round(e.item(), 4) for e in gaussian_elements(torch.tensor(0.0), 3)]
        [0.6065, 1.0, 0.6065]
    """
    if degree == 1:
        return [torch.exp(-0.5 * (x * x))]
    elements = []
    for k in range(degree):
        # In units of the spacing: (x − cₖ)/h with cₖ = −1 + 2k/(degree − 1).
        z = 0.5 * (degree - 1) * x + (0.5 * (degree - 1) - k)
        elements.append(torch.exp(-0.5 * (z * z)))
    return elements


def hat_elements(x: Tensor, degree: int) -> list[Tensor]:
    """Evaluate max(0, 1 − |x − tᵢ|/s), i ≥ 1, on the knots t₀ … t_degree, uniform from −1 to 1.

    s is the spacing 2/degree. Outside [−1, 1] the elements keep the values of the nearer end. At a
    knot the derivative is one between those of both sides.

    Args:
        x: any shape, floating point.
        degree: number of elements.

    Returns:
        `degree` tensors of the shape and dtype of `x`.

    Example:
        >>> import torch
        >>> [e.item() for e in hat_elements(torch.tensor(0.5), 2)]
        [0.5, 0.5]
    """
    v = _in_intervals(x, degree)
    return [torch.relu(1.0 - torch.abs(v - i)) for i in range(1, degree + 1)]


def tent_elements(x: Tensor, degree: int) -> list[Tensor]:
    """Evaluate x, then max(0, 1 − |x − tₖ|/s) on the knots t₁ … t_{degree−1} inside (−1, 1).

    The knots are uniform, s = 2/degree their spacing, so that all tents vanish at −1 and 1. With a
    constant the elements span the same functions as `degree` + 1 hats: continuous, and linear
    between knots. Here the line is an element of its own and the tents are what differs from it,
    which a gradient finds sooner.

    Args:
        x: any shape, floating point.
        degree: number of elements.

    Returns:
        `degree` tensors of the shape and dtype of `x`.

    Example:
        >>> import torch
        >>> [e.item() for e in tent_elements(torch.tensor(0.25), 4)]
        [0.25, 0.0, 0.5, 0.5]
    """
    v = (x + 1.0) * (0.5 * degree)
    return [x, *(torch.relu(1.0 - torch.abs(v - k)) for k in range(1, degree))]


def bspline_elements(x: Tensor, degree: int) -> list[Tensor]:
    """Evaluate the B-splines N₁ … N_degree of a clamped uniform knot vector over [−1, 1].

    The degree+1 splines N₀ … have pieces of degree p = min(3, degree) on degree+1−p intervals of
    equal length; the end knots are repeated p+1 times. Cox and de Boor's recurrence:

        Nⱼ,ₖ = (v − tⱼ)/(tⱼ₊ₖ − tⱼ)·Nⱼ,ₖ₋₁ + (tⱼ₊ₖ₊₁ − v)/(tⱼ₊ₖ₊₁ − tⱼ₊₁)·Nⱼ₊₁,ₖ₋₁,

    without the terms whose denominator is 0. Outside [−1, 1] the elements keep the values of the
    nearer end.

    Args:
        x: any shape, floating point.
        degree: number of elements.

    Returns:
        `degree` tensors of the shape and dtype of `x`.

    Example:
        >>> import torch
        >>> [e.item() for e in bspline_elements(torch.tensor(0.0), 4)]
        [0.25, 0.5, 0.25, 0.0]
    """
    p = min(SPLINE_DEGREE, degree)
    intervals = degree + 1 - p
    v = _in_intervals(x, intervals)
    knots = [0] * p + list(range(intervals + 1)) + [intervals] * p
    # From the left end: 1 inside the interval v lies in, whose right end belongs to the next one
    # (for the last interval to itself). Intervals of length 0 between repeated knots are left out.
    reached = [(v >= k).to(v.dtype) for k in range(1, intervals)]
    inside: list[Tensor] = []
    for k in range(intervals):
        below = reached[k - 1] if k > 0 else torch.ones_like(v)
        inside.append(below - reached[k] if k < len(reached) else below)
    splines: list[Tensor | None] = [*[None] * p, *inside, *[None] * p]
    for k in range(1, p + 1):
        rising: list[Tensor | None] = []
        falling: list[Tensor | None] = []
        for j, spline in enumerate(splines):
            if spline is None:
                rising.append(None)
                falling.append(None)
                continue
            # One ramp serves two splines: the one that opens at tⱼ and the one that closes at tⱼ₊ₖ.
            ramp = (v - knots[j]) / (knots[j + k] - knots[j])
            rising.append(ramp * spline)
            falling.append((1.0 - ramp) * spline)
        splines = [_total(rising[j], falling[j + 1]) for j in range(len(splines) - 1)]
    return [spline for spline in splines[1:] if spline is not None]


def _total(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Add two terms, of which either may be left out."""
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _in_intervals(x: Tensor, intervals: int) -> Tensor:
    """Return where `x`, clamped to [−1, 1], lies in units of intervals: 0 at −1, `intervals` at 1.

    In these units the knots are integers, which every dtype holds exactly.
    """
    return (x.clamp(-1.0, 1.0) + 1.0) * (0.5 * intervals)


GAUSSIAN = Basis(
    name="gaussian",
    formula="φₖ(x) = exp(−((x−cₖ)/h)²/2), cₖ uniform on [−1, 1], h their spacing",
    source="Scardapane, Van Vaerenbergh, Totaro, Uncini 2017, arXiv:1707.04035",
    domain=UNIT,
    unit_domain=True,
    evaluate=gaussian_elements,
)
"""Gaussian kernels on fixed control points."""

HAT = Basis(
    name="hat",
    formula="φᵢ(x) = max(0, 1−|x−tᵢ|/s), tᵢ = −1+i·s, s = 2/degree; φ₀ left out",
    source="de Boor 1978, A Practical Guide to Splines, chapter III",
    domain=UNIT + "; held at the ends beyond",
    unit_domain=True,
    evaluate=hat_elements,
)
"""Piecewise linear functions; the first hat = 1 − Σᵢ φᵢ is left out, as the constant spans it."""

TENT = Basis(
    name="tent",
    formula="φ₁(x) = x, φᵢ₊₁(x) = max(0, 1−|x−tᵢ|/s), tᵢ = −1+i·s, s = 2/degree",
    source="de Boor 1978, A Practical Guide to Splines, chapter III",
    domain=UNIT,
    unit_domain=True,
    evaluate=tent_elements,
)
"""Piecewise linear functions as a line and what differs from it."""

BSPLINE = Basis(
    name="bspline",
    formula="φᵢ(x) = Nᵢ(x), cubic B-splines on clamped uniform knots of [−1, 1]; φ₀ left out",
    source="Cox 1972, de Boor 1972; as activations Liu et al. 2024 (KAN), arXiv:2404.19756",
    domain=UNIT + "; held at the ends beyond",
    unit_domain=True,
    evaluate=bspline_elements,
)
"""B-splines; the first = 1 − Σᵢ φᵢ is left out, as the constant spans it with the others."""
