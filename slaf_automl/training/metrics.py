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
        build: data info ↦ a torchmetrics metric over `predictions(outputs, info)`.
    """

    name: str
    maximise: bool
    tasks: tuple[str, ...]
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


def _accuracy(info: DataInfo) -> torchmetrics.Metric:
    if info.task == "binary":
        return torchmetrics.classification.BinaryAccuracy(threshold=0.5)
    return torchmetrics.classification.MulticlassAccuracy(len(info.classes), average="micro")


_CLASSES, _NUMBERS = ("binary", "multiclass"), ("regression",)

METRICS: dict[str, MetricKind] = {
    kind.name: kind
    for kind in (
        MetricKind("accuracy", True, _CLASSES, _accuracy),
        MetricKind("log_loss", False, _CLASSES, lambda info: LogLoss()),
        MetricKind(
            "rmse", False, _NUMBERS, lambda info: torchmetrics.MeanSquaredError(squared=False)
        ),
        MetricKind("mae", False, _NUMBERS, lambda info: torchmetrics.MeanAbsoluteError()),
        MetricKind("r2", True, _NUMBERS, lambda info: torchmetrics.R2Score()),
    )
}
"""All metrics by name."""


def find_metric(name: str | None, info: DataInfo) -> MetricKind:
    """Return the metric called `name`; None takes accuracy or, for regression, RMSE.

    Raises:
        DataError: no such metric for this task; the message lists those that serve it.
    """
    if name is None:
        return METRICS["rmse" if info.task == "regression" else "accuracy"]
    fitting = [kind.name for kind in METRICS.values() if info.task in kind.tasks]
    if name not in fitting:
        raise DataError(
            f"unknown metric {name!r} for a {info.task} target",
            expected="one of " + ", ".join(fitting),
        )
    return METRICS[name]


def predictions(outputs: Tensor, info: DataInfo, metric: MetricKind) -> Tensor:
    """Turn network outputs `(N, outputs)` into what the metric takes.

    Logits for `log_loss`, else class indices (multiclass), probabilities (binary) or target values.
    """
    if info.task == "multiclass":
        return outputs if metric.name == "log_loss" else outputs.argmax(1)
    flat = outputs.squeeze(1)
    if info.task == "binary" and metric.name != "log_loss":
        return torch.sigmoid(flat)
    return flat


def evaluate(metric: MetricKind, info: DataInfo, outputs: Tensor, y: Tensor) -> float:
    """Return the metric of `outputs` `(N, outputs)` against `y` `(N,)`."""
    computed = metric.build(info).to(outputs.device)
    computed.update(predictions(outputs, info, metric), y)
    return float(computed.compute())
