"""Activations of many networks side by side against each network's own module."""

import copy
import itertools

import pytest
import torch
from torch import nn

from slaf_automl.activations import SLAF, hold_statistics
from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.stacked import (
    Flow,
    Memory,
    Mode,
    Places,
    Running,
    StackedActivation,
    parts_of,
)
from slaf_automl.activations.statistics import RunningMoments, pooled_statistics
from slaf_automl.errors import ActivationError

NORMALISERS = ("none", "input", "frozen", "element")
ROWS, WIDTH = 23, 9
FORMS = list(itertools.product(NORMALISERS, (3.0, None), ("chebyshev", "hermite", "bernstein")))


def modules(bases=("chebyshev", "hermite", "bernstein")):
    """One slot a lane: every normaliser and basis, with ReLU channels and ReLU slots between."""
    found: list[nn.Module] = []
    for k, (normaliser, clip, basis) in enumerate(FORMS):
        if basis not in bases:
            continue
        found.append(
            SLAF(
                4 + k % 6,
                basis=basis,
                degree=1 + k % 7 if clip else 1 + k % 3,
                normaliser=normaliser,
                clip=clip,
                hybrid=(0.0, 0.3, 0.6)[k % 3],
                sharing=("layer", "channel", 2)[(k // 2) % 3] if k % 3 < 2 else "channel",
            )
        )
        if k % 5 == 0:
            function = ("relu", "silu", "gelu")[k % 3]
            normaliser = NORMALISERS[k // 5 % 4]
            found.append(FixedActivation(3 + k % 4, function=function, normaliser=normaliser))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in found:
            for p in module.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=generator))
    return found


class Stack:
    """Lanes of one slot in flat vectors, as a population keeps them."""

    def __init__(self, slots, dtype):
        self.slots = [copy.deepcopy(slot).to(dtype) for slot in slots]
        self.parameters, self.moments = [], []
        start, first, self.places = 0, 0, []
        for slot in self.slots:
            parameters, statistics, counters = {}, {}, {}
            for name, p in slot.named_parameters():
                parameters[f"slot.{name}"] = start
                self.parameters.append((slot, name, start))
                start += p.numel()
            for name, m in slot.named_modules():
                if isinstance(m, RunningMoments):
                    statistics[f"slot.{name}"], counters[f"slot.{name}"] = first, len(self.moments)
                    self.moments.append((m, first))
                    first += m.mean.numel()
            self.places.append(Places(parameters, statistics, counters))
        like = torch.zeros(0, dtype=dtype)
        running, batch = (Running.empty(first, len(self.moments), like) for _ in range(2))
        self.memory = Memory(like.new_zeros(start), like.new_zeros(start), running, batch)
        for slot, name, at in self.parameters:
            p = slot.get_parameter(name).detach().flatten()
            self.memory.parameters[at : at + p.numel()] = p
        for counter, (m, at) in enumerate(self.moments):
            running.means[at : at + m.mean.numel()] = m.mean.flatten()
            running.variances[at : at + m.mean.numel()] = m.variance.flatten()
            running.counters[counter] = m.rows

    def over(self, mode, compiled):
        like = self.memory.parameters
        shape = (len(self.slots), ROWS, WIDTH)
        flow = Flow(*(like.new_zeros(shape) for _ in range(4)))
        parts = [
            part
            for lane, (slot, places) in enumerate(zip(self.slots, self.places, strict=True))
            for part in parts_of(slot, "slot", lane, places)
        ]
        return flow, StackedActivation(parts, self.memory, mode, flow, compiled=compiled)

    def assert_statistics(self, running, tolerance, only=lambda m: True):
        for counter, (m, at) in enumerate(self.moments):
            if only(m):
                count = m.mean.numel()
                for mine, theirs in ((running.means, m.mean), (running.variances, m.variance)):
                    found = mine[at : at + count].view(theirs.shape)
                    torch.testing.assert_close(found, theirs, rtol=tolerance, atol=tolerance)
                assert running.counters[counter] == m.rows


def inputs(dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(100, ROWS, WIDTH, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 2e-3)])
def test_values_gradients_and_statistics(compiled, dtype, tolerance):
    bases = ("chebyshev", "hermite", "bernstein") if dtype == torch.float64 else ("chebyshev",)
    stack = Stack(modules(bases), dtype)
    flow, activation = stack.over(Mode.TRAIN, compiled)
    for step in range(3):
        x, g = (inputs(dtype, 2 * step + i) for i in range(2))
        for lane, slot in enumerate(stack.slots):
            flow.x[lane, :, : width_of(slot)] = x[lane, :, : width_of(slot)]
            flow.gy[lane, :, : width_of(slot)] = g[lane, :, : width_of(slot)]
        activation.forward()
        activation.backward()
        for lane, slot in enumerate(stack.slots):
            width = width_of(slot)
            given = x[lane, :, :width].clone().requires_grad_()
            y = slot(given)
            y.backward(g[lane, :, :width])
            near(flow.y[lane, :, :width], y.detach(), tolerance)
            near(flow.gx[lane, :, :width], given.grad, tolerance)
            assert not flow.y[lane, :, width:].any()
            assert not flow.gx[lane, :, width:].any()
        for slot, name, at in stack.parameters:
            p = slot.get_parameter(name)
            near(stack.memory.gradients[at : at + p.numel()].view(p.shape), p.grad, tolerance)
            p.grad = None
        stack.assert_statistics(stack.memory.running, tolerance)
    assert activation.diverged() == set()


