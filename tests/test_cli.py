"""The command line: every bad input is one clear line and status 2, and nothing is overwritten."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

from slaf_automl.cli import main
from slaf_automl.driver.run import RunFolder
from slaf_automl.spaces import SearchSpace
from slaf_automl.training import TableData
from slaf_automl.training.data.splits import Given, split_rows

COMMAND = [sys.executable, "-m", "slaf_automl.cli"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, quick_space):
    """A run of `search` on iris, to be read only."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert main(["search", "sklearn:iris", *quick(quick_space), "--out", str(folder)]) == 0
    return folder


def quick(space: Path) -> list[str]:
    return ["--space", str(space), "--budget", "200", "--trials", "2", "--confirmations", "1"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def complaint(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Run a command that must fail; return its one line."""
    capsys.readouterr()
    status = main(arguments)
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("slaf-automl: ")
    return err


CELLS = {
    "text": ("a,b,y\n1,2,0.5\n3,oops,1.5\n", "row 2, column 'b': 'oops' is not a number"),
    "no target": ("a,b,y\n1,2,\n3,4,1.5\n", "row 1, column 'y' is empty or NaN"),
    "targets missing": ("a,b,y\n1,2,\n3,4,\n", "target 'y' is empty"),
    "inf": ("a,b,y\n1,2,0.5\n3,inf,1.5\n", "row 2, column 'b': inf"),
    "one class": ("a,b,y\n" + "1,2,yes\n" * 30, "target 'y' has one class, yes"),
    "one value": ("a,b,y\n" + "".join(f"{i},2,1.5\n" for i in range(30)), "target 'y' is constant"),
    "ragged": ("a,b,y\n1,2,0.5\n3,4\n", "line 3 has 2 columns"),
    "one row": ("a,b,y\n1,2,0.5\n", "1 rows"),
    "many classes": (
        "a,b,y\n" + "".join(f"{i},{i * i},k{i // 2 * 2 if i < 8 else i}\n" for i in range(30)),
        "target 'y' has 26 classes in 30 rows",
    ),
    "dates": ("a,b,y\n1,2020-01-31,0.5\n", "column 'b' holds dates or times"),
    "header only": ("a,b,y\n", "has a header line but no rows"),
    "empty": ("", "is empty"),
    "no columns": ("hello\nworld\n", "is not a CSV file with columns"),
    "few rows": ("a,b,y\n" + "".join(f"{i},{i * i},{i}.5\n" for i in range(5)), "5 rows"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_bad_table_is_one_line(name, tmp_path, capsys):
    text, words = CELLS[name]
    path = tmp_path / "table.csv"
    path.write_text(text)
    out = tmp_path / "run"
    arguments = ["search", str(path), "--budget", "500", "--out", str(out)]
    assert words in complaint(capsys, arguments)
    assert not out.exists()


def mixed_table(rows: int = 200) -> str:
    """Gaps, categories, a level seen once, and a group."""
    lines = ["id,age,colour,own,y"]
    for i in range(rows):
        age = "" if i % 9 == 0 else str(20 + i % 37)
        colour = "mauve" if i == 0 else ("red", "blue", "green")[i * 7 % 3]
        lines.append(f"{i // 2},{age},{colour},{i % 5 < 2},{(i % 37) / 10 + (i * 7 % 3):.2f}")
    return "\n".join(lines) + "\n"


def test_a_csv_with_everything_is_searched_and_predicted(tmp_path, quick_space, capsys):
    path, out = tmp_path / "table.csv", tmp_path / "run"
    path.write_text(mixed_table())
    arguments = ["search", str(path), *quick(quick_space), "--group", "id", "--out", str(out)]
    assert main(arguments) == 0
    assert "note: column 'colour': 1 of 4 levels are rare" in capsys.readouterr().err
    figures = json.loads((out / "best" / "metrics.json").read_text())
    # The raw file again, row by row: the same figures as the search's own.
    assert main(["predict", str(out), str(path), "--out", str(tmp_path / "p.csv")]) == 0
    captured = capsys.readouterr()
    assert "note: column 'colour': 1 rows with 'mauve' count as its other levels" in captured.err
    predicted = pyarrow.csv.read_csv(tmp_path / "p.csv").column("prediction").to_numpy()
    data = TableData.load(path, group="id")
    order = {tuple(row): i for i, row in enumerate(data.table.x.tolist())}
    assert len(order) < len(predicted)  # Some rows are alike, and predicted alike.
    split = split_rows(200, None, 0, Given(groups=data.table.groups))
    for part, rows in (("validation", split.validation), ("test", split.test)):
        wanted = float(np.sqrt(((predicted[rows] - data.table.y[rows]) ** 2).mean()))
        assert figures["exported"][part] == pytest.approx(wanted, rel=1e-5)
    # The target need not be there.
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(line.rpartition(",")[0] for line in mixed_table().splitlines()))
    assert main(["predict", str(out), str(bare), "--out", str(tmp_path / "q.csv")]) == 0
    assert (tmp_path / "q.csv").read_text() == (tmp_path / "p.csv").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--group", "who"], "no column 'who'"),
        (["--time", "colour"], "holds text such as 'mauve'"),
        (["--categorical", "age,shoe"], "no column 'shoe'"),
        (["--shape", "1x4"], "a shape of a table's rows"),
        (["--shape", "wide"], "shape 'wide'"),
        (["--class-weights", "balanced"], "class weights for regression"),
        (["--test", "nowhere.csv"], "no such file: nowhere.csv"),
        (["--target", "age,size"], "no column 'size' to predict"),
        (["--target", "y,colour"], "target 'colour' holds text"),
        (["--metric", "auroc"], "unknown metric 'auroc' for a regression target"),
    ],
)
def test_options_that_the_table_does_not_fit_are_one_line(options, words, tmp_path, capsys):
    path = tmp_path / "table.csv"
    path.write_text(mixed_table(60))
    arguments = ["search", str(path), "--budget", "500", "--out", str(tmp_path / "run"), *options]
    assert words in complaint(capsys, arguments)
    assert not (tmp_path / "run").exists()


def test_a_test_file_with_other_columns_is_one_line(tmp_path, capsys):
    for name, text in (("a", mixed_table(60)), ("b", "id,age,y\n1,2,3\n")):
        (tmp_path / f"{name}.csv").write_text(text)
    arguments = ["search", str(tmp_path / "a.csv"), "--test", str(tmp_path / "b.csv")]
    arguments += ["--budget", "500", "--out", str(tmp_path / "run")]
    assert "column 'colour' of" in complaint(capsys, arguments)


def test_a_series_or_image_space_wants_such_data(tmp_path, capsys):
    arguments = ["--budget", "500", "--space", "cnn", "--out", str(tmp_path / "run")]
    assert "expected images" in complaint(capsys, ["search", "sklearn:iris", *arguments])


def test_a_binary_file_is_one_line(tmp_path, capsys):
    path = tmp_path / "table.csv"
    path.write_bytes(b"PK\x03\x04\x00\x00\x00rubbish")
    arguments = ["search", str(path), "--budget", "500", "--out", str(tmp_path / "run")]
    assert "binary data" in complaint(capsys, arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "nosuch.csv", "--budget", "500"], "no such file: nosuch.csv"),
        (["search", "sklearn:moon", "--budget", "500"], "unknown data set 'sklearn:moon'"),
        (["search", "sklearn:iris", "--budget", "3"], "expected at least 27"),
        (["search", "sklearn:iris", "--budget", "many"], "--budget many: expected a whole number"),
        (["search", "sklearn:iris", "--budget", "1e3"], "--budget 1e3: expected a whole number"),
        (["search", "sklearn:iris", "--budget", "500", "--timeout", "soon"], "expected a number"),
        (["search", "", "--budget", "500"], "data is empty"),
        (["search", "sklearn:iris", "--budget", "500", "--target", ""], "--target is empty"),
        (["search", "sklearn:iris", "--budget", "500", "--depth", "3"], "space 'published'"),
        (["front", "sklearn:iris", "--budget", "500", "--plot", "."], ". is a folder"),
        (["search", "sklearn:iris"], "budget"),
        (["search", "sklearn:iris", "--budget", "500", "--trials", "0"], "trials 0"),
        (["search", "sklearn:iris", "--budget", "500", "--population", "0"], "a population of 0"),
        (
            ["search", "sklearn:iris", "--budget", "500", "--population", "1000000"],
            "from 1 to 1,024",
        ),
        (["search", "sklearn:iris", "--budget", "500", "--space", "cnn"], "expected images"),
        (["search", "sklearn:iris", "--budget", "500", "--space", "nosuch"], "unknown space"),
        (["search", "sklearn:iris", "--budget", "500", "--metric", "rmse"], "unknown metric"),
        (["search", "sklearn:iris", "--budget", "500", "--target", "colour"], "no column 'colour'"),
        (["search", "sklearn:iris", "--budget", "500", "--seeed", "1"], "seeed"),
        (["search", "sklearn:iris", "--budget", "500", "--config", "nosuch.yaml"], "nosuch.yaml"),
        (["search", "sklearn:iris", "--budget", "500", "--accelerator", "abacus"], "abacus"),
    ],
)
def test_a_bad_option_is_one_line(arguments, words, tmp_path, capsys):
    out = tmp_path / "run"
    assert words in complaint(capsys, [*arguments, "--out", str(out)])
    assert not out.exists()


def test_an_unknown_target_of_a_csv_lists_its_columns(csv_file, tmp_path, capsys):
    arguments = ["search", str(csv_file), "--target", "z", "--budget", "500"]
    line = complaint(capsys, [*arguments, "--out", str(tmp_path / "run")])
    assert "no column 'z' to predict; expected one of 'a', 'b', 'constant', 'y'" in line


def test_an_unknown_basis_names_file_key_and_choices(quick_space, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text(quick_space.read_text().replace("- hermite", "- hermitian"))
    line = complaint(
        capsys,
        ["search", "sklearn:iris", "--budget", "500", "--space", str(path), "--out", "unused"],
    )
    assert "mine.yaml: slot.basis.choices: unknown basis 'hermitian'" in line
    assert "hermite" in line.split("expected")[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--budget", "300"], "another parameter budget: 200 there, 300 here"),
        (["--space", "mlp"], "another space: "),
        (["--split", "1"], "another content, target or split of the data"),
        (["--seed", "1"], "another seed"),
        (["--metric", "log_loss"], "another metric"),
        (
            ["--population", "2"],
            "another population: 16 there, 2 here; choose another folder (--out), or search "
            "with --population 16 again",
        ),
    ],
)
def test_a_run_of_another_search_is_refused(change, words, finished, quick_space, capsys):
    before = files(finished)
    arguments = ["search", "sklearn:iris", *quick(quick_space), "--out", str(finished), *change]
    line = complaint(capsys, arguments)
    assert (words in line) or ("--space" in change and "another content of the space" in line)
    assert files(finished) == before


def test_a_folder_below_a_file_cannot_be_written(tmp_path, quick_space, capsys):
    blocker = tmp_path / "file"
    blocker.write_text("here first")
    out = str(blocker / "run")
    line = complaint(capsys, ["search", "sklearn:iris", *quick(quick_space), "--out", out])
    assert f"cannot write {out}" in line
    assert blocker.read_text() == "here first"


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, quick_space):
    """A limit on file sizes stands in for the full disk."""
    arguments = ["search", "sklearn:iris", *quick(quick_space), "--out", str(tmp_path / "run")]

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))

    full = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, preexec_fn=limited, check=False
    )
    assert full.returncode == 2
    (line,) = (x for x in full.stderr.splitlines() if not x.startswith("note: "))
    assert "cannot write" in line
    assert "File too large" in line
    again = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run/best/model.onnx").exists()


def test_search_prints_the_table_and_leaves_the_bundle(finished, quick_space, capsys):
    assert main(["search", "sklearn:iris", *quick(quick_space), "--out", str(finished)]) == 0
    out, err = capsys.readouterr()
    metrics = json.loads((finished / "best/metrics.json").read_text())
    for word in ("mix", "relu", "linear", "constant", "paired difference", "* exported"):
        assert word in out
    assert f"{metrics['parameters']:,} of 200 parameters" in out
    # No progress where there is no terminal.
    assert err == "note: 1 of 54 validation and test rows repeat training rows exactly\n"


def test_options_come_from_a_configuration_file_too(finished, quick_space, tmp_path, capsys):
    options = {"budget": 200, "trials": 2, "confirmations": 1, "space": str(quick_space)}
    config = tmp_path / "search.yaml"
    config.write_text(json.dumps({"data": "sklearn:iris", "out": str(finished), **options}))
    before = files(finished / "best")
    assert main(["search", "--config", str(config)]) == 0
    assert files(finished / "best") == before


def test_export_writes_one_file_of_either_format(finished, tmp_path, capsys):
    for name in ("onnx", "safetensors"):
        target = tmp_path / "deep" / f"model.{name}"
        assert main(["export", str(finished), "--format", name, "--out", str(target)]) == 0
        assert target.read_bytes() == (finished / "best" / f"model.{name}").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "{run}", "--format", "pickle", "--out", "{tmp}/m"], "unknown format 'pickle'"),
        (["export", "{tmp}", "--out", "{tmp}/m.onnx"], "no bundle in"),
        (["export", "{run}", "--out", "{tmp}"], "is a folder"),
        (["export", "{run}"], "missing: --out"),
        (["predict", "{run}", "sklearn:iris", "--out", "{tmp}"], "is a folder"),
        (["predict", "{run}", "sklearn:iris", "--out", ""], "--out is empty"),
        (["report", ""], "run is empty"),
        (["spaces", "--data", "sklearn:iris"], "--data without a space"),
        (["predict", "{tmp}", "sklearn:iris", "--out", "{tmp}/p.csv"], "no bundle in"),
        (["predict", "{run}", "nosuch.csv", "--out", "{tmp}/p.csv"], "no such file"),
        (["predict", "{run}", "sklearn:wine", "--out", "{tmp}/p.csv"], "is missing"),
        (["spaces", "nosuch"], "unknown space 'nosuch'"),
        (["dance"], "dance"),
        ([], "command"),
    ],
)
def test_the_other_commands_complain_in_one_line_too(arguments, words, finished, tmp_path, capsys):
    filled = [a.format(run=finished, tmp=tmp_path) for a in arguments]
    assert words in complaint(capsys, filled)
    assert list(tmp_path.iterdir()) == []


def test_predict_gives_labels_and_probabilities_of_the_raw_rows(finished, tmp_path, capsys):
    target = tmp_path / "predictions.csv"
    assert main(["predict", str(finished), "sklearn:iris", "--out", str(target)]) == 0
    table = pyarrow.csv.read_csv(target)
    data = TableData.load("sklearn:iris")
    assert table.num_rows == 150
    assert table.column_names[0] == "prediction"
    assert set(table["prediction"].to_pylist()) <= set(data.info.classes)
    assert len(table.column_names) == 4


def test_predictions_never_replace_the_rows(finished, tmp_path, capsys):
    rows = tmp_path / "rows.csv"
    rows.write_text("never read")
    (tmp_path / "link.csv").symlink_to(rows)
    for out in (rows, tmp_path / "link.csv"):
        line = complaint(capsys, ["predict", str(finished), str(rows), "--out", str(out)])
        assert "is the file to predict" in line
    assert rows.read_text() == "never read"


def test_a_file_that_holds_no_options_is_not_quoted_whole(tmp_path, capsys):
    (tmp_path / "data.csv").write_text("a,b\n" + "1,2\n" * 1_000)
    arguments = ["search", "sklearn:iris", "--config", str(tmp_path / "data.csv")]
    assert len(complaint(capsys, [*arguments, "--out", str(tmp_path / "run")])) < 400


def test_spaces_lists_and_shows(capsys):
    assert main(["spaces"]) == 0
    assert "mlp" in capsys.readouterr().out.split()
    assert main(["spaces", "mlp"]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() == SearchSpace.load("mlp").description()
    for name in ("slot<i>.degree", "inputs.activation", "inputs.degree"):
        assert any(line.split()[0] == name for line in shown.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["placement", "--data", "sklearn:iris"], "for the slots of a network of one's own; use"),
        (["mlp", "--data", "nosuch.csv"], "no such file"),
    ],
)
def test_spaces_shows_nothing_of_what_it_refuses(arguments, words, capsys):
    assert words in complaint(capsys, ["spaces", *arguments])


def test_spaces_says_the_smallest_budget_for_a_file(capsys):
    assert main(["spaces", "mlp", "--data", "sklearn:iris"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"mlp (version {SearchSpace.load('mlp').file.version}, family mlp)"
    assert shown[-1].split()[:2] == ["smallest", "budget"]
    assert shown[-1].endswith("parameters for sklearn:iris")


@contextlib.contextmanager
def started(arguments: list[str]) -> Iterator[subprocess.Popen]:
    """A running command, killed at the end of the block if it still runs."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*COMMAND, *arguments], **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_trials(folder: Path, count: int) -> None:
    """Wait until the journal tells of so many finished trials."""
    journal, deadline = folder / "study.journal", time.monotonic() + 120
    while time.monotonic() < deadline:
        if journal.exists() and journal.read_text().count('"result"') >= count:
            return
        time.sleep(0.02)
    raise AssertionError("the search made no progress")


@pytest.mark.slow
def test_a_killed_search_reaches_its_total_and_keeps_what_was_finished(tmp_path, quick_space):
    folder = tmp_path / "run"
    arguments = ["search", "sklearn:digits", "--space", str(quick_space), "--budget", "1000"]
    arguments += ["--trials", "5", "--confirmations", "1", "--out", str(folder)]
    with started(arguments):
        wait_for_trials(folder, 3)
    kept = finished_trials(folder)
    assert kept
    with started(arguments) as again:
        out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    trials = finished_trials(folder)
    assert kept.items() <= trials.items()
    assert sorted(arm for arm, _ in trials) == ["mix"] * 5 + ["relu"] * 5
    assert "* exported" in out


def finished_trials(folder: Path) -> dict:
    import optuna

    with RunFolder(folder) as run:
        return {
            (name, t.number): (t.state, t.value, t.params, t.datetime_complete)
            for name in ("mix", "relu")
            for t in optuna.load_study(study_name=name, storage=run._storage).trials
            if t.state.name in ("COMPLETE", "PRUNED")
        }


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_concludes_with_what_is_finished(tmp_path, quick_space, number):
    folder = tmp_path / "run"
    arguments = ["search", "sklearn:iris", "--space", str(quick_space), "--budget", "300"]
    arguments += ["--trials", "5000", "--confirmations", "1", "--out", str(folder)]
    with started(arguments) as process:
        wait_for_trials(folder, 4)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=120)
    word = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    assert process.returncode == 0, err
    assert f"stopped by {word} after " in err
    assert "Traceback" not in err
    assert "* exported" in out
    assert (folder / "best/model.onnx").exists()


def test_folds_are_part_of_the_study(tmp_path, quick_space, capsys):
    out = tmp_path / "run"
    arguments = ["search", "sklearn:iris", *quick(quick_space), "--out", str(out)]
    assert main([*arguments, "--folds", "3"]) == 0
    assert "content, target or split of the data" in complaint(capsys, arguments)
    assert main([*arguments, "--folds", "3"]) == 0
    other = ["search", "sklearn:iris", *quick(quick_space), "--out", str(tmp_path / "other")]
    assert "2 folds; expected" in complaint(capsys, [*other, "--folds", "2"])
    assert not (tmp_path / "other").exists()
