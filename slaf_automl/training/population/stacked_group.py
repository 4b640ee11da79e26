"""Equally deep lanes of the family `mlp`: one stack, one optimiser."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from slaf_automl.activations import SLAF, estimate_statistics, hold_statistics
from slaf_automl.activations.pruning import shrink_elements
from slaf_automl.activations.stacked import Mode
from slaf_automl.activations.warm_start import project_rectified
from slaf_automl.errors import ActivationError, NonFiniteError
from slaf_automl.training.population.adamw import StackedAdamW
from slaf_automl.training.population.group import Drawn, Group
from slaf_automl.training.population.lane import Lane
from slaf_automl.training.population.losses import Objective
from slaf_automl.training.population.rows import Batch
from slaf_automl.training.population.stack import Stack


class StackedGroup(Group):
    """Equally deep lanes in a stack.

    Args:
        lanes: the lanes; their networks' values move into the stack until `unload`.
        objective: loss and metric.
        ordered: () ↦ training rows in order, in large batches `(rows, inputs)`.
        compiled: False keeps to PyTorch's own operations.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        objective: Objective,
        ordered: Callable[[], Iterator[Tensor]],
        *,
        compiled: bool,
    ) -> None:
        super().__init__(lanes, objective, ordered)
        self.stack = Stack([lane.network for lane in lanes], compiled=compiled)
        storage = self.stack.storage
        for k, lane in enumerate(lanes):
            for vector, moments in zip((storage.first, storage.second), lane.moments, strict=True):
                for name, view in storage.named(k, vector).items():
                    if name in moments:
                        view.copy_(moments[name])
        limits = [lane.candidate.recipe.gradient_clip for lane in lanes]
        self._optimiser = StackedAdamW(
            storage.segments,
            [float("inf") if limit is None else limit for limit in limits],
            (storage.parameters, storage.gradients, storage.first, storage.second),
            compiled=compiled,
        )
        self._losses: list[Tensor] = []
        self._shrinking = [
            k
            for k, lane in enumerate(lanes)
            if lane.candidate.recipe.coefficient_l1 and lane.course.learned
        ]

    def begin_epoch(self) -> None:
        """Lay out the rates and stages of every lane's next epoch."""
        super().begin_epoch()
        self._losses = []

    @torch.no_grad()
    def step(self, index: int, drawn: Drawn) -> Tensor:
        """Train on a batch; see `Group`."""
        if index in self._stages:
            self._enter_stages(index)
        x, y = self._batch([drawn[lane.batch_seed, lane.epoch][index] for lane in self.lanes])
        passes = self.stack.over(Mode.TRAIN, x.shape[1])
        outputs = passes.forward(x)
        losses = self.objective.losses_and_gradient(outputs, y, passes.gradient)
        passes.backward()
        self._optimiser.step(self._tables[index])
        if self._shrinking:
            self._shrink(index)
        self._losses.append(losses)
        return losses

    @staticmethod
    def _batch(batches: Sequence[Batch]) -> Batch:
        """Return the lanes' batches as one; where all are at one epoch nothing is copied."""
        if all(batch is batches[0] for batch in batches):
            x, y = batches[0]
            return x.expand(len(batches), *x.shape), y.expand(len(batches), *y.shape)
        return torch.stack([x for x, _ in batches]), torch.stack([y for _, y in batches])

    @torch.no_grad()
    def end_epoch(self, validation: Batch, chunk: int) -> Tensor:
        """Estimate statistics, validate, and keep what is best; returns the lanes' losses."""
        self.stack.estimate(self.ordered())
        x, y = validation
        outputs = self.stack.evaluate(x, chunk)
        losses = self.objective.losses(outputs, y.expand(len(self.lanes), *y.shape))
        trained = torch.stack(self._losses)
        finite = torch.isfinite(trained).all(0) & torch.isfinite(losses)
        diverged = self.stack.diverged()
        for k, (lane, value, loss, mean, good) in enumerate(
            zip(
                self.lanes,
                self.objective.metrics(outputs, y),
                losses.tolist(),
                trained.mean(0).tolist(),
                finite.tolist(),
                strict=True,
            )
        ):
            if k in diverged:
                lane.diverged = True
                continue  # Alone it would have ended within the epoch.
            state = functools.partial(self.stack.storage.state, k)
            self._end_epoch_of(lane, value, loss, mean, state, finite=good)
        return losses

    def unload(self, wanted: Callable[[Lane], bool] = lambda lane: True) -> None:
        """Write the values of the lanes that are wanted back into them."""
        storage = self.stack.storage
        for k, lane in enumerate(self.lanes):
            if not wanted(lane):
                continue
            lane.network.load_state_dict(storage.state(k))
            first, second = (
                {n: v.clone() for n, v in storage.named(k, vector).items()}
                for vector in (storage.first, storage.second)
            )
            lane.moments = first, second

    def _enter_stages(self, index: int) -> None:
        """Turn ReLU into SLAF, and hold statistics, as the recipes say."""
        storage = self.stack.storage
        for k in self._stages[index]:
            lane = self.lanes[k]
            network, step = lane.network, lane.epoch * len(self._tables) + index
            network.load_state_dict(storage.state(k))
            network.train()
            try:
                if step == lane.course.projected_at:
                    project_rectified(network, self.ordered())
                if step == lane.course.held_at:
                    estimate_statistics(network, self.ordered())
                    hold_statistics(network)
            except (NonFiniteError, ActivationError):
                lane.diverged = True
            storage.load(k, network.state_dict())
        self.stack.changed()

    def _shrink(self, index: int) -> None:
        """Take the proximal steps of the coefficients' L1 penalties."""
        storage = self.stack.storage
        for k in self._shrinking:
            lane = self.lanes[k]
            size = lane.course.shrinkage(lane.epoch * len(self._tables) + index)
            if not size:
                continue
            views = storage.named(k, storage.parameters)
            slots = [
                (f"slots.{i}.coefficients", slot)
                for i, slot in enumerate(lane.network.slots)
                if isinstance(slot, SLAF)
            ]
            for name, slot in slots:
                slot.coefficients.copy_(views[name])
            shrink_elements(lane.network, size)
            for name, slot in slots:
                views[name].copy_(slot.coefficients)
