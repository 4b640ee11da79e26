"""One lane of any family, trained by autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from slaf_automl.activations import estimate_statistics, hold_statistics
from slaf_automl.activations.pruning import shrink_elements
from slaf_automl.activations.warm_start import project_rectified
from slaf_automl.errors import ActivationError, NonFiniteError
from slaf_automl.training.population.adamw import (
    COEFFICIENTS,
    OFFSETS,
    WEIGHTS,
    Segment,
    StackedAdamW,
)
from slaf_automl.training.population.group import Drawn, Group
from slaf_automl.training.population.lane import Lane
from slaf_automl.training.population.losses import Objective
from slaf_automl.training.population.rows import Batch
from slaf_automl.training.routines import parameter_groups

_GROUPS = {"weights": WEIGHTS, "offsets": OFFSETS, "coefficients": COEFFICIENTS}


class SingleGroup(Group):
    """A lane whose network runs as it is: convolutions gain nothing from being stacked.

    Its gain is another: it steps beside other lanes, each on a thread of its own.

    Args:
        lane: the lane.
        objective: loss and metric.
        ordered: () ↦ training rows in order, in large batches `(rows, inputs)`.
        compiled: False keeps the optimiser to PyTorch's own operations.
    """

    def __init__(
        self,
        lane: Lane,
        objective: Objective,
        ordered: Callable[[], Iterator[Tensor]],
        *,
        compiled: bool,
    ) -> None:
        super().__init__([lane], objective, ordered)
        self.network = lane.network
        self._flatten()
        first, second = (self._flat.new_zeros(len(self._flat)) for _ in range(2))
        self._moments = first, second
        for vector, moments in zip(self._moments, lane.moments, strict=True):
            for name, view in self._named(vector).items():
                if name in moments:
                    view.copy_(moments[name])
        limit = lane.candidate.recipe.gradient_clip
        self._optimiser = StackedAdamW(
            self._segments,
            [float("inf") if limit is None else limit],
            (self._flat, self._gradients, first, second),
            compiled=compiled,
        )
        self._losses: list[Tensor] = []
        self._ended = False

    def _flatten(self) -> None:
        """Let parameters and gradients be views of two flat vectors."""
        groups = parameter_groups(self.network, self.lanes[0].candidate.recipe)
        kind = {id(p): _GROUPS[group["name"]] for group in groups for p in group["params"]}
        parameters = dict(self.network.named_parameters())
        with torch.no_grad():
            self._flat = torch.cat([_in_order(p) for p in parameters.values()])
        self._gradients = torch.zeros_like(self._flat)
        self._places: dict[str, tuple[int, torch.Size]] = {}
        self._segments = []
        start = 0
        for name, parameter in parameters.items():
            self._places[name] = start, parameter.shape
            self._segments.append(Segment(start, parameter.numel(), 0, kind[id(parameter)]))
            start += parameter.numel()
        for name, view in self._named(self._flat).items():
            parameters[name].data = view
        for name, view in self._named(self._gradients).items():
            parameters[name].grad = view

    def _named(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the parameters' parts of a vector; of convolutions the channels innermost."""
        found = {}
        for name, (start, shape) in self._places.items():
            part = vector[start : start + shape.numel()]
            if len(shape) == 4:
                outputs, inputs, height, width = shape
                found[name] = part.view(outputs, height, width, inputs).permute(0, 3, 1, 2)
            else:
                found[name] = part.view(shape)
        return found

    def begin_epoch(self) -> None:
        """Lay out the rates and stages of the next epoch."""
        super().begin_epoch()
        self._losses, self._ended = [], False

    def step(self, index: int, drawn: Drawn) -> Tensor:
        """Train on a batch; see `Group`. A lane that diverged keeps still."""
        lane = self.lanes[0]
        unknown = self._flat.new_full((1,), torch.nan)
        if self._ended:
            return unknown
        x, y = drawn[lane.batch_seed, lane.epoch][index]
        self.network.train()
        try:
            if index in self._stages:
                self._enter_stages(lane.epoch * len(self._tables) + index)
            self._gradients.zero_()
            with torch.enable_grad():
                loss = self.objective.losses(self.network(x)[None], y[None])
                torch.autograd.backward(loss.sum())
        except (NonFiniteError, ActivationError):
            self._ended = True
            return unknown
        self._optimiser.step(self._tables[index])
        size = lane.course.shrinkage(lane.epoch * len(self._tables) + index)
        if size:
            shrink_elements(self.network, size)
        loss = loss.detach()
        self._losses.append(loss)
        return loss

    @torch.no_grad()
    def _enter_stages(self, step: int) -> None:
        """Turn ReLU into SLAF, and hold statistics, as the recipe says."""
        course = self.lanes[0].course
        if step == course.projected_at:
            project_rectified(self.network, self.ordered())
        if step == course.held_at:
            estimate_statistics(self.network, self.ordered())
            hold_statistics(self.network)

    @torch.no_grad()
    def end_epoch(self, validation: Batch, chunk: int) -> Tensor:
        """Estimate statistics, validate, and keep what is best; returns the loss."""
        lane, (x, y) = self.lanes[0], validation
        unknown = self._flat.new_full((1,), torch.nan)
        if self._ended:
            lane.diverged = True  # Alone it would have ended within the epoch.
            return unknown
        try:
            estimate_statistics(self.network, self.ordered())
            self.network.eval()
            outputs = torch.cat([self.network(part) for part in torch.split(x, chunk)])[None]
        except (NonFiniteError, ActivationError):
            lane.diverged = True
            return unknown
        losses = self.objective.losses(outputs, y[None])
        trained = torch.cat(self._losses)
        finite = bool(torch.isfinite(trained).all()) and bool(torch.isfinite(losses))
        (value,), loss = self.objective.metrics(outputs, y), float(losses)
        self._end_epoch_of(lane, value, loss, float(trained.mean()), self._state, finite=finite)
        return losses

    def _state(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def unload(self, wanted: Callable[[Lane], bool] = lambda lane: True) -> None:
        """Write the optimiser's moments into the lane; its network holds its own values."""
        if wanted(self.lanes[0]):
            first, second = (
                {name: view.clone() for name, view in self._named(vector).items()}
                for vector in self._moments
            )
            self.lanes[0].moments = first, second


def _in_order(parameter: Tensor) -> Tensor:
    """Return a parameter's values as `SingleGroup` lays them out."""
    return (parameter.permute(0, 2, 3, 1) if parameter.ndim == 4 else parameter).flatten()
