"""The slots of anyone's network as dimensions: within limits, there and back."""

import optuna
import pytest
import torch
import yaml
from torch import nn

from slaf_automl.activations import find_kind
from slaf_automl.errors import BudgetError, SlafError, SpaceError
from slaf_automl.networks.slots import deploy_slots, find_slots, replace, sensitivity_order
from slaf_automl.spaces import SearchSpace
from slaf_automl.spaces.files import find_space_file
from slaf_automl.spaces.placement_space import PlacementSpace
from slaf_automl.spec import Budget, Placement

X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """Two convolutions around a sum, one ReLU called twice."""

    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.second(self.relu(self.first(x))))


def network():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.GELU(),
        Block(6),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 2),
        nn.ReLU(),
        nn.Linear(2, 2),
    )


def space(tmp_path, encoding="slots", **dimensions):
    """A placement space of the shipped file with dimensions changed."""
    document = yaml.safe_load(find_space_file("placement").read_text("utf-8"))
    document["encoding"] = encoding
    if encoding != "slots":
        del document["dimensions"]["slot.activation"]
    if encoding == "pattern":
        patterns = ["none", "all", "first", "last", "alternate"]
        document["dimensions"]["pattern"] = {"choices": patterns}
    for name, value in dimensions.items():
        document["dimensions"][name.replace("__", ".")] = value
    path = tmp_path / "space.yaml"
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


FREE = {"clip": {"choices": [None, 3.0]}}
LIMITS = [
    (None, None),
    (Budget(parameters=1_000), None),
    (None, Budget(parameters=60)),
    (None, Budget(parameters=100, macs=3_000)),
    (Budget(relus=500), None),
    (Budget(relus=0, parameters=2_000), None),
    (Budget(depth=16), None),
]


@pytest.mark.parametrize("encoding", ["slots", "pattern", "share"])
@pytest.mark.parametrize(("budget", "extra"), LIMITS, ids=str)
def test_suggestions_are_within_limits_and_come_back(tmp_path, encoding, budget, extra):
    model = network()
    found = SearchSpace.for_model(model, X, space=space(tmp_path, encoding, **FREE))
    known = found.distributions(budget, extra=extra)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    alone = found.costs().totals
    for _ in range(15):
        trial = study.ask()
        placement = found.suggest(trial, budget, extra=extra)
        cost = found.costs(placement)
        assert budget is None or budget.allows(cost)
        for name, limit in (extra.limits if extra else {}).items():
            assert cost.totals[name] - alone[name] <= limit
        assert set(trial.params) <= set(known)
        assert found.decode(trial.params, budget, extra=extra) == placement
        answers = found.encode(placement, budget, extra=extra)
        assert found.decode(answers, budget, extra=extra) == placement


def test_an_enqueued_placement_is_suggested(tmp_path):
    found = SearchSpace.for_model(network(), X)
    spec = find_kind("slaf").spec(degree=4, normaliser="none", start="gelu")
    placement = Placement(found.slots[:1], (spec,))
    study = optuna.create_study()
    study.enqueue_trial(found.encode(placement))
    assert found.suggest(study.ask()) == placement


def test_slots_costs_and_deployment_agree(tmp_path):
    model = network()
    found = SearchSpace.for_model(model, X)
    assert [s.id for s in found.slots] == ["1#0", "2.relu#0", "2.relu#1", "6#0"]
    # 6·3·9+6, 2·(6·6·9+6), 6·2+2, 2·2+2
    assert found.costs().parameters == 168 + 660 + 14 + 6
    assert found.costs().macs == 36 * 6 * 27 + 2 * 36 * 6 * 54 + 12 + 4
    assert found.costs().relus == 2 * 36 * 6 + 2
    spec = find_kind("slaf").spec(degree=3, hybrid=0.5)
    placement = Placement(found.slots, (spec,) * 4)
    trained = replace(model, placement).train()
    for _ in range(3):
        trained(X)
    trained.eval()
    deployed = deploy_slots(trained, placement)
    with torch.no_grad():
        torch.testing.assert_close(deployed(X), trained(X), rtol=1e-4, atol=1e-4)
    stored = sum(t.numel() for t in deployed.state_dict().values() if t.is_floating_point())
    assert stored == found.costs(placement).parameters


