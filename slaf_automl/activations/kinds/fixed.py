"""The kinds `relu`, `silu` and `gelu`: fixed, under any normaliser; stored as they are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import nn

from slaf_automl.activations.fixed import NORMALISERS, FixedActivation, plain_activation
from slaf_automl.activations.kinds.base import ActivationKind
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec, Scalar


class FixedKind(ActivationKind):
    """A fixed activation, optionally normalised before (`input`) or after (`element`).

    Args:
        name: `relu`, `silu` or `gelu`.
    """

    defaults: ClassVar[Mapping[str, Scalar]] = MappingProxyType({"normaliser": "none"})

    def __init__(self, name: str) -> None:
        self.name = name

    def validate(self, parameters: Mapping[str, Scalar]) -> None:
        """Check the normaliser."""
        if parameters["normaliser"] not in NORMALISERS:
            raise ActivationError(
                f"unknown normaliser {parameters['normaliser']!r}",
                expected="one of " + ", ".join(NORMALISERS),
            )

    def build(self, spec: ActivationSpec, channels: int, *, channel_dim: int = 1) -> nn.Module:
        """Return a `FixedActivation`."""
        return FixedActivation(
            channels,
            function=self.name,
            normaliser=str(spec["normaliser"]),
            channel_dim=channel_dim,
        )

    def deployed(self, spec: ActivationSpec, channels: int) -> nn.Module:
        """Return the plain activation: the normaliser folds into its neighbours."""
        return plain_activation(self.name)

    def stored_values(self, spec: ActivationSpec, channels: int) -> int:
        """Return 0."""
        return 0

    def macs(self, spec: ActivationSpec, channels: int) -> int:
        """Return 0: the normaliser folds into its neighbours, exponentials are not counted."""
        return 0

    def relus(self, spec: ActivationSpec, channels: int) -> int:
        """Return one for each channel of ReLU, none of the others, which compare nothing."""
        return channels if self.name == "relu" else 0

    def depth(self, spec: ActivationSpec, channels: int) -> int | None:
        """Return None: it is no polynomial."""
        return None

    def least_channels(self, spec: ActivationSpec) -> int:
        """Return 1."""
        return 1

    def lane_group(self, spec: ActivationSpec) -> str:
        """All lanes of one fixed activation go together."""
        return self.name
