"""Replacing slots in a copy: what is new, what is kept, and what is refused."""

import copy
import functools

import pytest
import torch
from network_strategies import relu, slaf
from slot_networks import IMAGES, ROWS, Mixed
from torch import nn
from torch.nn import functional as F

from slaf_automl.activations import SLAF
from slaf_automl.networks.slots import CallSequence, find_slots, replace
from slaf_automl.spec import Placement

PLAIN = slaf(normaliser="none")


def filled(model, example, spec=PLAIN, **options):
    """Return a copy with the same in every slot."""
    slots = find_slots(model, example)
    return replace(model, dict.fromkeys(slots, spec), **options)


def same_state(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) for name, tensor in first.items()
    )


def paths_of(model, kind=SLAF):
    return {name: m for name, m in model.named_modules() if isinstance(m, kind)}


def test_every_slot_holds_what_the_placement_says():
    slots = find_slots(Mixed(), IMAGES)
    specs = (slaf(degree=2), slaf(degree=5, hybrid=0.5), relu("input"))
    new = replace(Mixed(), Placement(slots, specs))
    assert [slot.id for slot in slots] == ["first#0", "held#0", "last#0"]
    assert (new.first.channels, new.first.degree, new.first.channel_dim) == (4, 2, 1)
    assert (new.held.channels, new.held.degree, new.held.learned) == (4, 5, 2)
    assert (new.last.channels, new.last.before.moments.mean.shape) == (5, (5,))
    assert (new.first.slot, new.held.slot) == ("first", "held")


def test_channels_at_the_end():
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU())
    new = filled(model, torch.zeros(2, 5, 4))
    assert (new[1].channels, new[1].channel_dim) == (6, -1)
    assert new(torch.zeros(3, 7, 4)).shape == (3, 7, 6)


def test_the_network_itself_is_untouched():
    model = Mixed()
    model.bn.eval()
    state, before = copy.deepcopy(model.state_dict()), model.eval()(IMAGES)
    modules = dict(model.named_modules())
    new = filled(model, IMAGES, slaf())
    new.train()(IMAGES).sum().backward()
    torch.optim.SGD(new.parameters(), 0.1).step()
    assert dict(model.named_modules()) == modules
    assert model.held is F.gelu
    assert same_state(model.state_dict(), state)
    assert torch.equal(model(IMAGES), before)
    assert all(p.grad is None for p in model.parameters())


def test_the_copy_keeps_what_is_not_replaced():
    model = Mixed().double()
    model.conv.weight.requires_grad_(False)
    model.train()
    model.bn.eval()
    new = filled(model, IMAGES.double())
    assert type(new) is Mixed
    kept = {name: t for name, t in new.state_dict().items() if name in model.state_dict()}
    assert same_state(kept, model.state_dict())
    assert not new.conv.weight.requires_grad
    assert new.linear.weight.requires_grad
    assert {name: m.training for name, m in new.named_children()} == {
        "last": True, "conv": True, "bn": False, "first": True, "held": True, "linear": True
    }  # fmt: skip
    assert new(IMAGES.double()).dtype == torch.float64
    assert new.first.coefficients.dtype == torch.float64


def test_building_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    filled(Mixed(), IMAGES, slaf())
    new = torch.get_rng_state()
    with torch.random.fork_rng():
        torch.set_rng_state(before)
        Mixed()
        assert torch.equal(torch.get_rng_state(), new)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precisions_run_forward_and_backward(dtype):
    new = filled(Mixed().to(dtype), IMAGES.to(dtype), slaf())
    output = new(IMAGES.to(dtype))
    output.float().square().sum().backward()
    assert output.dtype == dtype
    assert {p.dtype for p in new.parameters()} == {dtype}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in new.parameters())


def test_everything_learns():
    new = filled(Mixed(), IMAGES, slaf())
    new(IMAGES).square().sum().backward()
    idle = [name for name, p in new.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("mode", [False, True])
def test_a_slot_has_the_mode_of_what_it_replaces(mode):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).train(not mode)
    model[1].train(mode)
    new = filled(model, ROWS, slaf(normaliser="input"))
    assert new.training != mode
    assert {m.training for m in new[1].modules()} == {mode}


@pytest.mark.parametrize(
    ("kind", "start"), [(nn.ReLU, "relu"), (nn.SiLU, "silu"), (nn.Tanh, "tanh"), (nn.GELU, "gelu")]
)
def test_the_new_function_is_near_the_old_one(kind, start):
    model = nn.Sequential(nn.Linear(4, 8), kind(), nn.Linear(8, 2)).double()
    x = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)).double().clamp(-3, 3)
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(4).repeat(2, 1))  # pre-activations are standard normal
        model[0].bias.zero_()
    new = filled(model, x, slaf(degree=6, normaliser="none", start=start))
    errors = (new[1](x.repeat(1, 2)) - model[1](x.repeat(1, 2))).detach()
    # `start_as` returns the error expected for standard normal inputs within the clip range.
    assert errors.square().mean().sqrt() <= 1.2 * new[1].start_as(start) < 0.05


