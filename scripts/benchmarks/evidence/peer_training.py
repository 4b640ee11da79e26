"""One training of any network as the package trains its own, without Lightning.

AdamW under the same warm-up and cosine, the same batches, gradients clipped at norm 1, validation
after every epoch, the best epoch's weights kept (ties: the lower validation loss). Inputs are
standardised and targets restored by the data's statistics, as `SlafModule` does. The networks have
nothing that differs between training and evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from slaf_automl import TableData
from slaf_automl.training.baselines import constant_outputs, constant_value
from slaf_automl.training.data import TensorBatches
from slaf_automl.training.metrics import MetricKind, evaluate, find_metric
from slaf_automl.training.routines import rate_at

CLIP = 1.0
"""Upper limit of the gradients' global norm."""


@dataclass(frozen=True)
class Trained:
    """A trained predictor.

    Args:
        value: its metric on the validation rows; the constant predictor's where it diverged.
        predict: raw features `(N, inputs)` ↦ logits or target values `(N, outputs)`.
        diverged: whether its training stopped being finite; then it predicts the constant.
    """

    value: float
    predict: Callable[[Tensor], Tensor]
    diverged: bool = False

    def measure(self, data: TableData, part: tuple[Tensor, Tensor]) -> float:
        """Return the data's metric on rows."""
        x, y = part
        outputs = self.predict(x)
        metric = find_metric(None, data.info)
        if not bool(torch.isfinite(outputs).all()):
            return constant_value(data, metric, part)
        return evaluate(metric, data.info, outputs, y)


def diverged(data: TableData, metric: MetricKind) -> Trained:
    """Return the constant predictor."""
    value = constant_value(data, metric, data.validation)
    return Trained(value, lambda x: constant_outputs(data, metric, len(x)), diverged=True)


class Best:
    """The best epoch so far: ties go to the lower loss."""

    def __init__(self, metric: MetricKind) -> None:
        self.metric, self.value, self.loss = metric, math.nan, math.inf
        self.weights: dict[str, Tensor] = {}

    def offer(self, value: float, loss: float) -> bool:
        """Take an epoch's validation; say whether it is the best."""
        tied = value == self.value and loss < self.loss
        if not math.isfinite(loss) or not (tied or self.metric.better(value, self.value)):
            return False
        self.value, self.loss = value, loss
        return True


def targets(data: TableData, y: Tensor) -> Tensor:
    """Return what the loss compares with: classes, or standardised values."""
    if data.info.task == "regression":
        return (y - data.statistics.target_mean) / data.statistics.target_spread
    return y.float() if data.info.task == "binary" else y


def loss_of(data: TableData, outputs: Tensor, wanted: Tensor) -> Tensor:
    """Return cross-entropy, or the squared error of standardised values."""
    if data.info.task == "multiclass":
        return F.cross_entropy(outputs, wanted)
    flat = outputs if data.info.targets else outputs.squeeze(1)
    if data.info.task == "binary":
        return F.binary_cross_entropy_with_logits(flat, wanted)
    return F.mse_loss(flat, wanted)


def restored(data: TableData, outputs: Tensor) -> Tensor:
    """Return logits, or values in the target's unit."""
    return data.statistics.target_mean + data.statistics.target_spread * outputs


def groups(network: nn.Module, rate: float, decay: float) -> list[dict]:
    """Return AdamW groups: matrices decay, biases and rational functions' values do not."""
    parameters = list(network.parameters())
    matrices = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    found = [
        {"params": matrices, "lr": rate, "weight_decay": decay},
        {"params": others, "lr": rate, "weight_decay": 0.0},
    ]
    return [group for group in found if group["params"]]


def train(
    network: nn.Module, data: TableData, rate: float, decay: float, epochs: int, seed: int
) -> Trained:
    """Train a network and return it at its best epoch.

    Args:
        network: standardised inputs ↦ outputs; it is changed.
        data: training and validation rows; the test rows are not touched.
        rate: peak learning rate.
        decay: decoupled weight decay of matrices.
        epochs: passes over the training rows.
        seed: of the batches' order.
    """
    metric = find_metric(None, data.info)
    x, y = data.training
    standardised = data.statistics.standardised
    batches = TensorBatches(standardised(x), targets(data, y), data.info.batch_size, seed)
    held, truth = standardised(data.validation[0]), data.validation[1]
    wanted = targets(data, truth)
    optimizer = torch.optim.AdamW(groups(network, rate, decay), fused=True)
    parameters = list(network.parameters())
    best, step, steps = Best(metric), 0, epochs * len(batches)
    for epoch in range(epochs):
        assert batches.sampler is not None
        batches.sampler.set_epoch(epoch)
        total = torch.zeros(())
        for inputs, some in batches:
            share = rate_at(step, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            loss = loss_of(data, network(inputs), some)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            total += loss.detach()
            step += 1
        with torch.no_grad():
            outputs = network(held)
            loss = float(loss_of(data, outputs, wanted))
        if not math.isfinite(loss) or not math.isfinite(float(total)):
            return diverged(data, metric)
        value = evaluate(metric, data.info, restored(data, outputs), truth)
        if best.offer(value, loss):
            best.weights = {n: t.detach().clone() for n, t in network.state_dict().items()}
    network.load_state_dict(best.weights)

    @torch.no_grad()
    def predict(x: Tensor) -> Tensor:
        return restored(data, network(standardised(x)))

    return Trained(best.value, predict)
