"""The family `cnn`: convolutions without padding, pooling between them, a mean over the maps."""

from __future__ import annotations

from typing import ClassVar

from slaf_automl.activations.standalone import ALL_ABSORBED
from slaf_automl.errors import SpecError
from slaf_automl.networks.families.base import Family, Image
from slaf_automl.networks.layout import Halve, Layer, Layout, Mean, SlotStep, Step
from slaf_automl.spec import Architecture

KERNEL = 3
"""Side of every convolution's window."""


class CNNFamily(Family):
    """Convolutions of 3×3, each followed by a slot; the maps are halved after every other one.

    The first halving follows the first convolution, whose maps are the largest; there is none after
    the last one, whose maps are averaged for a linear layer. Without padding, standardisation and
    the SLAFs' constants fold into the layers, so that a convolutional network too stores weights,
    biases and coefficients alone.
    """

    name: ClassVar[str] = "cnn"
    images: ClassVar[bool] = True

    def layout(self, architecture: Architecture) -> Layout:
        """Return convolution, slot, (halving), …, mean, linear layer."""
        assert architecture.image is not None
        assert architecture.pooling is not None
        channels, height, width = architecture.image
        last = len(architecture.widths) - 1
        steps: list[Step] = []
        for i, outputs in enumerate(architecture.widths):
            height, width = height - KERNEL + 1, width - KERNEL + 1
            if min(height, width) < 1:
                raise SpecError(
                    f"{last + 1} convolutions of an image of {architecture.image}",
                    expected=f"at most {self.most_widths(architecture.image)}",
                )
            places = height * width
            steps.append(Layer(i, channels, outputs, (KERNEL, KERNEL), positions=places, feeds=i))
            steps.append(SlotStep(i, outputs, places, ALL_ABSORBED))
            if _halved(i) and i < last:
                height, width = height // 2, width // 2
                steps.append(Halve(architecture.pooling, outputs * height * width))
            channels = outputs
        steps += [Mean(), Layer(last + 1, channels, architecture.outputs)]
        centred = architecture.image[0] if architecture.centred_inputs else 0
        return Layout(tuple(steps), centred, architecture.image)

    def most_widths(self, image: Image | None, kernel: int | None = None) -> int | None:
        """Return how many convolutions leave a map of at least one place."""
        assert image is not None
        side, count = min(image[1:]), 0
        while side >= KERNEL:
            side = side - KERNEL + 1
            side = side // 2 if _halved(count) else side
            count += 1
        return count


def _halved(i: int) -> bool:
    return i % 2 == 0
