"""The family `conv1d`: convolutions along a series without padding, halved after each."""

from __future__ import annotations

from typing import ClassVar

from slaf_automl.activations.standalone import ALL_ABSORBED
from slaf_automl.errors import SpecError
from slaf_automl.networks.families.base import Family, Image
from slaf_automl.networks.layout import Flatten, Halve, Layer, Layout, Mean, SlotStep, Step
from slaf_automl.spec import Architecture


class Conv1dFamily(Family):
    """Convolutions of k places, each followed by a slot and a halving, then a linear layer.

    A series is an image of height 1, `(C, 1, L)`, its windows are 1×k and 1×2. A convolution
    leaves L − k + 1 places, a halving ⌊L/2⌋; one place alone is not halved. The linear layer takes
    the mean of each map (`head` `mean`), or every place of it with a weight of its own (`flatten`),
    so that it knows where in the series something was.

    As in `cnn` nothing is padded, so standardisation and the SLAFs' constants fold into the layers:
    a constant is the same at every place, and each place that `flatten` hands on has its weights.
    """

    name: ClassVar[str] = "conv1d"
    images: ClassVar[bool] = True
    series: ClassVar[bool] = True

    def layout(self, architecture: Architecture) -> Layout:
        """Return convolution, slot, halving, …, mean or flatten, linear layer."""
        assert architecture.image is not None
        assert architecture.pooling is not None
        assert architecture.kernel is not None
        channels, _, length = architecture.image
        kernel, last = architecture.kernel, len(architecture.widths)
        steps: list[Step] = []
        for i, outputs in enumerate(architecture.widths):
            length = length - kernel + 1
            if length < 1:
                raise SpecError(
                    f"{last} convolutions of {kernel} places of a series of {architecture.image}",
                    expected=f"at most {self.most_widths(architecture.image, kernel)}",
                )
            steps.append(Layer(i, channels, outputs, (1, kernel), positions=length, feeds=i))
            steps.append(SlotStep(i, outputs, length, ALL_ABSORBED))
            if length > 1:
                length = length // 2
                steps.append(Halve(architecture.pooling, outputs * length, (1, 2)))
            channels = outputs
        if architecture.head == "flatten":
            steps.append(Flatten(length))
            channels *= length
        else:
            steps.append(Mean())
        steps.append(Layer(last, channels, architecture.outputs))
        centred = architecture.image[0] if architecture.centred_inputs else 0
        return Layout(tuple(steps), centred, architecture.image)

    def most_widths(self, image: Image | None, kernel: int | None = None) -> int | None:
        """Return how many convolutions leave at least one place."""
        assert image is not None
        assert kernel is not None
        length, count = image[2], 0
        while length >= kernel:
            length, count = max(1, (length - kernel + 1) // 2), count + 1
        return count
