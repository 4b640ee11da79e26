"""Losses and metrics of many lanes at once."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import torch
import torchmetrics
from torch import Tensor
from torch.nn import functional as F

from slaf_automl.spec import DataInfo
from slaf_automl.training.metrics import MetricKind, predictions


@dataclass(frozen=True)
class Objective:
    """The loss of a task and the metric of a search, for every lane by itself.

    The same losses as `SlafModule`'s: cross-entropy in nats, or the squared error of the
    standardised target.

    Args:
        info: task and classes.
        metric: the metric.
        target_mean: scalar, or `(targets,)` of several.
        target_spread: the same.
        class_weights: `(classes,)`, what a row of each class counts; None for 1.
    """

    info: DataInfo
    metric: MetricKind
    target_mean: Tensor
    target_spread: Tensor
    class_weights: Tensor | None = None

    def to(self, device: torch.device) -> Objective:
        """Return it on a device."""
        mean, spread = self.target_mean.to(device), self.target_spread.to(device)
        weights = None if self.class_weights is None else self.class_weights.to(device)
        return replace(self, target_mean=mean, target_spread=spread, class_weights=weights)

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return each lane's mean loss `(lanes,)` of outputs `(lanes, rows, outputs)`.

        Args:
            outputs: logits, or standardised target values.
            y: targets `(lanes, rows)`, of several `(lanes, rows, targets)`.
        """
        if self.info.task == "multiclass":
            return _surprise(_log_shares(outputs), y, self._weights(y))
        if self.info.targets is not None:
            return (outputs - self._standardised(y)).square().mean((1, 2))
        flat = outputs.squeeze(2)
        if self.info.task == "binary":
            each = F.binary_cross_entropy_with_logits(
                flat, y.to(flat), self._weights(y), reduction="none"
            )
            return each.mean(1)
        return (flat - self._standardised(y)).square().mean(1)

    def losses_and_gradient(self, outputs: Tensor, y: Tensor, gradient: Tensor) -> Tensor:
        """Return the losses and write their gradient, of the outputs' shape."""
        rows = outputs.shape[1]
        if self.info.task == "multiclass":
            shares, turned = _log_shares(outputs), gradient.transpose(1, 2)
            torch.exp(shares, out=turned)
            turned.scatter_add_(1, y[:, None], self._minus.expand(len(y), 1, rows)).div_(rows)
            weights = self._weights(y)
            if weights is not None:
                turned.mul_(weights[:, None])
            return _surprise(shares, y, weights)
        losses = self.losses(outputs, y)
        if self.info.targets is not None:
            scale = 2.0 / (rows * outputs.shape[2])
            torch.mul(outputs - self._standardised(y), scale, out=gradient)
            return losses
        flat = outputs.squeeze(2)
        if self.info.task == "binary":
            found = (torch.sigmoid(flat) - y.to(flat)) / rows
            weights = self._weights(y)
            found = found if weights is None else found * weights
        else:
            found = (flat - self._standardised(y)) * (2.0 / rows)
        gradient.copy_(found[:, :, None])
        return losses

    def _weights(self, y: Tensor) -> Tensor | None:
        """Return what each row counts, of the shape of `y`."""
        return None if self.class_weights is None else self.class_weights[y]

    def _standardised(self, y: Tensor) -> Tensor:
        return (y - self.target_mean) / self.target_spread

    def metrics(self, outputs: Tensor, y: Tensor) -> list[float]:
        """Return each lane's metric of all validation rows.

        Args:
            outputs: logits or standardised target values `(lanes, rows, outputs)`.
            y: targets `(rows,)` or `(rows, targets)`.
        """
        restored = self.target_mean + self.target_spread * outputs
        if self.metric.name == "accuracy":  # Much faster than one lane after the other.
            chosen = torch.stack([predictions(lane, self.info, self.metric) for lane in restored])
            right = (chosen == y).sum(1)
            found: list[float] = (right.float() / len(y)).tolist()
            return found
        return [self._metric(lane, y) for lane in restored]

    @functools.cached_property
    def _measured(self) -> torchmetrics.Metric:
        """The metric's own object, made once: that takes as long as a step."""
        return self.metric.build(self.info).to(self.target_mean.device)

    @functools.cached_property
    def _minus(self) -> Tensor:
        return -torch.ones_like(self.target_mean)

    def _metric(self, outputs: Tensor, y: Tensor) -> float:
        self._measured.update(predictions(outputs, self.info, self.metric), y)
        value = float(self._measured.compute())
        self._measured.reset()
        return value


def _log_shares(outputs: Tensor) -> Tensor:
    """Return the log probabilities `(lanes, classes, rows)` of logits `(lanes, rows, classes)`.

    A softmax over a few classes is several times faster where they are not innermost.
    """
    return torch.log_softmax(outputs.transpose(1, 2).contiguous(), 1)


def _surprise(shares: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
    chosen = shares.gather(1, y[:, None])
    return -(chosen if weights is None else chosen * weights[:, None]).mean((1, 2))
