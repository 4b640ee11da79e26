"""Costs of networks that are not ours: every total by hand."""

import copy

import pytest
import torch
from network_strategies import relu, slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.errors import SlafError
from slaf_automl.networks.model_cost import COMPARISONS, measure_model
from slaf_automl.networks.slots import find_slots
from slaf_automl.networks.slots.kinds import MODULES
from slaf_automl.spec import Placement

ROW = torch.ones(1, 4)
IMAGE = torch.ones(1, 3, 6, 6)


def mlp():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


class Conv(nn.Module):
    """Convolutions, grouped and transposed, batch normalisation, two activations."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)  # 216 numbers
        self.bn = nn.BatchNorm2d(8)  # 16 and 16
        self.act = nn.ReLU(inplace=True)
        self.grouped = nn.Conv2d(8, 4, 3, stride=2, padding=1, groups=4)  # 4·2·9 + 4
        self.act2 = nn.Hardswish()
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)  # 4·2·4 + 2
        self.head = nn.Linear(2, 5)  # 10 + 5

    def forward(self, x):
        x = self.act(self.bn(self.conv(x)))
        x = self.act2(self.grouped(x))
        return self.head(self.up(x).mean((2, 3)))


def measured(model, example, **options):
    return measure_model(model, example, find_slots(model, example), **options)


def filled(cost, **specs):
    """Return a placement of specs by slot path."""
    slots = {slot.path: slot for slot in cost.slots}
    return Placement(tuple(slots[path] for path in specs), tuple(specs.values()))


def totals(cost):
    return cost.parameters, cost.macs, cost.relus, cost.depth


def test_a_small_mlp():
    cost = measured(mlp(), ROW)
    assert totals(cost.of()) == (4 * 8 + 8 + 8 * 2 + 2, 4 * 8 + 8 * 2, 8, float("inf"))
    assert cost.uncounted == ()
    assert cost.of() == cost.of(Placement((), ()))


def test_a_small_convolutional_network():
    cost = measured(Conv(), IMAGE)
    parameters = 216 + 16 + 16 + (4 * 2 * 9 + 4) + (4 * 2 * 4 + 2) + 15
    macs = 36 * 8 * 27 + 9 * 4 * 18 + 9 * 4 * 2 * 4 + 2 * 5
    # 8 channels of 36 through ReLU, 4 channels of 9 through a hard swish of two comparisons
    assert totals(cost.of())[:3] == (parameters, macs, 8 * 36 + 2 * 4 * 9)
    norm, mean = cost.uncounted
    assert ("batch_norm" in norm, mean) == (True, "mean")


def test_what_filled_slots_add():
    cost = measured(Conv(), IMAGE)
    bare = cost.of()
    spec = slaf(degree=3, normaliser="none", sharing="layer", clip=None)
    more = cost.of(filled(cost, act=spec))
    assert more.parameters - bare.parameters == 3 + 1  # a row, its constant
    assert more.macs - bare.macs == 3 * 288
    assert bare.relus - more.relus == 288
    spec = slaf(degree=2, normaliser="input", sharing="channel", clip=2.0, hybrid=0.5)
    more = cost.of(filled(cost, act2=spec))
    # 2 of 4 channels are SLAF: rows, constants; scale and shift of all 4
    assert more.parameters - bare.parameters == 2 * 2 + 2 + 8
    assert more.macs - bare.macs == 2 * 9 * 2 + 4 * 9  # degree, and the scale of all four
    assert more.relus - bare.relus == 9 * (2 * 2 + 2) - 2 * 36  # clips, ReLUs, the hard swish


@pytest.mark.parametrize(
    ("spec", "scaled"),
    [
        (slaf(normaliser="none", clip=None, hybrid=0.25), 0),
        (slaf(normaliser="none", clip=3.0, hybrid=0.25), 6),
        (slaf(normaliser="element", clip=None, hybrid=0.25), 2),  # ReLU's own variance
        (slaf(normaliser="element", clip=3.0, hybrid=0.25), 8),
        (slaf(normaliser="frozen", clip=None, hybrid=0.25), 8),
        (relu(normaliser="none"), 0),
        (relu(normaliser="input"), 8),
        (relu(normaliser="element"), 8),
    ],
    ids=str,
)
def test_every_number_that_is_scaled_is_a_mac(spec, scaled):
    cost = measured(mlp(), ROW)
    learned = 6 * 3 if spec.kind == "slaf" else 0
    assert cost.of(filled(cost, **{"1": spec})).macs == 48 + learned + scaled


def test_the_batch_does_not_matter():
    one, many = measured(Conv(), IMAGE), measured(Conv(), IMAGE.repeat(7, 1, 1, 1))
    assert one.of() == many.of()
    assert one.slots == many.slots


def test_shared_weights_are_stored_once():
    model = mlp()
    model.append(nn.ReLU()).append(nn.Linear(2, 4)).append(nn.ReLU()).append(model[0])
    assert measured(model, ROW).of().parameters == 40 + 18 + 12
    tied = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    tied[2].weight = tied[0].weight
    assert measured(tied, ROW).of().parameters == 16 + 4 + 4
    assert measured(tied, ROW).of().macs == 32


def test_buffers_of_the_state_are_stored_and_integers_and_others_are_not():
    model = mlp()
    model.register_buffer("table", torch.zeros(10))
    model.register_buffer("scratch", torch.zeros(1000), persistent=False)
    model.register_buffer("ids", torch.zeros(100, dtype=torch.long))
    assert measured(model, ROW).of().parameters == 58 + 10


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.block(self.block(self.act(x))))


def test_slots_that_are_used_twice():
    cost = measured(Twice(), ROW)
    assert [(s.id, s.values, s.uses) for s in cost.slots] == [
        ("act#0", 4, 1),
        ("block.1#0", 8, 2),
        ("act#1", 4, 1),
    ]
    spec = slaf(degree=2, normaliser="none", clip=None)
    placement = Placement((cost.slots[1],), (spec,))
    assert totals(cost.of()) == (20, 32, 16, float("inf"))
    # Stored once, computed twice.
    assert totals(cost.of(placement))[:3] == (20 + 4 * 2 + 4, 32 + 2 * 8, 8)


def test_an_activation_of_its_own_weights_takes_them_along():
    model = nn.Sequential(nn.Linear(4, 8), nn.PReLU(8), nn.Linear(8, 2))
    cost = measured(model, ROW)
    assert (cost.of().parameters, cost.of().relus) == (58 + 8, 8)
    spec = slaf(degree=2, sharing="layer", normaliser="none", clip=None)
    assert cost.of(filled(cost, **{"1": spec})).parameters == 58 + 3


def test_weights_of_an_activation_stay_until_its_last_call_is_filled():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
            self.act = nn.PReLU(4)

        def forward(self, x):
            return self.act(self.b(self.act(self.a(x))))

    cost = measured(Net(), ROW)
    specs = (relu(), relu())
    stored = [cost.of(Placement(cost.slots[:n], specs[:n])).parameters for n in range(3)]
    assert stored == [44, 44, 40]


def test_tied_weights_of_activations_stay_until_both_are_filled():
    model = nn.Sequential(nn.Linear(4, 4), nn.PReLU(4), nn.Linear(4, 4), nn.PReLU(4))
    model[3].weight = model[1].weight
    cost = measured(model, ROW)
    specs = (relu(), relu())
    stored = [cost.of(Placement(cost.slots[:n], specs[:n])).parameters for n in range(3)]
    assert stored == [44, 44, 40]


def test_lazy_layers_are_measured_as_the_example_makes_them():
    model = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
    assert measured(model, ROW).of().parameters == 58
    assert model[0].has_uninitialized_params()


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("training", [False, True])
def test_attention_is_counted_on_every_path(training):
    cost = measured(Attention().train(training), torch.ones(2, 5, 8))
    # Per token: three projections and one, two layers; and 5 × 5 scores twice, 8 numbers each.
    assert cost.of().macs == 5 * (4 * 8 * 8 + 2 * 8 * 12) + 2 * 5 * 5 * 8
    assert {"native_layer_norm", "_safe_softmax"} <= set(cost.uncounted)
    assert not any("attention" in name for name in cost.uncounted)


def test_fused_attention_is_counted_too():
    class Fused(nn.Module):
        def forward(self, x):
            return F.scaled_dot_product_attention(x, x, x)

    model = nn.Sequential(Fused(), nn.Flatten(), nn.Linear(60, 1), nn.ReLU())
    assert measured(model, torch.ones(2, 3, 5, 4)).of().macs == 2 * 3 * 5 * 5 * 4 + 60


def test_recurrences_that_the_counter_does_not_know_are_listed():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.act = nn.LSTM(4, 3, batch_first=True), nn.ReLU()

        def forward(self, x):
            return self.act(self.rnn(x)[0])

    cost = measured(Recurrent(), torch.ones(2, 5, 4))
    assert cost.of().macs > 0 or any("rnn" in name for name in cost.uncounted)


class Odd(nn.Module):
    """An activation of someone's own."""

    def forward(self, x):
        return x * F.relu6(x + 3) / 6


