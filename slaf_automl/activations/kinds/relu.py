"""The kind `relu`: ReLU under any normaliser; deploys as a plain ReLU and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import nn

from slaf_automl.activations.kinds.base import ActivationKind
from slaf_automl.activations.rectifier import NORMALISERS, NormalisedReLU
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec, Scalar


class ReLUKind(ActivationKind):
    """max(x, 0), optionally normalised before (`input`) or after (`element`)."""

    name: ClassVar[str] = "relu"
    defaults: ClassVar[Mapping[str, Scalar]] = MappingProxyType({"normaliser": "none"})

    def validate(self, parameters: Mapping[str, Scalar]) -> None:
        """Check the normaliser."""
        if parameters["normaliser"] not in NORMALISERS:
            raise ActivationError(
                f"unknown normaliser {parameters['normaliser']!r}",
                expected="one of " + ", ".join(NORMALISERS),
            )

    def build(self, spec: ActivationSpec, channels: int, *, channel_dim: int = 1) -> nn.Module:
        """Return a `NormalisedReLU`."""
        normaliser = str(spec["normaliser"])
        return NormalisedReLU(channels, normaliser=normaliser, channel_dim=channel_dim)

    def deployed(self, spec: ActivationSpec, channels: int) -> nn.Module:
        """Return a plain ReLU: the normaliser folds into its neighbours."""
        return nn.ReLU()

    def stored_values(self, spec: ActivationSpec, channels: int) -> int:
        """Return 0."""
        return 0

    def macs(self, spec: ActivationSpec, channels: int) -> int:
        """Return 0: the normaliser folds into its neighbours."""
        return 0

    def relus(self, spec: ActivationSpec, channels: int) -> int:
        """Return one for each channel."""
        return channels

    def depth(self, spec: ActivationSpec, channels: int) -> int | None:
        """Return None: ReLU is not a polynomial."""
        return None

    def least_channels(self, spec: ActivationSpec) -> int:
        """Return 1."""
        return 1

    def lane_group(self, spec: ActivationSpec) -> str:
        """All ReLU lanes go together."""
        return "relu"