def test_the_longest_path_counts_for_depth():
    found = SearchSpace.for_model(network(), X)
    spec = find_kind("slaf").spec(degree=3, clip=None, normaliser="none")
    # 3 convolutions, 2 linear layers, 4 slots of 2 levels
    assert found.costs(Placement(found.slots, (spec,) * 4)).depth == 5 + 8
    assert found.costs(Placement(found.slots[:3], (spec,) * 3)).depth == float("inf")


def test_the_network_stays_as_it_is_and_the_copy_starts_near_it():
    model = network().eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    slots = find_slots(model, X)
    spec = find_kind("slaf").spec(degree=12, normaliser="none", start="relu")
    relus = {slot: spec for slot in slots if slot.activation == "relu"}
    new = replace(model, relus)
    assert type(new) is type(model)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert isinstance(model[2].relu, nn.ReLU)
    with torch.no_grad():
        assert (new(X) - model(X)).abs().max() < 0.1


def test_a_pass_that_fails_half_way_does_not_shift_the_calls():
    model = network()
    slots = find_slots(model, X)
    low, high = (find_kind("slaf").spec(degree=d, normaliser="none") for d in (2, 3))
    block = replace(model, {slots[1]: low, slots[2]: high})[2]
    y = torch.randn(2, 6, 5, 5)
    wanted = block(y)
    second = block.second
    block.second = nn.Linear(1, 1)  # refuses
    with pytest.raises(RuntimeError):
        block(y)
    block.second = second
    assert torch.equal(block(y), wanted)


def test_sensitivity_puts_first_what_matters_least():
    model = network().eval()
    slots = find_slots(model, X)

    def loss(candidate):
        # The first slot's replacement is the only one that this loss minds.
        return float(not isinstance(candidate[1], nn.GELU))

    assert sensitivity_order(model, slots, loss)[-1] == 0


def test_two_networks_share_a_study_under_prefixes_only():
    one, other = (SearchSpace.for_model(network(), X, prefix=p) for p in ("", "teacher."))
    third = SearchSpace.for_model(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.zeros(1, 2))
    trial = optuna.create_study().ask()
    one.suggest(trial)
    other.suggest(trial)
    assert any(name.startswith("teacher.slot") for name in trial.params)
    with pytest.raises(SpaceError, match="prefix"):
        third.suggest(trial)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: SearchSpace.for_model(nn.Linear(2, 2), torch.zeros(1, 2)), "no activation"),
        (lambda: SearchSpace.for_model(network(), torch.zeros(1, 5)), "refuses the example input"),
        (lambda: SearchSpace.for_model(network(), X, order=(0, 0, 1, 2)), "order"),
        (lambda: SearchSpace.load("placement"), "for_model"),
        (lambda: PlacementSpace.of(network(), X, space="mlp"), "family"),
    ],
)
def test_bad_input_is_one_clear_line(given, words):
    with pytest.raises(SlafError, match=words) as caught:
        given()
    assert len(str(caught.value).splitlines()) == 1


def test_a_limit_that_no_placement_meets_is_one_clear_line():
    found = SearchSpace.for_model(network(), X)
    study = optuna.create_study()
    with pytest.raises(BudgetError, match="848 parameters"):
        found.suggest(study.ask(), Budget(parameters=100))
    with pytest.raises(BudgetError, match="clip of space 'placement' without null"):
        found.distributions(Budget(relus=0))
    with pytest.raises(BudgetError, match="extra relus"):
        found.distributions(extra=Budget(relus=3))
