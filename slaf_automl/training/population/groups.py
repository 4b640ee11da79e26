"""All groups of a population: which lanes they hold, and how they step side by side."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from slaf_automl.training.population.group import Group
from slaf_automl.training.population.grouping import alike, fits_two, stackable
from slaf_automl.training.population.lane import Lane
from slaf_automl.training.population.losses import Objective
from slaf_automl.training.population.single_group import SingleGroup
from slaf_automl.training.population.stacked_group import StackedGroup
from slaf_automl.training.population.workers import Workers

_log = logging.getLogger("slaf_automl")


class Groups:
    """Keeps lanes in groups; where the same lanes stay together their group goes on.

    Args:
        objective: loss and metric.
        ordered: () ↦ training rows in order, in large batches `(rows, inputs)`.
        together: lanes of one stack at most.
        rows: rows that are evaluated at once.
        compiled: False keeps to PyTorch's own operations.
    """

    def __init__(
        self,
        objective: Objective,
        ordered: Callable[[], Iterator[Tensor]],
        together: int,
        rows: int,
        *,
        compiled: bool,
    ) -> None:
        self._objective, self._ordered = objective, ordered
        self._together, self._rows, self._compiled = together, rows, compiled
        self._groups: list[Group] = []

    def arrange(self, lanes: Sequence[Lane]) -> None:
        """Group the lanes."""
        made = {_identity(group.lanes): group for group in self._groups}
        sets = alike(lanes, self._together, self._rows)
        if any(stackable(some[0]) and not fits_two(some[0], self._rows) for some in sets):
            _say_one_by_one(self._rows)
        wanted = [(_identity(some), some) for some in sets]
        for key in made.keys() - {key for key, _ in wanted}:
            made[key].unload()
        self._groups = [made.get(key) or self._made(some) for key, some in wanted]

    def _made(self, lanes: list[Lane]) -> Group:
        # An objective of its own: groups measure at the same time.
        objective = replace(self._objective)
        if stackable(lanes[0]):
            return StackedGroup(lanes, objective, self._ordered, compiled=self._compiled)
        return SingleGroup(lanes[0], objective, self._ordered, compiled=self._compiled)

    def each(self, call: Callable[[Group], Tensor], workers: Workers) -> list[Tensor]:
        """Return what a call with each group returns; groups run side by side."""

        # The longest first: whoever ends last then waits for little.
        order = sorted(range(len(self._groups)), key=lambda i: -self._groups[i].macs)
        found = workers.run([functools.partial(call, self._groups[i]) for i in order])
        by_group = dict(zip(order, found, strict=True))
        return [by_group[i] for i in range(len(self._groups))]

    def write_back(self, lanes: Sequence[Lane] | None = None) -> None:
        """Copy values into all lanes, or into some; groups go on."""
        some = None if lanes is None else {id(lane) for lane in lanes}
        for group in self._groups:
            group.unload(lambda lane: some is None or id(lane) in some)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)


@functools.cache
def _say_one_by_one(rows: int) -> None:
    _log.warning(
        "candidates so wide train one by one: two would take more than a gigabyte for %d rows", rows
    )


def _identity(lanes: Sequence[Lane]) -> tuple[int, ...]:
    """Return what tells sets of living lanes apart: a new lane may have an old one's name."""
    return tuple(id(lane) for lane in lanes)