def test_slots_left_out_keep_what_they_have():
    slots = find_slots(Mixed(), IMAGES)
    new = replace(Mixed(), {slots[1]: PLAIN})
    assert (type(new.first), type(new.held), type(new.last)) == (nn.ReLU, SLAF, nn.Tanh)
    assert replace(Mixed(), {}).held is F.gelu


def test_an_object_under_two_names_is_replaced_under_the_one_asked_for():
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act, nn.Linear(4, 4), act)
    _, second, _ = find_slots(model, ROWS)
    new = replace(model, {second: PLAIN})
    assert [type(new[i]) for i in (1, 3, 5)] == [nn.ReLU, SLAF, nn.ReLU]


def test_stateless_modules_that_keep_a_list_stay_one_object():
    class Tape(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, x):
            self.seen.append(x)
            return x if len(self.seen) == 1 else self.seen[0]

    tape = Tape()
    model = nn.Sequential(tape, nn.Linear(4, 6), nn.ReLU(), tape, nn.Linear(4, 1))
    new = filled(model, ROWS)
    assert torch.equal(new(ROWS), model[4](ROWS))
    assert new[0] is new[3] is not tape
    assert tape.seen == []


def test_a_weighted_activation_under_two_names():
    act = nn.PReLU()
    model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)
    first, second = find_slots(model, ROWS)
    both = replace(model, {first: PLAIN, second: PLAIN})
    assert both[1] is both[3]
    assert len(paths_of(both)) == 2
    one = replace(model, {second: PLAIN})
    hidden = one[0](ROWS)
    expected = both[1].activations[1](one[2](model[1](hidden)))
    assert torch.equal(one(ROWS), expected)
    assert one[1].activations[0].weight.shape == (1,)


def test_a_block_used_twice_shares_its_new_activation():
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    new = filled(nn.Sequential(block, block), ROWS)
    assert new[0] is new[1]
    assert list(paths_of(new)) == ["0.1"]


def test_hooks_of_the_old_module_fire_on_the_new_one():
    model, seen = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)), []
    act = model[1]
    act.register_forward_pre_hook(lambda m, args: seen.append(("pre", type(m).__name__)))
    act.register_forward_hook(
        lambda m, args, kwargs, out: seen.append(("post", len(kwargs))), with_kwargs=True
    )
    act.register_full_backward_hook(lambda m, gi, go: seen.append(("back", len(gi), len(go))))
    act.register_full_backward_pre_hook(lambda m, go: seen.append(("before", len(go))))
    new = filled(model, ROWS)
    seen.clear()
    new(ROWS).sum().backward()
    assert seen == [("pre", "SLAF"), ("post", 0), ("before", 1), ("back", 1, 1)]
    assert len(act._forward_hooks) == 1


def test_hooks_that_change_the_result_still_do():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    model[1].register_forward_hook(lambda m, args, out: out + 100)
    assert filled(model, ROWS)(ROWS).min() > 50


def test_a_partial_function_in_an_attribute():
    model = Mixed()
    model.held = functools.partial(F.leaky_relu, negative_slope=0.3)
    assert isinstance(filled(model, IMAGES).held, SLAF)


@pytest.mark.parametrize("activation", [F.relu, "gelu", nn.ReLU(), nn.GELU()])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_transformers_in_evaluation_use_the_new_function(activation, padded):
    layer = nn.TransformerEncoderLayer(4, 2, 6, activation=activation, batch_first=True)
    model = nn.TransformerEncoder(layer, 2)
    x = torch.linspace(-1, 1, 40).reshape(2, 5, 4)
    mask = torch.tensor([[False] * 5, [False, False, False, True, True]]) if padded else None
    _, second = find_slots(model, x)
    new = replace(model, {second: slaf(normaliser="none", start="tanh")}).eval()
    calls = []
    new.layers[1].activation.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        output = new(x, src_key_padding_mask=mask)
    assert calls == [1]
    with torch.enable_grad():
        again = new(x, src_key_padding_mask=mask)
    kept = ~mask if padded else torch.ones(2, 5, dtype=torch.bool)
    assert torch.allclose(output[kept], again[kept], atol=1e-6)
    assert not isinstance(new.layers[0].activation, SLAF)


def test_lazy_networks():
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.ReLU())
    new = filled(model, ROWS)
    assert isinstance(new[0], nn.LazyLinear)
    assert new(ROWS).shape == (2, 4)


def test_replacing_again_goes_on_from_there():
    slots = find_slots(Mixed(), IMAGES)
    once = replace(Mixed(), {slots[0]: PLAIN})
    left = find_slots(once, IMAGES)
    assert [slot.id for slot in left] == ["held#0", "last#0"]
    assert len(paths_of(replace(once, dict.fromkeys(left, PLAIN)))) == 3
    assert not paths_of(once, CallSequence)
