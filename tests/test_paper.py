"""scripts/paper.py: the data it draws, its schedules, every experiment in small, and bad input."""

from __future__ import annotations

import doctest
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tqdm import tqdm

sys.path.append(str(Path(__file__).parents[1] / "scripts"))

from paper import boston, mnist, polynomials, spirals, table, training
from paper.cli import main

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def houses() -> dict[str, np.ndarray]:
    """Two splits of 40 rows, linear in the features."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 13))
    order = np.stack([generator.permutation(40) for _ in range(2)])
    return {
        "X": x,
        "y": x @ generator.normal(size=13),
        "train_idx": order[:, :32],
        "test_idx": order[:, 32:],
    }


@pytest.fixture
def digits() -> dict[str, np.ndarray]:
    """Images of ten grey levels, a level a label."""
    labels = np.arange(60) % 10
    images = np.broadcast_to(labels[:, None, None] * 25, (60, 28, 28)).astype(np.uint8)
    return {"X_train": images, "y_train": labels, "X_test": images[:20], "y_test": labels[:20]}


def save(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **arrays)
    return str(folder)


def verdicts(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("bar: ")]


@pytest.mark.parametrize("module", [mnist, polynomials, spirals, table])
def test_docstring_examples_hold(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


# Data


def test_spiral_against_hand_values():
    # n = sqrt(U)·780·2π/360 with U = 1/4 is 390° = 30° more than a turn: 13π/6.
    n = 13 * math.pi / 6
    point = spirals.spiral(torch.tensor([0.25]), torch.zeros(1, 2))
    expected = torch.tensor([[-n * math.sqrt(3) / 2, n / 2]])
    torch.testing.assert_close(point, expected, rtol=1e-5, atol=1e-5)


def test_spirals_lie_on_their_curves_within_the_noise():
    points, labels = spirals.draw(500, seed=3)
    assert points.shape == (1000, 2)
    assert labels.tolist() == [0.0] * 500 + [1.0] * 500
    shares = torch.linspace(0, 1, 20_001).square()  # points at most 0.01 apart
    curve = spirals.spiral(shares, torch.zeros(20_001, 2))
    for sign, half in ((1, points[:500]), (-1, points[500:])):
        gaps = torch.cdist(half, sign * curve).min(1).values
        assert gaps.max() < 0.1 * math.sqrt(2) + 0.01
        assert gaps.max() > 0.05


def test_spirals_are_split_80_to_20_and_standardised_by_the_training_rows():
    x_train, y_train, x_test, y_test = spirals.split(*spirals.draw(1000, seed=0), seed=0)
    assert (len(x_train), len(y_train), len(x_test), len(y_test)) == (1600, 1600, 400, 400)
    torch.testing.assert_close(x_train.mean(0), torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(x_train.std(0, correction=0), torch.ones(2), rtol=0, atol=1e-5)
    assert x_test.mean(0).abs().max() > 1e-4


def test_the_spirals_network_has_the_published_number_of_values():
    network = spirals.build_network("slaf")
    assert sum(p.numel() for p in network.parameters()) == 517


def test_polynomial_targets_against_hand_values():
    x = torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.5, 4.0]])
    variables = torch.tensor([[0, 1, 2], [1, 1, 2]])
    found = polynomials.evaluate_monomials(x, variables)
    assert found.tolist() == [6.0 + 12.0, -2.0 + 1.0]


def test_polynomials_are_sums_of_ten_monomials_of_normal_variables():
    x, y = polynomials.draw(4000, degree=3, seed=1)
    assert x.shape == (4000, 100)
    assert x.mean().abs() < 0.01
    assert (x.std() - 1).abs() < 0.01
    assert y.shape == (4000,)
    # Scaling the inputs by 2 scales every monomial by 2³.
    variables = torch.tensor([[0, 1, 2], [5, 5, 7]])
    doubled = polynomials.evaluate_monomials(2 * x, variables)
    torch.testing.assert_close(doubled, 8 * polynomials.evaluate_monomials(x, variables))
    # Ten monomials of three distinct variables have variance 10.
    assert 5 < y.var() < 40


def test_constant_columns_standardise_to_zero():
    train, test = training.standardised(torch.tensor([[1.0, 7.0], [3.0, 7.0]]), torch.ones(1, 2))
    assert train.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert test.tolist() == [[-1.0, -6.0]]


# Training


@pytest.mark.parametrize("rows", [10, 32, 45])
def test_an_epoch_steps_over_whole_batches(rows):
    network = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Flatten(0))
    sizes = []

    def loss(found, target):
        sizes.append(len(found))
        return (found - target).square().mean()

    x = torch.randn(rows, 1, generator=torch.Generator().manual_seed(0))
    list(training.epochs_of(network, x, x[:, 0], loss, training.Plan(2, 16, 0.01), seed=0))
    assert sizes == [min(rows, 16)] * max(1, rows // 16) * 2


def test_the_penalty_makes_first_weights_small_but_is_not_in_the_reported_loss():
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    sums, losses = [], []
    for sparsity in (0.0, 10.0):
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0))
        plan = training.Plan(50, 64, 0.05, sparsity=sparsity)
        mse = torch.nn.functional.mse_loss
        losses.append(list(training.epochs_of(network, x, x.sum(1), mse, plan, seed=0)))
        sums.append(network[0].weight.abs().sum().item())
    assert sums[1] < 0.2 < 2 < sums[0]
    assert losses[0][0] == losses[1][0]


@pytest.mark.parametrize(
    ("step", "steps", "rate"),
    [(0, 25, 1e-2), (2, 25, 1e-2), (3, 25, 1e-3), (4, 25, 1e-3), (5, 25, 5e-5), (24, 25, 5e-5)],
)
def test_the_mnist_schedule_stretches_with_the_steps(step, steps, rate):
    assert mnist.rate_at(step, steps) == rate
    assert mnist.rate_at(1000 * step, 1000 * steps) == rate


def test_mnist_batches_take_every_row_once_an_epoch():
    rows = mnist.batches(100, torch.Generator().manual_seed(0))
    for _ in range(2):
        assert sorted(torch.cat([next(rows), next(rows)]).tolist()) == list(range(100))


@pytest.mark.parametrize(("activation", "slots"), [("relu", 0), ("slaf", 3)])
def test_the_mnist_network(activation, slots):
    network = mnist.build_network(activation)
    degrees = [m.degree for m in network if hasattr(m, "degree")]
    assert degrees == [4, 4, 5][:slots]
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)


def test_the_mnist_figure_is_the_mean_of_the_last_twenty():
    records = [{"accuracy": 0.0}] * 5 + [{"accuracy": 0.5}] * 10 + [{"accuracy": 1.0}] * 10
    assert mnist.figure_of(records) == 0.75


# Experiments in small


def test_spirals_in_small(capsys):
    words = ["spirals", "--rows", "200", "--epochs", "1", "--seeds", "2"]
    assert main(words) == 0
    first = capsys.readouterr().out
    for piece in ("517 values", "published", "100.00%", "73.50%", "77.20%", "2 seed(s)"):
        assert piece in first
    assert verdicts(first) == ["bar: SLAF at least 99.90%: not reached"]
    main(words)
    assert capsys.readouterr().out == first
    main([*words, "--seed", "5"])
    assert capsys.readouterr().out != first


@pytest.mark.slow
def test_spirals_are_learned():
    arm = next(iter(spirals.ARMS.values()))
    assert spirals.accuracy_of(arm, 20_000, 10, seed=0, bar=tqdm(disable=True)) > 0.99


def test_polynomials_in_small(capsys):
    words = ["polynomials", "--rows", "200", "--epochs", "1", "--seeds", "1"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "degree 3, seed 0, slaf: test MSE" in first
    assert "ReLU | tanh | constant" in first
    assert [v.split(",")[0] for v in verdicts(first)] == ["bar: degree 3", "bar: degree 4"]
    main(words)
    assert capsys.readouterr().out == first


def test_boston_in_small(tmp_path, capsys, houses):
    folder = save(tmp_path, boston.FILE, houses)
    words = ["boston", "--data-dir", folder, "--epochs", "2"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "mean of 2 split(s)" in first
    assert verdicts(first)[0].startswith("bar: SLAF not above ReLU: ")
    main(words)
    assert capsys.readouterr().out == first
    main([*words, "--splits", "1"])
    assert "mean of 1 split(s)" in capsys.readouterr().out


def test_boston_decides_before_it_reads_the_test_rows(tmp_path, monkeypatch, houses):
    read = []

    def fit_error(activation, train, test, plan, dropout, seed):
        read.append((activation, len(train[1]), tuple(test[1].tolist()), (plan.decay, dropout)))
        return (plan.decay - 0.3) ** 2 + (dropout - 0.1) ** 2

    monkeypatch.setattr(boston, "fit_error", fit_error)
    folder = save(tmp_path, boston.FILE, houses)
    boston.run(Path(folder), epochs=1, splits=1, seed=0)
    test = tuple(houses["y"][houses["test_idx"][0]])
    per = len(boston.CHOICES) + 1
    assert len(read) == 2 * per
    for number, (_, rows, targets, choice) in enumerate(read):
        last = number % per == per - 1
        assert rows == (32 if last else 26)
        assert (targets == test) == last
        assert not last or choice == (0.3, 0.1)
    assert len({targets for *_, targets, _ in read[: per - 1]}) == 1  # all choices see the same
    assert read[0][2] == read[per][2]  # and so do both networks
    assert [choice for *_, choice in read[:per]] == [choice for *_, choice in read[per:]]


@pytest.mark.slow
def test_mnist_in_small(tmp_path, capsys, digits):
    folder, out = save(tmp_path, mnist.FILE, digits), tmp_path / "out.jsonl"
    words = ["mnist", "--data-dir", folder, "--steps", "4", "--out", str(out)]
    assert main(words) == 0
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["activation"], r["step"]) for r in records] == [
        (name, step) for name in ("relu", "slaf") for step in (1, 2, 3, 4)
    ]
    first = capsys.readouterr().out
    for piece in ("99.15%", "99.50%", "99.40%", "4 steps"):
        assert piece in first
    assert len(verdicts(first)) == 1
    # Beside a SLAF trained again, the ReLU of the file serves as control; the figures are the same.
    assert main([*words, "--activation", "slaf"]) == 0
    assert capsys.readouterr().out == first


def test_mnist_relu_alone_cannot_decide(tmp_path, capsys, digits):
    folder = save(tmp_path, mnist.FILE, digits)
    assert main(["mnist", "--data-dir", folder, "--steps", "2", "--activation", "relu"]) == 0
    assert verdicts(capsys.readouterr().out)[0].endswith(": undecided")


def test_only_a_finished_training_serves_as_control():
    records = [
        {"activation": "relu", "steps": 300, "seed": 0, "step": step, "accuracy": step / 300}
        for step in range(3, 301, 3)
    ]
    assert mnist.finished(records, "relu", 300, 0) == records
    assert mnist.finished(records[:40] + records, "relu", 300, 0) == records
    assert mnist.finished(records[:-1], "relu", 300, 0) == []
    assert mnist.finished(records, "relu", 300, 1) == []
    assert mnist.finished(records, "slaf", 300, 0) == []


@pytest.mark.parametrize(
    ("figures", "word"),
    [
        ({"relu": 0.9915, "slaf": 0.9950}, "reached"),
        ({"relu": 0.9950, "slaf": 0.9950}, "not reached"),
        ({"relu": 0.9900, "slaf": 0.9944}, "not reached"),
        ({"slaf": 0.9944}, "not reached"),
        ({"slaf": 0.9950}, "undecided"),
        ({"relu": 0.9950}, "undecided"),
    ],
)
def test_the_mnist_bar(capsys, figures, word):
    mnist.report(figures, 25_000)
    assert verdicts(capsys.readouterr().out)[0].endswith(f": {word}")


# Bad input


def one_line(capsys, words: list[str]) -> str:
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("paper.py: ")
    assert "\n" not in error
    return error


@pytest.mark.parametrize(("name", "file"), [("boston", boston.FILE), ("mnist", mnist.FILE)])
def test_a_missing_file_is_named(tmp_path, capsys, name, file):
    error = one_line(capsys, [name, "--data-dir", str(tmp_path)])
    assert str(tmp_path / file) in error
    assert "does not exist" in error


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 damaged"])
def test_a_file_of_another_kind_is_refused(tmp_path, capsys, content):
    path = tmp_path / boston.FILE
    path.parent.mkdir()
    path.write_bytes(content)
    assert "cannot be read" in one_line(capsys, ["boston", "--data-dir", str(tmp_path)])


def test_a_single_array_is_refused(tmp_path, capsys):
    path = tmp_path / boston.FILE
    path.parent.mkdir()
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert "cannot be read" in one_line(capsys, ["boston", "--data-dir", str(tmp_path)])


def test_pickled_objects_are_refused(tmp_path, capsys, houses):
    houses["y"] = np.array([{"a": 1}] * 40, dtype=object)
    folder = save(tmp_path, boston.FILE, houses)
    assert "cannot be read" in one_line(capsys, ["boston", "--data-dir", folder])


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        ({"y": None}, "no array y"),
        ({"X": np.zeros((40, 12))}, "X of shape (40, 12)"),
        ({"y": np.zeros(39)}, "y of shape (39,)"),
        ({"y": np.full(40, np.nan)}, "NaN"),
        ({"y": np.array(["a"] * 40)}, "dtype"),
        ({"test_idx": np.zeros((3, 8), int)}, "test_idx of shape (3, 8)"),
        ({"test_idx": np.full((2, 8), 40)}, "test_idx is out of range"),
        ({"train_idx": np.zeros((2, 32))}, "train_idx is out of range"),
        ({"train_idx": np.zeros((2, 4), int)}, "4 rows to train on"),
    ],
)
def test_wrong_houses_are_refused(tmp_path, capsys, houses, change, piece):
    arrays = {k: v for k, v in {**houses, **change}.items() if v is not None}
    folder = save(tmp_path, boston.FILE, arrays)
    assert piece in one_line(capsys, ["boston", "--data-dir", folder])


@pytest.mark.parametrize(
    ("change", "piece"),
    [
        ({"X_test": None, "y_test": None}, "no array X_test, y_test"),
        ({"X_train": np.zeros((60, 784), np.uint8)}, "X_train of shape (60, 784)"),
        ({"X_train": np.zeros((60, 28, 28))}, "X_train is out of range"),
        ({"y_train": np.zeros(59, int)}, "y_train of shape (59,)"),
        ({"y_test": np.full(20, 10)}, "y_test is out of range"),
    ],
)
def test_wrong_digits_are_refused(tmp_path, capsys, digits, change, piece):
    arrays = {k: v for k, v in {**digits, **change}.items() if v is not None}
    folder = save(tmp_path, mnist.FILE, arrays)
    assert piece in one_line(capsys, ["mnist", "--data-dir", folder])


@pytest.mark.parametrize("content", ["text", '{"step": 1}', "[1]"])
def test_records_of_something_else_are_refused(tmp_path, capsys, digits, content):
    folder, out = save(tmp_path, mnist.FILE, digits), tmp_path / "out.jsonl"
    out.write_text(content)
    error = one_line(capsys, ["mnist", "--data-dir", folder, "--steps", "1", "--out", str(out)])
    assert str(out) in error


@pytest.mark.parametrize("words", [["spirals", "--rows", "4"], ["polynomials", "--rows", "49"]])
def test_too_few_rows_are_refused(capsys, words):
    assert f"--rows {words[-1]}" in one_line(capsys, words)


@pytest.mark.parametrize(
    "words", [[], ["nosuch"], ["spirals", "--rows", "0"], ["boston"], ["mnist", "--steps", "x"]]
)
def test_wrong_words_end_with_code_2(capsys, words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: paper.py" in capsys.readouterr().err


def test_the_script_runs_from_anywhere(tmp_path):
    words = [sys.executable, str(SCRIPTS / "paper.py"), "boston", "--data-dir", "nowhere"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("paper.py: nowhere")


@pytest.mark.parametrize("name", ["spirals", "polynomials", "boston", "mnist"])
def test_every_experiment_says_what_it_takes(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert "--seed" in capsys.readouterr().out
