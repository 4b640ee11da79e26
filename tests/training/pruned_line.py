"""A module of one weight, trainings of it under a PruningCallback, and a pruner that notes."""

from __future__ import annotations

from types import SimpleNamespace

import optuna
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from optuna.pruners import BasePruner, NopPruner
from torch.utils.data import DataLoader, TensorDataset

from slaf_automl import PruningCallback

BATCHES = 8


class Line(LightningModule):
    """A weight that loses a tenth of itself a step; logs it as `weight`, or what it is given."""

    def __init__(self, logged=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.logged = logged

    def training_step(self, batch, index):
        return self.weight**2 / 2

    def validation_step(self, batch, index):
        self.log("other", 0.0)
        self.log("weight", self.weight.detach() if self.logged is None else self.logged)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class PruneAt(BasePruner):
    """Prunes at one step, and notes at which it was asked."""

    def __init__(self, step=None):
        self.step, self.asked = step, []

    def prune(self, study, trial):
        self.asked.append(trial.last_step)
        return trial.last_step == self.step


def rows():
    return DataLoader(TensorDataset(torch.zeros(BATCHES, 1)))


def make_trainer(callbacks, **options):
    return Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(c, ModelCheckpoint) for c in callbacks),
        callbacks=callbacks,
        **{"max_epochs": 3, **options},
    )


def train(trial, *, module=None, every=1, monitor="weight", path=None, extra=(), **options):
    trainer = make_trainer([PruningCallback(trial, monitor, every=every), *extra], **options)
    trainer.fit(module or Line(), rows(), rows(), ckpt_path=path, weights_only=True)
    return trainer.callback_metrics[monitor].item()


def ask(pruner=None, **options):
    return optuna.create_study(pruner=pruner or NopPruner(), **options).ask()


def reported(trial):
    return trial.study.trials[trial.number].intermediate_values


class Strategy:
    """A strategy of which rank 0 says what it is told to, or as a single process what it has."""

    def __init__(self, says=None):
        self.says, self.heard = says, []

    def broadcast(self, decision):
        self.heard.append(decision)
        return decision if self.says is None else self.says


def rank(number, says=None, **metrics):
    """Return what the callback sees of a Trainer on a rank of several."""
    return SimpleNamespace(
        sanity_checking=False,
        state=SimpleNamespace(fn=TrainerFn.FITTING),
        is_global_zero=number == 0,
        callback_metrics=metrics,
        strategy=Strategy(says),
    )
