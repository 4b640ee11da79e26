"""Samplers that cannot serve a space are refused in one line, before Optuna fails within."""

import math
import warnings
from dataclasses import replace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution
from optuna.samplers import (
    BruteForceSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)
from placement_cases import ask as ask_placement
from placement_cases import document as placement_document
from placement_cases import space_of, spaces
from space_cases import BUDGET, DIGITS, MLP, ask, by_pattern, document, modest

from slaf_automl.errors import SpaceError
from slaf_automl.spaces import SearchSpace, SizedSpace
from slaf_automl.spaces.candidates import build_candidate
from slaf_automl.spaces.dimensions import Constant, Searched
from slaf_automl.spaces.samplers import always_and_ever_asked
from slaf_automl.spaces.schema import parse_space
from slaf_automl.spec import Budget

PATTERN = SearchSpace(parse_space(by_pattern(document()), "space.yaml"))


def margin():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return CmaEsSampler(seed=0, with_margin=True, popsize=5)


def brute():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return BruteForceSampler(seed=0)


def fixed(space, **values):
    """Return the space with some dimensions constant, `slot_degree` for `slot.degree`."""
    dimensions = {n.replace("slot_", "slot."): Constant(v) for n, v in values.items()}
    return SearchSpace(replace(space.file, dimensions={**space.file.dimensions, **dimensions}))


def discrete(space):
    """Return the space with its continuous dimensions at their least value."""
    dimensions = {
        name: Constant(d.distribution.low)
        for name, d in space.file.dimensions.items()
        if isinstance(d, Searched) and isinstance(d.distribution, FloatDistribution)
    }
    return SearchSpace(replace(space.file, dimensions={**space.file.dimensions, **dimensions}))


def refusal(space, sampler, *limits, **extra):
    """Return the one line with which `suggest` and `require_sampler` refuse a sampler."""
    study = optuna.create_study(sampler=sampler)
    messages = set()
    for door in (
        lambda: space.require_sampler(sampler, *limits, **extra),
        lambda: space.suggest(study.ask(), *limits, **extra),
    ):
        with pytest.raises(SpaceError) as caught:
            door()
        messages.add(str(caught.value))
    assert len(messages) == 1
    message = messages.pop()
    assert len(message.splitlines()) == 1
    return message


def run(space, sampler, trials=30):
    """Run a study of candidates of the space."""
    study = optuna.create_study(sampler=sampler)
    stopped = []
    study.stop = lambda: stopped.append(True)  # Optuna's own is for Study.optimize only.
    while len(study.trials) < trials and not stopped:
        trial = study.ask()
        rate = space.suggest(trial, DIGITS, BUDGET).recipe.learning_rate
        study.tell(trial, abs(math.log10(rate) + 2))
    return study


def test_brute_force_names_the_continuous_dimensions():
    assert refusal(MLP, brute(), DIGITS, BUDGET) == (
        "BruteForceSampler on space 'mlp' with the continuous learning_rate, weight_decay, "
        "coefficient_rate; expected dimensions of finitely many values; give choices or a value in "
        "the space file, or take another sampler"
    )
    some = fixed(MLP, learning_rate=0.01, weight_decay=0.1)
    assert "the continuous coefficient_rate; expected" in refusal(some, brute(), DIGITS, BUDGET)
    fixed(some, routine="joint").require_sampler(brute(), DIGITS, BUDGET)
    discrete(MLP).require_sampler(brute(), DIGITS, BUDGET)
    study = run(discrete(MLP), brute())
    assert len({str(trial.params) for trial in study.trials}) == len(study.trials) == 30


def test_a_range_of_one_value_is_a_range_to_brute_force():
    one = {"learning_rate": Searched(FloatDistribution(0.01, 0.01))}
    space = discrete(MLP)
    space = SearchSpace(replace(space.file, dimensions={**space.file.dimensions, **one}))
    assert "with the continuous learning_rate; expected" in refusal(space, brute(), DIGITS, BUDGET)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (MLP, "slot0.degree, slot1.degree, slot2.degree, …"),
        (PATTERN, "count, degree, coefficient_rate"),
        # One depth, all slots learned: the routine's own rate is left.
        (fixed(MLP, slot_activation="slaf", depth=2), "coefficient_rate"),
        (fixed(MLP, slot_activation="slaf", routine="joint"), "slot1.degree, slot2.degree"),
        (fixed(PATTERN, pattern="first", routine="joint"), None),
        (fixed(PATTERN, pattern="all", routine="two_speed"), None),
        (fixed(MLP, slot_activation="slaf", depth=2, routine="two_speed"), None),
        (MLP.control(), None),
    ],
)
def test_margins_name_the_numbers_that_only_some_trials_have(space, words):
    pytest.importorskip("cmaes")
    if words is None:
        space.require_sampler(margin(), DIGITS, BUDGET)
        assert len(run(space, margin(), 40).trials) == 40
    else:
        assert refusal(space, margin(), DIGITS, BUDGET) == (
            "CmaEsSampler(with_margin=True) on space 'mlp', where not every trial has "
            f"{words}; expected the same numbers in every trial; leave with_margin out, or decode "
            "trials of study.ask(space.distributions(...))"
        )


