"""Network families: one table, one file each."""

from __future__ import annotations

from dataclasses import replace

from slaf_automl.networks.families.base import Family, Image
from slaf_automl.networks.families.cnn import CNNFamily
from slaf_automl.networks.families.conv1d import Conv1dFamily
from slaf_automl.networks.families.mlp import MLPFamily
from slaf_automl.networks.families.resnet import ResNetFamily
from slaf_automl.networks.layout import Layout
from slaf_automl.spec import Architecture

FAMILIES: dict[str, Family] = {
    family.name: family for family in (MLPFamily(), CNNFamily(), ResNetFamily(), Conv1dFamily())
}
"""All families by name."""


def layout(architecture: Architecture) -> Layout:
    """Return what the network of an architecture is made of.

    Raises:
        SpecError: the image is too small for so many layers.
    """
    found = FAMILIES[architecture.family].layout(architecture)
    return replace(found, filled=architecture.filled_inputs or ())


__all__ = ["FAMILIES", "Family", "Image", "layout"]
