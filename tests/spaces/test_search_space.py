"""Properties of every candidate that the shipped space suggests, whatever the data and budget."""

import json
import re

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import IntDistribution
from space_cases import BUDGET, DIGITS, MLP, ask, edited, infos, modest, problems, write

from slaf_automl.errors import BudgetError, SpaceError
from slaf_automl.networks import count_cost
from slaf_automl.spaces import SearchSpace
from slaf_automl.spec import Budget, Candidate, DataInfo, dumps


@given(problem=problems())
@modest(80)
def test_every_candidate_is_within_the_budget(problem):
    info, budget, seed = problem
    _, candidate = ask(MLP, info, budget, seed)
    assert count_cost(candidate.architecture).parameters <= budget.parameters


@given(problem=problems())
@modest(40)
def test_a_candidate_is_made_for_its_data(problem):
    info, budget, seed = problem
    _, candidate = ask(MLP, info, budget, seed)
    architecture = candidate.architecture
    assert architecture.inputs == len(info.features)
    assert architecture.outputs == info.outputs
    assert architecture.centred_inputs == info.centred_inputs
    assert candidate.recipe.batch_size == info.batch_size
    assert candidate.recipe.epochs == MLP.epochs(info)
    # All slots share the normaliser, ReLU ones too: the comparison of the two arms needs it.
    assert len({spec["normaliser"] for spec in architecture.placement}) == 1


@given(problem=problems())
@modest(60)
def test_decode_undoes_encode(problem):
    info, budget, seed = problem
    _, candidate = ask(MLP, info, budget, seed)
    assert MLP.decode(MLP.encode(candidate, info, budget), info, budget) == candidate


@given(problem=problems())
@modest(60)
def test_decode_reads_what_the_trial_stored(problem):
    info, budget, seed = problem
    trial, candidate = ask(MLP, info, budget, seed)
    assert MLP.decode(trial.params, info, budget) == candidate
    # A storage keeps parameters as JSON.
    assert MLP.decode(json.loads(json.dumps(trial.params)), info, budget) == candidate


@given(problem=problems())
@modest(40)
def test_encode_asks_what_the_trial_was_asked(problem):
    info, budget, seed = problem
    trial, candidate = ask(MLP, info, budget, seed)
    encoded = MLP.encode(candidate, info, budget)
    # Two shapes may solve to the same widths; all else is the trial's own.
    assert encoded.keys() == trial.params.keys()
    assert {**encoded, "shape": None} == {**trial.params, "shape": None}


@given(problem=problems())
@modest(40)
def test_encoded_parameters_can_be_replayed_and_enqueued(problem):
    info, budget, seed = problem
    _, candidate = ask(MLP, info, budget, seed)
    encoded = MLP.encode(candidate, info, budget)
    assert MLP.suggest(optuna.trial.FixedTrial(encoded), info, budget) == candidate
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed + 1))
    study.enqueue_trial(encoded)
    assert MLP.suggest(study.ask(), info, budget) == candidate


@given(problem=problems())
@modest(30)
def test_a_candidate_that_went_through_json_encodes_alike(problem):
    info, budget, seed = problem
    _, candidate = ask(MLP, info, budget, seed)
    stored = Candidate.from_json(json.loads(dumps(candidate.to_json())))
    assert MLP.encode(stored, info, budget) == MLP.encode(candidate, info, budget)


@given(info=infos(), seed=st.integers(0, 2**31))
@modest(15)
def test_the_smallest_budget_is_enough_for_every_trial(info, seed):
    budget = MLP.smallest_budget(info)
    for offset in range(20):
        _, candidate = ask(MLP, info, budget, seed + offset)
        assert count_cost(candidate.architecture).parameters <= budget.parameters


@given(info=infos(), short=st.integers(1, 5))
@modest(40)
def test_less_than_the_smallest_budget_is_refused_by_naming_it(info, short):
    least = MLP.smallest_budget(info).parameters
    budget = Budget(parameters=max(1, least - short))
    fixed = optuna.trial.FixedTrial({"depth": 1})
    for refused in (
        lambda: MLP.distributions(info, budget),
        lambda: MLP.suggest(fixed, info, budget),
        lambda: MLP.decode({}, info, budget),
    ):
        with pytest.raises(BudgetError) as caught:
            refused()
        message = str(caught.value)
        assert re.search(rf"at least {least:,} ", message)
        assert "'mlp'" in message
        assert len(message.splitlines()) == 1


@given(info=infos())
@modest(15)
def test_some_candidate_needs_the_smallest_budget_whole(info):
    # The number is no upper estimate: the costliest candidate stores exactly as much.
    budget = MLP.smallest_budget(info)
    parameters = {
        "depth": 1,
        "slot0.activation": "slaf",
        "slot0.basis": "chebyshev",
        "slot0.degree": 6,
        "slot0.hybrid": 0.0,
        "sharing": "channel",
        "normaliser": "none",
        "start": "relu",
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "routine": "joint",
    }
    candidate = MLP.decode(parameters, info, budget)
    assert count_cost(candidate.architecture).parameters == budget.parameters


@given(problem=problems())
@modest(60)
def test_distributions_are_those_that_suggest_asks_for(problem):
    info, budget, seed = problem
    trial, _ = ask(MLP, info, budget, seed)
    promised = MLP.distributions(info, budget)
    assert trial.distributions == {name: promised[name] for name in trial.params}


