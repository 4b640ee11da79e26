"""Figures and words about a finished search."""

from slaf_automl.report.costs import budget_in_words, costs_in_words, used_in_words
from slaf_automl.report.table import result_table
from slaf_automl.report.verdict import (
    ArmFigures,
    choose_winner,
    gain_in_words,
    gain_without_twin,
    paired_difference,
    summary,
)
from slaf_automl.report.words import slot_in_words

__all__ = [
    "ArmFigures",
    "budget_in_words",
    "choose_winner",
    "costs_in_words",
    "gain_in_words",
    "gain_without_twin",
    "paired_difference",
    "result_table",
    "slot_in_words",
    "summary",
    "used_in_words",
]
