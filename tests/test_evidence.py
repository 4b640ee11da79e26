"""The quality benchmark: its sets, what its results say, and its summary of a file alone."""

from __future__ import annotations

import doctest
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.append(str(Path(__file__).parents[1] / "scripts" / "benchmarks"))

import quality
from evidence import cells, figure, results, sets, standings, summary
from evidence.cells import Cell, Effort, run_cell
from evidence.sets import TABLES, TUNED, UCI, BenchmarkSet, evaluate, every_set, inner_rows

from slaf_automl import SearchSpace, SlafError, TableData

EFFORT = Effort(trials=5, confirmations=2, space="mlp")
QUIET = {"silu", "silu,", "|", "input-normalised", "element-normalised"}


@pytest.mark.parametrize("module", [cells, figure, results, sets, standings, summary])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


def rows_of(arms, *, budget=1_000, direction="minimize", tuned=False, group="uci"):
    """Rows of results: arm ↦ one list of test values a set."""
    count = len(next(iter(arms.values())))
    return [
        {
            "set": f"set{i}",
            "group": group,
            "tuned": tuned,
            "budget": budget,
            "split": 0,
            "arm": arm,
            "effort": "e",
            "metric": "rmse" if direction == "minimize" else "accuracy",
            "direction": direction,
            "parameters": budget,
            "validation": values[i],
            "test": values[i],
            "seconds": 1.0,
        }
        for arm, values in arms.items()
        for i in range(count)
    ]


# Sets.


def test_the_tuned_sets_are_nine_of_the_others():
    assert len(TUNED) == len(set(TUNED)) == 9
    assert set(TUNED) <= {*UCI, *TABLES, "digits"}
    assert (len(UCI), len(TABLES)) == (9, 16)


def test_formulas_are_evaluated_as_written():
    x = {"a": np.array([0.5, 2.0]), "b": np.array([3.0, 4.0])}
    found = evaluate("-a*sqrt(b)/(1+exp(a)) + ln(b)**2 - sin(pi*a) + arcsin(a/b)", x)
    a, b = x.values()
    wanted = -a * np.sqrt(b) / (1 + np.exp(a)) + np.log(b) ** 2 - np.sin(np.pi * a)
    assert found == pytest.approx(wanted + np.arcsin(a / b), rel=1e-15)


@pytest.mark.parametrize(
    "formula", ["__import__('os')", "a.b", "c + 1", "[1]", "exec(a)", "a if a else b"]
)
def test_a_formula_runs_nothing_else(formula):
    with pytest.raises(SlafError, match="in formula"):
        evaluate(formula, {"a": np.array([1.0]), "b": np.array([1.0])})


def test_a_random_split_follows_the_standard_ones(tmp_path):
    (tmp_path / "uci_regression").mkdir()
    x, rows = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60)
    np.savez(
        tmp_path / "uci_regression" / "yacht.npz",
        X=x,
        y=x.sum(1),
        train_idx=np.stack([rows[6:], rows[:54]]),
        test_idx=np.stack([rows[:6], rows[54:]]),
    )
    yacht = BenchmarkSet("yacht", "uci", tuned=True)
    tests = [sets.read_set(yacht, tmp_path, split).open_test()[0] for split in range(4)]
    assert [len(part) for part in tests] == [6, 6, 12, 12]
    assert tests[0].numpy() == pytest.approx(x[:6], rel=1e-6)
    assert not np.array_equal(tests[2].numpy(), tests[3].numpy())


def test_formulas_become_sets(tmp_path):
    one = {"id": "I.1", "formula": "x*y", "vars": ["x", "y"], "ranges": [[1.0, 2.0], [3.0, 5.0]]}
    (tmp_path / "feynman.json").write_text(
        json.dumps([{**one, "id": f"I.{i}"} for i in range(100)])
    )
    found = every_set(tmp_path)
    assert [s.name for s in found if s.group == "feynman"] == [f"I.{i}" for i in range(0, 100, 5)]
    assert len(found) == 27 + 20
    data = sets.read_set(found[-1], tmp_path, 0)
    x, y = data.training
    assert len(x) + len(data.validation[0]) + data.test_rows == 1_000
    assert (x[:, 0] * x[:, 1]).numpy() == pytest.approx(y.flatten().numpy(), rel=1e-6)


