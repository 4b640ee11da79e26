"""What a basis says about itself: its words, its elements and, if polynomial, its coefficients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from slaf_automl.errors import ActivationError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Basis:
    """A family of functions φ₁ … φ_degree of a number, for any degree of 1 to 16.

    The constant is the SLAF's bias: no element is constant, and the elements together with 1 are
    linearly independent.

    Args:
        name: the word used in specs, space files and dimension values; an identifier.
        formula: the family's definition, for people.
        source: where the family is described.
        domain: how inputs are kept in the natural domain, for people.
        unit_domain: the natural domain is [−1, 1]: a clipped input is divided by its clip range
            before the elements are evaluated. False: the family wants a standard normal input.
        evaluate: (x, degree) ↦ [φ₁(x), …, φ_degree(x)], each of the shape and dtype of `x`, each
            number from its own number of `x` alone. Torch operations only, without a look at the
            values, so that a network with the basis compiles and exports.
        monomials: degree ↦ M, (degree+1, degree+1) float64, with φᵢ(x) = Σⱼ M[i, j]·xʲ and φ₀ = 1.
            None: the family is not polynomial.

    Raises:
        ActivationError: a name that is no identifier, an empty text, or a function that is none.

    Example:
        >>> import torch
        >>> def powers_of_sine(x, degree):
        ...     return [torch.sin(x) ** i for i in range(1, degree + 1)]
        >>> basis = Basis(
        ...     name="powers_of_sine",
        ...     formula="φᵢ(x) = sinⁱ(x)",
        ...     source="this example",
        ...     domain="clipped to [−1, 1]",
        ...     unit_domain=True,
        ...     evaluate=powers_of_sine,
        ... )
        >>> basis.polynomial
        False
    """

    name: str
    formula: str
    source: str
    domain: str
    unit_domain: bool
    evaluate: Callable[[Tensor, int], list[Tensor]]
    monomials: Callable[[int], FloatArray] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ActivationError(f"basis name {self.name!r}", expected="an identifier")
        for what in ("formula", "source", "domain"):
            text = getattr(self, what)
            if not isinstance(text, str) or not text.strip():
                raise ActivationError(
                    f"{what} {text!r} of basis {self.name!r}", expected="a text that is not empty"
                )
        if not isinstance(self.unit_domain, bool):
            raise ActivationError(
                f"unit_domain {self.unit_domain!r} of basis {self.name!r}",
                expected="True or False",
            )
        if not callable(self.evaluate):
            raise ActivationError(
                f"evaluate {self.evaluate!r} of basis {self.name!r}",
                expected="a function of a tensor and a degree",
            )
        if self.monomials is not None and not callable(self.monomials):
            raise ActivationError(
                f"monomials {self.monomials!r} of basis {self.name!r}",
                expected="a function of a degree, or None",
            )

    @property
    def polynomial(self) -> bool:
        """Whether every element is a polynomial, so that a SLAF deploys as coefficients alone."""
        return self.monomials is not None

    def elements(self, x: Tensor, degree: int) -> list[Tensor]:
        """Evaluate φ₁ … φ_degree at `x`, each of the shape and dtype of `x`.

        Raises:
            ActivationError: `evaluate` returned another number of tensors, shape or dtype.

        Example:
            >>> import torch
            >>> from slaf_automl.activations.bases import find_basis
            >>> [e.item() for e in find_basis("chebyshev").elements(torch.tensor(0.5), 3)]
            [0.5, -0.5, -1.0]
        """
        elements = self.evaluate(x, degree)
        # Shapes and dtypes only: a look at the values would stop compilers.
        if not isinstance(elements, (list, tuple)) or len(elements) != degree:
            self._refuse_elements(elements, degree)
        for i, element in enumerate(elements, start=1):
            if (
                not isinstance(element, Tensor)
                or element.shape != x.shape
                or element.dtype != x.dtype
            ):
                self._refuse_element(i, element, x)
        return list(elements)

    def _refuse_elements(self, elements: object, degree: int) -> None:
        length = f" of length {len(elements)}" if isinstance(elements, (list, tuple)) else ""
        raise ActivationError(
            f"basis {self.name!r} returned a {type(elements).__name__}{length} as elements",
            expected=f"a list of {degree} tensors",
            remedy="mend its evaluate",
        )

    def _refuse_element(self, i: int, element: object, x: Tensor) -> None:
        found = type(element).__name__
        if isinstance(element, Tensor):
            found = f"shape {tuple(element.shape)} and {element.dtype}"
        raise ActivationError(
            f"basis {self.name!r} returned element {i} as {found}",
            expected=f"a tensor of the input's shape {tuple(x.shape)} and {x.dtype}",
            remedy="mend its evaluate",
        )

    def to_monomials(self, degree: int) -> FloatArray:
        """Return M, (degree+1, degree+1) float64, with φᵢ(x) = Σⱼ M[i, j]·xʲ and φ₀ = 1.

        Raises:
            ActivationError: the family is not polynomial, or `monomials` returned another shape,
                numbers that are not finite, or another φ₀.

        Example:
            >>> from slaf_automl.activations.bases import find_basis
            >>> find_basis("chebyshev").to_monomials(2).tolist()
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 2.0]]
        """
        if self.monomials is None:
            raise ActivationError(
                f"basis {self.name!r} has no monomial coefficients", expected="a polynomial basis"
            )
        matrix: FloatArray = np.asarray(self.monomials(degree), dtype=np.float64)
        if matrix.shape != (degree + 1, degree + 1):
            raise ActivationError(
                f"basis {self.name!r} returned monomial coefficients of shape {matrix.shape}",
                expected=f"{(degree + 1, degree + 1)}",
                remedy="mend its monomials",
            )
        if not np.isfinite(matrix).all():
            raise ActivationError(
                f"basis {self.name!r} returned monomial coefficients that are not finite",
                remedy="mend its monomials",
            )
        if matrix[0, 0] != 1.0 or matrix[0, 1:].any():
            raise ActivationError(
                f"basis {self.name!r} returned {matrix[0].tolist()} as row 0",
                expected="the constant 1: a one, then zeros",
                remedy="mend its monomials",
            )
        return matrix
