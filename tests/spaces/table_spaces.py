"""The shipped spaces by what their networks take, in contrast to those that fill a given model."""

from slaf_automl.networks import FAMILIES
from slaf_automl.spaces import shipped_names
from slaf_automl.spaces.files import find_space_file, read_document

_FAMILIES = {name: read_document(find_space_file(name))["family"] for name in shipped_names()}

TABLE_SPACES = tuple(name for name, family in _FAMILIES.items() if family == "mlp")
IMAGE_SPACES = tuple(
    name for name, family in _FAMILIES.items() if family in FAMILIES and FAMILIES[family].images
)
"""Those for series too, which are images of height 1."""
SERIES_SPACES = tuple(name for name in IMAGE_SPACES if FAMILIES[_FAMILIES[name]].series)