@pytest.mark.parametrize("name", ["sklearn:diabetes", "sklearn:wine"])
def test_inner_rows_hold_no_test_row(name):
    data = TableData.load(name)
    inner = inner_rows(data, 0)
    kept = {tuple(row.tolist()) for part in (data.training, data.validation) for row in part[0]}
    parts = (inner.training, inner.validation, inner.open_test())
    assert sum(len(part[0]) for part in parts) == sum(
        len(part[0]) for part in (data.training, data.validation)
    )
    assert all(tuple(row.tolist()) in kept for part in parts for row in part[0])
    assert (inner.info.task, inner.info.outputs) == (data.info.task, data.info.outputs)


# What results say.


def test_a_duel_by_hand():
    rows = rows_of(
        {"mix": [[1.0, 1.2], [2.0, 2.0], [3.0, 3.0]], "relu": [[2.0, 2.4], [1.0, 1.0], [3.0, 3.0]]}
    )
    found = standings.duel(standings.losses(rows, 1_000), "mix", "relu")
    assert {n: v for n, (v, _) in found.by_set.items()} == pytest.approx(
        {"set0": -0.5, "set1": 0.5, "set2": 0.0}
    )
    assert (found.sets, found.better, found.worse, found.shown, found.shown_worse) == (
        3,
        1,
        1,
        0,
        0,
    )
    assert found.median == 0.0


def test_accuracies_are_compared_as_errors():
    rows = rows_of({"mix": [[0.9]], "relu": [[0.8]]}, direction="maximize")
    found = standings.duel(standings.losses(rows, 1_000), "mix", "relu")
    assert found.by_set["set0"][0] == pytest.approx(-0.5)  # errors of 0.1 and 0.2


def test_wilcoxon_is_scipys_and_seeds_show_what_they_can():
    generator = np.random.default_rng(0)
    relu = [(1 + generator.random(8)).tolist() for _ in range(12)]
    mix = [[v * (0.9 if i < 11 else 1.1) for v in values] for i, values in enumerate(relu)]
    rows = rows_of({"mix": mix, "relu": relu})
    found = standings.duel(standings.losses(rows, 1_000), "mix", "relu")
    values = [v for v, _ in found.by_set.values()]
    assert found.p == pytest.approx(stats.wilcoxon(values, zero_method="pratt").pvalue)
    assert (found.shown, found.shown_worse) == (11, 1)
    text = summary.summarise(rows)
    assert "the mix is better than ReLU" in text
    assert "worse by more than 2% on set11" in text


def test_splits_have_a_test_of_their_own():
    """Eight seeds of one search each on two splits: the seeds show what two searches cannot."""
    rows = [
        {**row, "split": split}
        for split in (0, 1)
        for row in rows_of({"mix": [[1.0 + 0.01 * i for i in range(8)]], "relu": [[2.0] * 8]})
    ]
    found = standings.duel(standings.losses(rows, 1_000), "mix", "relu")
    assert found.by_set["set0"][1] < 1e-3
    assert found.over_splits["set0"] == 0.5
    assert "p splits" in summary.summarise(rows)
    assert "p splits" not in summary.summarise(rows[:2])


def test_ranks_with_ties_and_the_critical_difference():
    one = {"s": {"a": [1.0], "b": [1.0], "c": [3.0]}, "t": {"a": [1.0], "b": [2.0], "c": [3.0]}}
    one = {name: {arm: {0: v} for arm, v in arms.items()} for name, arms in one.items()}
    found = standings.ranks(one, ["a", "b", "c"])
    assert found.average == {"a": 1.25, "b": 1.75, "c": 3.0}
    # Demšar 2006, table 5: q = 2.343 of three classifiers.
    assert found.critical == pytest.approx(2.343 * (3 * 4 / (6 * 2)) ** 0.5, abs=1e-3)


def test_no_difference_is_said_where_none_shows():
    rows = rows_of({"mix": [[1.0], [2.0]], "relu": [[2.0], [1.0]]})
    assert "no difference between the mix and ReLU that we can show" in summary.summarise(rows)
    only = rows_of({"mix": [[1.0]], "relu": [[2.0]]}, tuned=True)
    assert "no set that was not tuned on has both arms" in summary.summarise(only)


# Files.


def test_results_go_through_parquet_and_the_command_prints_them_again(
    tmp_path, monkeypatch, capsys
):
    rows = rows_of({"mix": [[1.0, 1.5]] * 3, "relu": [[2.0, 2.5]] * 3, "silu": [[3.0, 2.5]] * 3})
    path = tmp_path / "results.parquet"
    results.write_results(rows, path)
    again = results.read_results(path)
    assert [{k: row[k] for k in rows[0]} for row in again] == rows
    plot = tmp_path / "ranks.svg"
    monkeypatch.setattr(sys, "argv", ["quality.py", "--results", str(path), "--plot", str(plot)])
    assert quality.main() == 0
    assert summary.summarise(rows) in capsys.readouterr().out
    assert "SLAF/ReLU mix  1.00" in plot.read_text()


