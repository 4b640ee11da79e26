"""The metrics a search can optimise: one table, torchmetrics underneath."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torchmetrics
from torch import Tensor
from torch.nn import functional as F

from slaf_automl.errors import DataError
from slaf_automl.spec import DataInfo


@dataclass(frozen=True)
class MetricKind:
    """A metric: its name, direction, tasks, and how to build its torchmetrics object.

    Args:
        name: the word used in specs, logs (`val_<name>`) and `metrics.json`.
        maximise: whether larger is better.
        tasks: the tasks it serves.
        takes: `labels` (class indices), `probabilities`, `logits` or `values`.
        build: data info ↦ a torchmetrics metric over `predictions(outputs, info, metric)`.
    """

    name: str
    maximise: bool
    tasks: tuple[str, ...]
    takes: str
    build: Callable[[DataInfo], torchmetrics.Metric]

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Optuna's word: `maximize` or `minimize`."""
        return "maximize" if self.maximise else "minimize"

    def better(self, a: float, b: float) -> bool:
        """Say whether `a` beats `b`; a value that is not finite never wins."""
        if not math.isfinite(a):
            return False
        return not math.isfinite(b) or (a > b if self.maximise else a < b)

    def floored(self, value: float, constant: float) -> float:
        """Return `value`, but no worse than the constant predictor's."""
        return value if self.better(value, constant) else constant


class LogLoss(torchmetrics.Metric):
    """Mean negative log probability of the true class, from probabilities or their logits.

    Works on logits: `(N, classes)`, or `(N,)` for two classes, in nats.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Add a batch."""
        if logits.ndim == 1:
            loss = F.binary_cross_entropy_with_logits(
                logits, target.to(logits.dtype), reduction="sum"
            )
        else:
            loss = F.cross_entropy(logits, target, reduction="sum")
        self.total += loss
        self.count += len(target)

    def compute(self) -> Tensor:
        """Return the mean over all batches."""
        return self.total / self.count


_of_classes = torchmetrics.classification


def _accuracy(info: DataInfo) -> torchmetrics.Metric:
    return _of_classes.MulticlassAccuracy(len(info.classes), average="micro")


def _balanced_accuracy(info: DataInfo) -> torchmetrics.Metric:
    return _of_classes.MulticlassAccuracy(len(info.classes), average="macro")


def _f1(info: DataInfo) -> torchmetrics.Metric:
    if info.task == "binary":
        return _of_classes.BinaryF1Score()
    return _of_classes.MulticlassF1Score(len(info.classes), average="macro")


def _auroc(info: DataInfo) -> torchmetrics.Metric:
    if info.task == "binary":
        return _of_classes.BinaryAUROC()
    return _of_classes.MulticlassAUROC(len(info.classes), average="macro")


_CLASSES, _NUMBERS = ("binary", "multiclass"), ("regression",)

METRICS: dict[str, MetricKind] = {
    kind.name: kind
    for kind in (
        MetricKind("accuracy", True, _CLASSES, "labels", _accuracy),
        MetricKind("balanced_accuracy", True, _CLASSES, "labels", _balanced_accuracy),
        MetricKind("f1", True, _CLASSES, "labels", _f1),
        MetricKind("auroc", True, _CLASSES, "probabilities", _auroc),
        MetricKind("log_loss", False, _CLASSES, "logits", lambda info: LogLoss()),
        MetricKind(
            "rmse",
            False,
            _NUMBERS,
            "values",
            lambda info: torchmetrics.MeanSquaredError(squared=False),
        ),
        MetricKind("mae", False, _NUMBERS, "values", lambda info: torchmetrics.MeanAbsoluteError()),
        MetricKind("r2", True, _NUMBERS, "values", lambda info: torchmetrics.R2Score()),
    )
}
"""All metrics by name.

F1 is that of the second of two classes, of more the mean over the classes, as AUROC is (each class
against the others). Of several targets RMSE and MAE are over all numbers, R² is the mean."""


def find_metric(name: str | None, info: DataInfo) -> MetricKind:
    """Return the metric called `name`; None takes accuracy, RMSE or, for several targets, R².

    Raises:
        DataError: no such metric for this task; the message lists those that serve it.
    """
    if name is None:
        if info.task != "regression":
            return METRICS["accuracy"]
        return METRICS["rmse" if info.targets is None else "r2"]
    fitting = [kind.name for kind in METRICS.values() if info.task in kind.tasks]
    if name not in fitting:
        raise DataError(
            f"unknown metric {name!r} for a {info.task} target",
            expected="one of " + ", ".join(fitting),
        )
    return METRICS[name]


def predictions(outputs: Tensor, info: DataInfo, metric: MetricKind) -> Tensor:
    """Turn network outputs `(N, outputs)` into what the metric takes.

    Class indices, probabilities `(N, classes)` (of two classes the second's, `(N,)`), logits of the
    same shapes, or target values.
    """
    if info.task == "regression":
        return outputs.contiguous() if info.targets is not None else outputs.squeeze(1)
    if info.task == "multiclass":
        if metric.takes == "labels":
            return outputs.argmax(1)
        return outputs if metric.takes == "logits" else outputs.softmax(1)
    flat = outputs.squeeze(1)
    if metric.takes == "labels":
        return (torch.sigmoid(flat) > 0.5).long()
    return flat if metric.takes == "logits" else torch.sigmoid(flat)


def evaluate(metric: MetricKind, info: DataInfo, outputs: Tensor, y: Tensor) -> float:
    """Return the metric of `outputs` `(N, outputs)` against `y` `(N,)`."""
    computed = metric.build(info).to(outputs.device)
    computed.update(predictions(outputs, info, metric), y)
    return float(computed.compute())
