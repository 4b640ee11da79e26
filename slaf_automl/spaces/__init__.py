"""Search spaces: YAML files, Optuna distributions, candidates."""

from slaf_automl.spaces.files import shipped_names
from slaf_automl.spaces.space import SearchSpace

__all__ = ["SearchSpace", "shipped_names"]
