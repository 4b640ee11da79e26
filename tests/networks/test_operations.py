"""Multiply-accumulates, ReLU evaluations and depth, by hand and against torch's own counter."""

import math

import pytest
import torch
from hypothesis import given
from network_strategies import architectures, modest, relu, slaf, specs
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from slaf_automl.activations import BASES, find_kind
from slaf_automl.networks import DeployedNetwork, count_cost
from slaf_automl.spec import Architecture, Operations

SMOOTH = {"clip": None, "hybrid": 0.0}


def count(*placement, widths=(5,), centred=False):
    """Return the cost of a network of 4 inputs and 3 outputs."""
    return count_cost(Architecture("mlp", 4, 3, widths, placement, centred))


def test_a_relu_network_by_hand():
    cost = count(relu(), relu("element"), widths=(5, 7))
    assert cost.macs == 5 * 4 + 7 * 5 + 3 * 7
    assert cost.relus == 5 + 7
    assert cost.depth == math.inf


def test_a_network_of_polynomials_by_hand():
    cost = count(slaf(degree=3, **SMOOTH), slaf(degree=6, **SMOOTH), widths=(5, 7))
    assert cost.macs == (5 * 4 + 7 * 5 + 3 * 7) + (5 * 3 + 7 * 6)
    assert cost.relus == 0
    # Three layers; degree 3 needs x² and (a₃x)·x², degree 6 needs x², x⁴ and one more.
    assert cost.depth == 3 + 2 + 3


def test_a_mixed_network_by_hand_and_part_by_part():
    # Of 6 channels 6·(1 − 0.25) = 4.5 rounded half up, 5, are learned.
    placement = (slaf(degree=4, hybrid=0.25, clip=2.0), relu(), slaf(degree=2, **SMOOTH))
    cost = count(*placement, widths=(6, 8, 2), centred=True)
    assert cost.operations == (
        Operations("layers.0", 6 * 4, 0, 1),
        Operations("slots.0", 5 * 4, 1 + 2 * 5, None),
        Operations("layers.1", 8 * 6, 0, 1),
        Operations("slots.1", 0, 8, None),
        Operations("layers.2", 2 * 8, 0, 1),
        Operations("slots.2", 2 * 2, 0, 2),
        Operations("layers.3", 3 * 2, 0, 1),
    )
    assert cost.totals == {
        "parameters": 4 + (24 + 6 + 20) + (48 + 8) + (16 + 2 + 4) + (6 + 3),
        "macs": 24 + 20 + 48 + 16 + 4 + 6,
        "relus": 11 + 8,
        "depth": math.inf,
    }


@pytest.mark.parametrize(
    ("spec", "relus"),
    [
        (relu(), 5),
        (relu("input"), 5),
        (slaf(clip=None), 0),
        (slaf(clip=3.0), 2 * 5),
        # Of 5 channels, 5·(1 − h) rounded half up are learned: 4, 3 and 1.
        (slaf(clip=None, hybrid=0.25), 1),
        (slaf(clip=None, hybrid=0.75), 4),
        (slaf(clip=3.0, hybrid=0.25), 1 + 2 * 4),
        (slaf(clip=3.0, hybrid=0.5), 2 + 2 * 3),
        (slaf(clip=None, basis="fourier"), 0),
    ],
)
def test_a_slot_evaluates_relus_and_clips(spec, relus):
    assert count(spec).relus == relus


@pytest.mark.parametrize("degree", range(1, 17))
def test_depth_is_that_of_the_best_evaluation(degree):
    spec = slaf(degree=degree, **SMOOTH)
    # The least number of levels of which the degree doubles at most in each, from a₁·x on.
    levels = next(n for n in range(1, 10) if 2**n - 1 >= degree)
    assert find_kind("slaf").depth(spec, 5) == levels == math.ceil(math.log2(degree + 1))
    assert count(spec).depth == 2 + levels


@pytest.mark.parametrize(
    "spec",
    [
        relu(),
        slaf(clip=3.0),
        slaf(clip=None, hybrid=0.25),
        *(slaf(clip=None, basis=name) for name, basis in BASES.items() if not basis.polynomial),
    ],
    ids=lambda spec: f"{spec.kind}-{spec.parameters.get('basis')}-{spec.parameters.get('clip')}",
)
def test_what_is_no_polynomial_has_no_depth(spec):
    assert count(spec).depth == math.inf
    assert count(slaf(**SMOOTH), spec, slaf(**SMOOTH), widths=(5, 5, 5)).depth == math.inf


def test_a_share_that_rounds_to_no_channel_leaves_a_polynomial():
    # Of 2 channels 2·(1 − 0.25) = 1.5, rounded half up, are both learned; of 3 one is not.
    spec = slaf(degree=2, clip=None, hybrid=0.25)
    assert count(spec, widths=(2,)).depth == 2 + 2
    assert count(spec, widths=(3,)).depth == math.inf


@given(architecture=architectures())
@modest(60)
def test_layers_agree_with_torchs_counter(architecture):
    # Torch counts two operations a multiply-accumulate, and nothing of a SLAF.
    network, x = DeployedNetwork(architecture), torch.zeros(1, architecture.inputs)
    with FlopCounterMode(display=False) as counter:
        network(x)
    parts = {part.name: part for part in count_cost(architecture).operations}
    layers = sum(part.macs for name, part in parts.items() if name.startswith("layers."))
    assert counter.get_total_flops() == 2 * layers
    for i, spec in enumerate(architecture.placement):
        if spec.kind == "slaf":
            assert parts[f"slots.{i}"].macs > 0
        elif architecture.family != "resnet" and not architecture.residual:
            # There a slot may scale by itself.
            assert parts[f"slots.{i}"].macs == 0


@given(architecture=architectures(slots=specs(most_degree=4)))
@modest(40)
def test_relus_are_what_the_deployed_network_evaluates(architecture):
    # Each relu and each clamp (a minimum and a maximum) of one example, seen at work.
    network, x = DeployedNetwork(architecture), torch.zeros(1, architecture.inputs)
    with Comparisons() as seen:
        network(x)
    polynomial = all(
        spec.kind == "relu" or BASES[spec["basis"]].polynomial for spec in architecture.placement
    )
    counted = count_cost(architecture).relus
    assert seen.count == counted if polynomial else seen.count >= counted


class Comparisons(TorchDispatchMode):
    """Counts the numbers that pass through relu, twice those that pass through clamp, and k − 1 for
    each maximum over k places."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        times = {"aten::relu": 1, "aten::clamp": 2}.get(function.name(), 0)
        if times:
            self.count += times * args[0].numel()
        result = function(*args, **(kwargs or {}))
        if function.name() == "aten::max_pool2d_with_indices":
            self.count += (math.prod(args[1]) - 1) * result[0].numel()
        return result


@given(spec=specs())
@modest(150)
def test_no_cost_falls_as_channels_are_added(spec):
    # Widths are solved on that promise.
    kind = find_kind(spec.kind)
    least = max(2, kind.least_channels(spec))
    before = None
    for channels in range(least, least + 12):
        depth = kind.depth(spec, channels)
        costs = (
            kind.stored_values(spec, channels),
            kind.macs(spec, channels),
            kind.relus(spec, channels),
            math.inf if depth is None else depth,
        )
        assert before is None or all(b <= c for b, c in zip(before, costs, strict=True))
        before = costs
