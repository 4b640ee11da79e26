"""Parts of a stack in PyTorch operations: every basis, every device; one evaluation a formula."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from slaf_automl.activations.channels import Moments, batch_moments
from slaf_automl.activations.passes.form import Form, Source
from slaf_automl.activations.passes.written import Parameters, Settled, written_out
from slaf_automl.activations.stacked.memory import Flow, Memory, Running
from slaf_automl.activations.stacked.part import Mode, Part, Statistic


class WrittenParts:
    """Parts of one slot, those of one formula evaluated together.

    Args:
        parts: any parts.
        memory: where their values lie.
        mode: what forward passes do with statistics.
        flow: where input, output and gradients lie.

    Attributes:
        status: `(parts,)` int64: not 0 where a forward pass met a value that is not finite.
    """

    def __init__(self, parts: Sequence[Part], memory: Memory, mode: Mode, flow: Flow) -> None:
        self.parts = tuple(parts)
        self.status = torch.zeros(len(parts), dtype=torch.long, device=flow.x.device)
        kinds: dict[tuple[Form, tuple[Source, Source], bool], list[int]] = {}
        for i, part in enumerate(parts):
            key = (part.form, part.sources(mode), part.gain is not None)
            kinds.setdefault(key, []).append(i)
        self._groups = [
            _Group([parts[i] for i in members], memory, mode, flow, self.status, members)
            for members in kinds.values()
        ]

    def forward(self) -> None:
        """Write the outputs, and move the statistics as the mode says."""
        for group in self._groups:
            group.forward()

    def backward(self) -> None:
        """Write the gradients of input and parameters after a forward pass."""
        for group in self._groups:
            group.backward()


class _Group:
    """Parts of one form with the same sources, side by side as channels `(C, rows)`."""

    def __init__(
        self,
        parts: list[Part],
        memory: Memory,
        mode: Mode,
        flow: Flow,
        status: Tensor,
        members: list[int],
    ) -> None:
        self.parts, self.memory, self.mode, self.flow = parts, memory, mode, flow
        self.form, self.sources = parts[0].form, parts[0].sources(mode)
        device = flow.x.device
        self.status, self.members = status, torch.tensor(members, device=device)
        counts = torch.tensor([p.channels for p in parts], device=device)
        self.part_of = torch.repeat_interleave(torch.arange(len(parts), device=device), counts)
        self.lanes = torch.tensor([p.lane for p in parts], device=device)[self.part_of]
        self.channels = _joined(parts, lambda p: range(p.first, p.first + p.channels), device)
        self.learned = parts[0].learned
        degree = self.form.degree
        rows = _joined(
            parts, lambda p: [c * p.rows // p.channels for c in range(p.channels)], device
        )
        if self.learned:
            first = torch.tensor([p.coefficients for p in parts], device=device)[self.part_of]
            every = torch.arange(degree, device=device)
            self.coefficients = (first + rows * degree)[:, None] + every
            self.bias = torch.tensor([p.bias for p in parts], device=device)[self.part_of] + rows
        self.affine = parts[0].gain is not None
        if self.affine:
            own = _joined(parts, lambda p: range(p.channels), device)
            self.gain = torch.tensor([p.gain for p in parts], device=device)[self.part_of] + own
            self.offset = torch.tensor([p.offset for p in parts], device=device)[self.part_of] + own
        self.inputs = _Statistics.of([p.inputs for p in parts], self, 1)
        self.elements = _Statistics.of([p.elements for p in parts], self, degree)
        self.graph: tuple[Tensor, list[Tensor], Tensor] | None = None

    def forward(self) -> None:
        values, flow = self.memory.parameters, self.flow
        differentiable = flow.gy.numel() > 0
        x = flow.x[self.lanes, :, self.channels]
        if self.learned:
            coefficients, bias = values[self.coefficients], values[self.bias]
        else:
            coefficients = values.new_ones(len(x), 1)
            bias = values.new_zeros(len(x))
        leaves = [x]
        leaves += [coefficients, bias] if self.learned else []
        gain = offset = None
        if self.affine:
            gain, offset = values[self.gain], values[self.offset]
            leaves += [gain, offset]
        if differentiable:
            for leaf in leaves:
                leaf.requires_grad_()
        settled = [None if s is None else s.settled(x.detach()) for s in self._statistics()]
        with torch.set_grad_enabled(differentiable):
            y, *batches = written_out(
                x,
                0,
                self.form,
                self.sources,
                Parameters(coefficients, bias, gain, offset),
                settled[0],
                settled[1],
            )
        self.graph = (y, leaves, x) if differentiable else None
        out = y.detach()
        flow.y[self.lanes, :, self.channels] = out
        finite = torch.isfinite(out).all(1)
        for statistics, batch in zip(self._statistics(), batches, strict=True):
            if statistics is not None:
                found = statistics.observe(x.detach(), batch)
                finite = finite if found is None else finite & found
        self.status[self.members] |= _any(~finite, self.part_of, len(self.parts)).long()

    def _statistics(self) -> tuple[_Statistics | None, _Statistics | None]:
        return self.inputs, self.elements

    def backward(self) -> None:
        assert self.graph is not None
        y, leaves, _ = self.graph
        flow, into = self.flow, self.memory.gradients
        gx, *found = torch.autograd.grad(y, leaves, flow.gy[self.lanes, :, self.channels])
        self.graph = None
        flow.gx[self.lanes, :, self.channels] = gx
        if self.learned:
            for place, gradient in ((self.coefficients, found[0]), (self.bias, found[1])):
                into[place] = 0.0
                into.index_put_((place,), gradient, accumulate=True)
        if self.affine:
            into[self.gain], into[self.offset] = found[-2], found[-1]


class _Statistics:
    """The statistics of the input or of the elements of a group."""

    def __init__(self, group: _Group, statistics: list[Statistic], columns: int) -> None:
        self.group, self.columns = group, columns
        device = group.part_of.device
        starts = torch.tensor([s.start for s in statistics], device=device)[group.part_of]
        own = _joined(group.parts, lambda p: range(p.channels), device)
        self.index = (starts + own * columns)[:, None] + torch.arange(columns, device=device)
        self.counters = torch.tensor([s.counter for s in statistics], device=device)
        self.settle = torch.tensor([s.settle for s in statistics], device=device)
        self.momentum = statistics[0].momentum
        self.source = statistics[0].source_in(group.mode)

    @staticmethod
    def of(found: list[Statistic | None], group: _Group, columns: int) -> _Statistics | None:
        statistics = [s for s in found if s is not None]
        return _Statistics(group, statistics, columns) if statistics else None

    def _shaped(self, values: Tensor) -> Tensor:
        return values[:, 0] if self is self.group.inputs else values

    def settled(self, x: Tensor) -> Settled | None:
        """Return what does not come from the batch."""
        if self.source is Source.BATCH:
            return None
        running = self.group.memory.running
        mean = self._shaped(running.means[self.index])
        variance = self._shaped(running.variances[self.index])
        if self.source is Source.FOLLOW:
            batch = batch_moments(x, 0)
            first = running.counters[self.counters][self.group.part_of] == 0
            mean = torch.where(first, batch.mean, mean)
            variance = torch.where(first, batch.variance, variance)
        return Settled(mean, torch.rsqrt(variance + self.group.form.epsilon))

    def observe(self, x: Tensor, batch: Moments | None) -> Tensor | None:
        """Take the batch in, as `RunningMoments.observe` does; returns which channels are finite.

        None where there was nothing to take in.
        """
        if self.source is Source.CONSTANT:
            return None
        group = self.group
        pool = group.mode is Mode.POOL
        into: Running = group.memory.batch if pool else group.memory.running
        found = batch_moments(x, 0) if batch is None else batch
        mean, variance = (t.detach().reshape(self.index.shape) for t in found)
        finite = torch.isfinite(mean) & torch.isfinite(variance)
        seen = into.counters[self.counters]
        moving = (self.settle == 0) | (seen < self.settle)
        share = torch.where(seen == 0, 1.0, torch.where(moving, self.momentum, 0.0)).to(mean)
        share = share[group.part_of][:, None]
        for values, new in ((into.means, mean), (into.variances, variance)):
            old = values[self.index]
            # The first batch as it is, exactly, whatever was there before.
            moved = torch.where(share == 1.0, new, old + share * (new - old))
            values[self.index] = torch.where(finite, moved, old)
        whole = finite.all(1)
        good = ~_any(~whole, group.part_of, len(group.parts))
        into.counters[self.counters] = seen + x.shape[1] * (good & moving)
        return whole


def _joined(parts: list[Part], numbers: object, device: torch.device) -> Tensor:
    """Return the numbers that a function gives for each part, one after the other."""
    assert callable(numbers)
    return torch.tensor([n for part in parts for n in numbers(part)], device=device)


def _any(flags: Tensor, part_of: Tensor, parts: int) -> Tensor:
    """Return for each part whether any of its channels is flagged."""
    found = torch.zeros(parts, dtype=torch.long, device=flags.device)
    return found.index_add(0, part_of, flags.long()) > 0