def width_of(slot):
    return slot.channels


def near(actual, wanted, tolerance):
    error = float((actual - wanted).abs().max() / max(1.0, float(wanted.abs().max())))
    assert error <= tolerance


@pytest.mark.parametrize("compiled", [True, False])
def test_evaluation_and_pooling(compiled):
    slots = modules()
    for lane, slot in enumerate(slots):
        slot.double()(inputs(torch.float64, 5)[lane, :, : slot.channels])
        if lane % 4 == 0:
            hold_statistics(slot)
    stack = Stack(slots, torch.float64)
    x = inputs(torch.float64, 6)
    for mode in (Mode.EVALUATE, Mode.POOL):
        before = copy.deepcopy(stack.memory.running)
        flow, activation = stack.over(mode, compiled)
        for lane, slot in enumerate(stack.slots):
            flow.x[lane, :, : slot.channels] = x[lane, :, : slot.channels]
        stack.memory.batch.counters.zero_()
        activation.forward()
        assert before.means.equal(stack.memory.running.means)
        for lane, slot in enumerate(stack.slots):
            slot.train(False)
            given = x[lane, :, : slot.channels]
            if mode is Mode.EVALUATE:
                wanted = slot(given)
            else:
                with pooled_statistics(slot), torch.no_grad():
                    wanted = slot(given)
            near(flow.y[lane, :, : slot.channels], wanted.detach(), 1e-9)
    stack.assert_statistics(
        stack.memory.batch, 1e-9, lambda m: not (m.tracked or m.constant) and m.rows == ROWS
    )


@pytest.mark.parametrize("compiled", [True, False])
def test_a_lane_that_is_not_finite_reaches_no_other(compiled):
    stack = Stack(modules(("chebyshev",)), torch.float64)
    flow, activation = stack.over(Mode.TRAIN, compiled)
    x = inputs(torch.float64, 7)
    for lane, slot in enumerate(stack.slots):
        flow.x[lane, :, : slot.channels] = x[lane, :, : slot.channels]
        flow.gy[lane, :, : slot.channels] = 1.0
    slaf = next(k for k, slot in enumerate(stack.slots) if isinstance(slot, SLAF))
    flow.x[slaf, 0, 0] = float("nan")
    activation.forward()
    activation.backward()
    assert activation.diverged() == {slaf}
    assert activation.diverged() == set()
    others = [k for k in range(len(stack.slots)) if k != slaf]
    assert flow.y[others].isfinite().all()
    assert flow.gx[others].isfinite().all()


def test_relu_has_no_slope_at_zero():
    """Compiled, ReLU is clipped from below: at the edge itself it must not pass a gradient."""
    stack = Stack([FixedActivation(2)], torch.float32)
    flow, activation = stack.over(Mode.TRAIN, compiled=True)
    flow.x[0, :3, 0] = torch.tensor([-1.0, 0.0, 2.0])
    flow.gy.fill_(1.0)
    activation.forward()
    activation.backward()
    assert flow.gx[0, :3, 0].tolist() == [0.0, 0.0, 1.0]


def test_a_module_of_another_kind_is_refused():
    with pytest.raises(ActivationError, match="slot act of type Tanh in a population"):
        parts_of(nn.Tanh(), "act", 0, Places({}, {}, {}))
