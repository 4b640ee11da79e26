"""Search spaces: YAML files, Optuna distributions, candidates."""

from slaf_automl.spaces.descriptions import space_description
from slaf_automl.spaces.files import shipped_names
from slaf_automl.spaces.placement_space import PlacementSpace
from slaf_automl.spaces.sizes import SizedSpace
from slaf_automl.spaces.space import SearchSpace

__all__ = ["PlacementSpace", "SearchSpace", "SizedSpace", "shipped_names", "space_description"]
