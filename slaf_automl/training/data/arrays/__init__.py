"""Arrays and images: what they are read from, and the checked value that they become."""

from slaf_automl.training.data.arrays.array_set import ArraySet
from slaf_automl.training.data.arrays.folder import read_image_folder
from slaf_automl.training.data.arrays.idx import read_idx
from slaf_automl.training.data.arrays.npz import read_npz
from slaf_automl.training.data.arrays.parts import TEST, TO_SPLIT, TRAINING, VALIDATION

__all__ = [
    "TEST",
    "TO_SPLIT",
    "TRAINING",
    "VALIDATION",
    "ArraySet",
    "read_idx",
    "read_image_folder",
    "read_npz",
]
