"""The evaluator that trains one candidate at a time."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch

from slaf_automl.spec import Desk, Job, Report
from slaf_automl.training.data import TableData
from slaf_automl.training.fit import Supervision, fit


@dataclass(frozen=True)
class SequentialEvaluator:
    """Pulls one job at a time from a desk, trains it, reports its rungs and hands in its result.

    Args:
        data: the table.
        metric: name of the validation metric.
        rungs: epochs at which every job reports.
        batch_seed: with the epoch, fixes the order of the batches, the same for every job.
        accelerator: Lightning's word for the device.
    """

    data: TableData
    metric: str
    rungs: tuple[int, ...]
    batch_seed: int = 0
    accelerator: str = "auto"

    def __call__(self, desk: Desk) -> None:
        """Work until the desk has no more jobs."""
        while jobs := desk.pull(1):
            self._train(desk, jobs[0])

    def _train(self, desk: Desk, job: Job) -> None:
        supervision = Supervision(
            rungs=self.rungs,
            report=lambda epoch, value: desk.report([Report(job, epoch, value)])[0],
            stopping=desk.stopping,
            checkpoint=Path(job.checkpoint),
            resume_from=_readable(job.resume_from),
        )
        trained = fit(
            job.candidate,
            self.data,
            seed=job.seed,
            batch_seed=self.batch_seed,
            metric=self.metric,
            accelerator=self.accelerator,
            supervision=supervision,
        )
        desk.finish([(job, trained.result)])


def _readable(checkpoint: str | None) -> Path | None:
    """Return the checkpoint's path; None if it is damaged, then the job starts anew."""
    if checkpoint is None:
        return None
    try:
        torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError):
        return None
    return Path(checkpoint)
