"""The family `resnet`: stages of basic residual blocks, as for CIFAR (He et al. 2016, section 4.2).

A stem convolution and its slot, then for each stage the blocks

    x ↦ slot(BN(conv(slot(conv(x)))) + shortcut(x)),

convolutions of 3×3, then the mean over the maps and a linear layer. The first block of every stage
but the first halves the maps by a stride of 2, and its shortcut is a convolution of 1×1 (option B
there); all other shortcuts are the identity. The stem has no padding, so that the standardisation
of the inputs folds into it; the others pad with zeros, so that their maps can be added.
"""

from __future__ import annotations

from typing import ClassVar

from slaf_automl.activations.standalone import Absorbed
from slaf_automl.errors import SpecError
from slaf_automl.networks.families.base import Family, Image
from slaf_automl.networks.layout import Layer, Layout, Mean, Residual, SlotStep, Step
from slaf_automl.spec import Architecture

KERNEL = 3
"""Side of the convolutions' windows, but for those of the shortcuts."""

MOST_STAGES = 6
"""Of a network for large images: each stage halves the maps."""


class ResNetFamily(Family):
    """Stages of basic residual blocks; `widths` has one entry a stage.

    What the sum of two branches hands a slot no layer can scale, so a slot after a sum stores the
    map of its input; and before zeros are padded, its constants.
    """

    name: ClassVar[str] = "resnet"
    images: ClassVar[bool] = True

    def layout(self, architecture: Architecture) -> Layout:
        """Return stem, blocks, mean, linear layer."""
        assert architecture.image is not None
        assert architecture.blocks is not None
        channels, height, width = architecture.image
        height, width = height - KERNEL + 1, width - KERNEL + 1
        stages = len(architecture.widths)
        if stages > (self.most_widths(architecture.image) or 0):
            raise SpecError(
                f"{stages} stages of an image of {architecture.image}",
                expected=f"at most {self.most_widths(architecture.image)}",
            )
        drawn = _Drawing(height, width)
        steps: list[Step] = [
            drawn.layer(channels, architecture.widths[0], KERNEL, feeds=True),
            drawn.slot(architecture.widths[0], Absorbed(before=True)),
        ]
        inputs, count = architecture.widths[0], stages * architecture.blocks
        for number in range(count):
            outputs = architecture.widths[number // architecture.blocks]
            strided = number > 0 and number % architecture.blocks == 0
            after = number + 1
            if after == count:
                absorbed = Absorbed(scale=True, shift=True)
            else:  # The next block's shortcut, if it is a convolution, takes a scale as well.
                absorbed = Absorbed(scale=after % architecture.blocks == 0)
            steps += drawn.block(inputs, outputs, 2 if strided else 1, absorbed)
            inputs = outputs
        steps += [Mean(), Layer(drawn.layers, inputs, architecture.outputs)]
        centred = channels if architecture.centred_inputs else 0
        return Layout(tuple(steps), centred, architecture.image)

    def widths_of_slots(self, widths: int, blocks: int | None) -> tuple[int, ...]:
        """The stem has the first stage's width; each block has two slots of its stage's."""
        assert blocks is not None
        return (0, *(stage for stage in range(widths) for _ in range(2 * blocks)))

    def most_widths(self, image: Image | None, kernel: int | None = None) -> int | None:
        """Return how many stages have maps of at least 2×2 places to start from."""
        assert image is not None
        side, count = min(image[1:]) - KERNEL + 1, 0
        while side >= 2 and count < MOST_STAGES:
            side, count = (side + 1) // 2, count + 1
        return count


class _Drawing:
    """Counts layers, slots and norms, and the size of the maps, as steps are drawn."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.layers = self.slots = self.norms = 0

    def block(self, inputs: int, outputs: int, stride: int, absorbed: Absorbed) -> list[Step]:
        """Return one residual block and the slot after its sum."""
        if stride == 2:
            self.height, self.width = (self.height + 1) // 2, (self.width + 1) // 2
        body = (
            self.layer(inputs, outputs, KERNEL, stride, padding=1, feeds=True),
            self.slot(outputs, Absorbed(before=True, scale=True)),
            self.layer(outputs, outputs, KERNEL, padding=1, normed=True),
        )
        shortcut = () if stride == 1 else (self.layer(inputs, outputs, 1, stride, beside=True),)
        return [Residual(body, shortcut), self.slot(outputs, absorbed)]

    def layer(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        padding: int = 0,
        feeds: bool = False,
        normed: bool = False,
        beside: bool = False,
    ) -> Layer:
        """Return the next convolution."""
        layer = Layer(
            self.layers,
            inputs,
            outputs,
            (kernel, kernel),
            stride,
            padding,
            positions=self.height * self.width,
            feeds=self.slots if feeds else None,
            norm=self.norms if normed else None,
            beside=beside,
        )
        self.layers += 1
        self.norms += normed
        return layer

    def slot(self, channels: int, absorbed: Absorbed) -> SlotStep:
        """Return the next slot."""
        slot = SlotStep(self.slots, channels, self.height * self.width, absorbed)
        self.slots += 1
        return slot
