"""What a kind of activation must say about itself, in one place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor, nn

from slaf_automl.activations.folding import Folded
from slaf_automl.errors import ActivationError
from slaf_automl.spec import ActivationSpec, Scalar


@runtime_checkable
class Foldable(Protocol):
    """An activation module that can be taken apart for deployment."""

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the activation."""

    def fold(self) -> Folded:
        """Return its evaluation-mode function as affine, function, affine."""


class ActivationKind(ABC):
    """Validation, module, deployed form, cost and lane group of one kind of activation.

    A new kind (quantised, spiking, …) is one subclass and one `register` call.
    """

    name: str
    defaults: ClassVar[Mapping[str, Scalar]]

    def spec(self, **parameters: Scalar) -> ActivationSpec:
        """Return a validated spec; parameters left out take their defaults.

        Raises:
            ActivationError: an unknown parameter or a value out of range.
        """
        if unknown := sorted(set(parameters) - set(self.defaults)):
            raise ActivationError(
                f"unknown parameter {unknown[0]!r} of activation {self.name!r}",
                expected="one of " + ", ".join(self.defaults),
            )
        complete = {**self.defaults, **parameters}
        self.validate(complete)
        return ActivationSpec(self.name, complete)

    @abstractmethod
    def validate(self, parameters: Mapping[str, Scalar]) -> None:
        """Raise an `ActivationError` unless the complete parameters are valid."""

    @abstractmethod
    def build(self, spec: ActivationSpec, channels: int, *, channel_dim: int = 1) -> nn.Module:
        """Return the trainable module, which is also `Foldable`; channels lie at `channel_dim`."""

    @abstractmethod
    def deployed(self, spec: ActivationSpec, channels: int) -> nn.Module:
        """Return the deployed module with unset values, as a bundle's loader needs it."""

    @abstractmethod
    def stored_values(self, spec: ActivationSpec, channels: int) -> int:
        """Return how many values the deployed module stores, without building it."""

    @abstractmethod
    def macs(self, spec: ActivationSpec, channels: int) -> int:
        """Return the multiply-accumulates of all channels once; see `slaf_automl.spec.COSTS`."""

    @abstractmethod
    def relus(self, spec: ActivationSpec, channels: int) -> int:
        """Return the ReLU and comparison evaluations of all channels once."""

    @abstractmethod
    def depth(self, spec: ActivationSpec, channels: int) -> int | None:
        """Return the multiplicative depth, None unless every channel is a polynomial.

        None of the costs may fall as channels are added: widths are solved on that promise.
        """

    @abstractmethod
    def least_channels(self, spec: ActivationSpec) -> int:
        """Return the smallest number of channels the spec can serve."""

    @abstractmethod
    def lane_group(self, spec: ActivationSpec) -> str:
        """Name the group of specs that can share one batched evaluation."""