def test_activations_that_nobody_knows_are_listed_by_name():
    model = nn.Sequential(nn.Linear(4, 4), Odd(), nn.Linear(4, 4), nn.ReLU6())
    cost = measured(model, ROW)
    assert cost.uncounted == ("odd",)
    assert cost.of().relus == 2 * 4


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_activations_of_torchs_are_never_uncounted(kind):
    cost = measured(nn.Sequential(nn.Linear(4, 8), kind(), nn.Linear(8, 2)), ROW)
    assert cost.uncounted == ()
    assert cost.of().relus == 8 * COMPARISONS.get(MODULES[kind], 0)


def test_what_is_no_slot_is_listed_by_operator():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x):
            x = torch.sigmoid(self.a(x)) * F.silu(x)
            return F.max_pool1d(torch.softmax(x + 1 - x.flip(1), 1)[:, None], 2).clamp(0.1)

    names = ("_softmax", "clamp", "max_pool2d_with_indices", "mul", "sigmoid")
    assert measured(Net(), ROW).uncounted == names


def test_bare_calls_are_counted_as_slots():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x):
            return F.hardtanh(F.relu(self.a(x)))

    cost = measured(Net(), ROW)
    assert cost.of().relus == 4 + 2 * 4
    assert cost.uncounted == ()


