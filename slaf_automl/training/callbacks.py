"""Lightning callbacks of one training: best weights, divergence, rungs, and a call to stop."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from slaf_automl.training.metrics import MetricKind


class BestWeights(Callback):
    """Keeps the weights of the epoch with the best validation metric, in memory.

    Ties go to the lower validation loss. With a patience, training ends after so many epochs
    without a better one. It notes what each epoch came to. The state travels in checkpoints.
    """

    def __init__(self, metric: MetricKind, patience: int | None) -> None:
        self.metric, self.patience = metric, patience
        self.value = math.nan
        self.loss = math.inf
        self.epoch = 0
        self.provisional = False
        self.weights: dict[str, Tensor] = {}
        self.curve: list[list[float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare this epoch's validation with the best so far."""
        # A warm start's ReLU network is not the candidate: it is compared at rungs, never kept.
        rectified = bool(getattr(pl_module, "rectified", False))
        if self.provisional and not rectified:
            self.value, self.loss = math.nan, math.inf
        self.provisional = rectified
        value = float(trainer.callback_metrics[f"val_{self.metric.name}"])
        loss = float(trainer.callback_metrics["val_loss"])
        self.curve.append([value, float(trainer.callback_metrics["train_loss"])])
        tied = value == self.value and loss < self.loss
        if math.isfinite(loss) and (tied or self.metric.better(value, self.value)):
            self.value, self.loss, self.epoch = value, loss, trainer.current_epoch + 1
            if not rectified:
                self.weights = {n: t.detach().clone() for n, t in pl_module.state_dict().items()}
        elif self.patience is not None and trainer.current_epoch + 1 - self.epoch >= self.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain values and tensors."""
        names = ("value", "loss", "epoch", "weights", "provisional", "curve")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a checkpoint's state."""
        for name, value in state_dict.items():
            setattr(self, name, value)


class DivergenceGuard(Callback):
    """Ends a training in the epoch in which its loss stopped being finite."""

    def __init__(self) -> None:
        self.diverged = False
        self._finite: Tensor | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note, without waiting for the device, whether the loss is finite."""
        finite = torch.isfinite(outputs["loss"].detach())
        self._finite = finite if self._finite is None else self._finite & finite

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop if a training or validation loss of this epoch was not finite."""
        loss = float(trainer.callback_metrics["val_loss"])
        if not math.isfinite(loss) or (self._finite is not None and not bool(self._finite)):
            self.diverged = trainer.should_stop = True
        self._finite = None


class Rungs(Callback):
    """At each rung, saves the state and asks whether to go on.

    The values reported so far travel in the checkpoint and are reported again, under the new
    number, when a training resumes from it.

    Args:
        epochs: the rungs, in epochs trained.
        value: the value to report, best so far.
        report: (epochs trained, value) ↦ go on?
        checkpoint: file for the state at the last rung; None keeps none.
    """

    def __init__(
        self,
        epochs: tuple[int, ...],
        value: Callable[[], float],
        report: Callable[[int, float], bool],
        checkpoint: Path | None,
    ) -> None:
        self.epochs, self.value, self.report, self.checkpoint = epochs, value, report, checkpoint
        self.reported: dict[int, float] = {}
        self.pruned = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report again what the interrupted training had reported."""
        for epoch, value in self.reported.items():
            self._ask(trainer, epoch, value)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report if this epoch ends at a rung that the training would pass."""
        epoch = trainer.current_epoch + 1
        if epoch not in self.epochs or trainer.should_stop or epoch == trainer.max_epochs:
            return
        self.reported[epoch] = self.value()
        if self.checkpoint is not None:
            partial = self.checkpoint.with_suffix(".partial")
            trainer.save_checkpoint(partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, self.checkpoint)
        self._ask(trainer, epoch, self.reported[epoch])

    def _ask(self, trainer: Trainer, epoch: int, value: float) -> None:
        if not self.pruned and not self.report(epoch, value):
            self.pruned = trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return the values reported so far."""
        return {"reported": dict(self.reported)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a checkpoint's state."""
        self.reported = dict(state_dict["reported"])


class StopWhenAsked(Callback):
    """Ends a training at the next batch once `stopping()` says so."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.stopping = stopping
        self.stopped = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look whether to stop."""
        if not self.stopped and self.stopping():
            self.stopped = trainer.should_stop = True
