"""The kind `slaf`: self-learnable activation functions on the polynomial bases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, ClassVar

from torch import nn

from slaf_automl.activations.bases import find_basis, require_clip, require_degree
from slaf_automl.activations.fixed import NORMALISERS
from slaf_automl.activations.kinds.base import ActivationKind
from slaf_automl.activations.passes import Form
from slaf_automl.activations.projection import TARGETS
from slaf_automl.activations.sharing import deployed_rows, require_sharing
from slaf_automl.activations.slaf import SLAF, learned_channels, require_hybrid
from slaf_automl.activations.slaf_folding import deployed_slaf
from slaf_automl.activations.statistics import EPSILON
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec, Scalar


class SLAFKind(ActivationKind):
    """f(x) = b + Σ aᵢ·N(φᵢ(x)) on the first channels, ReLU on a `hybrid` share of the rest."""

    name = "slaf"
    defaults: ClassVar[Mapping[str, Scalar]] = MappingProxyType(
        {
            "basis": "chebyshev",
            "degree": 3,
            "sharing": "channel",
            "normaliser": "element",
            "hybrid": 0.0,
            "clip": 3.0,
            "start": "relu",
        }
    )

    def validate(self, parameters: Mapping[str, Scalar]) -> None:
        """Check every word and range; the messages list what is allowed."""
        find_basis(parameters["basis"])
        require_degree(parameters["degree"])
        require_hybrid(parameters["hybrid"])
        require_clip(parameters["clip"])
        require_sharing(parameters["sharing"])
        for name, words in (
            ("normaliser", NORMALISERS),
            ("start", tuple(TARGETS)),
        ):
            if parameters[name] not in words:
                raise ActivationError(
                    f"unknown {name} {parameters[name]!r}", expected="one of " + ", ".join(words)
                )

    def build(self, spec: ActivationSpec, channels: int, *, channel_dim: int = 1) -> nn.Module:
        """Return a `SLAF` at its starting coefficients."""
        parameters: dict[str, Any] = dict(spec.parameters)
        return SLAF(channels, channel_dim=channel_dim, **parameters)

    def deployed(self, spec: ActivationSpec, channels: int) -> nn.Module:
        """Return a `Polynomial` or `Expansion` with unset coefficients."""
        form = Form(
            find_basis(spec["basis"]),
            require_degree(spec["degree"]),
            require_clip(spec["clip"]),
            EPSILON,
        )
        return deployed_slaf(form, self._rows(spec, channels), self._learned(spec, channels))

    def stored_values(self, spec: ActivationSpec, channels: int) -> int:
        """Return rows × degree: the constants and clip ranges live in the neighbours."""
        return self._rows(spec, channels) * require_degree(spec["degree"])

    def macs(self, spec: ActivationSpec, channels: int) -> int:
        """Return degree for each learned channel, Horner and Clenshaw counted alike.

        The elements of a basis that is not polynomial are not counted, their weighted sum is.
        """
        return self._learned(spec, channels) * require_degree(spec["degree"])

    def relus(self, spec: ActivationSpec, channels: int) -> int:
        """Return 1 for each ReLU channel and 2 for each learned one that is clipped.

        Comparisons inside the elements of a basis that is not polynomial are not counted.
        """
        learned = self._learned(spec, channels)
        return channels - learned + (0 if require_clip(spec["clip"]) is None else 2 * learned)

    def depth(self, spec: ActivationSpec, channels: int) -> int | None:
        """Return ⌈log₂(degree+1)⌉, None with a ReLU channel, a clip or another basis."""
        smooth = find_basis(spec["basis"]).polynomial and require_clip(spec["clip"]) is None
        if not smooth or self._learned(spec, channels) < channels:
            return None
        return require_degree(spec["degree"]).bit_length()  # ⌈log₂(n+1)⌉ exactly

    def least_channels(self, spec: ActivationSpec) -> int:
        """Return the fewest channels that leave a SLAF channel for each row of coefficients."""
        share = 1 - Fraction(str(require_hybrid(spec["hybrid"])))
        sharing = require_sharing(spec["sharing"])
        needed = sharing if isinstance(sharing, int) else 1
        return math.ceil((needed - Fraction(1, 2)) / share)

    def lane_group(self, spec: ActivationSpec) -> str:
        """Every polynomial family is a matrix to a common one; the others stand alone."""
        basis = find_basis(spec["basis"])
        return "polynomial" if basis.polynomial else basis.name

    @staticmethod
    def _learned(spec: ActivationSpec, channels: int) -> int:
        return learned_channels(channels, require_hybrid(spec["hybrid"]))

    def _rows(self, spec: ActivationSpec, channels: int) -> int:
        sharing = require_sharing(spec["sharing"])
        return deployed_rows(sharing, str(spec["normaliser"]), self._learned(spec, channels))
