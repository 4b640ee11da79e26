"""Deployed slots of networks that are not ours: the same function, exact counts, exports."""

import copy
import functools
import itertools

import numpy as np
import pytest
import torch
from network_strategies import relu, slaf
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations.standalone import Standalone
from slaf_automl.errors import SlafError
from slaf_automl.networks.model_cost import measure_model
from slaf_automl.networks.slots import deploy_slots, find_slots, replace
from slaf_automl.spec import Placement

SPECS = [
    slaf(degree=3 if c else 2, normaliser=n, clip=c, hybrid=h, sharing=s, basis=b)
    for (n, c), (h, s), b in itertools.product(
        itertools.product(("none", "input", "frozen", "element"), (None, 2.0)),
        ((0.0, "channel"), (0.5, "layer"), (0.5, 2)),
        ("chebyshev", "gaussian"),
    )
] + [relu(n) for n in ("none", "input", "frozen", "element")]


class Forms(nn.Module):
    """Every form of a slot, and one whose input is overwritten and read again."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.act = nn.ReLU(inplace=True)  # twice: a sequence
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.held = F.silu
        self.block = nn.Sequential(nn.Conv2d(8, 8, 1), nn.PReLU(8))
        self.over = nn.ReLU(inplace=True)
        self.head = nn.Linear(8, 6)

    def forward(self, x):
        x = self.act(self.bn(self.conv(x)))
        x = self.held(self.act(self.conv2(x)))
        y = self.over(x)
        x = self.block(y) + x
        return F.gelu(self.head(x.mean((2, 3))))


def images(count=8):
    return torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(count))


@pytest.fixture(scope="module")
def forms():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Forms()


@functools.cache
def filling(spec):
    """A network of all forms with a spec in every slot; projections take their time."""
    torch.manual_seed(0)
    model = Forms()
    slots = find_slots(model, images())
    placement = Placement(slots, (spec,) * len(slots))
    return model, placement, replace(model, placement, rewrite_calls=True)


def moved(model):
    """Take in two batches and move all parameters a little."""
    source = torch.Generator().manual_seed(1)
    model.train()
    with torch.no_grad():
        model(images())
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=source))
        model(images())
    return model


def stored(model):
    """Elements of the state, tensors under several names once."""
    state = model.state_dict(keep_vars=True).values()
    return sum(t.numel() for t in {id(t): t for t in state}.values() if t.is_floating_point())


def refusal(model, placement):
    with pytest.raises(SlafError) as caught:
        deploy_slots(model, placement)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_every_spec_in_every_form(spec):
    with torch.random.fork_rng():
        model, placement, new = filling(spec)
    assert {slot.form for slot in placement.slots} == {"module", "attribute", "call"}
    assert {slot.calls for slot in placement.slots} == {1, 2}
    assert any(slot.in_place for slot in placement.slots)
    trained = moved(copy.deepcopy(new))
    before = copy.deepcopy(trained.state_dict())
    deployed = deploy_slots(trained, placement)
    assert trained.training
    assert not deployed.training
    assert all(torch.equal(t, trained.state_dict()[name]) for name, t in before.items())
    x = images(5)
    with torch.no_grad():
        expected = trained.eval()(x)
        torch.testing.assert_close(deployed(x), expected, rtol=1e-3, atol=1e-3)
        assert torch.equal(deployed(x), deployed(x))
    cost = measure_model(model, x, placement.slots, rewrite_calls=True)
    assert stored(deployed) == cost.of(placement).parameters


@pytest.mark.parametrize("chosen", [(), (0,), (1,), (2, 3), (0, 1, 4, 5)])
def test_some_slots(forms, chosen):
    slots = find_slots(forms, images())
    placement = Placement(
        tuple(slots[i] for i in chosen), tuple(slaf(degree=2 + i) for i in chosen)
    )
    trained = moved(replace(forms, placement, rewrite_calls=True))
    deployed = deploy_slots(trained, placement)
    assert sum(isinstance(m, Standalone) for m in deployed.modules()) == len(chosen)
    with torch.no_grad():
        torch.testing.assert_close(
            deployed(images(5)), trained.eval()(images(5)), rtol=1e-3, atol=1e-3
        )
    cost = measure_model(forms, images(), slots)
    assert stored(deployed) == cost.of(placement).parameters


def test_channels_last():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.LayerNorm(6))
    x = torch.randn(5, 3, 4)
    (slot,) = find_slots(model, x)
    assert slot.channel_dim == -1
    placement = Placement((slot,), (slaf(hybrid=0.5),))
    trained = replace(model, placement).train()
    trained(x)
    deployed = deploy_slots(trained, placement)
    torch.testing.assert_close(deployed(x), trained.eval()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).to(dtype)
    x = torch.randn(16, 4).to(dtype)
    slots = find_slots(model, x)
    placement = Placement(slots, (slaf(normaliser="none", clip=3.0),))
    trained = replace(model, placement)
    deployed = deploy_slots(trained, placement)
    assert {t.dtype for t in deployed.state_dict().values()} == {dtype}
    difference = (deployed(x) - trained.eval()(x)).abs().max()
    assert difference < (1e-6 if dtype == torch.float64 else 0.1)


def test_forward_hooks_stay():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    model[1].register_forward_hook(lambda module, inputs, result: result + 100)
    model[1].register_forward_pre_hook(lambda module, inputs: (inputs[0] / 2,))
    x = torch.randn(3, 4)
    placement = Placement(find_slots(model, x), (slaf(normaliser="none"),))
    new = replace(model, placement)
    deployed = deploy_slots(new, placement)
    torch.testing.assert_close(deployed(x), new.eval()(x))
    assert deployed(x).min() > 50


def mlp():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2))


GIVEN = slaf(degree=3, normaliser="input", clip=2.0, hybrid=0.5)


@pytest.mark.parametrize(
    "other",
    [
        relu("input"),
        slaf(**{**GIVEN.parameters, "degree": 4}),
        slaf(**{**GIVEN.parameters, "basis": "hermite"}),
        slaf(**{**GIVEN.parameters, "clip": None}),
        slaf(**{**GIVEN.parameters, "clip": 3.0}),
        slaf(**{**GIVEN.parameters, "hybrid": 0.25}),
        slaf(**{**GIVEN.parameters, "sharing": "layer"}),
        slaf(**{**GIVEN.parameters, "normaliser": "none"}),
        slaf(**{**GIVEN.parameters, "normaliser": "frozen"}),
    ],
    ids=str,
)
def test_another_placement_is_refused(other):
    slots = find_slots(mlp(), torch.ones(1, 4))
    new = replace(mlp(), {slots[0]: GIVEN, slots[1]: GIVEN}).train()
    new(torch.randn(8, 4))
    message = refusal(new, Placement(slots, (GIVEN, other)))
    assert message == (
        "slot '3#0' of Sequential does not hold what the placement says; give the network that "
        "replace returned for this placement"
    )


def test_the_start_says_nothing_about_what_was_learned():
    slots = find_slots(mlp(), torch.ones(1, 4))[:1]
    given, other = (slaf(normaliser="none", start=start) for start in ("relu", "gelu"))
    deploy_slots(replace(mlp(), {slots[0]: given}), Placement(slots, (other,)))


def test_other_networks_are_refused(forms):
    slots = find_slots(mlp(), torch.ones(1, 4))
    placement = Placement(slots[:1], (relu(),))
    other = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    for wrong in (mlp(), other, nn.Linear(4, 2), nn.Sequential(), replace(other, {})):
        assert "slot '1#0'" in refusal(wrong, placement)
    wider = replace(other, {find_slots(other, torch.ones(1, 4))[0]: relu()})
    assert "slot '1#0'" in refusal(wider, placement)
    calls = Placement(find_slots(forms, images())[:1], (relu(),))
    assert "slot 'act#0' of Forms" in refusal(forms, calls)
    assert "slot 'act#0' of Sequential" in refusal(replace(mlp(), placement), calls)
    call = Placement(find_slots(forms, images())[-1:], (relu(),))
    assert "slot ':gelu#0' of Forms" in refusal(forms, call)


def test_statistics_that_were_never_set_are_refused():
    slots = find_slots(mlp(), torch.ones(1, 4))
    placement = Placement(slots[:1], (slaf(),))
    assert "before its statistics were set" in refusal(replace(mlp(), placement), placement)


def test_deployed_networks_copy_save_and_load(forms, tmp_path):
    slots = find_slots(forms, images())[:4]
    placement = Placement(slots, (slaf(degree=2),) * 4)
    deployed = deploy_slots(moved(replace(forms, placement)), placement)
    x = images(3)
    torch.save(deployed.state_dict(), tmp_path / "state.pt")
    blank = deploy_slots(moved(replace(forms, placement)), placement)
    blank.load_state_dict(torch.load(tmp_path / "state.pt"))
    with torch.no_grad():
        assert torch.equal(blank(x), deployed(x))
        assert torch.equal(copy.deepcopy(deployed)(x), deployed(x))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_exports(forms, tmp_path):
    slots = find_slots(forms, images())
    placement = Placement(slots, (slaf(degree=2, hybrid=0.5),) * len(slots))
    deployed = deploy_slots(moved(replace(forms, placement, rewrite_calls=True)), placement)
    x = images(4)
    with torch.no_grad():
        expected = deployed(x)
        program = torch.export.export(deployed, (x,))
        torch.testing.assert_close(program.module()(x), expected)
        torch.testing.assert_close(torch.compile(deployed, backend="eager")(x), expected)
        path = tmp_path / "net.onnx"
        torch.onnx.export(deployed, (x,), path, dynamo=True, verbose=False)
    session = pytest.importorskip("onnxruntime").InferenceSession(path)
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)
