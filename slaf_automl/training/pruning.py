"""Pruning by Optuna in anyone's Lightning training: one callback, for any module and any study."""

from __future__ import annotations

import math
import os
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from optuna import TrialPruned
from optuna.trial import FixedTrial, FrozenTrial, Trial

from slaf_automl.errors import SlafError
from slaf_automl.spec.codec import require_integer


class PruningCallback(Callback):
    """Reports a validation metric to an Optuna trial and ends the training once it is pruned.

    After a validation of `Trainer.fit` (never the sanity check, never `Trainer.validate`) the
    logged metric is reported, and `optuna.TrialPruned` is raised if the study's pruner says so.

    The step is the number of validations so far, from 1. It grows whatever ends an epoch or the
    training, and travels in checkpoints. Pruners compare trials at equal steps only: optimiser
    steps would be others under another batch size, and pruning would silently never happen.
    Epochs would be the same for several validations, of which Optuna keeps the first. A step that
    the trial has reported before, as after resuming it, is passed over.

    NaN is reported and prunes at once, under any pruner: Optuna stores it and TPE ranks it last,
    but its pruners disagree (a median pruner goes on for the sake of earlier values, another never
    asks), and a trial that ends with NaN fails, which teaches a sampler nothing. Infinite values
    are left to the pruner.

    Under several processes (`strategy="ddp"`) rank 0 alone reports, the metric as it has it (log
    with `sync_dist=True`), and its decision holds for all. Strategies that spawn or fork, such as
    `ddp_spawn`, are refused: neither reports nor `TrialPruned` come back from there.

    Args:
        trial: the trial of the objective; a fixed or frozen one never prunes. On ranks other than
            0 it is not used and may be None.
        monitor: name under which the metric is logged, such as `val_loss`.
        every: report after every so many validations.

    Raises:
        SlafError: the study has several objectives, which Optuna cannot prune; or, in training,
            there is no validation, no metric of this name, or one that is not a single number.

    Example:
        >>> import lightning, optuna
        >>> from slaf_automl import Budget, SearchSpace, SlafModule, TableData
        >>> data, space = TableData.load("sklearn:iris"), SearchSpace.load("mlp")
        >>> quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
        >>> def objective(trial):
        ...     module = SlafModule.from_trial(trial, data, Budget(parameters=300), space)
        ...     pruning = PruningCallback(trial, "val_accuracy")
        ...     trainer = lightning.Trainer(
        ...         max_epochs=3, callbacks=[pruning], enable_progress_bar=False, **quiet
        ...     )
        ...     trainer.fit(module, datamodule=data)
        ...     return trainer.callback_metrics["val_accuracy"].item()
        >>> pruner = optuna.pruners.ThresholdPruner(lower=1.1)  # more than an accuracy can be
        >>> study = optuna.create_study(direction="maximize", pruner=pruner)
        >>> study.optimize(objective, n_trials=1)
        >>> study.trials[0].state.name, list(study.trials[0].intermediate_values)
        ('PRUNED', [1])
    """

    def __init__(
        self, trial: Trial | FixedTrial | FrozenTrial | None, monitor: str, *, every: int = 1
    ) -> None:
        # Optuna's TorchDistributedTrial speaks to all ranks in each call, and would wait forever.
        if not isinstance(trial, (Trial, FixedTrial, FrozenTrial, type(None))):
            raise SlafError(
                f"a trial of type {type(trial).__name__}",
                expected="an optuna.trial.Trial",
                remedy="hand in rank 0's own trial; the callback itself tells the other ranks",
            )
        if isinstance(trial, Trial) and len(trial.study.directions) > 1:
            raise SlafError(
                f"a study of {len(trial.study.directions)} objectives",
                expected="one objective, since Optuna prunes no other trials",
                remedy="train without PruningCallback",
            )
        require_integer("PruningCallback.every", every, 1)
        self.trial, self.monitor, self.every = trial, monitor, every
        self.validations = 0
        self._reported: set[int] = set()
        self._process = os.getpid()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse to train where the trial is out of reach."""
        if stage != TrainerFn.FITTING.value:
            return
        if os.getpid() != self._process:
            raise SlafError(
                "PruningCallback in a process that the Trainer spawned or forked",
                expected="a strategy whose reports reach the study",
                remedy='train with strategy="ddp", or without PruningCallback',
            )
        if trainer.is_global_zero and self.trial is None:
            raise SlafError("no trial on rank 0", expected="the trial of the objective")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look up what the trial has reported already."""
        if not trainer.enable_validation:
            raise SlafError(
                f"a training without validation has no {self.monitor!r} to prune by",
                remedy="give it a validation_step and validation data",
            )
        if trainer.is_global_zero and isinstance(self.trial, Trial):
            trials = self.trial.study.get_trials(deepcopy=False)
            self._reported = {
                step
                for t in trials
                if t.number == self.trial.number
                for step in t.intermediate_values
            }

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and raise `TrialPruned` on every rank if rank 0's trial is to be pruned."""
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        self.validations += 1
        if self.validations % self.every:
            return
        value = self._value(trainer)
        prune = True  # A report that fails on rank 0 must not leave the others waiting.
        try:
            if trainer.is_global_zero:
                prune = self._report(value)
        finally:
            prune = trainer.strategy.broadcast(prune)
        if prune:
            raise TrialPruned(f"{self.monitor} = {value:g} at validation {self.validations}")

    def _value(self, trainer: Trainer) -> float:
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            raise SlafError(
                f"no metric {self.monitor!r} after validation {self.validations}",
                expected="one of " + (", ".join(sorted(metrics)) or "none: nothing is logged"),
                remedy="log it in validation_step or on_validation_epoch_end",
            )
        try:
            return float(metrics[self.monitor])
        except (TypeError, ValueError, RuntimeError):
            shape = tuple(getattr(metrics[self.monitor], "shape", ()))
            raise SlafError(
                f"metric {self.monitor!r} is a {type(metrics[self.monitor]).__name__} "
                f"of shape {shape}",
                expected="a single number",
            ) from None

    def _report(self, value: float) -> bool:
        """Report on rank 0 and return whether to prune."""
        assert self.trial is not None
        if self.validations in self._reported:
            return False
        self.trial.report(value, self.validations)
        self._reported.add(self.validations)
        return math.isnan(value) or self.trial.should_prune()

    def state_dict(self) -> dict[str, Any]:
        """Return the number of validations."""
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a checkpoint's number of validations."""
        self.validations = state_dict["validations"]
