"""Metrics: each against a computation by hand and against scikit-learn."""

import math

import numpy as np
import pytest
import sklearn.metrics
import torch

from slaf_automl.errors import DataError
from slaf_automl.spec import DataInfo
from slaf_automl.training import METRICS, find_metric
from slaf_automl.training.metrics import evaluate, predictions

CLASSES = {"binary": ("a", "b"), "multiclass": ("a", "b", "c"), "regression": ()}
INFOS = {task: DataInfo(("x",), "y", task, classes, rows=10) for task, classes in CLASSES.items()}


def value(name, task, outputs, y):
    outputs, y = torch.tensor(outputs), torch.tensor(y)
    return evaluate(METRICS[name], INFOS[task], outputs, y)


LOGITS = [[0.0], [2.0], [-1.0], [3.0]]
"""Probabilities of the second class: 1/2, 1/(1+e⁻²), 1/(1+e), 1/(1+e⁻³)."""


@pytest.mark.parametrize(
    ("name", "task", "outputs", "y", "expected"),
    [
        # A logit of zero is a tie, which goes to the first class.
        ("accuracy", "binary", LOGITS, [0, 1, 1, 1], 3 / 4),
        ("accuracy", "multiclass", [[3.0, 1, 2], [0, 0, 9], [1, 2, 0]], [0, 2, 0], 2 / 3),
        (
            "log_loss",
            "binary",
            LOGITS,
            [0, 1, 1, 1],
            (math.log(2) + sum(math.log1p(math.exp(-z)) for z in (2, -1, 3))) / 4,
        ),
        (
            "log_loss",
            "multiclass",
            [[0.0, 0, 0], [1, 1, 1 + math.log(2)]],
            [1, 2],
            (math.log(3) + math.log(2)) / 2,
        ),
        # Of the first class one of two is right, of the second one of one.
        ("balanced_accuracy", "binary", [[-1.0], [1.0], [2.0]], [0, 0, 1], 3 / 4),
        # One true positive, one false positive.
        ("f1", "binary", [[-1.0], [1.0], [2.0]], [0, 0, 1], 2 / 3),
        # The positive beats one of two negatives and ties with none.
        ("auroc", "binary", [[-1.0], [3.0], [2.0]], [0, 0, 1], 1 / 2),
        ("rmse", "regression", [[1.0], [2.0], [5.0]], [1.0, 4.0, 1.0], math.sqrt(20 / 3)),
        ("mae", "regression", [[1.0], [2.0], [5.0]], [1.0, 4.0, 1.0], 2.0),
        # Residuals 1 + 1 over a total of 8 around the mean 2.
        ("r2", "regression", [[1.0], [2.0], [3.0]], [0.0, 2.0, 4.0], 1 - 2 / 8),
    ],
)
def test_values_by_hand(name, task, outputs, y, expected):
    assert value(name, task, outputs, y) == pytest.approx(expected, rel=1e-6)


RANDOM = np.random.default_rng(0)


def sklearn_value(name, outputs, y):
    """Compute the same metric from the same outputs with scikit-learn, in float64."""
    if name in ("rmse", "mae", "r2"):
        function = {
            "rmse": sklearn.metrics.root_mean_squared_error,
            "mae": sklearn.metrics.mean_absolute_error,
            "r2": sklearn.metrics.r2_score,
        }[name]
        return function(y, outputs[:, 0])
    scores = np.hstack([np.zeros_like(outputs), outputs]) if outputs.shape[1] == 1 else outputs
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    binary = outputs.shape[1] == 1
    if name == "f1":
        average = "binary" if binary else "macro"
        return sklearn.metrics.f1_score(y, shares.argmax(1), average=average)
    if name == "auroc":
        chosen = shares[:, 1] if binary else shares
        return sklearn.metrics.roc_auc_score(y, chosen, multi_class="ovr")
    if name in ("accuracy", "balanced_accuracy"):
        return getattr(sklearn.metrics, f"{name}_score")(y, shares.argmax(1))
    return sklearn.metrics.log_loss(y, shares, labels=range(shares.shape[1]))


