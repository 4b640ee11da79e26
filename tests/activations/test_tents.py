"""The compiled passes of a line and tents, against the formula written out and by hand."""

import itertools

import pytest
import torch
from test_stacked import Stack, near, width_of

from slaf_automl.activations import SLAF, hold_statistics
from slaf_automl.activations.fixed import FixedActivation
from slaf_automl.activations.passes import compiler
from slaf_automl.activations.stacked import Flow, Mode, StackedActivation, parts_of
from slaf_automl.activations.statistics import SETTLED

pytestmark = pytest.mark.skipif(
    compiler._compiler() is None, reason="no C++ compiler: there are no compiled passes"
)

SERVED = ("none", "frozen", "held")
"""Normalisers whose statistics carry no gradient: `held` is `input` after `hold_statistics`."""


def tents(channels, *, degree=5, normaliser="frozen", seed=0, **options):
    held = normaliser == "held"
    slot = SLAF(
        channels,
        basis="tent",
        degree=degree,
        normaliser="input" if held else normaliser,
        **{"clip": 3.0, **options},
    ).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in slot.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator, dtype=torch.float64))
        if held:
            slot(normal(40, channels, seed=99))
            hold_statistics(slot)
    return slot


def lanes():
    """Every degree, sharing and share of ReLU channels, under all that is served."""
    forms = itertools.product(SERVED, ("layer", "channel", 2), (1, 2, 5, 16))
    return [
        tents(3 + k % 4, degree=degree, normaliser=normaliser, sharing=sharing, seed=k)
        if sharing == 2
        else tents(
            4 + k % 4,
            degree=degree,
            normaliser=normaliser,
            sharing=sharing,
            hybrid=(0.0, 0.4)[k % 2],
            clip=(3.0, 1.0)[k // 2 % 2],
            seed=k,
        )
        for k, (normaliser, sharing, degree) in enumerate(forms)
    ]


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def over(stack, rows, mode=Mode.TRAIN, *, compiled=True):
    """Return the flow and the passes of a stack of tents over so many rows."""
    width = max(map(width_of, stack.slots))
    like = stack.memory.parameters
    flow = Flow(*(like.new_zeros(len(stack.slots), rows, width) for _ in range(4)))
    parts = [
        part
        for lane, (slot, places) in enumerate(zip(stack.slots, stack.places, strict=True))
        for part in parts_of(slot, "slot", lane, places)
    ]
    activation = StackedActivation(parts, stack.memory, mode, flow, compiled=compiled)
    served = activation._fast.parts if compiled else activation._slow.parts
    assert len(served) == len(parts)
    return flow, activation


def run(flow, activation, stack, x, g):
    """One step; outputs and every gradient, of a stack and of its lanes' own modules."""
    for lane, slot in enumerate(stack.slots):
        width = width_of(slot)
        flow.x[lane, :, :width], flow.gy[lane, :, :width] = x[lane, :, :width], g[lane, :, :width]
    activation.forward()
    activation.backward()
    return flow.y.clone(), flow.gx.clone(), stack.memory.gradients.clone()


def assert_alone(stack, flow, x, g, tolerance):
    """Hold what a step wrote against each lane's own module, written out."""
    for lane, slot in enumerate(stack.slots):
        width = width_of(slot)
        given = x[lane, :, :width].clone().requires_grad_()
        y = slot(given)
        y.backward(g[lane, :, :width])
        near(flow.y[lane, :, :width], y.detach(), tolerance)
        near(flow.gx[lane, :, :width], given.grad, tolerance)
    for slot, name, at in stack.parameters:
        p = slot.get_parameter(name)
        near(stack.memory.gradients[at : at + p.numel()].view(p.shape), p.grad, tolerance)
        p.grad = None
    stack.assert_statistics(stack.memory.running, tolerance)


@pytest.mark.parametrize("rows", [1, 23])
def test_values_gradients_and_statistics(rows):
    slots = lanes()
    fast, slow = Stack(slots, torch.float64), Stack(slots, torch.float64)
    passes, written = over(fast, rows), over(slow, rows, compiled=False)
    for step in range(3):
        # Beyond the clip ranges, and in the last step far beyond.
        x, g = (normal(len(slots), rows, 7, seed=2 * step + i) for i in range(2))
        x = x * (1.0, 3.0, 1e4)[step] + step
        tolerance = (1e-11, 1e-11, 1e-7)[step]  # The ReLU channels' own passes lose digits there.
        found, wanted = run(*passes, fast, x, g), run(*written, slow, x, g)
        for mine, theirs in zip(found, wanted, strict=True):
            near(mine, theirs, tolerance)
        assert_alone(fast, passes[0], x, g, tolerance)
    moved, wanted = fast.memory.running, slow.memory.running
    torch.testing.assert_close(moved.means, wanted.means)
    torch.testing.assert_close(moved.variances, wanted.variances)
    assert torch.equal(moved.counters, wanted.counters)
    assert passes[1].diverged() == written[1].diverged() == set()


def test_float32_is_float64_rounded():
    slots = lanes()
    single, double = Stack(slots, torch.float32), Stack(slots, torch.float64)
    x, g = (normal(len(slots), 23, 7, seed=i) for i in range(2))
    found = run(*over(single, 23), single, x.float(), g.float())
    wanted = run(*over(double, 23), double, x.float().double(), g.float().double())
    for mine, theirs in zip(found, wanted, strict=True):
        near(mine, theirs, 2e-5)


@pytest.mark.parametrize("mode", [Mode.EVALUATE, Mode.POOL])
def test_evaluation_leaves_statistics_that_only_follow(mode):
    slots = lanes()
    for lane, slot in enumerate(slots):
        slot(normal(30, slot.channels, seed=lane))
    stack = Stack(slots, torch.float64)
    before = stack.memory.running.means.clone(), stack.memory.running.counters.clone()
    flow, activation = over(stack, 9, mode)
    x = normal(len(slots), 9, 7, seed=5)
    for lane, slot in enumerate(stack.slots):
        flow.x[lane, :, : width_of(slot)] = x[lane, :, : width_of(slot)]
    activation.forward()
    assert torch.equal(stack.memory.running.means, before[0])
    assert torch.equal(stack.memory.running.counters, before[1])
    for lane, slot in enumerate(stack.slots):
        wanted = slot.eval()(x[lane, :, : width_of(slot)]).detach()
        near(flow.y[lane, :, : width_of(slot)], wanted, 1e-12)


def test_statistics_settle():
    stack = Stack([tents(2)], torch.float64)
    rows = SETTLED // 2 + 1
    passes = over(stack, rows)
    for step in range(3):
        x, g = (normal(1, rows, 2, seed=2 * step + i) for i in range(2))
        run(*passes, stack, x + step, g)
        assert_alone(stack, passes[0], x + step, g, 1e-9)
    assert stack.memory.running.counters.tolist() == [2 * rows]


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("normaliser", SERVED)
def test_a_lane_that_is_not_finite_is_noticed_and_reaches_no_other(normaliser, broken):
    stack = Stack([tents(3, normaliser=normaliser, seed=k) for k in range(3)], torch.float64)
    flow, activation = over(stack, 5)
    x, g = normal(3, 5, 3), normal(3, 5, 3, seed=1)
    x[1, 2, 1] = broken
    seen = stack.memory.running.counters.clone()
    y, gx, gradients = run(flow, activation, stack, x, g)
    # An infinite input is at the end of the clip range, unless it enters a statistic.
    hidden = broken == broken and normaliser != "frozen"
    assert activation.diverged() == (set() if hidden else {1})
    assert activation.diverged() == set()
    others = [0, 2]
    assert y[others].isfinite().all()
    assert gx[others].isfinite().all()
    moved = stack.memory.running.counters - seen
    assert moved.tolist() == ([5, 0, 5] if normaliser == "frozen" else [0] * len(moved))
    assert stack.memory.running.means.isfinite().all()
    assert len(gradients)


def test_no_rows_move_nothing():
    slots = lanes()
    stack = Stack(slots, torch.float64)
    _, activation = over(stack, 0)
    stack.memory.gradients.fill_(1.0)
    before = stack.memory.running.means.clone()
    activation.forward()
    activation.backward()
    assert not stack.memory.gradients[learned(stack)].any()
    assert torch.equal(stack.memory.running.means, before)
    assert activation.diverged() == set()


def learned(stack):
    """Say which values are parameters of SLAF channels, not of the ReLU channels beside them."""
    found = torch.zeros(len(stack.memory.parameters), dtype=torch.bool)
    for slot, name, at in stack.parameters:
        found[at : at + slot.get_parameter(name).numel()] = not name.startswith("rectifier")
    return found


def test_by_hand():
    """f = 0.5 + 2·v + 3·tent₁ − tent₂ + 4·tent₃ of degree 4: the knots are −1/2, 0, 1/2."""
    slot = SLAF(1, basis="tent", degree=4, normaliser="none", clip=1.0).double()
    with torch.no_grad():
        slot.bias.fill_(0.5)
        slot.coefficients.copy_(torch.tensor([[2.0, 3.0, -1.0, 4.0]]))
    stack = Stack([slot], torch.float64)
    x = torch.tensor([-5.0, -1.0, -0.75, -0.5, -0.25, 0.25, 0.625, 0.75, 1.0, 2.0]).double()
    # Past the ends the function stays as it is there.
    values = [-1.5, -1.5, 0.5, 2.5, 1.0, 2.5, 4.75, 4.0, 2.5, 2.5]
    y, gx, gradients = run(*over(stack, 10), stack, x[None, :, None], torch.ones(1, 10, 1).double())
    assert y.flatten().tolist() == pytest.approx(values)
    between = [0, 2, 4, 5, 6, 7, 9]
    wanted = [0.0, 2 + 3 * 2, 2 + (-1 - 3) * 2, 2 + (4 + 1) * 2, 2 - 4 * 2, 2 - 4 * 2, 0.0]
    assert gx.flatten()[between].tolist() == pytest.approx(wanted)
    v = x.clamp(-1, 1)
    sums = [float(v.sum()), 0.5 + 1 + 0.5, 0.5 + 0.5, 0.5 + 0.75 + 0.5, 10.0]
    order = {"coefficients": sums[:4], "bias": sums[4:]}
    for _, name, at in stack.parameters:
        if name in order:
            found = gradients[at : at + len(order[name])].tolist()
            assert found == pytest.approx(order[name])


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_at_knots_and_ends_it_slopes_as_written(degree):
    """Gaps of a table are 0, where even degrees have a knot: a population must train them alike."""
    slot = tents(1, degree=degree, normaliser="none", clip=1.0)
    fast, slow = Stack([slot], torch.float64), Stack([slot], torch.float64)
    x = torch.cat([torch.linspace(-1, 1, degree + 1), torch.tensor([-2.0, 2.0])]).double()
    g = torch.arange(1.0, len(x) + 1).double()
    x, g = x[None, :, None], g[None, :, None]
    found = run(*over(fast, x.shape[1]), fast, x, g)
    wanted = run(*over(slow, x.shape[1], compiled=False), slow, x, g)
    for mine, theirs in zip(found, wanted, strict=True):
        near(mine, theirs, 1e-13)


@pytest.mark.parametrize(
    "other",
    [
        SLAF(3, basis="tent", degree=3, normaliser="element"),
        SLAF(3, basis="tent", degree=3, normaliser="input"),
        SLAF(3, basis="tent", degree=3, normaliser="frozen", clip=None),
        SLAF(3, basis="hat", degree=3, normaliser="frozen"),
    ],
)
def test_other_forms_run_written_out_beside_them(other):
    slots = [tents(3), other.double(), FixedActivation(3).double()]
    stack = Stack(slots, torch.float64)
    like = stack.memory.parameters
    flow = Flow(*(like.new_zeros(3, 11, 3) for _ in range(4)))
    parts = [
        part
        for lane, (slot, places) in enumerate(zip(stack.slots, stack.places, strict=True))
        for part in parts_of(slot, "slot", lane, places)
    ]
    activation = StackedActivation(parts, stack.memory, Mode.TRAIN, flow)
    assert [part.lane for part in activation._slow.parts] == [1]
    x, g = normal(3, 11, 3), normal(3, 11, 3, seed=1)
    run(flow, activation, stack, x, g)
    assert_alone(stack, flow, x, g, 1e-9)


def test_without_compiled_passes_it_trains_as_well(monkeypatch):
    monkeypatch.setenv(compiler.SWITCH, "off")
    compiler.tent_passes.cache_clear()
    compiler.kernel.cache_clear()
    try:
        assert compiler.tent_passes(torch.float64) is None
        stack = Stack([tents(3)], torch.float64)
        flow, activation = stack.over(Mode.TRAIN, compiled=True)
        assert len(activation._slow.parts) == 1
    finally:
        compiler.tent_passes.cache_clear()
        compiler.kernel.cache_clear()
    assert flow.x.shape[0] == 1


def test_other_precisions_have_no_compiled_passes():
    assert compiler.tent_passes(torch.bfloat16) is None
