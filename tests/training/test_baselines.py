"""The trivial predictors, against scikit-learn's own."""

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_tables import make_data, make_table, normal_rows

from slaf_automl.training import METRICS, TableData
from slaf_automl.training.baselines import (
    constant_outputs,
    constant_value,
    linear_parameters,
    linear_value,
)


def sure(y, shares):
    return sk.accuracy_score(y, shares.argmax(1))


def log_loss(y, shares):
    return sk.log_loss(y, shares, labels=range(shares.shape[1]))


def balanced(y, shares):
    return sk.balanced_accuracy_score(y, shares.argmax(1))


def f1(y, shares):
    return sk.f1_score(y, shares.argmax(1), average="binary" if shares.shape[1] == 2 else "macro")


def auroc(y, shares):
    return sk.roc_auc_score(y, shares[:, 1] if shares.shape[1] == 2 else shares, multi_class="ovr")


SCORES = {
    "accuracy": sure,
    "balanced_accuracy": balanced,
    "f1": f1,
    "auroc": auroc,
    "log_loss": log_loss,
    "rmse": sk.root_mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
}

CASES = [
    (task, kind.name)
    for kind in METRICS.values()
    for task in ("binary", "multiclass", "regression")
    if task in kind.tasks
]


def unbalanced(task):
    """Return data whose classes differ in size, so that the most frequent one is known."""
    x = normal_rows(120)
    y = {
        "binary": np.where(x[:, 0] > 0.7, "rare", "frequent"),
        "multiclass": np.digitize(x[:, 0] + 0.1 * x[:, 1], [-0.5, 1.0]),
        "regression": x @ [1.0, -2.0, 0.5] + 7 + 0.3 * normal_rows(120, seed=1)[:, 0],
    }[task]
    return TableData(make_table(x, y))


def reference(model, data, part, name):
    """Fit a scikit-learn model on the training rows and score it on a part."""
    (x, y), (rows, wanted) = data.training, part
    model.fit(x.double().numpy(), y.numpy())
    rows = rows.double().numpy()
    predicted = model.predict(rows) if name in ("rmse", "mae", "r2") else model.predict_proba(rows)
    return SCORES[name](wanted.numpy(), predicted)


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize(("task", "name"), CASES)
def test_constant_predictor_is_scikit_learn_s_dummy(task, name, part):
    data = unbalanced(task)
    rows = data.validation if part == "validation" else data.open_test()
    strategy = "median" if name == "mae" else "mean"
    model = DummyRegressor(strategy=strategy)
    if task != "regression":
        model = DummyClassifier(strategy="prior")
    wanted = reference(model, data, rows, name)
    assert constant_value(data, METRICS[name], rows) == pytest.approx(wanted, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("multiclass", 3), ("regression", 1)])
def test_constant_outputs_have_the_network_s_shape_and_one_value_a_column(task, outputs):
    metric = METRICS["r2" if task == "regression" else "accuracy"]
    found = constant_outputs(unbalanced(task), metric, 5)
    assert found.shape == (5, outputs)
    assert (found == found[0]).all()


@pytest.mark.parametrize(("task", "name"), CASES)
def test_linear_predictor_is_scikit_learn_s_on_standardised_features(task, name):
    data = unbalanced(task)
    if task == "regression":
        model = RidgeCV(alphas=np.logspace(-4, 4, 17))
    else:
        model = LogisticRegression(max_iter=2000)
    wanted = reference(make_pipeline(StandardScaler(), model), data, data.validation, name)
    found = linear_value(data, METRICS[name], data.validation)
    assert found == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_linear_predictor_beats_the_constant_where_there_is_something_linear(task):
    data = unbalanced(task)
    kind = METRICS["mae" if task == "regression" else "log_loss"]
    linear = linear_value(data, kind, data.validation)
    assert kind.better(linear, constant_value(data, kind, data.validation))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_linear_parameters_are_the_coefficients_and_intercepts(task):
    data = make_data(task)
    model = LogisticRegression() if task != "regression" else RidgeCV()
    model.fit(*(part.numpy() for part in data.training))
    assert linear_parameters(data.info) == model.coef_.size + np.size(model.intercept_)


def test_constant_column_does_not_disturb_the_linear_predictor():
    data = unbalanced("regression")
    x = np.column_stack([data.table.x, np.full(len(data.table.x), 1e4)])
    wider = TableData(make_table(x, data.table.y))
    values = [linear_value(d, METRICS["rmse"], d.validation) for d in (data, wider)]
    assert values[1] == pytest.approx(values[0], rel=1e-5)
