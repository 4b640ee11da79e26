"""Slots in words."""

import pytest

from slaf_automl.activations import find_kind
from slaf_automl.report import slot_in_words


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        ("relu", {}, "relu"),
        ("relu", {"normaliser": "input"}, "relu, input-normalised"),
        ("slaf", {"normaliser": "none"}, "slaf chebyshev 3"),
        ("slaf", {"basis": "hermite", "degree": 5}, "slaf hermite 5, element-normalised"),
        ("slaf", {"normaliser": "none", "sharing": "layer"}, "slaf chebyshev 3, one row"),
        (
            "slaf",
            {"normaliser": "input", "sharing": "layer", "hybrid": 0.5},
            "slaf chebyshev 3, one row, input-normalised, 50% relu",
        ),
    ],
)
def test_slot_in_words(kind, parameters, words):
    assert slot_in_words(find_kind(kind).spec(**parameters)) == words
