"""What find_slots takes, what it refuses, and that it leaves everything as it was."""

import copy

import lightning
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from slaf_automl.errors import SlafError
from slaf_automl.networks.slots import find_slots

ROWS = torch.linspace(-1, 1, 8).reshape(2, 4)


class Two(nn.Module):
    """Takes two tensors, a number, and says whether it was called."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 6)

    def forward(self, a, b, *, scale=1.0):
        return F.relu(self.linear(a + scale * b))


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 6)

    def forward(self, batch):
        return F.relu(self.linear(batch["x"][0]))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.act, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.act(self.bn(self.conv(x))))


class Lit(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())

    def forward(self, x):
        return self.net(x)


def found(model, example, **options):
    return [(slot.id, slot.channels, slot.values) for slot in find_slots(model, example, **options)]


def refusal(model, example=ROWS):
    with pytest.raises(SlafError) as caught:
        find_slots(model, example)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    "example",
    [(ROWS, ROWS), {"a": ROWS, "b": ROWS}, {"b": ROWS, "a": ROWS, "scale": 2.0}],
)
def test_arguments_by_place_and_by_name(example):
    assert found(Two(), example) == [(":relu#0", 6, 6)]


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {0: x}])
def test_arguments_in_containers(wrap):
    assert found(Nested(), ({"x": wrap(ROWS)},)) == [(":relu#0", 6, 6)]


def test_the_example_may_belong_to_a_graph():
    example = (ROWS.clone().requires_grad_() * 2,)
    assert found(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), example) == [("1#0", 3, 3)]


def test_the_example_is_not_changed():
    example = ROWS.clone()
    find_slots(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)), example)
    assert torch.equal(example, ROWS)


@pytest.mark.parametrize(
    ("example", "named"),
    [
        (torch.zeros(2, 5), "RuntimeError: mat1 and mat2"),
        ((ROWS, ROWS), "TypeError"),
        ({"y": ROWS}, "unexpected keyword argument 'y'"),
        ({0: ROWS}, "TypeError"),
        (None, "TypeError"),
    ],
)
def test_an_input_that_the_network_refuses(example, named):
    message = refusal(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), example)
    assert message.startswith("Sequential refuses the example input: ")
    assert named in message
    assert message.endswith("a tensor, a tuple of arguments, or a dict of keyword arguments")


@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
def test_what_is_no_plain_module():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    assert refusal("resnet") == "a model of type str; expected a torch.nn.Module"
    assert "a model of type type" in refusal(nn.ReLU)
    traced = torch.jit.trace(model, ROWS, check_trace=False)
    assert refusal(traced).startswith("the model is a ScriptModule")
    assert refusal(nn.Sequential(traced)).startswith("0 is a ScriptModule")
    compiled = torch.compile(model, backend="eager")
    assert "compile the result" in refusal(compiled)
    assert refusal(nn.Sequential(compiled)).startswith("0 is compiled")


def test_a_network_compiled_in_place_is_looked_at_uncompiled():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    model.compile(backend="eager")
    assert found(model, ROWS) == [("1#0", 3, 3)]


def test_a_network_that_cannot_be_copied():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    model.kept = model(ROWS)  # belongs to a graph
    message = refusal(model)
    assert message.startswith("Sequential cannot be copied: RuntimeError: Only Tensors created")
    assert "detach it" in message


def test_lazy_modules_stay_lazy():
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d(), nn.ReLU())
    assert found(model, ROWS) == [("2#0", 3, 3)]
    assert isinstance(model[0], nn.LazyLinear)
    assert isinstance(model[0].weight, nn.UninitializedParameter)


def test_a_lightning_module():
    model = Lit()
    assert found(model, ROWS) == [("net.1#0", 3, 3)]
    trainer = lightning.Trainer(logger=False, enable_checkpointing=False, barebones=True)
    model.trainer = trainer
    assert found(model, ROWS) == [("net.1#0", 3, 3)]
    assert model.trainer is trainer


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    assert found(Block().to(dtype), torch.zeros(2, 3, 5, 5, dtype=dtype)) == [("act#0", 4, 36)]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("mode", [False, True])
def test_the_network_is_left_as_it_is(training, mode):
    model = Block().train(mode)
    model.bn.eval()
    hooks, fires = dict(model.act._forward_hooks), []
    model.act.register_forward_hook(lambda *_: fires.append(1))
    hooks = dict(model.act._forward_hooks)
    state, modes = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    classes = [type(m) for m in model.modules()]
    random = torch.get_rng_state()
    example = torch.ones(2, 3, 5, 5)
    assert found(model, example, training=training) == [("act#0", 4, 36)]
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in state.items())
    assert [m.training for m in model.modules()] == modes
    assert [type(m) for m in model.modules()] == classes
    assert dict(model.act._forward_hooks) == hooks
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert len(fires) == 1  # The copy has its hooks.


def test_random_numbers_of_a_pass_and_of_lazy_weights_move_nothing():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    model = nn.Sequential(nn.LazyLinear(3), nn.Dropout(0.5), nn.RReLU())
    find_slots(model, ROWS, training=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_refused_input_leaves_no_trace():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    refusal(model, torch.zeros(2, 5))
    assert not torch.overrides._get_current_function_mode_stack()
    assert found(model, ROWS) == [("1#0", 3, 3)]
