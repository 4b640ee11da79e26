"""The two trivial predictors every result is held against."""

from __future__ import annotations

import warnings
from collections.abc import Callable

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


def fit_linear(data: TableData) -> Callable[[Tensor], Tensor]:
    """Fit a linear model (scikit-learn) to the training rows; returns features ↦ its outputs.

    Logistic regression with scikit-learn's default penalty, or ridge regression with the penalty
    chosen by leave-one-out, on standardised features; of more than 20,000 training rows on so many,
    evenly spaced.
    """

    def standardised(x: Tensor) -> np.ndarray:
        return data.statistics.standardised(x).double().numpy()

    every = -(-len(data.training[1]) // _FITTED)
    x, y = standardised(data.training[0][::every]), data.training[1][::every].numpy()
    if data.info.task == "regression":
        function = RidgeCV(alphas=np.logspace(-4, 4, 17)).fit(x, y.astype(np.float64)).predict
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            function = LogisticRegression(max_iter=2000).fit(x, y).decision_function

    def outputs(x: Tensor) -> Tensor:
        return torch.cat([_column(function(standardised(x))) for x in torch.split(x, _FITTED)])

    return outputs


def linear_value(
    data: TableData,
    metric: MetricKind,
    part: tuple[Tensor, Tensor],
    model: Callable[[Tensor], Tensor] | None = None,
) -> float:
    """Return the metric of a linear model of the training rows on `part`.

    Args:
        data: the training rows.
        metric: what is measured.
        part: features and targets.
        model: of `fit_linear`; None fits one.
    """
    model = model or fit_linear(data)
    return evaluate(metric, data.info, model(part[0]), part[1])


def _column(values: np.ndarray) -> Tensor:
    outputs = torch.from_numpy(values).float()
    return outputs[:, None] if outputs.ndim == 1 else outputs


def linear_parameters(info: DataInfo) -> int:
    """Return how many values the linear predictor stores."""
    return info.outputs * (len(info.features) + 1)
