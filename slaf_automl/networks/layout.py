"""What a network of this package is made of, step by step, before any of it is built.

A family turns an architecture into a layout; building, running, counting and folding a network all
follow the same layout, so that they cannot differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from slaf_automl.activations.standalone import Absorbed


@dataclass(frozen=True)
class Layer:
    """A linear layer or a convolution.

    Args:
        index: its place in `layers`.
        inputs: features or channels in.
        outputs: features or channels out.
        kernel: height and width of the convolution's window; None for a linear layer.
        stride: of the convolution, both ways.
        padding: zeros at each border.
        positions: places of the output map, 1 for a linear layer.
        feeds: the slot that alone takes its output, and whose input map it absorbs.
        norm: place in `norms` of the batch normalisation after it, which it absorbs.
        beside: it runs beside a longer branch, so it adds no multiplicative depth.
    """

    index: int
    inputs: int
    outputs: int
    kernel: tuple[int, int] | None = None
    stride: int = 1
    padding: int = 0
    positions: int = 1
    feeds: int | None = None
    norm: int | None = None
    beside: bool = False

    @property
    def weights(self) -> int:
        """Number of weights, without the biases."""
        return self.inputs * self.outputs * math.prod(self.kernel or (1,))


@dataclass(frozen=True)
class SlotStep:
    """An activation.

    Args:
        index: its place in `slots`.
        channels: how many it serves.
        positions: places of its map.
        absorbed: which of its affine maps the layers around take.
    """

    index: int
    channels: int
    positions: int
    absorbed: Absorbed


@dataclass(frozen=True)
class Halve:
    """Pooling over windows side by side; what no whole window covers is left out.

    Args:
        pooling: `max` or `average`.
        outputs: values that it gives out.
        window: height and width.
    """

    pooling: str
    outputs: int
    window: tuple[int, int] = (2, 2)

    @property
    def comparisons(self) -> int:
        """Number of comparisons for one value, none of an average."""
        return math.prod(self.window) - 1 if self.pooling == "max" else 0


@dataclass(frozen=True)
class Mean:
    """The mean over each map: `(N, C, H, W)` to `(N, C)`."""


@dataclass(frozen=True)
class Flatten:
    """Every place of every map a feature: `(N, C, H, W)` to `(N, C·H·W)`.

    Args:
        positions: H·W, how often a channel's affine map comes again.
    """

    positions: int


@dataclass(frozen=True)
class Residual:
    """The sum of two branches.

    Args:
        body: the longer one.
        shortcut: the other; the identity where it has no step.
    """

    body: tuple[Step, ...]
    shortcut: tuple[Step, ...]


Step = Layer | SlotStep | Halve | Mean | Flatten | Residual


@dataclass(frozen=True)
class Layout:
    """All steps of a network, in order of use.

    Args:
        steps: from the inputs to the outputs.
        centred: how many means the deployed network subtracts first: none, or one an input or
            channel.
        image: the shape that the features are brought to first, None to leave them.
        filled: places of the inputs whose gaps the deployed network fills.
    """

    steps: tuple[Step, ...]
    centred: int = 0
    image: tuple[int, int, int] | None = None
    filled: tuple[int, ...] = ()

    def layers(self) -> list[Layer]:
        """Return the layers, by index."""
        found = [step for step in _flat(self.steps) if isinstance(step, Layer)]
        return sorted(found, key=lambda layer: layer.index)

    def slots(self) -> list[SlotStep]:
        """Return the slots, by index."""
        found = [step for step in _flat(self.steps) if isinstance(step, SlotStep)]
        return sorted(found, key=lambda slot: slot.index)

    def flat(self) -> list[Step]:
        """Return every step in order of use, the branches of a sum one after the other."""
        return _flat(self.steps)


def _flat(steps: tuple[Step, ...]) -> list[Step]:
    found: list[Step] = []
    for step in steps:
        found.append(step)
        if isinstance(step, Residual):
            found += _flat(step.body) + _flat(step.shortcut)
    return found
