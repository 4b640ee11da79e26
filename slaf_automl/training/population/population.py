"""The population: many different candidates that train at once, each as it would alone."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from slaf_automl.activations import estimate_statistics
from slaf_automl.errors import NonFiniteError, SlafError
from slaf_automl.spec import Candidate
from slaf_automl.training.baselines import constant_value
from slaf_automl.training.data import TableData
from slaf_automl.training.data.batches import evaluation_rows
from slaf_automl.training.data.memory import LARGE
from slaf_automl.training.metrics import find_metric
from slaf_automl.training.module import SlafModule
from slaf_automl.training.population.admission import require_admission
from slaf_automl.training.population.group import Group
from slaf_automl.training.population.groups import Groups
from slaf_automl.training.population.lane import Lane
from slaf_automl.training.population.losses import Objective
from slaf_automl.training.population.rows import Batch, Rows
from slaf_automl.training.population.saved import require_own, require_same_lane, saved
from slaf_automl.training.population.standing import Standing
from slaf_automl.training.population.workers import Workers


class Population:
    """Trains lanes in step, each a candidate with its own shape and recipe.

    A lane is the same experiment as `fit(candidate, data, seed=seed, batch_seed=batch_seed)`: the
    same initial weights, batches, updates, statistics, stages and best epoch, up to the order in
    which floating point sums are made. What one lane does never reaches another.

    Args:
        data: training and validation rows.
        batch_seed: with a lane's own epoch, fixes the order of its batches, unless it has its own.
        metric: name of the validation metric; None takes the task's default.
        images: whether its candidates' networks take images.
        together: lanes of one stack at most.
        compiled: False keeps to PyTorch's own operations.

    Example:
        >>> from slaf_automl.training import TableData
        >>> data = TableData.load("sklearn:iris")
        >>> population = Population(data)
        >>> population.names
        ()
    """

    def __init__(
        self,
        data: TableData,
        *,
        batch_seed: int = 0,
        metric: str | None = None,
        images: bool = False,
        together: int = 64,
        compiled: bool = True,
    ) -> None:
        self.data = data
        self.images, self._batch_seed = images, batch_seed
        if data.training[0].numel() >= LARGE:
            gc.collect()  # Trainers refer to themselves; the last one may still hold such rows.
        self._rows = Rows.of(data, images=images)
        self.metric = find_metric(metric, data.info)
        self.constant = constant_value(data, self.metric, data.validation)
        dtype, found = torch.get_default_dtype(), data.statistics
        self._objective = Objective(
            data.info,
            self.metric,
            found.target_mean.to(dtype),
            found.target_spread.to(dtype),
            None if found.class_weights is None else found.class_weights.to(dtype),
        )
        self._lanes: dict[str, Lane] = {}
        self._settings = together, compiled
        self._forget_groups()
        self.workers = Workers(1)
        self._batch_size: int | None = None
        self._drawn: dict[tuple[int, int], Sequence[Batch]] = {}
        self._within = False

    @property
    def device(self) -> torch.device:
        """Where it trains."""
        return self._rows.device

    def to(self, device: torch.device) -> None:
        """Move everything to a device."""
        if device == self.device:
            return
        self._groups.write_back()
        self._rows = self._rows.to(device)
        self._objective = self._objective.to(device)
        self._forget_groups()
        for lane in self._lanes.values():
            lane.to(device)

    @property
    def names(self) -> tuple[str, ...]:
        """The lanes, in the order in which they were started."""
        return tuple(self._lanes)

    @property
    def steps(self) -> int:
        """Steps of an epoch.

        Raises:
            SlafError: no lane was ever started.
        """
        if self._batch_size is None:
            raise SlafError("a population without lanes", remedy="start one first")
        return self._rows.steps(self._batch_size)

    def start(
        self,
        name: str,
        candidate: Candidate,
        seed: int = 0,
        *,
        batch_seed: int | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Put a candidate into a new lane, which begins its first epoch with the others' next.

        Args:
            name: what the lane is called by.
            candidate: what it trains.
            seed: of the initial weights.
            batch_seed: fixes the order of its batches; None takes the population's.
            state: a `lane_state` of the same candidate to go on from.

        Raises:
            SlafError: a name that is taken, a candidate that does not fit the data, a batch size
                other than that of the lanes before, or a state of another candidate or seed.
        """
        if name in self._lanes:
            raise SlafError(f"a second lane {name!r}", expected="a name of its own")
        require_admission(
            candidate, self.data.info, images=self.images, batch_size=self._batch_size
        )
        self._batch_size = candidate.recipe.batch_size
        order = self._batch_seed if batch_seed is None else batch_seed
        if state is None:
            self._lanes[name] = self._new(name, candidate, seed, order)
            return
        require_same_lane(state, name, candidate, seed, order)
        self._lanes[name] = Lane.load({**state, "name": name}, self.steps).to(self.device)

    def _new(self, name: str, candidate: Candidate, seed: int, batch_seed: int) -> Lane:
        lane = Lane.new(name, candidate, seed, batch_seed, self.steps).to(self.device)
        if lane.follows:
            try:
                estimate_statistics(lane.network, self._rows.ordered())
            except NonFiniteError:
                lane.diverged = True
        lane.mark(lane.network)
        return lane

    def drop(self, names: Sequence[str]) -> None:
        """Let lanes leave; the others close the ranks.

        Raises:
            SlafError: no such lane.
        """
        for name in names:
            self._find(name)
        for name in names:
            del self._lanes[name]

    def begin_epoch(self) -> None:
        """Get ready for the next epoch of every lane that is not finished.

        Raises:
            SlafError: the epoch before has not ended.
        """
        self._require_whole_epoch("another epoch")
        going = [lane for lane in self._lanes.values() if not lane.finished]
        self._groups.arrange(going)
        for group in self._groups:
            group.begin_epoch()
        size = self._batch_size or 1
        orders = {(lane.batch_seed, lane.epoch) for lane in going}
        self._drawn = {order: self._rows.epoch(size, *order) for order in orders}
        self._within = bool(going)

    def advance(self, steps: range) -> Tensor:
        """Make these steps of every lane's epoch; returns the mean of the finite losses.

        Lanes wait for each other at the end alone.

        Args:
            steps: their numbers within the epoch, the next ones.

        Raises:
            SlafError: no epoch has begun.
        """
        if not self._within:
            raise SlafError(
                "a step outside an epoch", remedy="start lanes, then begin an epoch of theirs"
            )

        def over(group: Group) -> Tensor:
            return torch.cat([group.step(index, self._drawn) for index in steps])

        losses = torch.cat(self._each(over))
        return torch.where(torch.isfinite(losses), losses, torch.nan).nanmean()

    def end_epoch(self) -> list[Standing]:
        """Validate every lane and return how they stand; finished lanes stay until dropped."""
        self._within = False
        validation = self._rows.validation
        chunk = self._rows.evaluated
        self._each(lambda group: group.end_epoch(validation, chunk))
        trained = {lane.name for group in self._groups for lane in group.lanes}
        return [self.standing(name) for name in self._lanes if name in trained]

    def train_epoch(self) -> list[Standing]:
        """Train one epoch outside any Trainer."""
        self.begin_epoch()
        self.advance(range(self.steps))
        return self.end_epoch()

    def standing(self, name: str) -> Standing:
        """Return how far a lane has come."""
        return Standing.of(self._find(name), self.metric, self.constant)

    def unstack(self, name: str, *, best: bool = False) -> SlafModule:
        """Return a lane's candidate as a plain module, with its values as they are now.

        Args:
            name: the lane.
            best: take the values of its best epoch, if there was one.
        """
        lane = self._find(name)
        self._groups.write_back([lane])
        module = SlafModule(lane.candidate, self.data, seed=lane.seed, metric=self.metric.name)
        state = lane.best.weights if best and lane.best.weights else lane.network.state_dict()
        module.network.load_state_dict(state)
        if not best:
            lane.mark(module.network)
        return module

    def lane_states(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return what each of some lanes needs to go on elsewhere, as plain values and tensors.

        Raises:
            SlafError: no such lane, or an epoch is not at its end.
        """
        self._require_whole_epoch()
        lanes = [self._find(name) for name in names]
        self._groups.write_back(lanes)
        return [lane.state() for lane in lanes]

    def lane_state(self, name: str) -> dict[str, Any]:
        """Return what one lane needs to go on elsewhere; see `lane_states`."""
        return self.lane_states([name])[0]

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training on needs, as plain values and tensors.

        Raises:
            SlafError: an epoch is not at its end.
        """
        self._require_whole_epoch()
        self._groups.write_back()
        return saved(
            self._lanes.values(),
            batch_size=self._batch_size,
            batch_seed=self._batch_seed,
            data=self.data.fingerprint(),
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, bit for bit if it is of this machine and composition.

        Raises:
            SlafError: a state of a newer version, or of other data or batches.
        """
        require_own(state, batch_seed=self._batch_seed, data=self.data.fingerprint())
        self._batch_size = state["batch_size"]
        lanes = [Lane.load(one, self.steps).to(self.device) for one in state["lanes"]]
        self._lanes = {lane.name: lane for lane in lanes}
        self._forget_groups()
        self._within = False

    def _each(self, call: Callable[[Group], Tensor]) -> list[Tensor]:
        """Call with every group; an accelerator has one queue, which threads would not speed up."""
        alone = self.device.type != "cpu"
        return self._groups.each(call, Workers(1) if alone else self.workers)

    def _require_whole_epoch(self, what: str = "the state of a population") -> None:
        if self._within:
            raise SlafError(
                f"{what} within an epoch", remedy="end that one: lanes go on from whole epochs"
            )

    def _find(self, name: str) -> Lane:
        if name not in self._lanes:
            raise SlafError(
                f"no lane {name!r}", expected="one of " + (", ".join(self._lanes) or "none")
            )
        return self._lanes[name]

    def _forget_groups(self) -> None:
        together, compiled = self._settings
        rows = min(len(self._rows.training[0]), evaluation_rows(self._rows.training[0]))
        self._groups = Groups(
            self._objective, self._rows.ordered, together, rows, compiled=compiled
        )