def test_files_that_are_no_results_get_one_line(tmp_path):
    (tmp_path / "no.parquet").write_text("nothing")
    for path in (tmp_path / "no.parquet", tmp_path / "absent.parquet"):
        with pytest.raises(SlafError, match=r"\.parquet"):
            results.read_results(path)


def test_a_cell_is_searched_and_other_efforts_are_refused(tmp_path):
    iris = BenchmarkSet("digits", "others", tuned=True)
    effort = Effort(trials=2, confirmations=2, space=_short(tmp_path))
    found = {arm: run_cell(Cell(iris, 900, 0, arm), effort, tmp_path) for arm in ("mix", "silu")}
    for arm, row in found.items():
        assert row["arm"] == arm
        assert row["parameters"] <= 900
        assert len(row["test"]) == len(row["validation"]) == 2
        assert 0.1 < row["test"][0] <= 1.0
        assert set(row) <= set(results.FIELDS)
    assert set(found["silu"]["chosen"].split()) <= {
        "silu",
        "silu,",
        "|",
        "input-normalised",
        "element-normalised",
    }
    folder = tmp_path / "out" / "cells"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps(found["mix"]))
    with pytest.raises(SlafError, match="name another --out"):
        next(results.run_cells([], Effort(3, 2, "mlp"), tmp_path, tmp_path / "out", 1))


def test_relu_twice_makes_the_trials_of_both_arms(monkeypatch, tmp_path):
    asked = {}

    def search(data, **options):
        asked.update(options)
        raise SlafError("enough")

    monkeypatch.setattr(cells.slaf_automl, "search", search)
    for arm, trials in (("relu", 5), ("relu_twice", 10)):
        with pytest.raises(SlafError, match="enough"):
            run_cell(Cell(BenchmarkSet("digits", "others", True), 900, 0, arm), EFFORT, tmp_path)
        assert asked["trials"] == trials
        assert asked["space"].identity() == SearchSpace.load("mlp").control().identity()


def test_what_is_exported_is_held_against_relu_of_as_many_trials():
    rows = rows_of({"mix": [[1.0]] * 3, "relu": [[2.0]] * 3, "relu_twice": [[0.5]] * 3})
    text = summary.summarise(rows)
    assert "what a search exports against relu_twice: median difference +50.0%" in text
    assert "mix against relu_twice" not in text


def test_cells_of_an_earlier_file_are_made(tmp_path):
    effort, out, path = Effort(3, 2, "mlp"), tmp_path / "out", tmp_path / "results.parquet"
    rows = rows_of({"mix": [[1.0], [2.0]]})
    results.write_results(rows, path)
    with pytest.raises(SlafError, match=r"results.parquet holds results of e; .* leave --add out"):
        results.add_results(path, effort, out)
    assert not out.exists()
    results.write_results([{**row, "effort": effort.identity} for row in rows], path)
    (out / "cells").mkdir(parents=True)
    own = {**rows[1], "effort": effort.identity, "test": [3.0]}
    (out / "cells" / "set1 1000 0 mix.json").write_text(json.dumps(own))
    results.add_results(path, effort, out)
    made = [Cell(BenchmarkSet(row["set"], "uci", False), 1_000, 0, "mix") for row in rows]
    assert list(results.run_cells(made, effort, tmp_path, out, 1)) == []
    assert [row["test"] for row in results.read_cells(out)] == [[1.0], [3.0]]


def _short(folder):
    text = (Path(__file__).parents[1] / "search_spaces" / "mlp.yaml").read_text(encoding="utf-8")
    text = text.replace("epochs: 54", "epochs: 3").replace("first_rung: 18", "first_rung: 2")
    path = folder / "short.yaml"
    path.write_text(text.replace("least_steps: 800", "least_steps: 0"), encoding="utf-8")
    return str(path)


def test_only_splits_that_both_arms_have_are_compared():
    rows = rows_of({"mix": [[1.0, 1.0]], "relu": [[2.0, 2.0]]})
    more = [{**row, "split": 1, "test": [9.0, 9.0]} for row in rows if row["arm"] == "mix"]
    found = standings.duel(standings.losses(rows + more, 1_000), "mix", "relu")
    assert found.by_set["set0"][0] == pytest.approx(-0.5)
    assert standings.ranks(standings.losses(rows + more, 1_000), ["mix", "relu"]).sets == 1
