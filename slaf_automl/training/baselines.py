"""The two trivial predictors every result is held against."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from torch import Tensor

from slaf_automl.spec import DataInfo
from slaf_automl.training.data import TableData
from slaf_automl.training.metrics import MetricKind, evaluate

_FITTED = 20_000
"""Rows that a linear model is fitted to, and evaluated on at a time."""


def constant_outputs(data: TableData, metric: MetricKind, rows: int) -> Tensor:
    """Return the best constant's outputs `(rows, outputs)` for a metric.

    Log class shares; for regression the mean of the training rows, under `mae` their median, of
    each target.
    """
    y, info = data.training[1], data.info
    if info.task == "regression":
        columns = y.double().reshape(len(y), -1)
        if metric.name != "mae":
            return columns.mean(0).float().expand(rows, -1)
        return torch.from_numpy(np.median(columns.numpy(), 0)).float().expand(rows, -1)
    shares = torch.bincount(y, minlength=len(info.classes)).double() / len(y)
    logits = shares.log().float()
    if info.task == "binary":
        logits = (logits[1] - logits[0]).reshape(1)
    return logits.expand(rows, -1)


def constant_value(data: TableData, metric: MetricKind, part: tuple[Tensor, Tensor]) -> float:
    """Return the constant predictor's metric on `part`."""
    return evaluate(metric, data.info, constant_outputs(data, metric, len(part[1])), part[1])


def linear_value(data: TableData, metric: MetricKind, part: tuple[Tensor, Tensor]) -> float:
    """Return the metric of a linear model of the training rows (scikit-learn) on `part`.

    Logistic regression with scikit-learn's default penalty, or ridge regression with the penalty
    chosen by leave-one-out, on standardised features; of more than 20,000 training rows on so many,
    evenly spaced.
    """
    statistics, info = data.statistics, data.info

    def standardised(x: Tensor) -> np.ndarray:
        return statistics.standardised(x).double().numpy()

    every = -(-len(data.training[1]) // _FITTED)
    x, y = standardised(data.training[0][::every]), data.training[1][::every].numpy()
    if info.task == "regression":
        model = RidgeCV(alphas=np.logspace(-4, 4, 17)).fit(x, y.astype(np.float64))
        outputs = np.concatenate(
            [model.predict(standardised(x)) for x in torch.split(part[0], _FITTED)]
        )
        return evaluate(metric, info, _column(outputs), part[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier = LogisticRegression(max_iter=2000).fit(x, y)
    pieces = [classifier.decision_function(standardised(x)) for x in torch.split(part[0], _FITTED)]
    outputs = np.concatenate(pieces)
    return evaluate(metric, info, _column(outputs), part[1])


def _column(values: np.ndarray) -> Tensor:
    outputs = torch.from_numpy(values).float()
    return outputs[:, None] if outputs.ndim == 1 else outputs


def linear_parameters(info: DataInfo) -> int:
    """Return how many values the linear predictor stores."""
    return info.outputs * (len(info.features) + 1)