def test_every_distribution_is_asked_for_by_some_trial():
    asked = set()
    for seed in range(60):
        asked |= ask(MLP, DIGITS, BUDGET, seed)[0].params.keys()
    assert asked == MLP.distributions(DIGITS, BUDGET).keys()


@given(problem=problems())
@modest(40)
def test_flat_sampling_decodes_to_a_candidate(problem):
    info, budget, seed = problem
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask(MLP.distributions(info, budget))
    candidate = MLP.decode(trial.params, info, budget)
    assert count_cost(candidate.architecture).parameters <= budget.parameters
    # Parameters that the candidate does not need are passed over, the others are its own.
    encoded = MLP.encode(candidate, info, budget)
    needed = {name: trial.params[name] for name in encoded}
    assert {**encoded, "shape": None} == {**needed, "shape": None}


@given(problem=problems())
@modest(20)
def test_a_seed_gives_one_candidate(problem):
    info, budget, seed = problem
    assert ask(MLP, info, budget, seed)[1] == ask(MLP, info, budget, seed)[1]


def test_data_may_be_given_as_the_object_that_knows_its_info():
    class Table:
        info = DIGITS

    assert MLP.distributions(Table(), BUDGET) == MLP.distributions(DIGITS, BUDGET)
    assert MLP.smallest_budget(Table()) == MLP.smallest_budget(DIGITS)
    _, candidate = ask(MLP, Table(), BUDGET, seed=0)
    assert candidate == ask(MLP, DIGITS, BUDGET, seed=0)[1]
    encoded = MLP.encode(candidate, Table(), BUDGET)
    assert MLP.decode(encoded, Table(), BUDGET) == candidate


def test_a_small_budget_has_fewer_depths():
    depths = {
        budget: MLP.distributions(DIGITS, Budget(parameters=budget))["depth"].high
        for budget in (MLP.smallest_budget(DIGITS).parameters, 5_000)
    }
    assert list(depths.values()) == [1, 3]
    least = MLP.distributions(DIGITS, MLP.smallest_budget(DIGITS))
    assert not any(name.startswith(("slot1", "slot2")) for name in least)


def test_the_description_names_every_dimension_and_its_values():
    text = MLP.description()
    assert text.splitlines()[0] == "mlp (version 2, family mlp)"
    rows = {line.split()[0]: line for line in text.splitlines()[1:]}
    names = {re.sub(r"slot\d", "slot<i>", name) for name in MLP.distributions(DIGITS, BUDGET)}
    assert rows.keys() == {*names, "clip", "widths", "training"}
    assert rows["slot<i>.degree"].endswith("an integer from 2 to 6")
    assert rows["learning_rate"].endswith("a number from 0.001 to 0.03, log scale")
    assert rows["routine"].endswith("one of joint, alternate, two_speed")
    assert rows["clip"].endswith("always 3.0")
    assert rows["widths"].endswith("2 to 32,768 units")
    assert "54 epochs" in rows["training"]


def test_log_scales_of_integers_are_asked_for_as_promised(tmp_path):
    scales = {"depth": (1, 3), "slot.degree": (2, 6)}
    changes = [
        (("dimensions", name), {"low": low, "high": high, "log": True})
        for name, (low, high) in scales.items()
    ]
    space = SearchSpace.load(write(tmp_path, edited(*changes)))
    promised = space.distributions(DIGITS, BUDGET)
    assert promised["depth"] == IntDistribution(1, 3, log=True)
    assert promised["slot0.degree"] == IntDistribution(2, 6, log=True)
    asked = {}
    for seed in range(20):
        asked |= ask(space, DIGITS, BUDGET, seed)[0].distributions
    assert {"depth", "slot0.degree"} <= asked.keys()
    assert asked == {name: promised[name] for name in asked}


def test_the_degrees_that_a_space_may_ask_for():
    assert MLP.degrees == (2, 3, 4, 5, 6)
    assert MLP.control().degrees == ()
    assert SearchSpace.load("published").degrees[-1] >= 7


@pytest.mark.parametrize("space", ["mlp", "cnn"])
def test_the_control_may_be_of_another_fixed_activation(space):
    shape = (1, 12, 12) if space == "cnn" else None
    features = tuple(f"x{i}" for i in range(144 if shape else 4))
    info = DataInfo(features, "y", "regression", (), rows=200, image=shape)
    mix, budget = SearchSpace.load(space), Budget(parameters=2_000)
    relu, silu = mix.control(), mix.control("silu")
    assert len({s.identity() for s in (mix, relu, silu, mix.control("gelu"))}) == 4
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(5):
        trial = study.ask()
        candidate = silu.suggest(trial, info, budget)
        assert set(candidate.architecture.kinds) == {"silu"}
        assert silu.decode(trial.params, info, budget) == candidate
        assert silu.encode(candidate, info, budget) == trial.params
        twin = relu.decode(trial.params, info, budget)
        assert twin.architecture.widths == candidate.architecture.widths
        assert count_cost(twin.architecture).parameters <= 2_000
        costs = [count_cost(c.architecture).parameters for c in (twin, candidate)]
        assert costs[0] == costs[1]
    with pytest.raises(SpaceError, match="'tanh'"):
        mix.control("tanh")
