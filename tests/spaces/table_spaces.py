"""The shipped spaces whose networks take tables, in contrast to those that fill a given model."""

from slaf_automl.spaces import shipped_names
from slaf_automl.spaces.files import find_space_file, read_document

TABLE_SPACES = tuple(
    name for name in shipped_names() if read_document(find_space_file(name))["family"] == "mlp"
)
