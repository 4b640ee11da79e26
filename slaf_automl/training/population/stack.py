"""Equally deep networks side by side: one matrix product a layer, one call an activation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from slaf_automl.activations.stacked import Flow, Mode, Part, StackedActivation, parts_of
from slaf_automl.activations.statistics import RunningMoments
from slaf_automl.networks import Network
from slaf_automl.training.population.storage import Storage

_KEPT = 2**22
"""Numbers that flow through passes of an evaluation which are kept for the next one."""


class StackPass:
    """Forward and backward passes of a stack over batches of one size; owns what flows through.

    Args:
        storage: the values.
        parts: the parts of each hidden layer's slot, and last those of the inputs' slots.
        mode: what forward passes do with statistics; only `Mode.TRAIN` keeps room for gradients.
        rows: rows of a batch.
        compiled: False keeps to PyTorch's own operations.
    """

    def __init__(
        self,
        storage: Storage,
        parts: Sequence[Sequence[Part]],
        mode: Mode,
        rows: int,
        *,
        compiled: bool,
    ) -> None:
        self._storage = storage
        like, lanes = storage.parameters, storage.lanes
        hidden = len(storage.blocks) - 1
        values = storage.parameters
        self._weights = [storage.weight(values, level) for level in range(hidden + 1)]
        self._turned = [w.transpose(1, 2) for w in self._weights]
        self._biases = [storage.bias(values, level)[:, None] for level in range(hidden + 1)]
        grads = storage.gradients
        self._weight_gradients = [storage.weight(grads, level) for level in range(hidden + 1)]
        self._bias_gradients = [storage.bias(grads, level) for level in range(hidden + 1)]
        self._flows, self._slots = [], []
        trains = mode is Mode.TRAIN
        for level in range(hidden):
            width = storage.blocks[level].outputs
            x, y = (like.new_zeros(lanes, rows, width) for _ in range(2))
            gy, gx = (like.new_zeros((lanes, rows, width) if trains else 0) for _ in range(2))
            flow = Flow(x, y, gy, gx)
            self._flows.append(flow)
            self._slots.append(
                StackedActivation(parts[level], storage.memory, mode, flow, compiled=compiled)
            )
        # Rows innermost: what sums over a few outputs then runs over vectors of rows.
        shape = (lanes, storage.blocks[-1].outputs, rows)
        self._input: StackedActivation | None = None
        if len(parts) > hidden:
            width = storage.blocks[0].inputs
            x, y = (like.new_zeros(lanes, rows, width) for _ in range(2))
            gy, gx = (like.new_zeros((lanes, rows, width) if trains else 0) for _ in range(2))
            self._given = Flow(x, y, gy, gx)
            self._input = StackedActivation(
                parts[hidden], storage.memory, mode, self._given, compiled=compiled
            )
        self._outputs = like.new_zeros(shape)
        self.gradient = like.new_zeros(shape if trains else (0, 0, 0)).transpose(1, 2)
        self._x = like.new_zeros(0)

    @property
    def numbers(self) -> int:
        """How many numbers flow through it."""
        given = 0 if self._input is None else 2 * self._given.x.numel()
        return self._outputs.numel() + given + sum(2 * flow.x.numel() for flow in self._flows)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs `(lanes, rows, outputs)` of inputs `(lanes, rows, inputs)`."""
        if self._input is not None:
            self._given.x.copy_(x)
            self._input.forward()
            x = self._given.y
        self._x = x
        for level, (flow, slot) in enumerate(zip(self._flows, self._slots, strict=True)):
            torch.baddbmm(self._biases[level], x, self._turned[level], out=flow.x)
            slot.forward()
            x = flow.y
        bias, weight = self._biases[-1].transpose(1, 2), self._weights[-1]
        torch.baddbmm(bias, weight, x.transpose(1, 2), out=self._outputs)
        return self._outputs.transpose(1, 2)

    def backward(self) -> None:
        """Write all gradients, from `gradient`, the one of the outputs."""
        g = self.gradient
        for level in reversed(range(len(self._weights))):
            x = self._flows[level - 1].y if level else self._x
            torch.bmm(g.transpose(1, 2), x, out=self._weight_gradients[level])
            torch.sum(g, 1, out=self._bias_gradients[level])
            if level:
                flow = self._flows[level - 1]
                torch.bmm(g, self._weights[level], out=flow.gy)
                self._slots[level - 1].backward()
                g = flow.gx
            elif self._input is not None:
                torch.bmm(g, self._weights[0], out=self._given.gy)
                self._input.backward()

    def diverged(self) -> set[int]:
        """Return the lanes a SLAF of which met a value that is not finite, and forget them."""
        slots = [*self._slots, *([self._input] if self._input is not None else [])]
        return set().union(*(slot.diverged() for slot in slots))


