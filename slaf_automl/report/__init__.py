"""Figures and words about a finished search."""

from slaf_automl.report.table import result_table
from slaf_automl.report.verdict import (
    ArmFigures,
    choose_winner,
    gain_in_words,
    paired_difference,
    summary,
)
from slaf_automl.report.words import slot_in_words

__all__ = [
    "ArmFigures",
    "choose_winner",
    "gain_in_words",
    "paired_difference",
    "result_table",
    "slot_in_words",
    "summary",
]
