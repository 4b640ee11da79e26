"""The population as a LightningModule: lanes come and go at the ends of epochs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from slaf_automl.spec import Candidate
from slaf_automl.training.population.population import Population
from slaf_automl.training.population.standing import Standing

_AT_ONCE = 6
"""Steps that are one batch to the Trainer, whose own work for a batch takes as long as a lane's."""


@dataclass(frozen=True)
class Start:
    """A candidate to put into a lane.

    Args:
        name: what the lane is called by.
        candidate: what it trains.
        seed: of the initial weights.
        state: an earlier `Population.lane_state` of the same candidate to go on from.
        batch_seed: fixes the order of its batches; None takes the population's.
    """

    name: str
    candidate: Candidate
    seed: int = 0
    state: dict[str, Any] | None = None
    batch_seed: int | None = None


class Supervisor(Protocol):
    """Who decides which lanes train: asked at the ends of epochs, and whether to stop at steps."""

    def start(self, places: int) -> Sequence[Start]:
        """Return up to `places` candidates for free lanes; none when there are no more."""

    def report(self, standings: Sequence[Standing]) -> Sequence[bool]:
        """Take in how lanes stand at rungs; for each True to go on, False to let it leave."""

    def finish(self, standings: Sequence[Standing], *, pruned: bool) -> None:
        """Take in how lanes ended; they are still there to `unstack`, and leave afterwards."""

    def stopping(self) -> bool:
        """Say whether to end at the next step."""


class PopulationModule(LightningModule):
    """Trains many different candidates in one fit, `places` of them at a time.

    An epoch of the Trainer is an epoch of every lane, by the lane's own count: a lane that takes a
    free place begins at its own first epoch. After each epoch the lanes that are finished leave,
    those at a rung are reported, with the state saved before, and free places are filled. The fit
    ends when nothing is left to train; give the Trainer `max_epochs=-1`.

    It makes its own updates (manual optimisation with no optimiser of Lightning's), so the
    Trainer's `global_step` stays 0; `train_loss` is the mean over steps and lanes.

    Args:
        population: the lanes.
        supervisor: decides which candidates train.
        places: lanes at a time.
        rungs: epochs, by a lane's own count, at which it is reported.
        checkpoint: file for the state at the last rung; None keeps none.

    Attributes:
        stopped: whether the supervisor ended the fit within an epoch.
    """

    def __init__(
        self,
        population: Population,
        supervisor: Supervisor,
        *,
        places: int = 32,
        rungs: tuple[int, ...] = (),
        checkpoint: Path | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.population, self.supervisor = population, supervisor
        self.places, self.rungs, self.checkpoint = places, rungs, checkpoint
        self.stopped = False
        self._reported: dict[str, int] = {}
        self._losses: list[Tensor] = []

    def configure_optimizers(self) -> Any:
        """Return none: the population updates its lanes itself."""
        return []

    def train_dataloader(self) -> Sequence[range]:
        """Return the steps of an epoch by number, some at a time; lanes draw their own batches."""
        if not self.population.names:
            self._fill()
        # Lightning warns of a loader of length 0; without lanes the steps are left out instead.
        steps = self.population.steps if self.population.names else 1
        return [range(i, min(i + _AT_ONCE, steps)) for i in range(0, steps, _AT_ONCE)]

    def on_fit_start(self) -> None:
        """Move to the Trainer's device."""
        self.population.to(self.device)

    def on_train_epoch_start(self) -> None:
        """Get ready for an epoch."""
        self._losses = []
        self.population.begin_epoch()

    def on_train_batch_start(self, batch: range, batch_idx: int) -> int | None:
        """Leave the epoch out where nothing is left to train."""
        return None if self.population.names else -1

    def training_step(self, batch: range, batch_idx: int) -> None:
        """Make some steps of every lane."""
        self._losses.append(self.population.advance(batch))
        if self.supervisor.stopping():
            self.stopped = self.trainer.should_stop = True

    def on_train_epoch_end(self) -> None:
        """Validate, let lanes leave, save, report, and fill free places."""
        if self.stopped:
            return
        if not self.population.names:
            self.trainer.should_stop = True
            return
        self.population.end_epoch()
        self.log("train_loss", torch.stack(self._losses).mean(), batch_size=1)
        self._leave()
        self._report()
        self._fill()
        if not self.population.names:
            self.trainer.should_stop = True

    def _at_rung(self, name: str) -> bool:
        epoch = self.population.standing(name).epoch
        return epoch in self.rungs and self._reported.get(name, 0) < epoch

    def _report(self) -> None:
        """Report together all lanes that are at a rung, after their states are saved."""
        at_rung = [name for name in self.population.names if self._at_rung(name)]
        if not at_rung:
            return
        self._save()
        standings = [self.population.standing(name) for name in at_rung]
        self._reported |= {standing.name: standing.epoch for standing in standings}
        going_on = self.supervisor.report(standings)
        self._end([s for s, on in zip(standings, going_on, strict=True) if not on], pruned=True)

    def _leave(self) -> None:
        standings = [self.population.standing(name) for name in self.population.names]
        self._end([standing for standing in standings if standing.finished], pruned=False)

    def _end(self, standings: Sequence[Standing], *, pruned: bool) -> None:
        if not standings:
            return
        self.supervisor.finish(standings, pruned=pruned)
        names = [standing.name for standing in standings]
        self.population.drop(names)
        for name in names:
            self._reported.pop(name, None)

    def _fill(self) -> None:
        """Fill free places; a candidate that diverges at its first pass leaves at once."""
        while places := self.places - len(self.population.names):
            found = self.supervisor.start(places)
            if not found:
                return
            for one in found:
                self.population.start(
                    one.name, one.candidate, one.seed, batch_seed=one.batch_seed, state=one.state
                )
            self._leave()

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        partial = self.checkpoint.with_suffix(".partial")
        with partial.open("wb") as file:
            torch.save(self.population.state_dict(), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, self.checkpoint)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the population into a checkpoint of the Trainer."""
        checkpoint["population"] = self.population.state_dict()
        checkpoint["reported"] = dict(self._reported)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a checkpoint of the Trainer."""
        self.population.load_state_dict(checkpoint["population"])
        self._reported = dict(checkpoint["reported"])
