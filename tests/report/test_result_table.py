"""The table a search prints, from `metrics.json` alone."""

import json

import pytest

from slaf_automl.report import ArmFigures, gain_in_words, paired_difference, result_table

MIX = ArmFigures("mix", 1100, 9, ("slaf chebyshev 3", "relu"), (12, 5), (0.91, 0.93), (0.90, 0.94))
RELU = ArmFigures("relu", 1090, 9, ("relu", "relu"), (13, 6), (0.88, 0.90), (0.85, 0.87))


def make_metrics(*, control=True, **changes):
    own = MIX.to_json()
    relu = RELU if control else None
    metrics = {
        "schema": 1,
        "metric": "accuracy",
        "direction": "maximize",
        "parameters": 1100,
        "budget": 1200,
        "winner": "mix",
        "exported": {"seed": 77, "validation": 0.93, "test": 0.94, "refit": False},
        "test": {key: own[key] for key in ("mean", "spread", "values")},
        "mix": own,
        "relu": RELU.to_json() if control else None,
        "difference": paired_difference(MIX, RELU) if control else None,
        "gain": gain_in_words(MIX, relu, lambda a, b: a > b),
        "linear": {"parameters": 30, "validation": 0.8, "test": 0.81},
        "constant": {"parameters": 3, "validation": 0.5, "test": 0.52},
        "test_openings": 1,
        "data": {
            "source": "t.csv",
            "split": 0,
            "identity": "x",
            "validation_rows": 9,
            "test_rows": 9,
        },
    }
    return {**metrics, **changes}


def rows_of(text):
    """Return the table's rows by their first word."""
    return {line.split()[0]: line for line in text.splitlines() if line.strip("- ")}


def test_both_arms_and_both_predictors_have_a_row():
    rows = {n: " ".join(r.split()) for n, r in rows_of(result_table(make_metrics())).items()}
    assert rows["mix"] == ("mix * 1,100 0.92 ± 0.014 0.92 ± 0.028 9 12: slaf chebyshev 3 | 5: relu")
    assert rows["relu"] == "relu 1,090 0.89 ± 0.014 0.86 ± 0.014 9 13: relu | 6: relu"
    assert rows["linear"] == "linear 30 0.8 0.81"
    assert rows["constant"] == "constant 3 0.5 0.52"


def test_columns_are_aligned_with_their_names():
    lines = result_table(make_metrics()).splitlines()
    header, body = lines[1], lines[3:7]
    for name in ("parameters", "validation accuracy", "test accuracy"):
        end = header.index(name) + len(name)  # numbers to the right
        assert all(line[end - 1].isdigit() and line[end : end + 2].isspace() for line in body[:2])
        assert all(line[end - 1].isdigit() and not line[end : end + 2].strip() for line in body)
    for arm, start in zip(body, ("12: slaf", "13: relu"), strict=False):
        assert arm[header.index("slots") :].startswith(start)
    assert [line for line in lines if line.strip("-") == ""] == [lines[0], lines[2], lines[7]]
    assert len(lines[0]) == max(map(len, [header, *body]))


def test_notes_say_how_the_figures_came_about():
    text = result_table(make_metrics())
    assert "accuracy: mean ± spread over 2 seeds of the confirmation; higher is better." in text
    paired = "0.06, 95% interval -0.06706 to 0.1871, p = 0.5"
    assert f"paired difference mix − relu on test: {paired}" in text
    assert "so few seeds can show none, 6 could." in text
    assert text.splitlines()[-1] == (
        "* exported: mix, seed 77 (best on validation), 1,100 of 1,200 parameters, "
        "test accuracy 0.94"
    )


def test_a_run_of_an_older_version_has_its_spread_alone():
    older = {"mean": 0.06, "spread": 0.014, "values": [0.05, 0.07]}
    text = result_table(make_metrics(difference=older))
    assert "paired difference mix − relu on test: 0.06 ± 0.014" in text


def test_without_a_control_no_gain_is_claimed():
    text = result_table(make_metrics(control=False))
    assert "relu" not in rows_of(text)
    assert "paired difference" not in text
    assert "No ReLU control was run, so no gain is claimed." in text


@pytest.mark.parametrize(
    ("direction", "words"), [("maximize", "higher is better"), ("minimize", "lower is better")]
)
def test_direction_is_said(direction, words):
    assert f"; {words}." in result_table(make_metrics(direction=direction))


@pytest.mark.parametrize("winner", ["mix", "relu"])
def test_winner_is_marked(winner):
    rows = rows_of(result_table(make_metrics(winner=winner)))
    marked = [name for name in ("mix", "relu") if rows[name].startswith(f"{name} *")]
    assert marked == [winner]


def test_refit_is_said():
    exported = {"seed": 5, "validation": None, "test": 0.9, "refit": True}
    text = result_table(make_metrics(exported=exported))
    assert "mix, seed 5 (trained on training and validation rows)" in text


@pytest.mark.parametrize("openings", [1, 2, 7])
def test_repeated_looks_at_the_test_rows_are_said(openings):
    text = result_table(make_metrics(test_openings=openings))
    assert (f"have been read {openings} times" in text) is (openings > 1)


def test_table_is_the_same_from_the_stored_file():
    metrics = make_metrics()
    assert result_table(json.loads(json.dumps(metrics))) == result_table(metrics)


LIMITS = {"limits": {"macs": 9000, "parameters": 1200}, "budget": 1200}  # sorted, as when stored
COSTS = {"parameters": 1100, "macs": 8990, "relus": 17, "depth": None}


def test_every_limit_and_what_is_used_of_it_are_said():
    text = result_table(make_metrics(**LIMITS, costs=COSTS))
    assert "1,100 of 1,200 parameters, 8,990 of 9,000 macs, test accuracy 0.94" in text


def test_parameters_are_said_where_they_have_no_limit():
    limits = {"relus": 20, "depth": 8}
    costs = {**COSTS, "relus": 0, "depth": 7}
    text = result_table(make_metrics(budget=None, limits=limits, costs=costs))
    assert (
        "1,100 parameters, 0 of 20 ReLU evaluations, 7 of 8 levels of multiplicative depth, test"
    ) in text


def test_a_missing_twin_has_a_row_that_says_why():
    metrics = make_metrics(control=False, comparison="linear", gain="No ReLU network can meet it.")
    text = result_table(metrics)
    assert " ".join(rows_of(text)["relu"].split()) == "relu – – – – none can meet the budget"
    assert "No ReLU network can meet it." in text
    for comparison in ("relu", None):
        assert "none can meet" not in result_table(make_metrics(comparison=comparison))
