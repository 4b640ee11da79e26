"""What a network family must say about itself, in one place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from slaf_automl.networks.layout import Layout
from slaf_automl.spec import Architecture

Image = tuple[int, int, int]
"""Channels, height and width."""


class Family(ABC):
    """Layout, slots and limits of one network family.

    A new family is one subclass and an entry in `FAMILIES`.
    """

    name: ClassVar[str]
    images: ClassVar[bool]
    """Whether it takes images rather than any table."""
    series: ClassVar[bool] = False
    """Whether its images are series: maps of height 1."""

    @abstractmethod
    def layout(self, architecture: Architecture) -> Layout:
        """Return the steps of a network.

        Raises:
            SpecError: the image is too small for so many layers.
        """

    def widths_of_slots(self, widths: int, blocks: int | None) -> tuple[int, ...]:
        """Return for each slot, in order of use, the number of the width that it has.

        Unless a family has several slots of one width, each has that of its own layer.
        """
        return tuple(range(widths))

    @abstractmethod
    def most_widths(self, image: Image | None, kernel: int | None = None) -> int | None:
        """Return how many widths a network for such images may have, None for any number.

        Args:
            image: the shape of an example, None of a table.
            kernel: the widest window that the space has, of a family that searches it.
        """
