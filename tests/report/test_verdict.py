"""What the confirmation says: the winner, and no more words than the figures carry."""

import statistics
from dataclasses import replace
from operator import gt, lt

import pytest

from slaf_automl.report import (
    ArmFigures,
    choose_winner,
    gain_in_words,
    gain_without_twin,
    paired_difference,
    summary,
)

UP, DOWN = gt, lt
"""Higher is better, lower is better."""


def arm(name, validation=(1.0, 1.0), test=()):
    return ArmFigures(name, 50, 9, ("relu",), (5,), tuple(validation), tuple(test))


@pytest.mark.parametrize(
    ("values", "mean", "spread"),
    [((1.0, 3.0), 2.0, 2**0.5), ((1.0, 2.0, 6.0), 3.0, 7**0.5)],
)
def test_summary_is_mean_and_sample_deviation(values, mean, spread):
    assert summary(values) == {"mean": mean, "spread": pytest.approx(spread), "values": [*values]}


@pytest.mark.parametrize(
    ("better", "mix", "relu", "winner"),
    [
        (UP, (0.9, 0.7), (0.8, 0.7), "mix"),
        (UP, (0.7, 0.7), (0.8, 0.7), "relu"),
        (DOWN, (0.7, 0.7), (0.8, 0.7), "mix"),
        (DOWN, (0.9, 0.7), (0.8, 0.7), "relu"),
        # A tie goes to the simpler network; so do equal means of other values.
        (UP, (0.8, 0.8), (0.8, 0.8), "relu"),
        (DOWN, (0.8, 0.8), (0.8, 0.8), "relu"),
        (UP, (0.5, 1.0), (0.75, 0.75), "relu"),
    ],
)
def test_mean_validation_chooses_the_winner(better, mix, relu, winner):
    assert choose_winner(arm("mix", mix), arm("relu", relu), better) == winner


def test_test_rows_have_no_part_in_the_choice():
    mix, relu = arm("mix", (0.8,), (0.1,)), arm("relu", (0.7,), (0.9,))
    assert choose_winner(mix, relu, UP) == "mix"


def test_without_a_control_the_mix_stands_alone():
    assert choose_winner(arm("mix"), None, UP) == "mix"
    words = gain_in_words(arm("mix", test=(0.9, 0.8)), None, UP)
    assert words == "No ReLU control was run, so no gain is claimed."


def test_difference_is_paired_by_seed():
    found = paired_difference(
        arm("mix", test=(3.0, 13.0, 23.0)), arm("relu", test=(1.0, 10.0, 22.0))
    )
    # Each arm spreads by 10, the differences 2, 3 and 1 by 1.
    assert found == {"mean": 2.0, "spread": pytest.approx(1.0), "values": [2.0, 3.0, 1.0]}


BETTER = "The mix is better than the ReLU network of this size by"
WORSE = "The mix is worse than the ReLU network of this size by"
NONE = "Mix and ReLU of this size do not differ beyond their spread"


@pytest.mark.parametrize(
    ("better", "mix", "relu", "words"),
    [
        (UP, (0.90, 0.92), (0.80, 0.80), f"{BETTER} 0.11 ± 0.014."),
        (DOWN, (0.90, 0.92), (0.80, 0.80), f"{WORSE} 0.11 ± 0.014."),
        (UP, (0.80, 0.80), (0.90, 0.92), f"{WORSE} 0.11 ± 0.014."),
        (DOWN, (0.80, 0.80), (0.90, 0.92), f"{BETTER} 0.11 ± 0.014."),
        (UP, (0.9, 0.7), (0.7, 0.8), f"{NONE} (0.05 ± 0.21)."),
        (DOWN, (0.9, 0.7), (0.7, 0.8), f"{NONE} (0.05 ± 0.21)."),
        (UP, (0.8, 0.8), (0.8, 0.8), f"{NONE} (0 ± 0)."),
    ],
)
def test_words_follow_from_the_paired_difference(better, mix, relu, words):
    assert gain_in_words(arm("mix", test=mix), arm("relu", test=relu), better) == words


def test_difference_as_large_as_its_spread_is_called_none():
    # Differences 0 and 2 have mean 1 and spread √2; 1 and 3 have mean 2 and the same spread.
    relu = arm("relu", test=(0.0, 0.0))
    assert gain_in_words(arm("mix", test=(0.0, 2.0)), relu, UP).startswith(NONE)
    assert gain_in_words(arm("mix", test=(1.0, 3.0)), relu, UP).startswith(BETTER)


def test_figures_for_metrics_json():
    figures = ArmFigures("mix", 50, 9, ("relu", "slaf"), (5, 4), (1.0, 3.0), (2.0, 4.0))
    document = figures.to_json()
    assert document == {
        "mean": 3.0,
        "spread": pytest.approx(statistics.stdev([2.0, 4.0])),
        "values": [2.0, 4.0],
        "parameters": 50,
        "trials": 9,
        "slots": ["relu", "slaf"],
        "widths": [5, 4],
        "validation": summary((1.0, 3.0)),
    }


def test_one_value_has_no_spread_and_carries_no_claim():
    assert summary((2.0,)) == {"mean": 2.0, "spread": None, "values": [2.0]}
    mix, relu = arm("mix", test=[0.9]), arm("relu", test=[0.5])
    assert "no difference is claimed" in gain_in_words(mix, relu, gt)


def test_an_all_relu_mix_claims_no_gain_however_much_better():
    mix = replace(arm("mix", test=[0.9, 0.91]), learned=False)
    words = gain_in_words(mix, arm("relu", test=[0.5, 0.51]), gt)
    assert "no gain from learned activations is claimed" in words


LINEAR = (
    "No ReLU network can meet 6 levels. The mix is {} than the linear predictor by 0.11 ± 0.014."
)


@pytest.mark.parametrize(
    ("better", "mix", "linear", "words"),
    [
        (UP, (0.90, 0.92), 0.80, LINEAR.format("better")),
        (DOWN, (0.90, 0.92), 0.80, LINEAR.format("worse")),
        (DOWN, (0.80, 0.82), 0.92, LINEAR.format("better")),
        (UP, (0.5, 1.0), 0.75, "do not differ beyond the mix's spread (0 ± 0.35)."),
        (DOWN, (0.5, 1.0), 0.8, "do not differ beyond the mix's spread (0.05 ± 0.35)."),
        (
            UP,
            (0.9,),
            0.1,
            "One seed shows no spread, so no difference to the linear one is claimed.",
        ),
    ],
)
def test_without_a_twin_the_mix_is_held_against_the_linear_predictor(better, mix, linear, words):
    found = gain_without_twin(arm("mix", test=mix), linear, "6 levels", better)
    assert found.startswith("No ReLU network can meet 6 levels. ")
    assert found.endswith(words)
