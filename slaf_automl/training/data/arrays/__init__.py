"""Arrays and images: what they are read from, and the checked value that they become."""

from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.datamodule import array_set_of_module
from slaf_automl.training.data.arrays.folder import read_image_folder
from slaf_automl.training.data.arrays.frames import is_frame, table_of
from slaf_automl.training.data.arrays.idx import read_idx
from slaf_automl.training.data.arrays.npz import read_npz
from slaf_automl.training.data.arrays.parts import TEST, TO_SPLIT, TRAINING, VALIDATION
from slaf_automl.training.data.arrays.tensors import array_set_of

__all__ = [
    "TEST",
    "TO_SPLIT",
    "TRAINING",
    "VALIDATION",
    "ArraySet",
    "array_set_of",
    "array_set_of_module",
    "is_frame",
    "read_idx",
    "read_image_folder",
    "read_npz",
    "table_of",
]
