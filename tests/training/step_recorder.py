"""A plain Trainer for tests, and a callback that notes what every optimiser step did."""

from __future__ import annotations

import torch
from lightning.pytorch import Callback, Trainer


class StepRecorder(Callback):
    """Notes, for every step, each group's largest move and the gradient's norm after clipping."""

    def __init__(self):
        self.moves: list[dict[str, float]] = []
        self.norms: list[float] = []
        self.losses: list[float] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before = self._values(trainer)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        after = self._values(trainer)
        self.moves.append(
            {
                name: max(
                    float((a - b).abs().max())
                    for a, b in zip(after[name], self.before[name], strict=True)
                )
                for name in after
            }
        )
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self.norms.append(float(torch.cat([g.flatten() for g in gradients]).norm()))

    def on_validation_epoch_end(self, trainer, pl_module):
        if not trainer.sanity_checking:
            self.losses.append(float(trainer.callback_metrics["val_loss"]))

    @staticmethod
    def _values(trainer):
        groups = trainer.optimizers[0].param_groups
        return {g["name"]: [p.detach().clone() for p in g["params"]] for g in groups}


def plain_trainer(tmp_path, *callbacks, epochs=2, **options) -> Trainer:
    """Return a Trainer such as a user would make, but for its output."""
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=list(callbacks),
        **options,
    )
