"""Trials compared, placements in words, and the table of both arms."""

import pytest

from slaf_automl.report.arms_table import arms_table, number
from slaf_automl.report.placement import placements_of, why_in_words
from slaf_automl.report.run import read_run


@pytest.fixture
def mix(write_run, make_trial):
    """Halving: two complete trials, three stopped at the first rung, one diverged before it."""
    trials = [
        make_trial(0.70, "relu", rungs={6: 0.5, 18: 0.6}),
        make_trial(0.90, "slaf", rungs={6: 0.4, 18: 0.7}),
        make_trial(0.95, "relu", rungs={6: 0.95}, pruned=True),
        make_trial(0.30, "slaf", rungs={6: 0.3}, pruned=True),
        make_trial(0.35, "slaf", rungs={6: 0.2, 18: 0.35}, pruned=True),
        make_trial(0.10, "relu", diverged=True),
    ]
    return read_run(write_run(trials)).mix


def test_the_best_went_to_the_end_or_far(mix):
    assert [trial.number for trial in mix.ranked] == [1, 0, 4, 2, 3, 5]
    assert (len(mix.complete), len(mix.pruned), mix.diverged) == (3, 3, 1)


def test_trials_are_compared_where_all_were(mix):
    compared = mix.compared()
    assert compared.step == 6
    assert [value for _, value in compared.trials] == [0.5, 0.4, 0.1, 0.95, 0.3, 0.2]


def test_without_pruning_final_values_compare(write_run, make_trial):
    run = read_run(write_run([make_trial(0.7, rungs={6: 0.5}), make_trial(0.8)]))
    compared = run.mix.compared()
    assert compared.step is None
    assert [value for _, value in compared.trials] == [0.7, 0.8]
    assert run.when(None) == "at their end"
    assert run.when(6) == "after 6 epochs"


def test_placements_say_what_the_trials_did(mix):
    found = placements_of(mix)
    assert [trial.number for trial in found.shown] == [1, 0, 4, 2, 3, 5]
    assert [trial.complete for trial in found.shown] == [True, True, False, False, False, True]
    (facts,) = found.facts()
    assert (facts.best, facts.best_relu) == (6, 3)
    assert facts.medians == (0.5, 0.3)
    words = why_in_words(facts, "accuracy", "maximize", "after 6 epochs")
    assert words == (
        "ReLU in 3 of the 6 best trials that have this slot, and in 3 of all 6. Median validation "
        "accuracy after 6 epochs: 0.5 with ReLU (3 trials), 0.3 with SLAF (3 trials); ReLU did "
        "better."
    )
    assert why_in_words(facts, "rmse", "minimize", "at their end").endswith("SLAF did better.")


def test_the_inputs_come_first_and_compare_with_none(write_run, make_trial):
    trials = [make_trial(value, "relu") for value in (0.5, 0.7, 0.9)]
    learned = {"kind": "slaf", "basis": "tent", "degree": 4, "hybrid": 0.0}
    trials[2].user_attrs["slots"]["inputs"] = learned
    found = placements_of(read_run(write_run(trials)).mix)
    assert found.slots == found.shown_slots == ["inputs", "slot 0"]
    facts, other = found.facts()
    assert (facts.relu, facts.learned) == ((0.7, 0.5), (0.9,))
    words = why_in_words(facts, "accuracy", "maximize", "at their end")
    assert words == (
        "No activation in 2 of the 3 best trials, and in 2 of all 3. Median validation accuracy at "
        "their end: 0.6 with none (2 trials), 0.9 with SLAF (1 trial); SLAF did better."
    )
    assert (len(other.relu), len(other.learned)) == (3, 0)


SUMMARY = {"mean": 0.9, "spread": 0.01, "values": [0.89, 0.91]}
ARM = {**SUMMARY, "parameters": 1100, "trials": 9, "widths": [12], "slots": ["relu"]}
ARM["validation"] = SUMMARY
TRIVIAL = {"parameters": 3, "validation": 0.5, "test": 0.4}


def metrics(**changes):
    return {
        "metric": "accuracy",
        "direction": "maximize",
        "winner": "mix",
        "test": SUMMARY,
        "mix": ARM,
        "relu": ARM,
        "linear": TRIVIAL,
        "constant": TRIVIAL,
        **changes,
    }


def shown(cell):
    return "".join(part if isinstance(part, str) else part.text for part in cell)


def test_the_table_has_both_arms_and_both_predictors():
    table = arms_table(metrics())
    rows = [[shown(cell) for cell in row] for row in table.rows]
    assert rows[0] == ["mix, exported", "1,100", "0.9 ± 0.01", "0.9 ± 0.01", "9", "12: relu"]
    assert [row[0] for row in rows] == ["mix, exported", "relu", "linear", "constant"]
    assert {len(row) for row in rows} == {len(table.head)}
    assert "over 2 fresh seeds; higher is better" in table.note


def test_costs_and_latency_of_both_arms_are_shown_where_they_are():
    mix = {**ARM, "costs": {"macs": 4000, "relus": 2}, "latency": {"one_row_us": 1.25}}
    relu = {**ARM, "costs": {"macs": 5000, "relus": 2}, "latency": None}
    table = arms_table(metrics(mix=mix, relu=relu))
    assert table.head[2:4] == ("macs", "one row in onnxruntime, µs")
    assert [shown(cell) for cell in table.rows[0]][2:4] == ["4,000", "1.25"]
    assert [shown(cell) for cell in table.rows[1]][2:4] == ["5,000", "–"]
    assert {len(row) for row in table.rows} == {len(table.head)}


@pytest.mark.parametrize("comparison", ["linear", None])
def test_an_arm_that_was_not_searched(comparison):
    table = arms_table(metrics(relu=None, comparison=comparison))
    rows = [[shown(cell) for cell in row] for row in table.rows]
    assert ("none can meet the budget" in rows[1]) is (comparison == "linear")
    assert {len(row) for row in rows} == {len(table.head)}


def test_a_single_seed_has_no_spread():
    single = {"mean": 0.9, "spread": None, "values": [0.9]}
    table = arms_table(metrics(test=single, mix={**ARM, **single}))
    assert shown(table.rows[0][3]) == "0.9"
    assert "over 1 fresh seed;" in table.note


def test_numbers_are_found_by_their_path():
    document = {"a": {"b": [1.5, 2]}, "flag": True, "none": None}
    assert number(document, "a.b.0").value == 1.5
    assert number(document, "a.b.1").text == "2"
    for path in ("a.b.2", "a.c", "flag", "none", "a.b.x", "a"):
        assert number(document, path) is None
