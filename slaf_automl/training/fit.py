"""One candidate trained from start to end, outside any study."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from slaf_automl.errors import NonFiniteError, SlafError
from slaf_automl.spec import Candidate, TrialResult
from slaf_automl.spec.codec import require_integer
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.callbacks import BestWeights, DivergenceGuard, Rungs, StopWhenAsked
from slaf_automl.training.curve import Curve, EpochFigures
from slaf_automl.training.data import TableData, TensorBatches
from slaf_automl.training.heap import kept_heap
from slaf_automl.training.metrics import find_metric
from slaf_automl.training.module import SlafModule


@dataclass(frozen=True)
class Fit:
    """A trained candidate.

    Args:
        module: the module at its best epoch, in evaluation mode on the CPU.
        result: how it ended; `value` is the best validation metric.
        best_epoch: epochs trained when that value was reached.
        curve: what each epoch came to.
    """

    module: SlafModule
    result: TrialResult
    best_epoch: int
    curve: Curve = field(default_factory=list)


@dataclass(frozen=True)
class Supervision:
    """How a search watches one training.

    Args:
        rungs: epochs at which to report.
        report: (epochs trained, best value so far) ↦ go on?
        stopping: whether to end at the next batch.
        checkpoint: file for the state at the last rung.
        resume_from: such a file of an earlier, interrupted training.
    """

    rungs: tuple[int, ...] = ()
    report: Callable[[int, float], bool] = lambda epoch, value: True
    stopping: Callable[[], bool] = lambda: False
    checkpoint: Path | None = None
    resume_from: Path | None = None


def fit(
    candidate: Candidate,
    data: TableData,
    *,
    seed: int = 0,
    batch_seed: int | None = None,
    metric: str | None = None,
    accelerator: str = "auto",
    supervision: Supervision | None = None,
    train: TensorBatches | None = None,
    epochs: int | None = None,
) -> Fit:
    """Train a candidate and return it at the epoch with the best validation metric.

    Args:
        candidate: architecture and recipe.
        data: training and validation rows; the test rows are not touched.
        seed: of the initial weights.
        batch_seed: with the epoch, fixes the order of the batches; None takes `seed`.
        metric: name of the validation metric; None takes the task's default.
        accelerator: Lightning's word, `"auto"`, `"cpu"`, `"gpu"`, ….
        supervision: what a search wants to be told and asked.
        train: other training batches than `data`'s (for a refit on more rows).
        epochs: train for exactly so many epochs and return the last one's weights; None trains by
            the recipe and returns the best epoch's.

    Returns:
        The trained module, its result and its best epoch. A training whose loss stops being finite
        has `diverged` set and the constant predictor's value, which also floors every value.

    Raises:
        SlafError: a candidate that does not fit the data, or an unknown metric.
    """
    if epochs is not None:
        require_integer("epochs", epochs, 0)
    watch = supervision or Supervision()
    kind = find_metric(metric, data.info)
    recipe = candidate.recipe
    module = SlafModule(candidate, data, seed=seed, metric=kind.name)
    patience = recipe.patience if epochs is None else None
    best, guard = BestWeights(kind, patience), DivergenceGuard()
    constant = constant_value(data, kind, data.validation)
    rungs = Rungs(
        watch.rungs, lambda: kind.floored(best.value, constant), watch.report, watch.checkpoint
    )
    stop = StopWhenAsked(watch.stopping)
    order = seed if batch_seed is None else batch_seed
    began = time.monotonic()
    with quiet_lightning(), kept_heap(candidate.architecture.image is not None):
        trainer = bare_trainer(
            recipe.epochs if epochs is None else epochs, accelerator, [stop, guard, best, rungs]
        )
        try:
            trainer.fit(
                module,
                train_dataloaders=train or data.batches(recipe.batch_size, order),
                val_dataloaders=data.val_dataloader(),
                ckpt_path=watch.resume_from,
                weights_only=True,
            )
        except NonFiniteError:
            guard.diverged = True
        except SIGTERMException:
            # Lightning leaves at SIGTERM; whoever supervises decides what that means.
            stop.stopped = True
    if best.weights and epochs is None:
        module.load_state_dict(best.weights)
    state = "interrupted" if stop.stopped else "pruned" if rungs.pruned else "complete"
    value = constant if guard.diverged else kind.floored(best.value, constant)
    result = TrialResult(
        state=state,
        value=value,
        epochs=trainer.current_epoch,
        diverged=guard.diverged,
        seconds=time.monotonic() - began,
    )
    curve = [EpochFigures(*epoch) for epoch in best.curve]
    return Fit(module.cpu().eval().pruned(), result, best.epoch, curve)


def require_accelerator(name: str) -> None:
    """Raise a `SlafError` unless Lightning can train on the accelerator of this name here."""
    try:
        with quiet_lightning():
            bare_trainer(1, name, [])
    except (ValueError, MisconfigurationException) as error:
        raise SlafError(
            f"accelerator {name!r}: {error}", expected="auto, cpu, gpu or another that is here"
        ) from None


def bare_trainer(epochs: int, accelerator: str, callbacks: list[Callback]) -> Trainer:
    """Return a Trainer that writes nothing and shows nothing; −1 epochs for no end."""
    return Trainer(
        max_epochs=epochs,
        accelerator=accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=1,
        log_every_n_steps=1,
        callbacks=callbacks,
    )


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Within the block, Lightning logs no device list and no advice, and torch's own warning about
    its pytree names (Lightning 2.6 under torch 2.13) is not shown."""
    loggers = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
