"""scikit-learn's MLP as a peer: its own Adam and batches, the best epoch kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import Tensor

from evidence.peer_training import Best, Trained, diverged, loss_of, restored, targets
from slaf_automl import TableData
from slaf_automl.training.metrics import evaluate, find_metric

Weights = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class StockSettings:
    """What is searched of scikit-learn's MLP.

    Args:
        widths: hidden units.
        learning_rate: Adam's rate, constant.
        alpha: weight of the squared norm of the weights.
        batch_size: rows a step.
    """

    widths: tuple[int, ...]
    learning_rate: float
    alpha: float
    batch_size: int


def train_stock(settings: StockSettings, data: TableData, steps: int, seed: int) -> Trained:
    """Train epoch by epoch (`partial_fit`) and return the network at its best epoch.

    Standardised inputs and, for regression, targets. `partial_fit` never warns that it did not
    converge, so that no warning has to be silenced.

    Args:
        settings: of the network and its training.
        data: training and validation rows; the test rows are not touched.
        steps: steps that other peers are given; epochs follow from the batch size.
        seed: of weights and batches.
    """
    metric = find_metric(None, data.info)
    x = data.statistics.standardised(data.training[0]).numpy()
    regression = data.info.task == "regression"
    y = (targets(data, data.training[1]) if regression else data.training[1]).numpy()
    held, truth = data.statistics.standardised(data.validation[0]), data.validation[1]
    wanted = targets(data, truth)
    size = min(settings.batch_size, len(x))
    network = (MLPRegressor if regression else MLPClassifier)(
        hidden_layer_sizes=settings.widths,
        learning_rate_init=settings.learning_rate,
        alpha=settings.alpha,
        batch_size=size,
        # An integer would shuffle every epoch alike.
        random_state=np.random.RandomState(seed),
    )
    every = {} if regression else {"classes": np.arange(len(data.info.classes))}
    best = Best(metric)
    kept: Weights = []
    with np.errstate(all="ignore"):  # A diverging network is found by its loss.
        for _ in range(max(1, round(steps / math.ceil(len(x) / size)))):
            try:
                network.partial_fit(x, y, **every)
            except ValueError as error:
                if "non-finite" not in str(error):
                    raise
                return diverged(data, metric)
            weights = list(zip(network.coefs_, network.intercepts_, strict=True))
            outputs = raw_outputs(weights, held)
            loss = float(loss_of(data, outputs, wanted))
            if not math.isfinite(loss):
                return diverged(data, metric)
            value = evaluate(metric, data.info, restored(data, outputs), truth)
            if best.offer(value, loss):
                kept = [(w.copy(), b.copy()) for w, b in weights]

    def predict(x: Tensor) -> Tensor:
        return restored(data, raw_outputs(kept, data.statistics.standardised(x)))

    return Trained(best.value, predict)


def raw_outputs(weights: Weights, x: Tensor) -> Tensor:
    """Return logits or standardised values of a ReLU network, `(N, inputs)` to `(N, outputs)`."""
    y = x.numpy()
    for i, (weight, bias) in enumerate(weights):
        y = (np.maximum(y, 0) if i else y) @ weight + bias
    return torch.from_numpy(y).float()