def test_a_network_without_products():
    class Net(nn.Module):
        def forward(self, x):
            return F.relu(x) + 1

    assert totals(measured(Net(), ROW).of())[:3] == (0, 0, 4)


def test_inference_mode_inside_hides_nothing():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp()

        @torch.inference_mode()
        def forward(self, x):
            return self.inner(x)

    cost = measured(Net(), ROW)
    assert (cost.of().macs, cost.uncounted) == (48, ())


def test_the_network_its_example_and_the_random_state_are_left_alone():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn, self.drop = nn.BatchNorm2d(3), nn.Dropout()

        def forward(self, x):
            x.add_(1)  # overwrites what it is given
            return torch.relu_(self.bn(x)) + torch.rand_like(x)

    model = Net().train()
    model.drop.eval()
    model.bn.running_mean.fill_(0.5)
    example = torch.linspace(-1, 1, 2 * 3 * 4).reshape(2, 3, 2, 2)
    slots = find_slots(model, example)
    before = copy.deepcopy((model.state_dict(), example, torch.get_rng_state()))
    fast = torch.backends.mha.get_fastpath_enabled()
    measure_model(model, example, slots)
    after = (model.state_dict(), example, torch.get_rng_state())
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert torch.equal(before[1], after[1])
    assert torch.equal(before[2], after[2])
    assert (model.training, model.bn.training, model.drop.training) == (True, True, False)
    assert torch.backends.mha.get_fastpath_enabled() is fast


def test_examples_of_a_graph_and_by_keyword():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp()

        def forward(self, *, rows, scale=None):
            return self.inner(rows if scale is None else rows * scale)

    rows = torch.ones(2, 4, requires_grad=True) * 2
    cost = measured(Net(), {"rows": rows})
    assert cost.of().macs == 48
    assert cost.uncounted == ()


def test_refusals_are_one_line():
    model = mlp()
    slots = find_slots(model, ROW)
    with pytest.raises(SlafError, match="Sequential refuses the example input") as caught:
        measure_model(model, torch.ones(1, 5), slots)
    assert len(str(caught.value).splitlines()) == 1
    cost, other = measured(model, ROW), measured(Conv(), IMAGE)
    with pytest.raises(SlafError, match="a placement in slot 'act#0'"):
        cost.of(filled(other, act=relu()))


def test_a_module_that_returns_a_view_of_its_parameter_is_counted():
    # Class tokens are such views; torch's counter asks for their gradient, which no pass makes.
    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4))

        def forward(self, rows):
            return self.weight.expand(rows, -1)

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.rest = Token(), mlp()

        def forward(self, x):
            return self.rest(x + self.token(len(x)))

    model = Tokens()
    assert totals(measured(model, ROW).of())[:3] == (4 + 58, 48, 8)
    assert all(parameter.requires_grad for parameter in model.parameters())