def test_optuna_itself_fails_where_margins_are_refused(monkeypatch):
    # Should this pass one day, the refusal can go.
    pytest.importorskip("cmaes")
    monkeypatch.setattr(SearchSpace, "_require_sampler", lambda *_: None)
    with pytest.raises(ValueError, match=r"broadcast|mismatch|inhomogeneous|shape"):
        run(MLP, margin(), 100)


def test_trials_asked_for_everything_beforehand_are_served():
    pytest.importorskip("cmaes")
    study = optuna.create_study(sampler=margin())
    for number in range(30):
        trial = study.ask(MLP.distributions(DIGITS, BUDGET))
        candidate = MLP.suggest(trial, DIGITS, BUDGET)
        assert MLP.decode(trial.params, DIGITS, BUDGET) == candidate
        study.tell(trial, number)


@pytest.mark.parametrize("make", [TPESampler, GPSampler, NSGAIISampler, RandomSampler])
def test_all_others_serve_any_space(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = make()
    for space in (MLP, PATTERN):
        space.require_sampler(sampler, DIGITS, BUDGET)
    space_of((3, 8)).require_sampler(sampler)


def test_margins_are_all_that_is_wrong_with_cma_es():
    pytest.importorskip("cmaes")
    MLP.require_sampler(CmaEsSampler(), DIGITS, BUDGET)


def test_sized_spaces_refuse_alike():
    sized = SizedSpace(discrete(MLP), DIGITS, BUDGET)
    assert "BruteForceSampler on space 'mlp' with the continuous size;" in refusal(sized, brute())
    sized.require_sampler(RandomSampler())


def test_sized_spaces_refuse_margins_alike():
    pytest.importorskip("cmaes")
    sized = SizedSpace(MLP, DIGITS, BUDGET)
    assert "not every trial has slot0.degree" in refusal(sized, margin())
    study = optuna.create_study(sampler=margin())
    for number in range(30):
        trial = study.ask(sized.distributions())
        assert sized.suggest(trial) == sized.decode(trial.params)
        study.tell(trial, number)


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("slots", "slot0.degree, slot1.degree"),
        ("pattern", "count, degree"),
        ("share", "degree"),
    ],
)
def test_placements_are_refused_alike(encoding, words):
    pytest.importorskip("cmaes")
    space = space_of((3, 8), placement_document(encoding))
    message = refusal(space, margin(), Budget(parameters=500))
    assert f"on space 'placement', where not every trial has {words}; expected" in message


@pytest.mark.parametrize("encoding", ["slots", "pattern", "share"])
def test_brute_force_serves_placements_of_choices_and_integers(encoding):
    space_of((3, 8), placement_document(encoding)).require_sampler(brute())
    ranged = space_of((3, 8), placement_document(encoding, clip={"low": 2.0, "high": 3.0}))
    message = refusal(ranged, brute(), extra=Budget(parameters=100))
    assert "BruteForceSampler on space 'placement' with the continuous clip;" in message


@given(space=spaces(), seed=st.integers(0, 2**31))
@modest(60)
def test_what_is_always_asked_for_is_in_every_trial(space, seed):
    always, ever = always_and_ever_asked(space._within(None, None).placement)
    trial, _ = ask_placement(space, seed)
    assert always.keys() <= trial.params.keys() <= ever.keys() == space.distributions().keys()
    assert trial.distributions.items() <= ever.items()


@pytest.mark.parametrize("space", [MLP, PATTERN, MLP.control()], ids=["mlp", "pattern", "control"])
def test_what_is_always_and_ever_asked_for_is_what_trials_have(space):
    always, ever = always_and_ever_asked(
        lambda chooser: build_candidate(space.file, chooser, DIGITS, BUDGET)
    )
    found = [ask(space, DIGITS, BUDGET, seed)[0].params.keys() for seed in range(60)]
    assert always.keys() == set.intersection(*map(set, found))
    assert ever.keys() == set.union(*map(set, found)) == space.distributions(DIGITS, BUDGET).keys()
