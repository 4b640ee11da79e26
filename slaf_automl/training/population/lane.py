"""One lane: a candidate in a population, and how far it has come."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from slaf_automl.activations import SLAF, hold_statistics
from slaf_automl.activations.statistics import RunningMoments
from slaf_automl.activations.warm_start import rectify
from slaf_automl.networks import Network
from slaf_automl.spec import Candidate
from slaf_automl.training.curve import Curve, EpochFigures
from slaf_automl.training.metrics import MetricKind
from slaf_automl.training.population.schedule import Course


@dataclass
class Best:
    """The epoch with the best validation metric so far; ties go to the lower loss.

    The same as the callback `BestWeights` keeps of a training alone.
    """

    value: float = math.nan
    loss: float = math.inf
    epoch: int = 0
    provisional: bool = False
    weights: dict[str, Tensor] = field(default_factory=dict)

    def take(
        self,
        metric: MetricKind,
        value: float,
        loss: float,
        epoch: int,
        state: Callable[[], dict[str, Tensor]],
        *,
        rectified: bool,
    ) -> None:
        """Compare an epoch with the best so far, and keep it if it is better.

        Args:
            metric: says what is better.
            value: the epoch's validation metric.
            loss: the epoch's validation loss.
            epoch: epochs trained.
            state: () ↦ copies of the network's values.
            rectified: whether its SLAFs still train as ReLU.
        """
        # A warm start's ReLU network is not the candidate: it is compared at rungs, never kept.
        if self.provisional and not rectified:
            self.value, self.loss = math.nan, math.inf
        self.provisional = rectified
        tied = value == self.value and loss < self.loss
        if math.isfinite(loss) and (tied or metric.better(value, self.value)):
            self.value, self.loss, self.epoch = value, loss, epoch
            if not rectified:
                self.weights = state()


@dataclass
class Lane:
    """A candidate in training.

    Args:
        name: what it is called by, unique in its population.
        candidate: what it trains.
        seed: of the initial weights.
        batch_seed: with the epoch, fixes the order of its batches.
        network: its own modules; while it trains, the values lie in a stack.
        course: steps, rates and stages.
        epoch: epochs trained.
        best: its best epoch.
        diverged: whether a value stopped being finite.
        moments: first and second moments of AdamW by parameter name; empty before the first step.
        curve: what each epoch came to.
    """

    name: str
    candidate: Candidate
    seed: int
    batch_seed: int
    network: Network
    course: Course
    epoch: int = 0
    best: Best = field(default_factory=Best)
    diverged: bool = False
    moments: tuple[dict[str, Tensor], dict[str, Tensor]] = field(default_factory=lambda: ({}, {}))
    curve: Curve = field(default_factory=list)

    @property
    def depth(self) -> int:
        """Number of hidden layers, or of what else has a width."""
        return len(self.candidate.architecture.widths)

    @property
    def estimated(self) -> bool:
        """Whether it has statistics that are estimated before validation, as long as not held."""
        return any(isinstance(m, RunningMoments) and not m.tracked for m in self.network.modules())

    @property
    def follows(self) -> bool:
        """Whether it has statistics that follow the training, from a first estimate on."""
        return any(isinstance(m, RunningMoments) and m.tracked for m in self.network.modules())

    @property
    def finished(self) -> bool:
        """Whether its training is over."""
        recipe = self.candidate.recipe
        worn_out = recipe.patience is not None and self.epoch - self.best.epoch >= recipe.patience
        return self.diverged or self.epoch >= recipe.epochs or (worn_out and self.epoch > 0)

    def state(self) -> dict[str, Any]:
        """Return everything as plain values and tensors."""
        best = self.best
        return {
            "name": self.name,
            "candidate": self.candidate.to_json(),
            "seed": self.seed,
            "batch_seed": self.batch_seed,
            "epoch": self.epoch,
            "diverged": self.diverged,
            "network": {n: t.clone() for n, t in self.network.state_dict().items()},
            "first": dict(self.moments[0]),
            "second": dict(self.moments[1]),
            "curve": [list(epoch) for epoch in self.curve],
            "best": {
                "value": best.value,
                "loss": best.loss,
                "epoch": best.epoch,
                "provisional": best.provisional,
                "weights": dict(best.weights),
            },
        }

    @staticmethod
    def load(state: Mapping[str, Any], steps: int) -> Lane:
        """Return the lane that a state describes.

        Args:
            state: what `state` returned.
            steps: steps of an epoch.
        """
        lane = Lane.new(
            state["name"],
            Candidate.from_json(state["candidate"]),
            int(state["seed"]),
            int(state["batch_seed"]),
            steps,
        )
        lane = replace(
            lane,
            epoch=int(state["epoch"]),
            diverged=bool(state["diverged"]),
            best=Best(**state["best"]),
            moments=(dict(state["first"]), dict(state["second"])),
            curve=[EpochFigures(*epoch) for epoch in state.get("curve", [])],
        )
        lane.network.load_state_dict(state["network"])
        lane.mark(lane.network)
        return lane

    @staticmethod
    def new(name: str, candidate: Candidate, seed: int, batch_seed: int, steps: int) -> Lane:
        """Return a lane with the initial weights that the candidate would have alone."""
        network = Network(candidate.architecture, torch.Generator().manual_seed(seed))
        learned = any(isinstance(m, SLAF) for m in network.modules())
        course = Course(candidate.recipe, steps, learned)
        return Lane(name, candidate, seed, batch_seed, network, course)

    def to(self, device: torch.device) -> Lane:
        """Move its values to a device; returns itself."""
        if device.type == "cpu" and next(self.network.parameters()).device == device:
            return self
        self.network.to(device)
        self.moments = (_moved(self.moments[0], device), _moved(self.moments[1], device))
        self.best.weights = _moved(self.best.weights, device)
        return self

    def mark(self, network: Network) -> None:
        """Mark a network's modules as rectified or held, as they are between two epochs."""
        done, held = self.epoch * self.course.steps, self.course.held_at
        # A stage that begins with the next epoch is entered by that epoch's first step.
        if 0 < self.course.projected_at >= done:
            rectify(network)
        if held is not None and (held == 0 or held < done):
            hold_statistics(network)


def _moved(tensors: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in tensors.items()}
