"""The values of equally deep networks in flat vectors: one block a layer, the rest lane by lane."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from slaf_automl.activations.slaf import SLAF
from slaf_automl.activations.stacked import Memory, Places, Running
from slaf_automl.activations.statistics import RunningMoments
from slaf_automl.networks import Network
from slaf_automl.training.population.adamw import COEFFICIENTS, OFFSETS, WEIGHTS, Segment

_ALIGNED = 16
"""Every block begins at a multiple of so many values: a vector of the passes."""


@dataclass(frozen=True)
class Block:
    """The weights `(lanes, outputs, inputs)` and biases `(lanes, outputs)` of one layer."""

    weight: int
    bias: int
    outputs: int
    inputs: int


@dataclass(frozen=True)
class Entry:
    """One tensor of a lane within a flat vector, as `torch.as_strided` takes it."""

    start: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def of(self, vector: Tensor) -> Tensor:
        """Return the view."""
        return vector.as_strided(self.shape, self.stride, vector.storage_offset() + self.start)


@dataclass
class _Allocation:
    """Hands out aligned places."""

    size: int = 0

    def take(self, values: int) -> int:
        start = self.size
        self.size += math.ceil(values / _ALIGNED) * _ALIGNED
        return start


@dataclass
class _LaneEntries:
    parameters: dict[str, Entry] = field(default_factory=dict)
    statistics: dict[str, tuple[Entry, int]] = field(default_factory=dict)

    def places(self) -> Places:
        return Places(
            {name: entry.start for name, entry in self.parameters.items()},
            {name: entry.start for name, (entry, _) in self.statistics.items()},
            {name: counter for name, (_, counter) in self.statistics.items()},
        )


class Storage:
    """Parameters, their gradients and optimiser moments, and running statistics of n networks.

    Layers are padded with zeros to the widest network's; what multiplies a padded value is 0, so
    its gradient is 0 and it stays 0.

    Args:
        networks: networks of one depth with the same inputs and outputs; their values are taken.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.lanes = len(networks)
        taken, self.segments = _Allocation(), list[Segment]()
        self._entries = [_LaneEntries() for _ in networks]
        self.blocks = [
            self._block(taken, level, [cast(nn.Linear, n.layers[level]) for n in networks])
            for level in range(len(networks[0].layers))
        ]
        values, counters = _Allocation(), itertools.count()
        for lane, network in enumerate(networks):
            self._own(taken, lane, network)
            for name, module in network.named_modules():
                if isinstance(module, RunningMoments):
                    entry = _contiguous(values.take(module.mean.numel()), module.mean)
                    self._entries[lane].statistics[name] = entry, next(counters)
        like = next(networks[0].parameters()).detach()
        self.parameters = like.new_zeros(taken.size)
        self.gradients = like.new_zeros(taken.size)
        self.first, self.second = like.new_zeros(taken.size), like.new_zeros(taken.size)
        count = next(counters)
        self.running = Running.empty(values.size, count, like)
        self.memory = Memory(
            self.parameters,
            self.gradients,
            self.running,
            Running.empty(values.size, count, like),
        )
        self._views = [
            {**self.named(lane, self.parameters), **self._statistics(lane)}
            for lane in range(self.lanes)
        ]
        for lane, network in enumerate(networks):
            self.load(lane, network.state_dict())

    def _block(self, taken: _Allocation, level: int, layers: list[nn.Linear]) -> Block:
        outputs = max(layer.out_features for layer in layers)
        inputs = max(layer.in_features for layer in layers)
        weight = taken.take(len(layers) * outputs * inputs)
        bias = taken.take(len(layers) * outputs)
        for lane, layer in enumerate(layers):
            entries, first = self._entries[lane].parameters, lane * outputs
            entries[f"layers.{level}.weight"] = Entry(
                weight + first * inputs, (layer.out_features, layer.in_features), (inputs, 1)
            )
            entries[f"layers.{level}.bias"] = Entry(bias + first, (layer.out_features,), (1,))
            self.segments += [
                Segment(weight + first * inputs, outputs * inputs, lane, WEIGHTS),
                Segment(bias + first, outputs, lane, OFFSETS),
            ]
        return Block(weight, bias, outputs, inputs)

    def _own(self, taken: _Allocation, lane: int, network: Network) -> None:
        entries = self._entries[lane].parameters
        learned = {
            f"{path}.{name}"
            for path, module in network.named_modules()
            if isinstance(module, SLAF)
            for name in ("coefficients", "bias")
        }
        for name, parameter in network.named_parameters():
            if name in entries:
                continue
            entries[name] = _contiguous(taken.take(parameter.numel()), parameter)
            group = COEFFICIENTS if name in learned else OFFSETS
            self.segments.append(Segment(entries[name].start, parameter.numel(), lane, group))

    def places(self, lane: int) -> Places:
        """Return where the values of a lane's modules begin."""
        return self._entries[lane].places()

    def weight(self, vector: Tensor, level: int) -> Tensor:
        """Return a layer's weights `(lanes, outputs, inputs)` within a vector of parameters."""
        block = self.blocks[level]
        shape = (self.lanes, block.outputs, block.inputs)
        return vector[block.weight :][: math.prod(shape)].view(shape)

    def bias(self, vector: Tensor, level: int) -> Tensor:
        """Return a layer's biases `(lanes, outputs)` within a vector of parameters."""
        block = self.blocks[level]
        shape = (self.lanes, block.outputs)
        return vector[block.bias :][: math.prod(shape)].view(shape)

    def named(self, lane: int, vector: Tensor) -> dict[str, Tensor]:
        """Return a lane's parts of a vector of parameters as views, by parameter name."""
        return {n: entry.of(vector) for n, entry in self._entries[lane].parameters.items()}

    def _statistics(self, lane: int) -> dict[str, Tensor]:
        found = {}
        for name, (entry, counter) in self._entries[lane].statistics.items():
            found[f"{name}.mean"] = entry.of(self.running.means)
            found[f"{name}.variance"] = entry.of(self.running.variances)
            found[f"{name}.rows"] = self.running.counters[counter]
        return found

    def state(self, lane: int) -> dict[str, Tensor]:
        """Return copies of what the lane's network would have as `state_dict`."""
        return {name: view.clone() for name, view in self._views[lane].items()}

    def load(self, lane: int, state: dict[str, Tensor]) -> None:
        """Take a network's `state_dict`."""
        with torch.no_grad():
            for name, view in self._views[lane].items():
                view.copy_(state[name])


def _contiguous(start: int, like: Tensor) -> Entry:
    shape = tuple(like.shape)
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return Entry(start, shape, tuple(reversed(strides)))