class Stack:
    """Values and passes of equally deep networks.

    The networks' own modules say what each lane computes; the values live in `storage`.

    Args:
        networks: one of each lane; their values are taken.
        compiled: False keeps to PyTorch's own operations.
    """

    def __init__(self, networks: Sequence[Network], *, compiled: bool = True) -> None:
        self.networks = list(networks)
        self.storage = Storage(networks)
        self._compiled = compiled
        self._passes: dict[tuple[Mode, int], StackPass] = {}
        self._diverged: set[int] = set()

    @property
    def device(self) -> torch.device:
        """Where it trains."""
        return self.storage.parameters.device

    def changed(self) -> None:
        """Make the passes anew: a network's module says something else now."""
        self._passes.clear()

    def over(self, mode: Mode, rows: int) -> StackPass:
        """Return the passes over batches of so many rows."""
        found = self._passes.get((mode, rows))
        if found is None:
            slots = len(self.networks[0].slots)  # Those of the inputs are the last.
            parts = [
                [
                    part
                    for lane, network in enumerate(self.networks)
                    for part in parts_of(
                        network.slots[level], f"slots.{level}", lane, self.storage.places(lane)
                    )
                ]
                for level in range(slots)
            ]
            found = StackPass(self.storage, parts, mode, rows, compiled=self._compiled)
            # What evaluates thousands of rows of wide layers is made anew each time: all stacks
            # together would hold too much.
            if mode is Mode.TRAIN or found.numbers <= _KEPT:
                self._passes[mode, rows] = found
        return found

    def diverged(self) -> set[int]:
        """Return the lanes that diverged in training or estimation since this was last asked."""
        made = [p for (mode, _), p in self._passes.items() if mode is Mode.TRAIN]
        found = self._diverged.union(*(p.diverged() for p in made))
        self._diverged = set()
        return found

    @property
    def estimates(self) -> bool:
        """Whether any normaliser's statistics are to be estimated before validation."""
        return any(
            not (m.constant or m.tracked)
            for network in self.networks
            for m in network.modules()
            if isinstance(m, RunningMoments)
        )

    @torch.no_grad()
    def estimate(self, batches: Iterable[Tensor]) -> None:
        """Estimate statistics anew over batches `(rows, inputs)`, as `estimate_statistics` does."""
        if not self.estimates:
            return
        running, batch = self.storage.running, self.storage.memory.batch
        means, variances, seen = None, None, 0
        counters = torch.zeros_like(running.counters)
        for x in batches:
            batch.means.copy_(running.means if means is None else means)
            batch.variances.copy_(running.variances if variances is None else variances)
            batch.counters.zero_()
            made = self.over(Mode.POOL, len(x))
            made.forward(x.expand(len(self.networks), -1, -1))
            self._diverged |= made.diverged()
            counters += batch.counters
            if means is None or variances is None:
                means, variances = batch.means.clone(), batch.variances.clone()
            else:
                share = len(x) / (seen + len(x))
                step = batch.means - means
                spread = share * (1 - share) * step.square()
                variances += share * (batch.variances - variances) + spread
                means += share * step
            seen += len(x)
        if means is not None and variances is not None:
            # Statistics that are held or only follow the training were not written.
            running.means.copy_(means)
            running.variances.copy_(variances)
            running.counters.copy_(torch.where(counters > 0, counters, running.counters))

    def evaluate(self, x: Tensor, chunk: int) -> Tensor:
        """Return the outputs `(lanes, rows, outputs)` of `x` `(rows, inputs)` in evaluation."""
        found = [
            self.over(Mode.EVALUATE, len(part))
            .forward(part.expand(len(self.networks), -1, -1))
            .clone()
            for part in torch.split(x, chunk)
        ]
        return torch.cat(found, 1)
