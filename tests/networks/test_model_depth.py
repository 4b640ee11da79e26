"""Multiplicative depth along the longest path, by hand."""

import math
from dataclasses import dataclass

import pytest
import torch
from network_strategies import relu, slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.errors import SlafError
from slaf_automl.networks.model_cost import measure_model
from slaf_automl.networks.model_depth import LevelGraph
from slaf_automl.networks.slots import find_slots
from slaf_automl.spec import Placement

ROW = torch.ones(1, 4)
IMAGE = torch.ones(2, 3, 6, 6)
LEVELS = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3, 6: 3, 7: 3, 8: 4}


def smooth(degree=3, **parameters):
    return slaf(degree=degree, normaliser="none", clip=None, **parameters)


def depth(model, example, spec, **options):
    """Return the depth with one spec in every slot."""
    slots = find_slots(model, example)
    cost = measure_model(model, example, slots, **options)
    return cost.of(Placement(slots, (spec,) * len(slots))).depth


def path(function, example=ROW):
    """Return the depth of a function behind a SLAF of two levels, which is not counted."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return function(self, self.act(x))

    slot = find_slots(Net(), example, channel_dims={"act#0": 1})
    graph = LevelGraph.of(Net(), example, slot)
    return graph.depth({"act#0": 2}) - 2


def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 2))


@pytest.mark.parametrize("degree", LEVELS)
def test_an_mlp(degree):
    assert depth(mlp(), ROW, smooth(degree)) == 3 + 2 * LEVELS[degree]


@pytest.mark.parametrize(
    "spec",
    [
        relu(),
        slaf(normaliser="none", clip=3.0),
        smooth(hybrid=0.5),
        smooth(basis="gaussian"),
    ],
    ids=str,
)
def test_what_is_no_polynomial(spec):
    assert depth(mlp(), ROW, spec) == math.inf


def test_one_kept_activation_is_enough():
    model = mlp()
    slots = find_slots(model, ROW)
    cost = measure_model(model, ROW, slots)
    assert cost.of().depth == math.inf
    assert cost.of(Placement(slots[1:], (smooth(),))).depth == math.inf
    assert cost.graph.unknown == ()


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.short = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.bn = nn.BatchNorm2d(3)
        self.act, self.last = nn.ReLU(inplace=True), nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.b(self.act(self.bn(self.a(x))))
        y += self.short(x)
        return self.last(y).mean((2, 3))


def test_the_longest_path_of_a_residual_block():
    model = Residual()
    slots = find_slots(model, IMAGE)
    graph = LevelGraph.of(model, IMAGE, slots)
    assert graph.depth({"act#0": 2, "last#0": 3}) == 1 + 2 + 1 + 3
    assert graph.depth({"act#0": 0, "last#0": 0}) == 2
    assert graph.depth({"act#0": None, "last#0": 0}) == math.inf
    assert graph.unknown == ()


def test_branches_count_by_the_longer_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.deep = nn.Linear(4, 4), mlp()

        def forward(self, x):
            x = self.stem(x)
            return self.deep(x), {"early": x}

    assert depth(Net(), ROW, smooth()) == 1 + 3 + 2 * 2


@pytest.mark.parametrize(
    ("levels", "function"),
    [
        (0, lambda net, x: x),
        (0, lambda net, x: x + x - 1),
        (0, lambda net, x: 2 * x / 3 - x.mean()),
        (0, lambda net, x: torch.cat(x.chunk(2, 1), 1).flip(1).reshape(-1)),
        (0, lambda net, x: F.avg_pool1d(x[:, None], 2)),
        (0, lambda net, x: F.pad(x, (1, 1)) + torch.zeros(6)),
        (0, lambda net, x: F.interpolate(x[:, None], 8)),
        (0, lambda net, x: F.dropout(x, 0.5, training=False)),
        (0, lambda net, x: torch.where(torch.arange(4) > 1, x, 0.0)),
        (1, lambda net, x: x * x),
        (1, lambda net, x: x**2),
        (1, lambda net, x: x * net.weight),
        (1, lambda net, x: x * torch.softmax(net.weight, 0)),
        (1, lambda net, x: x @ x.T),
        (1, lambda net, x: torch.einsum("bi,bj->bij", x, x)),
        (2, lambda net, x: F.bilinear(x, x, torch.ones(2, 4, 4))),
        (2, lambda net, x: x**3),
        (2, lambda net, x: (x * x) * (x * x)),
        (3, lambda net, x: x.square().mul(x) * x),
        (3, lambda net, x: x**8),
        (math.inf, lambda net, x: x**0.5),
        (math.inf, lambda net, x: x**-1),
        (math.inf, lambda net, x: 1 / x),
        (math.inf, lambda net, x: x / x),
        (math.inf, lambda net, x: x // 2),
        (math.inf, lambda net, x: x % 2),
        (math.inf, lambda net, x: torch.softmax(x, 1)),
        (math.inf, lambda net, x: F.layer_norm(x, (4,))),
        (math.inf, lambda net, x: F.max_pool1d(x[:, None], 2)),
        (math.inf, lambda net, x: F.relu(x)),
        (math.inf, lambda net, x: x.abs()),
        (math.inf, lambda net, x: x.exp()),
        (math.inf, lambda net, x: F.batch_norm(x, None, None, training=True)),
    ],
)
def test_operations_after_a_slot(levels, function):
    assert path(function, torch.ones(2, 4)) == levels


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return gradient


@dataclass
class Answer:
    logits: torch.Tensor


class Opaque:
    def __init__(self, logits):
        self.logits = logits


def written(net, x):
    out = torch.zeros(1, 8)
    out[:, :4] = x * x
    return out


def through_a_view(net, x):
    out = x * 1
    out.view(-1).mul_(x.view(-1))
    return out


def by_hand(net, x):
    return x * (x > 0).float()


def routed(net, x):
    return torch.eye(4)[x.argmax(1)]


def scaled_by_itself(net, x):
    return x / x.sum().item()


def within_inference_mode(net, x):
    with torch.inference_mode():
        return F.linear(x, torch.ones(2, 4))


@pytest.mark.parametrize(
    ("levels", "function"),
    [
        (1, written),
        (1, through_a_view),
        (1, lambda net, x: Square.apply(x)),
        (1, lambda net, x: torch.ops.aten.mul(x, x)),
        (1, lambda net, x: torch.mul(x, x, out=torch.empty(1, 4))),
        (1, within_inference_mode),
        (1, lambda net, x: Answer(x * x)),
        (1, lambda net, x: Opaque(x * x)),
        (1, lambda net, x: [{"a": (x, x * x)}]),
        (math.inf, by_hand),
        (math.inf, routed),
        (math.inf, scaled_by_itself),
        (math.inf, lambda net, x: x * torch.sparse.mm(torch.eye(4).to_sparse(), x.T.exp()).T),
    ],
)
def test_ways_around_are_followed(levels, function):
    assert path(function) == levels


def test_masks_and_indices_of_the_example_are_plain_numbers():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.act = nn.Embedding(5, 4), nn.ReLU()

        def forward(self, ids, mask):
            x = self.act(self.table(ids) + torch.arange(3)[:, None])
            if mask.all():
                return x
            return x.masked_fill(mask[..., None] == 0, 0.0) + (1.0 - mask[..., None].float()) * -9.0

    example = (torch.tensor([[0, 1, 2]]), torch.tensor([[1, 1, 0]]))
    assert depth(Net(), example, smooth()) == 2


def test_slots_that_are_used_twice_count_twice():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.block, self.act = nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.ReLU()

        def forward(self, x):
            return self.act(self.block(self.block(self.act(x))))

    model = Net()
    graph = LevelGraph.of(model, ROW, find_slots(model, ROW))
    assert graph.depth({"act#0": 1, "block.1#0": 3, "act#1": 5}) == 1 + 2 * (1 + 3) + 5


class Calls(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return torch.tanh(self.b(F.relu(self.a(x))))


def test_bare_calls_are_infinite_unless_they_may_be_rewritten():
    assert depth(Calls(), ROW, smooth()) == math.inf
    assert depth(Calls(), ROW, smooth(), rewrite_calls=True) == 2 + 2 * 2
    assert depth(Calls(), ROW, relu(), rewrite_calls=True) == math.inf


def test_a_network_of_constants_has_no_depth():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            self.act(x)
            return torch.ones(3)

    model = Net()
    assert LevelGraph.of(model, ROW, find_slots(model, ROW)).depth({"act#0": None}) == 0


def test_memory_that_is_used_again_is_not_taken_for_what_it_was():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            y = self.act(x)
            for _ in range(50):
                torch.exp(y)
            return sum(torch.ones(1, 4) for _ in range(50)) + y

    model = Net()
    assert LevelGraph.of(model, ROW, find_slots(model, ROW)).depth({"act#0": 2}) == 2


def test_unknown_operators_are_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Softmax(1), nn.LayerNorm(4))
    graph = LevelGraph.of(model, ROW, find_slots(model, ROW))
    assert graph.unknown == ("_softmax", "native_layer_norm")


def test_refusals_are_one_line():
    slots = find_slots(mlp(), ROW)
    with pytest.raises(SlafError, match="refuses the example input") as caught:
        LevelGraph.of(mlp(), torch.ones(1, 3), slots)
    assert len(str(caught.value).splitlines()) == 1