@pytest.mark.parametrize(
    ("name", "task"), [(kind.name, task) for kind in METRICS.values() for task in kind.tasks]
)
def test_values_agree_with_scikit_learn(name, task):
    outputs = RANDOM.normal(size=(200, 3 if task == "multiclass" else 1)) * 3
    classes = len(CLASSES[task])
    y = RANDOM.integers(classes, size=200) if classes else RANDOM.normal(size=200)
    found = value(name, task, outputs.astype(np.float32), y if classes else y.astype(np.float32))
    assert found == pytest.approx(sklearn_value(name, outputs, y), rel=1e-4)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_log_loss_of_a_sure_mistake_is_finite(task):
    outputs = [[200.0]] if task == "binary" else [[0.0, 200.0, 0.0]]
    assert value("log_loss", task, outputs, [0]) == pytest.approx(200.0)


def test_batches_add_up_to_the_whole():
    for kind in METRICS.values():
        info = INFOS[kind.tasks[-1]]
        outputs = torch.randn(30, info.outputs, generator=torch.Generator().manual_seed(1))
        y = torch.arange(30) % 3 if info.classes else torch.arange(30).float()
        metric = kind.build(info)
        for rows in (slice(0, 7), slice(7, 30)):
            metric.update(predictions(outputs[rows], info, kind), y[rows])
        assert float(metric.compute()) == pytest.approx(evaluate(kind, info, outputs, y), rel=1e-5)


@pytest.mark.parametrize(
    ("task", "name"), [("binary", "accuracy"), ("multiclass", "accuracy"), ("regression", "rmse")]
)
def test_default_metric_follows_the_task(task, name):
    assert find_metric(None, INFOS[task]).name == name


@pytest.mark.parametrize(
    ("task", "fitting"),
    [
        ("binary", "accuracy, balanced_accuracy, f1, auroc, log_loss"),
        ("multiclass", "accuracy, balanced_accuracy, f1, auroc, log_loss"),
        ("regression", "rmse, mae, r2"),
    ],
)
@pytest.mark.parametrize("name", ["auc", "", "wrong task"])
def test_unknown_metric_lists_those_that_fit(task, fitting, name):
    if name == "wrong task":
        name = "accuracy" if task == "regression" else "rmse"
    with pytest.raises(DataError) as caught:
        find_metric(name, INFOS[task])
    assert str(caught.value) == (
        f"unknown metric {name!r} for a {task} target; expected one of {fitting}"
    )


def test_direction_is_optuna_s_word():
    assert {kind.name: kind.direction for kind in METRICS.values()} == {
        "accuracy": "maximize",
        "balanced_accuracy": "maximize",
        "f1": "maximize",
        "auroc": "maximize",
        "log_loss": "minimize",
        "rmse": "minimize",
        "mae": "minimize",
        "r2": "maximize",
    }


NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("name", METRICS)
def test_better_is_strict_and_follows_the_direction(name):
    kind = METRICS[name]
    assert kind.better(2.0, 1.0) is kind.maximise
    assert kind.better(1.0, 2.0) is not kind.maximise
    assert not kind.better(1.0, 1.0)


@pytest.mark.parametrize("broken", NOT_FINITE)
@pytest.mark.parametrize("name", METRICS)
def test_value_that_is_not_finite_never_wins(name, broken):
    kind = METRICS[name]
    assert kind.better(1.0, broken)
    assert not kind.better(broken, 1.0)
    assert not any(kind.better(broken, other) for other in NOT_FINITE)


@pytest.mark.parametrize("name", METRICS)
def test_floor_is_the_constant_predictor_s_value(name):
    kind = METRICS[name]
    good, bad = (0.9, 0.2) if kind.maximise else (0.2, 0.9)
    assert kind.floored(good, 0.5) == good
    assert kind.floored(bad, 0.5) == 0.5
    assert [kind.floored(broken, 0.5) for broken in NOT_FINITE] == [0.5, 0.5, 0.5]


SEVERAL = DataInfo(("x",), "a,b", "regression", (), 10, targets=("a", "b"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Residuals 1, 0 of a and 0, 2 of b.
        ("rmse", math.sqrt(5 / 4)),
        ("mae", 3 / 4),
        # 1 - 1/2 of a, whose total is 2; 1 - 4/8 of b, whose total is 8.
        ("r2", 1 / 2),
    ],
)
def test_several_targets_by_hand(name, expected):
    outputs = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    y = torch.tensor([[0.0, 2.0], [2.0, 6.0]])
    assert evaluate(METRICS[name], SEVERAL, outputs, y) == pytest.approx(expected, rel=1e-6)


def test_default_metrics():
    names = {task: find_metric(None, info).name for task, info in INFOS.items()}
    assert names == {"binary": "accuracy", "multiclass": "accuracy", "regression": "rmse"}
    assert find_metric(None, SEVERAL).name == "r2"
