"""The Python door, end to end on real data with searches of a moment."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from sklearn.datasets import load_digits

import slaf_automl
from slaf_automl.errors import BundleError, SlafError, StudyError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Architecture, Budget
from slaf_automl.training import TableData


@pytest.fixture(scope="module")
def digits(tmp_path_factory, quick_space):
    return slaf_automl.search(
        "sklearn:digits",
        budget=2_000,
        trials=3,
        space=quick_space,
        confirmations=2,
        out=tmp_path_factory.mktemp("digits") / "run",
    )


def test_both_arms_hold_their_trials(digits):
    assert len(digits.study.trials) == len(digits.control.trials) == 3
    assert digits.metrics["mix"]["trials"] == digits.metrics["relu"]["trials"] == 3
    assert digits.stopped is None


def test_the_control_never_leaves_relu_and_shares_recipes_and_normalisers(digits):
    names = {name for trial in digits.control.trials for name in trial.params}
    assert names <= {"depth", "shape", "normaliser", "learning_rate", "weight_decay"}
    assert all("relu" in slot for slot in digits.metrics["relu"]["slots"])


def test_stored_counted_and_printed_parameters_are_one_number(digits):
    bundle = digits.folder / "best"
    stored = sum(t.numel() for t in load_file(bundle / "model.safetensors").values())
    metrics = json.loads((bundle / "metrics.json").read_text())
    assert stored == metrics["parameters"] == count_cost(digits.best.architecture).parameters
    assert stored <= metrics["budget"] == 2_000
    assert f"{stored:,}" in str(digits)


def test_the_exported_network_reproduces_its_figures_in_onnxruntime_and_torch(digits):
    data = TableData.load("sklearn:digits")
    x, y = data.open_test()
    bundle = digits.folder / "best"
    session = onnxruntime.InferenceSession(bundle / "model.onnx")
    output, probabilities, label = session.run(None, {"features": x.numpy()})
    outputs = slaf_automl.load(bundle)(x).numpy()
    assert np.abs(output - outputs).max() <= 1e-4 * max(1.0, np.abs(outputs).max())
    assert np.allclose(probabilities.sum(1), 1.0, atol=1e-5)
    exported = digits.metrics["exported"]
    assert (label == y.numpy()).mean() == pytest.approx(exported["test"], abs=1e-6)
    assert (outputs.argmax(1) == y.numpy()).mean() == pytest.approx(exported["test"], abs=1e-6)
    assert torch.equal(digits.model(x), slaf_automl.load(digits.folder)(x))


def test_the_winner_is_decided_on_mean_validation(digits):
    decision = json.loads((digits.folder / "decision.json").read_text())
    means = {arm: np.mean(values) for arm, values in decision["validation"].items()}
    expected = "mix" if means["mix"] > means["relu"] else "relu"
    assert decision["winner"] == digits.metrics["winner"] == expected
    own = digits.metrics[expected]["validation"]["values"]
    assert digits.metrics["exported"]["validation"] == max(own)
    assert digits.metrics["test"]["mean"] == digits.metrics[expected]["mean"]


def test_the_trivial_predictors_are_scikit_learns(digits):
    constant, linear = digits.metrics["constant"], digits.metrics["linear"]
    counts = np.bincount(load_digits().target)
    assert constant["test"] <= counts.max() / counts.sum() + 0.02
    assert linear["test"] > 0.9
    assert linear["parameters"] == 10 * 65


def test_the_same_search_again_trains_nothing_and_reads_no_test_rows(digits, quick_space):
    files = {p: p.stat().st_mtime_ns for p in (digits.folder / "best").iterdir()}
    again = slaf_automl.search(
        "sklearn:digits",
        budget=2_000,
        trials=3,
        space=quick_space,
        confirmations=2,
        out=digits.folder,
    )
    assert again.metrics == digits.metrics
    assert again.metrics["test_openings"] == 1
    assert {p: p.stat().st_mtime_ns for p in (digits.folder / "best").iterdir()} == files


def test_an_extended_search_says_that_the_test_rows_were_read_again(tmp_path, quick_space):
    def run(trials: int):
        return slaf_automl.search(
            "sklearn:iris",
            budget=200,
            trials=trials,
            space=quick_space,
            confirmations=1,
            out=tmp_path / "run",
        )

    assert run(1).metrics["test_openings"] == 1
    extended = run(3)
    assert extended.metrics["test_openings"] == 2
    assert "have been read 2 times" in str(extended)
    assert len(extended.study.trials) == 3


@pytest.mark.parametrize("budget", [300, 1_000, 20_000, 200_000])
def test_every_budget_is_used_up_and_held(tmp_path, quick_space, budget):
    result = slaf_automl.search(
        "sklearn:digits",
        budget=Budget(parameters=budget),
        trials=1,
        space=quick_space,
        confirmations=1,
        out=tmp_path / "run",
    )
    require_full(result, budget)
    if budget >= 5_000:
        assert result.metrics["parameters"] >= 0.97 * budget


@pytest.mark.parametrize("budget", [300, 1_000])
def test_csv_data_uses_its_budget_up_too(tmp_path, quick_space, csv_file, budget):
    result = slaf_automl.search(
        csv_file, budget=budget, trials=2, space=quick_space, confirmations=1, out=tmp_path / "run"
    )
    require_full(result, budget)
    assert result.metrics["metric"] == "rmse"
    assert result.best.architecture.inputs == 2  # A constant column is left out.


def require_full(result, budget: int) -> None:
    stored = load_file(result.folder / "best" / "model.safetensors")
    assert sum(t.numel() for t in stored.values()) == result.metrics["parameters"] <= budget
    for arm in (result.study, result.control):
        assert all(t.user_attrs["parameters"] <= budget for t in arm.trials)
    best = result.best.architecture
    for i, width in enumerate(best.widths):
        wider = (*best.widths[:i], width + 1, *best.widths[i + 1 :])
        grown = Architecture(**{**vars(best), "widths": wider})
        assert count_cost(grown).parameters > budget


def test_regression_reproduces_its_figures_in_its_own_unit(tmp_path, quick_space, csv_file):
    result = slaf_automl.search(
        csv_file,
        target="y",
        budget=200,
        trials=2,
        space=quick_space,
        confirmations=2,
        out=tmp_path / "run",
    )
    data = TableData.load(csv_file)
    x, y = data.open_test()
    (output,) = onnxruntime.InferenceSession(tmp_path / "run/best/model.onnx").run(
        None, {"features": x.numpy()}
    )
    rmse = float(np.sqrt(np.mean((output[:, 0] - y.numpy()) ** 2)))
    assert rmse == pytest.approx(result.metrics["exported"]["test"], rel=1e-4)
    constant = float(np.sqrt(np.mean((y.numpy() - data.training[1].mean().item()) ** 2)))
    assert result.metrics["constant"]["test"] == pytest.approx(constant, rel=1e-5)


def test_without_control_no_gain_is_claimed(tmp_path, quick_space):
    result = slaf_automl.search(
        "sklearn:wine",
        budget=300,
        trials=2,
        space=quick_space,
        confirmations=1,
        control=False,
        out=tmp_path / "run",
    )
    assert result.control is None
    assert result.metrics["relu"] is result.metrics["difference"] is None
    assert result.metrics["winner"] == "mix"
    assert "no gain is claimed" in str(result)


def test_a_controlled_run_is_not_turned_into_one_without(digits, quick_space):
    with pytest.raises(StudyError, match="was searched with its ReLU control"):
        slaf_automl.search(
            "sklearn:digits",
            budget=2_000,
            trials=3,
            space=quick_space,
            confirmations=2,
            out=digits.folder,
            control=False,
        )


def test_a_lost_bundle_is_rebuilt_without_reading_the_test_rows_again(tmp_path, quick_space):
    def run():
        return slaf_automl.search(
            "sklearn:iris",
            budget=200,
            trials=2,
            space=quick_space,
            confirmations=2,
            out=tmp_path / "run",
        )

    first = run()
    (tmp_path / "run/best/model.onnx").unlink()
    again = run()
    assert again.metrics == first.metrics
    assert again.metrics["test_openings"] == 1
    assert (tmp_path / "run/best/model.onnx").exists()


def test_another_split_in_the_folder_is_refused_even_without_its_journal(tmp_path, quick_space):
    arguments = {"budget": 200, "trials": 1, "space": quick_space, "confirmations": 1}
    slaf_automl.search("sklearn:iris", out=tmp_path / "run", **arguments)
    (tmp_path / "run/study.journal").unlink()
    with pytest.raises(StudyError, match="split of the data"):
        slaf_automl.search("sklearn:iris", split=1, out=tmp_path / "run", **arguments)


def test_words_beside_a_table_that_has_its_own_are_refused(tmp_path):
    data = TableData.load("sklearn:iris")
    for words in ({"target": "x"}, {"task": "regression"}, {"split": 3}):
        with pytest.raises(SlafError, match="beside a TableData"):
            slaf_automl.search(data, budget=200, trials=1, out=tmp_path / "run", **words)
    with pytest.raises(SlafError, match="data of type ndarray"):
        slaf_automl.search(np.ones((3, 3)), budget=200, trials=1, out=tmp_path / "run")


def test_refit_trains_on_validation_rows_too_and_says_so(tmp_path, quick_space):
    result = slaf_automl.search(
        "sklearn:wine",
        budget=300,
        trials=2,
        space=quick_space,
        confirmations=2,
        refit=True,
        out=tmp_path / "run",
    )
    exported = result.metrics["exported"]
    assert exported["refit"] is True
    assert exported["validation"] is None
    assert exported["test"] > result.metrics["constant"]["test"]
    assert "trained on training and validation rows" in str(result)
    assert result.metrics["test_openings"] == 1


def test_without_a_folder_the_result_lives_with_its_object(quick_space, tmp_path):
    result = slaf_automl.search(
        "sklearn:iris", budget=200, trials=1, space=quick_space, confirmations=1
    )
    assert (result.folder / "best" / "model.onnx").exists()
    target = result.export(tmp_path / "exported")
    assert torch.equal(slaf_automl.load(target)(torch.ones(1, 4)), result.model(torch.ones(1, 4)))
    with pytest.raises(BundleError, match="exists"):
        result.export(target)


def test_one_seed_gives_one_result(tmp_path, quick_space):
    def run(folder: str):
        return slaf_automl.search(
            "sklearn:iris",
            budget=200,
            trials=4,
            space=quick_space,
            confirmations=2,
            seed=7,
            out=tmp_path / folder,
        ).metrics

    assert run("one") == run("two")


def test_a_timeout_concludes_with_what_is_finished(tmp_path, quick_space):
    said: list[str] = []
    result = slaf_automl.search(
        "sklearn:iris",
        budget=200,
        trials=10_000,
        space=quick_space,
        confirmations=1,
        timeout=4,
        out=tmp_path / "run",
        log=said.append,
    )
    assert result.stopped == "timeout"
    assert said[0].startswith("note: 1 of 54 validation and test rows repeat")
    assert said[1].startswith("stopped by timeout after ")
    assert (tmp_path / "run/best/model.onnx").exists()
    assert result.metrics["mix"]["trials"] == result.metrics["relu"]["trials"] >= 1


def test_a_timeout_before_anything_finished_is_one_clear_line(tmp_path):
    with pytest.raises(StudyError, match="no complete trial yet; run the same command again"):
        slaf_automl.search("sklearn:iris", budget=200, trials=5, timeout=1e-6, out=tmp_path / "r")


def test_a_divergent_space_still_ends_with_the_constant_predictors_value(tmp_path, quick_space):
    text = quick_space.read_text()
    space = SearchSpace.load(quick_space)
    assert "gradient_clip: 1.0" in text
    path = tmp_path / "wild.yaml"
    path.write_text(
        text.replace("gradient_clip: 1.0", "gradient_clip: null")
        .replace("high: 0.03", "high: 1000.0")
        .replace("low: 0.001\n    log: true\n", "low: 999.0\n    log: true\n")
    )
    assert SearchSpace.load(path).identity() != space.identity()
    result = slaf_automl.search(
        "sklearn:diabetes", budget=300, trials=3, space=path, confirmations=1, out=tmp_path / "run"
    )
    worst = max(t.value for t in result.study.trials if t.value is not None)
    assert worst <= result.metrics["constant"]["validation"] * (1 + 1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trials": 0}, "trials 0; expected an integer of at least 1"),
        ({"trials": True}, "trials True"),
        ({"confirmations": 0}, "confirmations 0"),
        ({"timeout": -1.0}, "timeout -1.0"),
        ({"seed": -1}, "seed -1"),
        ({"budget": 3}, "expected at least 27"),
        ({"budget": -5}, "Budget.parameters -5"),
        ({"budget": 2.5}, "Budget.parameters 2.5"),
        ({"space": "nosuch"}, "unknown space 'nosuch'"),
        ({"metric": "rmse"}, "unknown metric 'rmse' for a multiclass target"),
        ({"task": "ranking"}, "unknown task 'ranking'"),
        ({"split": -1}, "split -1"),
        ({"target": "petal"}, "has no column 'petal'"),
    ],
)
def test_wrong_arguments_are_one_line_and_make_no_folder(tmp_path, changes, words):
    arguments = {"data": "sklearn:iris", "budget": 200, "trials": 1, "out": tmp_path / "run"}
    with pytest.raises(SlafError) as error:
        slaf_automl.search(**{**arguments, **changes})
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert not Path(tmp_path / "run").exists()
