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
    assert (found["mean"], found["spread"]) == (2.0, pytest.approx(1.0))
    assert found["values"] == [2.0, 3.0, 1.0]


BETTER = "The mix is better than the ReLU network of this size by"
WORSE = "The mix is worse than the ReLU network of this size by"
NONE = "No difference that we can show between the mix and the ReLU network of this size:"
EIGHT = (0.90, 0.92) * 4


@pytest.mark.parametrize(
    ("better", "mix", "relu", "words"),
    [
        (UP, EIGHT, (0.80,) * 8, f"{BETTER} 0.11 (95% interval 0.1011 to 0.1189, p = 0.0078"),
        (DOWN, EIGHT, (0.80,) * 8, f"{WORSE} 0.11 (95% interval 0.1011 to 0.1189"),
        (UP, (0.80,) * 8, EIGHT, f"{WORSE} 0.11 (95% interval 0.1011 to 0.1189"),
        (DOWN, (0.80,) * 8, EIGHT, f"{BETTER} 0.11 (95% interval 0.1011 to 0.1189"),
        (UP, (0.9, 0.7) * 4, (0.7, 0.8) * 4, f"{NONE} 0.05 (95% interval -0.084"),
        (DOWN, (0.7, 0.8) * 4, (0.9, 0.7) * 4, f"{NONE} -0.05 (95% interval -0.184"),
        (UP, (0.8,) * 8, (0.8,) * 8, f"{NONE} 0 (95% interval 0 to 0, p = 1, 8 seeds)."),
    ],
)
def test_words_follow_from_the_paired_difference(better, mix, relu, words):
    assert gain_in_words(arm("mix", test=mix), arm("relu", test=relu), better).startswith(words)


def test_so_few_seeds_that_they_can_show_nothing_say_so():
    words = gain_in_words(arm("mix", test=(0.9,) * 5), arm("relu", test=(0.1,) * 5), UP)
    assert words.startswith(NONE)
    assert words.endswith("p = 0.062, 5 seeds); so few seeds can show none, 6 could.")


def test_figures_for_metrics_json():
    figures = ArmFigures("mix", 50, 9, ("relu", "slaf"), (5, 4), (1.0, 3.0), (2.0, 4.0))
    assert (figures.to_json()["costs"], figures.to_json()["latency"]) == ({}, None)
    measured = replace(figures, costs={"macs": 45, "depth": None}, latency=12.5)
    document = measured.to_json()
    assert document == {
        "mean": 3.0,
        "spread": pytest.approx(statistics.stdev([2.0, 4.0])),
        "values": [2.0, 4.0],
        "parameters": 50,
        "trials": 9,
        "slots": ["relu", "slaf"],
        "widths": [5, 4],
        "validation": summary((1.0, 3.0)),
        "costs": {"macs": 45, "depth": None},
        "latency": {"one_row_us": 12.5},
    }


def test_one_value_has_no_spread_and_carries_no_claim():
    assert summary((2.0,)) == {"mean": 2.0, "spread": None, "values": [2.0]}
    mix, relu = arm("mix", test=[0.9]), arm("relu", test=[0.5])
    assert "no difference between the mix and" in gain_in_words(mix, relu, gt)


def test_an_all_relu_mix_claims_no_gain_however_much_better():
    mix = replace(arm("mix", test=[0.9, 0.91]), learned=False)
    words = gain_in_words(mix, arm("relu", test=[0.5, 0.51]), gt)
    assert "no gain from learned activations is claimed" in words


LINEAR = (
    "No ReLU network can meet 6 levels. The mix is {} than the linear predictor by 0.11 "
    "(95% interval 0.1011 to 0.1189, p = 0.0078, 8 seeds)."
)


@pytest.mark.parametrize(
    ("better", "mix", "linear", "words"),
    [
        (UP, EIGHT, 0.80, LINEAR.format("better")),
        (DOWN, EIGHT, 0.80, LINEAR.format("worse")),
        (DOWN, (0.80, 0.82) * 4, 0.92, LINEAR.format("better")),
        (UP, (0.5, 1.0), 0.75, "p = 1, 2 seeds); so few seeds can show none, 6 could."),
        (DOWN, (0.5, 1.0) * 4, 0.8, "p = 0.7, 8 seeds)."),
        (
            UP,
            (0.9,),
            0.1,
            "One seed shows no spread, so no difference between the mix and the linear predictor "
            "is claimed.",
        ),
    ],
)
def test_without_a_twin_the_mix_is_held_against_the_linear_predictor(better, mix, linear, words):
    found = gain_without_twin(arm("mix", test=mix), linear, "6 levels", better)
    assert found.startswith("No ReLU network can meet 6 levels. ")
    assert found.endswith(words)
